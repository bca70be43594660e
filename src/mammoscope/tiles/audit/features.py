"""What a picture tells of how it was made: grey levels, noise, sharpness, borders, compression.

Each group of features is measured alone, so that an audit can say which of them gives a label away.
Nothing here looks at a lesion's shape. Groups of `LESION_FREE` do not depend on what a picture
shows; the others do a little, and a verdict allows for that.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import fft, ndimage

from mammoscope.tiles.audit.pictures import Pictures

Array = NDArray[np.float64]
Grey = NDArray[np.float32]

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
BANDS = 6
"""Rings of the power spectrum, an octave or less each, up to half a cycle a pixel."""
WINDOW_PX = 512
"""Noise and compression are measured in a window: a whole scan has far more pixels than needed."""
BLOCK_PX = 8
"""JPEG transforms blocks of 8 x 8 pixels (ITU T.81 A.3.1)."""
MOST_FRAME_PX = 32
MOST_TYPES = 8
THREADS = 2
TINY = 1e-6
SIDES = ("top", "bottom", "left", "right")

GROUPS: Mapping[str, tuple[str, ...]] = {
    "grey": (
        *(f"percentile {p}" for p in PERCENTILES),
        "mean",
        "spread",
        "skewness",
        "share of the darkest level",
        "share of the brightest level",
    ),
    "levels": ("share of unused levels", "comb of the histogram", "step between levels"),
    "noise": (
        "finest detail",
        "second finest detail",
        *(f"power in ring {ring + 1} of {BANDS}" for ring in range(BANDS)),
    ),
    "blur": (
        "finest against second finest detail",
        "fine detail down the rows",
        "fine detail along the rows",
        "rows against columns",
        "residual one pixel apart",
        "residual two pixels apart",
    ),
    "border": (
        *(f"width of a plain {side} border" for side in SIDES),
        *(f"step at the {side} border" for side in SIDES),
    ),
    "compression": (
        "block edges across",
        "block edges down",
        "block edges across, any phase",
        "block edges down, any phase",
        "zeros of block transforms",
        "zeros of block transforms, best phase",
    ),
    "spacing": ("row spacing", "column spacing"),
    "file": ("rows", "columns", "bits"),
    "size": ("bytes a pixel",),
}
"""Groups and the features of each; file types are added to "file" where several occur."""
LESION_FREE = ("levels", "border", "compression", "spacing", "file")
"""Groups that what a picture shows does not change; each tells only how it was made."""

_PIXEL_GROUPS = ("grey", "levels", "noise", "blur", "border", "compression")
_TINY_PICTURE_PX = 3 * BLOCK_PX


def measure(
    pictures: Pictures, positions: NDArray[np.intp]
) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """Measure all groups of features.

    Parameters
    ----------
    positions : shape (n,), which pictures

    Returns
    -------
    values : for each group an ndarray of shape (n, features), NaN where not known
    names : for each group the names of its features

    Raises
    ------
    MammoscopeError
        When a picture can no longer be read.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        rows = list(pool.map(lambda p: _one(pictures.read(int(p))), positions.tolist()))
    together = np.stack(rows) if rows else np.empty((0, _width()))
    values, names, start = {}, dict(GROUPS), 0
    for group in _PIXEL_GROUPS:
        values[group] = together[:, start : start + len(GROUPS[group])]
        start += len(GROUPS[group])
    table = pictures.table[positions]
    spacing = table.select("spacing_row_mm", "spacing_column_mm").to_numpy().astype(np.float64)
    values["spacing"] = np.log(np.where(spacing > 0, spacing, np.nan))
    shape = together[:, start : start + 3]
    types, type_names = _types(table["file"])
    values["file"] = np.hstack([shape, types])
    names["file"] = (*GROUPS["file"], *type_names)
    values["size"] = _sizes(pictures.source, table["file"], shape)
    return values, names


def pixel_features(image: NDArray[Any]) -> dict[str, Array]:
    """Measure what the pixels of one picture tell.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), uint8 or uint16

    Returns
    -------
    dict of group to ndarray of shape (features,), in the order of `GROUPS`.
    """
    top = float(np.iinfo(image.dtype).max)
    window = _window(image)
    grey = window.astype(np.float32) / np.float32(top)
    details = _details(grey)
    return {
        "grey": _grey(image, top),
        "levels": _levels(image),
        "noise": np.concatenate([details[:2], _rings(grey)]),
        "blur": _blur(grey, details),
        "border": _border(image, top),
        "compression": _compression(window.astype(np.float32)),
    }


def _one(image: NDArray[Any]) -> Array:
    rows, columns = image.shape
    facts = [np.log(rows), np.log(columns), 8.0 * image.dtype.itemsize]
    found = pixel_features(image)
    return np.concatenate([*(found[group] for group in _PIXEL_GROUPS), facts])


def _width() -> int:
    return sum(len(GROUPS[group]) for group in _PIXEL_GROUPS) + 3


def _window(image: NDArray[Any]) -> NDArray[Any]:
    """Return the brightest window, on the grid of 8 pixels that compression goes by."""
    if max(image.shape) <= WINDOW_PX:
        return image
    coarse = image[::BLOCK_PX, ::BLOCK_PX].astype(np.float32)
    side = WINDOW_PX // BLOCK_PX
    level = ndimage.uniform_filter(coarse, side, mode="constant")
    half = side // 2
    starts = []
    row, column = np.unravel_index(int(level.argmax()), level.shape)
    for centre, length in ((int(row), image.shape[0]), (int(column), image.shape[1])):
        latest = max(0, (length - WINDOW_PX) // BLOCK_PX)
        starts.append(BLOCK_PX * min(max(centre - half, 0), latest))
    down, across = starts
    return image[down : down + WINDOW_PX, across : across + WINDOW_PX]


def _grey(image: NDArray[Any], top: float) -> Array:
    step = max(1, min(image.shape) // WINDOW_PX)
    values = image[::step, ::step].ravel().astype(np.float32) / np.float32(top)
    mean, spread = float(values.mean()), float(values.std())
    away = values - np.float32(mean)
    skewness = float((away * away * away).mean()) / max(spread, TINY) ** 3
    ends = [float((values == end).mean()) for end in (values.min(), values.max())]
    return np.array([*np.percentile(values, PERCENTILES), mean, spread, skewness, *ends])


def _levels(image: NDArray[Any]) -> Array:
    """Measure gaps and combs of the histogram, less what chance makes with so few pixels.

    Stretching 8 bits to a wider range leaves levels unused, or used twice as often as their
    neighbours. Only the middle of the histogram is looked at: its tails are thin in any picture.
    """
    counts = np.bincount(image.ravel())
    low, high = np.searchsorted(np.cumsum(counts), np.array([0.05, 0.95]) * image.size)
    middle = counts[low : high + 1].astype(np.float64)
    used = np.flatnonzero(middle)
    if len(middle) < 5 or len(used) < 3:
        return np.zeros(3)
    smooth = ndimage.uniform_filter1d(middle, max(9, len(middle) // 8), mode="nearest")
    unused = (middle == 0).mean() - np.exp(-smooth).mean()
    beside = (middle[:-2] + middle[2:]) / 2
    comb = np.abs(middle[1:-1] - beside)
    # A Poisson count less the mean of two others spreads by the square root of 1.5 times its mean.
    chance = np.sqrt(2 / np.pi * 1.5 * smooth[1:-1])
    rough = (comb - chance).sum() / max(middle[1:-1].sum(), 1)
    step = float(np.gcd.reduce(np.diff(used)))
    return np.array([unused, rough, np.log2(step)])


def _haar(grey: Grey) -> tuple[Grey, Grey, Grey, Grey]:
    """One level of the Haar transform: mean, detail down the rows, along them, and diagonal."""
    even = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2]
    a, b, c, d = even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]
    quarter = np.float32(0.25)
    return (
        (a + b + c + d) * quarter,
        (a + b - c - d) * quarter,
        (a - b + c - d) * quarter,
        (a - b - c + d) * quarter,
    )


def _strength(detail: Grey) -> float:
    """Log of the mean size of a detail, its largest tenth (edges, calcifications) left out."""
    if detail.size == 0:
        return float(np.log(TINY))
    sizes = np.abs(detail).ravel()
    kept = max(1, int(0.9 * sizes.size))
    return float(np.log(np.partition(sizes, kept - 1)[:kept].mean() + 1e-5))


def _details(grey: Grey) -> Array:
    """Strength of diagonal detail at two scales, then of the other two directions at both."""
    half, down, along, diagonal = _haar(grey)
    _, down2, along2, diagonal2 = _haar(half)
    parts = (diagonal, diagonal2, down, along, down2, along2)
    return np.array([_strength(part) for part in parts])


def _rings(grey: Grey) -> Array:
    """Log power in rings of the spectrum, against the power in all of them."""
    rows, columns = grey.shape
    flat = (grey - grey.mean()) * np.outer(np.hanning(rows), np.hanning(columns)).astype(np.float32)
    spectrum = fft.rfft2(flat)
    power = spectrum.real**2 + spectrum.imag**2
    radius = np.hypot(fft.fftfreq(rows)[:, None], fft.rfftfreq(columns)[None])
    edges = np.geomspace(1 / 64, 0.5, BANDS + 1)
    ring = np.digitize(radius.ravel(), edges)
    sums = np.bincount(ring, power.ravel(), BANDS + 2)[1 : BANDS + 1]
    return np.asarray(np.log((sums + 1e-9) / (sums.sum() + BANDS * 1e-9)))


def _blur(grey: Grey, details: Array) -> Array:
    diagonal, diagonal2, down, along, down2, along2 = details
    residual = grey - ndimage.uniform_filter(grey, 3)
    middle = residual[2:-2, 2:-2]
    power = max(float((middle**2).mean()) if middle.size else 0.0, TINY**2)
    likeness = [
        float((middle[:, :-lag] * middle[:, lag:]).mean()) / power
        if middle.size and middle.shape[1] > lag
        else 0.0
        for lag in (1, 2)
    ]
    return np.array([diagonal - diagonal2, down - down2, along - along2, down - along, *likeness])


def _border(image: NDArray[Any], top: float) -> Array:
    """Measure plain borders of each side, and how far the outermost line is from what follows."""
    sides = (image, image[::-1], image.T, image.T[::-1])
    widths, steps = [], []
    for side in sides:
        lines = side[: min(MOST_FRAME_PX, side.shape[0])].astype(np.float64) / top
        plain = np.ptp(lines, axis=1) == 0
        widths.append(np.log1p(len(plain) if plain.all() else int(plain.argmin())))
        within = lines[1:5].mean() if len(lines) > 1 else lines.mean()
        noise = np.abs(np.diff(lines[1:5].mean(axis=1))).mean() if len(lines) > 2 else 0.0
        steps.append(np.log(np.abs(lines[0].mean() - within) + 1e-3) - np.log(noise + 1e-3))
    return np.array([*widths, *steps])


def _compression(levels: Grey) -> Array:
    """Compare the grid of 8 x 8 blocks with the same grid moved: a lesion changes both alike."""
    if min(levels.shape) < _TINY_PICTURE_PX:
        return np.zeros(6)
    across, phase_across = _edges(levels)
    down, phase_down = _edges(levels.T)
    here = _zeros(levels, 0, 0) - _zeros(levels, 4, 4)
    best = _zeros(levels, phase_down, phase_across) - _zeros(
        levels, (phase_down + 4) % BLOCK_PX, (phase_across + 4) % BLOCK_PX
    )
    return np.array([across[-1], down[-1], across.max(), down.max(), here, best])


def _edges(levels: Grey) -> tuple[Array, int]:
    """Compare the steps between neighbouring columns by phase: logs against the median phase.

    The last phase lies between columns 7 and 8, where the blocks of an uncut JPEG meet. Returns
    also the column at which the blocks of the strongest phase begin.
    """
    steps = np.abs(np.diff(levels, axis=1)).mean(axis=0)
    usable = len(steps) // BLOCK_PX * BLOCK_PX
    by_phase = steps[:usable].reshape(-1, BLOCK_PX).mean(axis=0) + 1e-3
    logs = np.log(by_phase / np.median(by_phase))
    return logs, (int(logs.argmax()) + 1) % BLOCK_PX


def _zeros(levels: Grey, down: int, across: int) -> float:
    """Share of the high-frequency cosines of 8 x 8 blocks that are nearly zero."""
    part = levels[down:, across:]
    rows, columns = (length // BLOCK_PX for length in part.shape)
    blocks = part[: rows * BLOCK_PX, : columns * BLOCK_PX].reshape(rows, BLOCK_PX, columns, -1)
    cosines = fft.dctn(blocks, axes=(1, 3), norm="ortho")
    order = np.arange(BLOCK_PX)
    high = (order[:, None] + order[None] >= 4)[None, :, None, :]
    small = (np.abs(cosines) < 0.6) & high
    return float(small.sum() / (rows * columns * high.sum()))


def _types(files: pl.Series) -> tuple[Array, tuple[str, ...]]:
    """Return a column for each type of file, by the ending of its name."""
    endings = [Path(name).suffix.lower() if name else "" for name in files.to_list()]
    kinds = sorted(set(endings), key=lambda kind: (-endings.count(kind), kind))[:MOST_TYPES]
    if len(kinds) < 2:
        return np.empty((len(endings), 0)), ()
    columns = np.array([[ending == kind for kind in kinds] for ending in endings], np.float64)
    return columns, tuple(f"type {kind or 'without ending'}" for kind in kinds)


def _sizes(source: str, files: pl.Series, shape: Array) -> Array:
    """Log of each file's bytes a pixel; NaN for tiles, which have no file of their own."""
    sizes = np.full((len(files), 1), np.nan)
    for index, name in enumerate(files.to_list()):
        if name and (path := Path(source) / name).is_file():
            sizes[index] = np.log(max(path.stat().st_size, 1)) - shape[index, 0] - shape[index, 1]
    return sizes
