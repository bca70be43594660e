"""Signs of single faults in a scan: the outline, the chest muscle, borders, plain and black areas.

They belong to `mammoscope.scans.domain_statistics`, which lays them behind its own numbers. All
take the scan on the coarse grid of that module with the chest wall at the left, and the level that
maps the air to 0 and the breast's brightest to 1.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIGNS = (
    "width of the upper tenth",
    "width of the upper quarter",
    "width of the lower quarter",
    "width of the lower tenth",
    "height of the middle",
    "height of the tip",
    "gap above",
    "gap below",
    "slant of the upper edge",
    "slant of the lower edge",
    "upper triangle",
    "lower triangle",
    "widest white strip",
    "widest white strip but the far side's",
    "white strip at the wall",
    "white strip at the far side",
    "white strip at the top",
    "white strip at the bottom",
    "plain area",
    "plain share of the breast",
    "roundness of the plain area",
    "step at the plain area",
    "rim of the plain area",
    "black within the outline",
    "black within the breast",
    "slope at the black",
    "greys just above black",
    "darkest tissue",
    "dark tissue",
    "span of the tissue",
    "skew of the tissue",
    "spread of the air",
)
"""What each sign is, in order."""
EDGE_PX = 6
"""A border may begin this far from the frame: the film's own edge lies before it."""


def signs_of(small: Floats, level: Floats, mask: Mask, grid_mm: float) -> list[float]:
    """Measure all signs.

    Parameters
    ----------
    small : ndarray of shape (rows, columns), float32: the scan, dense tissue bright
    level : ndarray of the same shape: 0 is the air, 1 the breast's brightest
    mask : ndarray of the same shape: where the breast is
    grid_mm : side of a pixel

    Returns
    -------
    One finite number for each of `SIGNS`.
    """
    inner = ndimage.binary_erosion(mask, iterations=6)
    inner = inner if inner.any() else mask
    return [
        *_outline(mask, grid_mm),
        *_muscle(level, mask),
        *_white_strips(small, grid_mm),
        *_plain_area(level, mask, inner, grid_mm),
        *_black(small, mask, inner),
        *_tissue(level, mask, inner),
    ]


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _outline(mask: Mask, grid_mm: float) -> list[float]:
    """Measure how the outline differs between top and bottom."""
    box = _box(mask)
    part = mask[box]
    high = part.shape[0]
    widths = part.sum(axis=1) / part.shape[1]
    cuts = [0, 0.1, 0.25, 0.75, 0.9, 1]
    bands = [
        widths[int(a * high) : max(int(b * high), int(a * high) + 1)] for a, b in pairwise(cuts)
    ]
    rows = np.arange(high) + 0.5
    tip = part[:, -max(1, part.shape[1] // 20) :].sum(axis=1)
    return [
        *(float(band.mean()) for band in (*bands[:2], *bands[3:])),
        float((rows * widths).sum() / widths.sum() / high),
        float((rows * tip).sum() / tip.sum() / high),
        float(np.sqrt(box[0].start * grid_mm)),
        float(np.sqrt((mask.shape[0] - box[0].stop) * grid_mm)),
    ]


def _muscle(level: Floats, mask: Mask) -> list[float]:
    """Look for the chest muscle, a bright triangle, at the upper and at the lower corner."""
    box = _box(mask)
    smooth = ndimage.gaussian_filter(level, 3.0)[box]
    part = mask[box]
    held = ndimage.binary_erosion(part, iterations=4)
    slants, triangles = [], []
    middle = float(smooth[part].mean())
    for flip in (1, -1):
        picture, inside = smooth[::flip], held[::flip]
        high, wide = max(3, int(picture.shape[0] * 0.45)), max(3, int(picture.shape[1] * 0.6))
        down, across = np.gradient(picture[:high, :wide])
        near = inside[:high, :wide]
        strength = float(np.hypot(down, across)[near].mean()) if near.any() else 0.0
        fall = float(-(down + across)[near].mean()) if near.any() else 0.0
        slants.append(fall / max(strength, 1e-4))
        row, column = np.mgrid[:high, :wide]
        corner = part[::flip][:high, :wide] & (row / high + column / wide < 0.6)
        triangles.append(float(picture[:high, :wide][corner].mean()) if corner.any() else 0.0)
    return [*slants, *(value - middle for value in triangles)]


def _white_strips(small: Floats, grid_mm: float) -> list[float]:
    """Measure how wide a plain white strip lies along each side: wall, far side, top, bottom."""
    low, high = float(np.percentile(small, 1)), float(small.max())
    white = small > low + 0.95 * (high - low)
    widths = []
    for turned in (white.T, white.T[::-1], white, white[::-1]):
        full = turned.mean(axis=1) >= 0.8
        begins = np.flatnonzero(full[:EDGE_PX])
        run = 0
        if begins.size:
            ends = np.flatnonzero(~full[begins[0] :])
            run = int(ends[0]) if ends.size else len(full)
        widths.append(float(np.sqrt(run * grid_mm)))
    wall, _, top, bottom = widths
    return [max(widths), max(wall, top, bottom), *widths]


def _plain_area(level: Floats, mask: Mask, inner: Mask, grid_mm: float) -> list[float]:
    """Find the largest bright area that is far smoother than the rest of the breast."""
    rough = ndimage.uniform_filter(np.abs(level - ndimage.gaussian_filter(level, 2.0)), 7)
    # Half of the breast may be plain, so its roughest parts say what is usual.
    usual = float(np.percentile(rough[inner], 85))
    plain = mask & (rough < 0.15 * usual) & (level > float(np.percentile(level[mask], 30)))
    plain = ndimage.binary_opening(plain, iterations=3)
    labels, count = ndimage.label(plain)
    if count == 0:
        return [0.0, 0.0, 0.0, 0.0, 0.0]
    place = ndimage.binary_fill_holes(labels == int(np.bincount(labels.ravel())[1:].argmax()) + 1)
    # The filter's window has eaten the rim, where the area ends and the tissue begins.
    place = ndimage.binary_dilation(place, iterations=4) & mask
    area = float(place.sum())
    rows, columns = np.nonzero(place)
    radius = np.hypot(rows - rows.mean(), columns - columns.mean())
    roundness = area / (2 * np.pi * max(float((radius**2).mean()), 1e-6))
    outer = ndimage.binary_dilation(place, iterations=5) & mask
    ring = outer & ~ndimage.binary_dilation(place, iterations=2)
    step = float(level[place].mean() - level[ring].mean()) if ring.any() else 0.0
    rim = outer & ~ndimage.binary_erosion(place, iterations=4)
    down, across = np.gradient(level)
    steep = np.hypot(down, across)[rim]
    sharp = float(np.percentile(steep, 80)) if rim.any() else 0.0
    return [
        float(np.sqrt(area * grid_mm**2 / 1000)),
        float(np.sqrt(area / mask.sum())),
        roundness,
        step,
        sharp,
    ]


def _black(small: Floats, mask: Mask, inner: Mask) -> list[float]:
    """Measure how much plain black lies within the breast, and how steeply tissue rises from it."""
    low, high = float(small.min()), float(np.percentile(small[mask], 99))
    share = (small - low) / max(high - low, 1e-6)
    black = share <= 0.004
    rows = (
        np.maximum.accumulate(mask, axis=1) & np.maximum.accumulate(mask[:, ::-1], axis=1)[:, ::-1]
    )
    columns = np.maximum.accumulate(mask, axis=0) & np.maximum.accumulate(mask[::-1], axis=0)[::-1]
    filled = rows | columns
    near = ndimage.binary_dilation(mask, iterations=8)
    rim = ndimage.binary_dilation(black, iterations=2) & ~black & near
    down, across = np.gradient(share)
    slope = float(np.median(np.hypot(down, across)[rim])) if rim.any() else 0.1
    lit = near & ~black
    just = lit & (share < 0.06)
    return [
        float(np.sqrt(black[filled].mean())),
        float(np.sqrt(black[inner].mean())),
        float(np.log(slope + 1e-3)),
        float(np.sqrt(just.sum() / max(lit.sum(), 1))),
        float(np.percentile(share[inner], 2)),
        float(np.percentile(share[inner], 10)),
    ]


def _tissue(level: Floats, mask: Mask, inner: Mask) -> list[float]:
    """Measure how the greys of the inner breast and of the air are spread."""
    inside = level[inner].astype(np.float64)
    low, high = (float(v) for v in np.percentile(inside, (5, 95)))
    spread = max(float(inside.std()), 1e-3)
    skew = float(np.mean(((inside - inside.mean()) / spread) ** 3))
    outside = ~ndimage.binary_dilation(mask, iterations=6)
    air = float(np.subtract(*np.percentile(level[outside], (75, 25)))) if outside.any() else 0.0
    return [high - low, float(np.clip(skew, -5, 5)), float(np.sqrt(max(air, 0.0)))]
