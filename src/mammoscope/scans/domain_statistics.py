"""Statistics of one scan that tell a mammogram like those of training from anything else.

They are taken from the scan as it was read, before any grey rule, on a coarse grid. Levels are
shares of the way from the air's level to the breast's brightest, lengths are millimetres, and each
number has a name that a person can follow (`NAMES`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mammoscope.core.records import Spacing
from mammoscope.scans.breast import breast_mask, chest_wall_is_left
from mammoscope.scans.domain_signs import SIGNS, signs_of
from mammoscope.scans.prepare import resample

GRID_MM = 0.8
"""Side of a pixel of the coarse grid: skin, muscle, implants and frames are far larger."""
DECIMATED_MM = 0.2
DEPTHS_MM = (2.0, 5.0, 10.0, 20.0)
"""Depths below the skin at which the mean level is taken."""
FLAT_MM = 4.0
"""Side of the neighbourhood in which a smooth area is smooth."""
NAMES = (
    "frame height",
    "frame width",
    "breast height",
    "breast width",
    "breast area",
    "breast share of the frame",
    "fullness of the outline",
    "second region",
    "wall side",
    "far side",
    "top side",
    "bottom side",
    "upper corner",
    "lower corner",
    "darker quarter of the air",
    "middle of the air",
    "brighter tenth of the air",
    "unevenness of the air",
    "lower quarter of the breast",
    "middle of the breast",
    "upper quarter of the breast",
    "saturated",
    "crushed",
    "full levels",
    "empty levels",
    "level at 2 mm",
    "level at 5 mm",
    "level at 10 mm",
    "level at 20 mm",
    "fine texture",
    "coarse texture",
    "straight edges",
    "smooth bright area",
    "roundness of the smooth area",
    "step at the smooth area",
    "bright frame",
    "dark frame",
    *SIGNS,
)
"""What each entry of the statistics is, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanStatistics:
    """Statistics of a scan.

    Attributes
    ----------
    values : ndarray of shape (len(NAMES),), float64, all finite
    wall_is_left : whether the chest wall lies at the left of the scan as it is stored
    """

    values: NDArray[np.float64]
    wall_is_left: bool


def statistics_of(image: NDArray[Any], spacing_mm: Spacing) -> ScanStatistics:
    """Take the statistics of a scan.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), any real type, dense tissue bright
    spacing_mm : (row, column) distance between pixel centres

    Raises
    ------
    ScanError
        When no breast is found.
    SpacingError, ShapeError
        When the spacing is not one of a mammogram, or the image not two-dimensional.
    """
    steps = [max(1, int(DECIMATED_MM / side)) for side in spacing_mm]
    thin = image[:: steps[0], :: steps[1]]
    side = (spacing_mm[0] * steps[0], spacing_mm[1] * steps[1])
    small = resample(thin, side, GRID_MM)
    mask = breast_mask(small, GRID_MM)
    left = chest_wall_is_left(mask)
    if not left:
        small, mask = small[:, ::-1], mask[:, ::-1]
    small, mask = np.ascontiguousarray(small), np.ascontiguousarray(mask)
    level = _levels(small, mask)
    values = [
        *_sizes(mask),
        *_sides(mask, level),
        *_air(small, mask),
        *_greys(level, mask, thin),
        *_depths(level, mask),
        *_textures(level, mask),
        *_smooth_area(level, mask),
        *_frames(small, mask),
        *signs_of(small, level, mask, GRID_MM),
    ]
    return ScanStatistics(values=np.array(values, dtype=np.float64), wall_is_left=left)


def _levels(small: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Map the air's level to 0 and the breast's brightest to 1."""
    air = float(np.percentile(small[~mask], 25)) if not mask.all() else float(small.min())
    high = float(np.percentile(small[mask], 99))
    return np.asarray((small - air) / max(high - air, 1e-6), dtype=np.float32)


def _sizes(mask: NDArray[np.bool_]) -> list[float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    area = float(mask.sum())
    filled = _filled_lines(mask) + _filled_lines(mask.T)
    return [
        np.log(mask.shape[0] * GRID_MM),
        np.log(mask.shape[1] * GRID_MM),
        np.log((rows[-1] - rows[0] + 1) * GRID_MM),
        np.log((columns[-1] - columns[0] + 1) * GRID_MM),
        np.log(area * GRID_MM**2),
        area / mask.size,
        2 * area / filled,
    ]


def _filled_lines(mask: NDArray[np.bool_]) -> float:
    """Area of a mask after each of its rows was filled from its first to its last pixel."""
    kept = mask[mask.any(axis=1)]
    first, last = kept.argmax(axis=1), kept.shape[1] - kept[:, ::-1].argmax(axis=1)
    return float((last - first).sum())


def _sides(mask: NDArray[np.bool_], level: NDArray[np.float32]) -> list[float]:
    """Measure how much of each side of its box the breast takes, and how bright its corners are."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inner = level[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    deep = [max(1, side // 20) for side in part.shape]
    bright = level > 0.5
    bright &= ~mask
    labels, count = ndimage.label(bright)
    second = float(np.bincount(labels.ravel())[1:].max()) if count else 0.0
    high, wide = part.shape[0] // 4, part.shape[1] // 3
    upper = np.where(part[:high, :wide], inner[:high, :wide], 0)
    lower = np.where(part[-high:, :wide], inner[-high:, :wide], 0)
    return [
        second / float(mask.sum()),
        float(part[:, : deep[1]].mean()),
        float(part[:, -deep[1] :].mean()),
        float(part[: deep[0]].mean()),
        float(part[-deep[0] :].mean()),
        float(upper.mean()) if upper.size else 0.0,
        float(lower.mean()) if lower.size else 0.0,
    ]


def _air(small: NDArray[np.float32], mask: NDArray[np.bool_]) -> list[float]:
    """Take levels of the air as shares of the picture's range, as the guard of photographs does."""
    low, high = (float(v) for v in np.percentile(small, (0, 99.5)))
    outside = ~mask
    outside[1:-1, 1:-1] &= ~ndimage.binary_dilation(mask, iterations=3)[1:-1, 1:-1]
    if outside.mean() < 0.01:
        return [1.0, 1.0, 1.0, 1.0]
    air = (small[outside] - low) / max(high - low, 1e-6)
    quarter, middle, tenth = (float(v) for v in np.percentile(air, (25, 50, 90)))
    across = np.abs(np.diff(small, axis=1))[outside[:, 1:]] / max(high - low, 1e-6)
    return [quarter, middle, tenth, float(np.sqrt(across.mean()))]


def _greys(level: NDArray[np.float32], mask: NDArray[np.bool_], thin: NDArray[Any]) -> list[float]:
    inside = level[mask]
    quarters = [float(v) for v in np.percentile(inside, (25, 50, 75))]
    top, bottom = float(inside.max()), float(level.min())
    span = max(top - bottom, 1e-6)
    low, high = thin.min(), thin.max()
    step = 0.004 * (float(high) - float(low))
    return [
        *quarters,
        float(np.sqrt((inside >= top - 0.02 * span).mean())),
        float(np.sqrt((inside <= bottom + 0.02 * span).mean())),
        float(np.sqrt((thin >= high - step).mean())),
        float(np.sqrt((thin <= low + step).mean())),
    ]


def _depths(level: NDArray[np.float32], mask: NDArray[np.bool_]) -> list[float]:
    padded = np.pad(mask, ((0, 0), (0, 1)))
    depth = ndimage.distance_transform_edt(padded)[:, :-1] * GRID_MM
    means = []
    for wanted in DEPTHS_MM:
        ring = mask & (np.abs(depth - wanted) <= GRID_MM)
        means.append(float(level[ring].mean()) if ring.any() else 0.0)
    return means


def _textures(level: NDArray[np.float32], mask: NDArray[np.bool_]) -> list[float]:
    """Measure fine and coarse detail, and how much of all edges runs along rows or columns."""
    inner = ndimage.binary_erosion(mask, iterations=6)
    inner = inner if inner.any() else mask
    blurred = ndimage.gaussian_filter(level, 1.0)
    wide = ndimage.gaussian_filter(level, 4.0)
    fine = float(np.std((level - blurred)[inner]))
    coarse = float(np.std((blurred - wide)[inner]))
    down, across = np.abs(np.diff(level, axis=0))[:, 1:], np.abs(np.diff(level, axis=1))[1:]
    strong = np.maximum(down, across) > 0.1
    straight = np.minimum(down, across) < 0.05 * np.maximum(down, across)
    share = float((straight & strong).sum()) / max(float(strong.sum()), 200.0)
    return [np.log(fine + 1e-4), np.log(coarse + 1e-4), share]


def _smooth_area(level: NDArray[np.float32], mask: NDArray[np.bool_]) -> list[float]:
    """Find the largest bright area without structure: its size, its roundness, and its rim."""
    side = max(3, round(FLAT_MM / GRID_MM))
    mean = ndimage.uniform_filter(level, side)
    spread = ndimage.uniform_filter(level * level, side) - mean * mean
    flat = mask & (mean > 0.6) & (spread < 0.02**2 * np.maximum(mean, 0.6) ** 2)
    flat = ndimage.binary_opening(flat, iterations=2)
    labels, count = ndimage.label(flat)
    if count == 0:
        return [0.0, 0.0, 0.0]
    sizes = np.bincount(labels.ravel())[1:]
    place = labels == int(sizes.argmax()) + 1
    place = ndimage.binary_fill_holes(place)
    area = float(place.sum())
    rows, columns = np.nonzero(place)
    radius = np.hypot(rows - rows.mean(), columns - columns.mean())
    # Of all shapes a disk has the least mean square distance from its centre: area / (2 pi).
    roundness = area / (2 * np.pi * max(float((radius**2).mean()), 1e-6))
    near = ndimage.binary_dilation(place, iterations=6)
    ring = near & ~ndimage.binary_dilation(place, iterations=3) & mask
    step = float(level[place].mean() - level[ring].mean()) if ring.any() else 0.0
    return [area * GRID_MM**2 / 1000, roundness, step]


def _frames(small: NDArray[np.float32], mask: NDArray[np.bool_]) -> list[float]:
    """Measure how wide bright and empty strips along the frame are, the widest of the sides."""
    low, high = (float(v) for v in np.percentile(small, (0, 99.5)))
    span = max(high - low, 1e-6)
    bright, dark = small > low + 0.8 * span, small <= low + 0.001 * span
    widths = []
    for lines, share in ((bright, 0.6), (dark, 0.995)):
        depths = []
        for turned in (lines, lines[::-1], lines.T, lines.T[::-1]):
            full = turned.mean(axis=1) >= share
            begins = np.flatnonzero(full[:6]) if lines is bright else np.flatnonzero(full[:1])
            run = 0
            if begins.size:
                ends = np.flatnonzero(~full[begins[0] :])
                run = int(ends[0]) if ends.size else len(full)
            depths.append(run)
        widths.append(float(np.sqrt(max(depths) * GRID_MM)))
    return widths
