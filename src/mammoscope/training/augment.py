"""Changes of a batch of tiles on the device where it lies, drawn first and done afterwards.

`draw` makes numbers from a generator alone, so a batch is the same on every machine; `apply` does
them. Mirror images and quarter turns move pixels and are exact (the paper's flips were shifted by
one pixel, method facts 4). Everything else that moves pixels is done in one resampling.
"""

from dataclasses import dataclass
from math import ceil, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

ELASTIC_POINTS = 6
"""Points a side at which an elastic shift is drawn; between them it is smooth."""
SHARPEST_BLUR_PX = 0.1
"""A Gaussian narrower than this changes nothing that 8 bits can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """Ranges from which changes are drawn; each tile draws its own. All but flips are off at first.

    Attributes
    ----------
    flip_horizontal, flip_vertical : chances of a mirror image, in [0, 1]
    quarter_turns : also turn by a random multiple of 90 degrees
    rotate_degrees : free rotation, drawn evenly from -x to x
    scale : size factor exp(u), u drawn evenly from -x to x
    shift : of the place, a share of the side, drawn evenly from -x to x along both axes
    elastic_px : standard deviation of a smooth random shift of each place, in pixels
    contrast : factor exp(u) about the tile's mean grey, u drawn evenly from -x to x
    gain : factor exp(u) of all greys
    brightness : added to all greys (black is 0, white is 1), drawn evenly from -x to x
    blur_px : standard deviation of a Gaussian, drawn evenly from 0 to x, in pixels
    noise : standard deviation of white noise, drawn evenly from 0 to x
    """

    flip_horizontal: float = 0.5
    flip_vertical: float = 0.5
    quarter_turns: bool = False
    rotate_degrees: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    elastic_px: float = 0.0
    contrast: float = 0.0
    gain: float = 0.0
    brightness: float = 0.0
    blur_px: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.flip_horizontal <= 1 and 0 <= self.flip_vertical <= 1):
            raise ValueError("flip_horizontal and flip_vertical are chances from 0 to 1")
        if not 0 <= self.rotate_degrees <= 180:
            raise ValueError("rotate_degrees must be 0 to 180")
        if not (0 <= self.scale <= 1 and 0 <= self.shift <= 0.5):
            raise ValueError("scale must be 0 to 1, and shift 0 to 0.5")
        if min(self.contrast, self.gain, self.brightness, self.blur_px, self.noise) < 0:
            raise ValueError("contrast, gain, brightness, blur_px and noise must be 0 or more")
        if self.elastic_px < 0:
            raise ValueError("elastic_px must be 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """What happens to each tile of a batch; None where nothing does.

    Attributes
    ----------
    horizontal, vertical : (batch,), bool: mirrored left to right, top to bottom
    turns : (batch,), int64: quarter turns against the clock, 0 to 3
    affine : (batch, 2, 3), float32: where each place comes from, in coordinates (x, y) that go
        from -1 to 1 between the outer edges of the tile
    elastic : (batch, 2, points, points), float32: further shift (x, y), in pixels
    contrast, gain, brightness : (batch,), float32
    blur_px, noise : (batch,), float32: standard deviations
    noise_seed : the noise itself is made where the tiles are
    """

    horizontal: Tensor
    vertical: Tensor
    turns: Tensor | None = None
    affine: Tensor | None = None
    elastic: Tensor | None = None
    contrast: Tensor | None = None
    gain: Tensor | None = None
    brightness: Tensor | None = None
    blur_px: Tensor | None = None
    noise: Tensor | None = None
    noise_seed: int = 0


def draw(settings: AugmentSettings, count: int, side: int, generator: np.random.Generator) -> Draws:
    """Draw changes for `count` tiles of `side` pixels.

    Every part is drawn whether it is used or not, so that switching one on leaves the others as
    they were.
    """
    s = settings
    even = generator.random((10, count))
    both_ways = 2 * even - 1
    turns = generator.integers(0, 4, count)
    elastic = generator.standard_normal((count, 2, ELASTIC_POINTS, ELASTIC_POINTS))
    noise_seed = int(generator.integers(0, 2**62))

    def factors(spread: float, row: int) -> Tensor | None:
        return _single(np.exp(spread * both_ways[row])) if spread else None

    return Draws(
        horizontal=torch.from_numpy(even[0] < s.flip_horizontal),
        vertical=torch.from_numpy(even[1] < s.flip_vertical),
        turns=torch.from_numpy(turns) if s.quarter_turns else None,
        affine=_affine(s, both_ways[2:6]) if s.rotate_degrees or s.scale or s.shift else None,
        elastic=_single(s.elastic_px * elastic) if s.elastic_px else None,
        contrast=factors(s.contrast, 6),
        gain=factors(s.gain, 7),
        brightness=_single(s.brightness * both_ways[8]) if s.brightness else None,
        blur_px=_single(s.blur_px * even[9]) if s.blur_px else None,
        noise=_single(s.noise * generator.random(count)) if s.noise else None,
        noise_seed=noise_seed,
    )


def apply(images: Tensor, draws: Draws) -> Tensor:
    """Change tiles as drawn, on the device where they are.

    Parameters
    ----------
    images : (batch, channels, side, side), float, grey levels in [0, 1]
    draws : one a tile

    Returns
    -------
    Tensor of the same shape, in [0, 1]; bit for bit the same pixels where only flips and quarter
    turns were drawn
    """
    images = _turned(_flipped(images, draws), draws.turns)
    if draws.affine is not None or draws.elastic is not None:
        images = _resampled(images, draws.affine, draws.elastic)
    images = _greys(images, draws)
    if draws.blur_px is not None:
        images = _blurred(images, draws.blur_px)
    if draws.noise is not None:
        generator = torch.Generator(images.device).manual_seed(draws.noise_seed)
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        images = (images + _each(draws.noise, images) * noise).clamp(0, 1)
    return images


def _flipped(images: Tensor, draws: Draws) -> Tensor:
    for flags, axis in ((draws.horizontal, -1), (draws.vertical, -2)):
        where = flags.to(images.device)[:, None, None, None]
        if flags.any():
            images = torch.where(where, images.flip(axis), images)
    return images


def _turned(images: Tensor, turns: Tensor | None) -> Tensor:
    if turns is None:
        return images
    images = images.clone()
    for count in (1, 2, 3):
        chosen = torch.nonzero(turns == count).flatten().to(images.device)
        if len(chosen):
            images[chosen] = torch.rot90(images[chosen], count, (-2, -1))
    return images


def _affine(settings: AugmentSettings, both_ways: NDArray[np.float64]) -> Tensor:
    """Where each place of the changed tile comes from."""
    angles = settings.rotate_degrees * both_ways[0] * pi / 180
    factors = np.exp(settings.scale * both_ways[1])
    cosine, sine = np.cos(angles) / factors, np.sin(angles) / factors
    # The side is 2 in these coordinates; what moves right comes from further left.
    x, y = (-2 * settings.shift * both_ways[axis] for axis in (2, 3))
    rows = np.stack([cosine, -sine, x, sine, cosine, y], axis=1)
    return _single(rows.reshape(-1, 2, 3))


def _resampled(images: Tensor, affine: Tensor | None, elastic: Tensor | None) -> Tensor:
    """Move all places at once, bilinear.

    Beyond the edge the tile goes on as its mirror image: black corners would tell a network how a
    tile was turned, and a label that hangs on the turn would be learnt from them.
    """
    count, _, side, _ = images.shape
    if affine is None:
        affine = torch.eye(2, 3).expand(count, 2, 3)
    grid = functional.affine_grid(affine.to(images), [count, 1, side, side], align_corners=False)
    if elastic is not None:
        shifts = functional.interpolate(
            elastic.to(images), (side, side), mode="bicubic", align_corners=True
        )
        grid = grid + shifts.permute(0, 2, 3, 1) * (2 / side)
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _greys(images: Tensor, draws: Draws) -> Tensor:
    """Change contrast, then gain, then brightness; cut off to [0, 1]."""
    if draws.contrast is None and draws.gain is None and draws.brightness is None:
        return images
    if draws.contrast is not None:
        means = images.mean(dim=(1, 2, 3), keepdim=True)
        images = means + _each(draws.contrast, images) * (images - means)
    if draws.gain is not None:
        images = _each(draws.gain, images) * images
    if draws.brightness is not None:
        images = images + _each(draws.brightness, images)
    return images.clamp(0, 1)


def _blurred(images: Tensor, blur_px: Tensor) -> Tensor:
    """Blur each tile with its own Gaussian, rows and columns apart, mirrored at the edge."""
    count, channels, side, _ = images.shape
    reach = min(ceil(3 * float(blur_px.max())), side - 1)
    if reach == 0:
        return images
    away = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    deviation = blur_px.to(images).clamp(min=SHARPEST_BLUR_PX)[:, None]
    taps = torch.exp(-0.5 * (away / deviation) ** 2)
    taps = (taps / taps.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    flat = images.reshape(1, count * channels, side, side)
    for shape, padding in (((-1, 1, 1), (reach, reach, 0, 0)), ((-1, 1), (0, 0, reach, reach))):
        kernel = taps[:, None, None, :] if len(shape) == 3 else taps[:, None, :, None]
        padded = functional.pad(flat, padding, mode="reflect")
        flat = functional.conv2d(padded, kernel, groups=count * channels)
    return flat.reshape(images.shape)


def _each(values: Tensor, images: Tensor) -> Tensor:
    return values.to(images)[:, None, None, None]


def _single(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
