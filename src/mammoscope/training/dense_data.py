"""Scans with boxed lesions as training material for a dense network: samples, views, targets."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mammoscope.core.contract import InputSpec
from mammoscope.core.errors import SpacingMissingError
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import Pathology
from mammoscope.formats.masks import box_of
from mammoscope.scans.load import load
from mammoscope.scans.prepare import Prepared, prepare
from mammoscope.training.descriptors import WORDS, described

CORE = 0.8
"""The ellipse in a box, shrunk by this, counts as lesion; the rest of the box is left out."""
RING_MM = 2.4
"""Places this near a box are left out of the loss: the outline of a mass is a matter of opinion."""
COARSE_PX = 1.5
"""What is coarser than this (Gaussian, in prepared pixels) is kept when detail is changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseSample:
    """A prepared scan and its lesions.

    Attributes
    ----------
    boxes : ndarray of shape (lesions, 4), float64: top, left, height, width in pixels of the
        prepared image
    malignant : ndarray of shape (lesions,), float64: 1, 0, or NaN where nothing is proven
    words : ndarray of shape (lesions, words), float32: see `mammoscope.training.descriptors`
    """

    scan: Scan
    prepared: Prepared
    boxes: NDArray[np.float64]
    malignant: NDArray[np.float64]
    words: NDArray[np.float32]

    @property
    def image(self) -> Tensor:
        """The prepared image, (rows, columns), float32; shares its memory."""
        return torch.from_numpy(self.prepared.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseBatch:
    """A batch of views.

    `images` is (batch, 1, rows, columns); `lesion`, `malignant` and `weight` are (batch, rows / 8,
    columns / 8): lesion 1, 0 or -1 (left out); malignant 1, 0 or -1; weight of lesion places.
    `words` is (batch, words, rows / 8, columns / 8): 1, 0 or -1 (nothing is known).
    """

    images: Tensor
    lesion: Tensor
    malignant: Tensor
    weight: Tensor
    words: Tensor


def make_sample(scan: Scan, spec: InputSpec) -> DenseSample:
    """Load and prepare a scan of an archive, and carry its findings' boxes along."""
    loaded = load(scan)
    if loaded.spacing_mm is None:
        raise SpacingMissingError(
            f"{scan.path}: the archive does not know how large its pixels are, so it cannot be "
            "trained on; leave the scan out."
        )
    prepared = prepare(spec, loaded.image, loaded.spacing_mm)
    located = [f for f in scan.findings or () if f.roi is not None]
    shape = (loaded.image.shape[0], loaded.image.shape[1])
    boxes = [prepared.box_from_scan(box_of(f.roi, shape)) for f in located if f.roi is not None]
    worth = {Pathology.MALIGNANT: 1.0, Pathology.BENIGN: 0.0}
    return DenseSample(
        scan=scan,
        prepared=prepared,
        boxes=np.array([(b.top, b.left, b.height, b.width) for b in boxes]).reshape(-1, 4),
        malignant=np.array(
            [worth.get(f.pathology, np.nan) if f.pathology else np.nan for f in located], np.float64
        ),
        words=np.array([described(f) for f in located], np.float32).reshape(-1, len(WORDS)),
    )


def make_samples(
    scans: Iterable[Scan], spec: InputSpec, step: Callable[[], None]
) -> list[DenseSample]:
    """Prepare many scans, calling `step` after each."""
    samples = []
    for scan in scans:
        samples.append(make_sample(scan, spec))
        step()
    return samples


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One drawn augmentation: where each output pixel comes from, and how greys change.

    A source point is ``matrix @ (row, column) + offset``. What is finer than about half a
    millimetre is multiplied by `detail` (archives differ much in sharpness), then
    ``gain * grey ** gamma + shift``, then ``grey + bend * sin(2 pi grey) / (2 pi)`` (films are bent
    as an S), and noise.
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    gamma: float
    gain: float
    shift: float
    bend: float
    detail: float
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Ranges from which views are drawn.

    `near_lesion` and `flip` are probabilities; `scale`, `gamma`, `gain` and `detail` are drawn as
    exp(U(-x, x)); turns, shift, bend (less than 1) and noise are drawn evenly up to the number
    given.
    """

    rows: int = 384
    columns: int = 256
    near_lesion: float = 0.8
    scale: float = 0.2
    turn_degrees: float = 12.0
    flip: float = 0.5
    gamma: float = 0.4
    gain: float = 0.15
    shift: float = 0.05
    bend: float = 0.0
    detail: float = 0.7
    noise: float = 0.02


def draw_view(sample: DenseSample, augmentation: Augmentation, rng: np.random.Generator) -> View:
    """Draw a window of the scan, often round a lesion, with random size, turn, flip and greys."""
    a = augmentation
    scale = float(np.exp(rng.uniform(-a.scale, a.scale)))
    angle = np.deg2rad(rng.uniform(-a.turn_degrees, a.turn_degrees))
    flip = -1.0 if rng.random() < a.flip else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = scale * turn @ np.diag([flip, 1.0])
    window = np.array([a.rows, a.columns], np.float64)
    size = np.array(sample.prepared.image.shape, np.float64)
    if len(sample.boxes) and rng.random() < a.near_lesion:
        box = sample.boxes[rng.integers(len(sample.boxes))]
        target = box[:2] + box[2:] / 2
        reach = 0.35 * window * scale
        centre = target + rng.uniform(-reach, reach)
    else:
        centre = rng.uniform(0, 1, 2) * size
    # The window is moved back so far that it shows as much of the scan as it can.
    half = window * scale / 2
    low, high = np.minimum(half, size / 2), np.maximum(size - half, size / 2)
    centre = np.clip(centre, low, high)
    return View(
        matrix=matrix,
        offset=centre - matrix @ ((window - 1) / 2),
        gamma=float(np.exp(rng.uniform(-a.gamma, a.gamma))),
        gain=float(np.exp(rng.uniform(-a.gain, a.gain))),
        shift=float(rng.uniform(-a.shift, a.shift)),
        bend=float(rng.uniform(-a.bend, a.bend)),
        detail=float(np.exp(rng.uniform(-a.detail, a.detail))),
        noise=float(max(0.0, rng.uniform(-a.noise, a.noise))),
    )


def apply_view(
    sample: DenseSample, view: View, size: tuple[int, int], rng: np.random.Generator
) -> Tensor:
    """Sample a view of the scan: Tensor of shape `size`, float32 in [0, 1], 0 outside the scan."""
    rows, columns = sample.prepared.image.shape
    # grid_sample wants (x, y) in [-1, 1] from the outer edge of the first pixel to the last's.
    scale = 2.0 / np.array([rows, columns])
    matrix = torch.from_numpy((view.matrix * scale[:, None]).astype(np.float32))
    offset = torch.from_numpy(((view.offset + 0.5) * scale - 1).astype(np.float32))
    y = torch.arange(size[0], dtype=torch.float32)[:, None]
    x = torch.arange(size[1], dtype=torch.float32)[None, :]
    grid = torch.stack([matrix[i, 0] * y + matrix[i, 1] * x + offset[i] for i in (1, 0)], dim=-1)
    image = functional.grid_sample(
        sample.image[None, None], grid[None], mode="bilinear", align_corners=False
    )[0, 0]
    tissue = image > 0
    coarse = _blur(image)
    image = (coarse + view.detail * (image - coarse)).clamp(0, 1)
    image = view.gain * image**view.gamma + view.shift
    if view.bend:
        image = image + view.bend * torch.sin(2 * torch.pi * image) / (2 * torch.pi)
    if view.noise > 0:
        noise = rng.standard_normal(size, dtype=np.float32)
        image = image + view.noise * torch.from_numpy(noise)
    return torch.where(tissue, image.clamp(0, 1), 0.0)


def _blur(image: Tensor) -> Tensor:
    """Blur an image with a Gaussian of `COARSE_PX`."""
    taps = torch.exp(-0.5 * (torch.arange(-4, 5) / COARSE_PX) ** 2)
    taps = (taps / taps.sum())[None, None]
    row = functional.conv2d(image[None, None], taps[:, :, None, :], padding=(0, 4))
    return functional.conv2d(row, taps[:, :, :, None], padding=(4, 0))[0, 0]


def make_targets(
    sample: DenseSample, view: View, size: tuple[int, int], stride: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Say for each place of a view what a network should answer: lesion, malignant, weight, words.

    A place belongs to a lesion when its source point lies in the shrunken ellipse of a box. Each
    lesion weighs the square root of its places, so that large ones do not drown small ones.
    """
    shape = (size[0] // stride, size[1] // stride)
    cells = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    points = (cells * stride + (stride - 1) / 2) @ view.matrix.T + view.offset
    lesion, malignant = np.zeros(shape, np.float32), np.full(shape, -1, np.float32)
    weight = np.zeros(shape, np.float32)
    words = np.full((sample.words.shape[1], *shape), -1, np.float32)
    ring = RING_MM / sample.prepared.spacing_mm
    lesions = zip(sample.boxes, sample.malignant, sample.words, strict=True)
    for (top, left, height, width), worth, said in lesions:
        half = np.array([height, width]) / 2
        away = np.abs(points - (np.array([top, left]) - 0.5 + half))
        near = (away <= half + ring).all(axis=-1)
        lesion[near & (lesion == 0)] = -1
        core = ((away / (half * CORE)) ** 2).sum(axis=-1) <= 1
        if not core.any() and near.any():
            core = near & (away.sum(axis=-1) == away[near].sum(axis=-1).min())
        lesion[core] = 1
        weight[core] = 1 / np.sqrt(max(1, core.sum()))
        malignant[core] = worth if np.isfinite(worth) else -1
        words[:, core] = said[:, None]
    return lesion, malignant, weight, words


def make_batch(
    samples: list[DenseSample],
    augmentation: Augmentation,
    stride: int,
    rng: np.random.Generator,
) -> DenseBatch:
    """Draw a view of each sample and stack them."""
    size = (augmentation.rows, augmentation.columns)
    images, targets = [], []
    for sample in samples:
        view = draw_view(sample, augmentation, rng)
        images.append(apply_view(sample, view, size, rng))
        targets.append(make_targets(sample, view, size, stride))
    lesion, malignant, weight, words = (
        torch.from_numpy(np.stack(part)) for part in zip(*targets, strict=True)
    )
    return DenseBatch(
        images=torch.stack(images)[:, None].contiguous(memory_format=torch.channels_last),
        lesion=lesion,
        malignant=malignant,
        weight=weight,
        words=words,
    )
