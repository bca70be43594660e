"""From a mask to the outline that DDSM would store for it: an 8-connected chain code.

The outline is traced so that filling it gives the mask again, pixel for pixel.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from mammoscope.core.geometry import Outline
from mammoscope.formats.chain_code import STEPS, points_of

_EIGHT = np.ones((3, 3), bool)
_CRUMB = 0.02
"""A part smaller than this share of a mask is left out; larger ones are a lesion in pieces."""


def one_region(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Make a mask into one region without holes, as an outline encloses it.

    Parameters
    ----------
    mask : ndarray of shape (rows, columns), bool

    Returns
    -------
    ndarray of the same shape: the mask's one part with its holes filled; where it lies in several
    parts, as a cluster of calcifications does, what a reader's line round all of them encloses.
    """
    box = _box(mask)
    if box is None:
        return np.zeros_like(mask)
    part = mask[box]
    labels, count = ndimage.label(part, _EIGHT)
    if count > 1:
        sizes = np.bincount(labels.ravel())[1:]
        kept = np.flatnonzero(sizes >= _CRUMB * sizes.sum()) + 1
        part = np.isin(labels, kept)
        if len(kept) > 1:
            part = _hull(part)
    region = np.zeros_like(mask)
    region[box] = ndimage.binary_fill_holes(part)
    return region


def outline_of(region: NDArray[np.bool_]) -> Outline:
    """Trace the outer border of a region clockwise, each point beside the one before.

    Parameters
    ----------
    region : ndarray of shape (rows, columns), bool: one 8-connected region without holes

    Returns
    -------
    The outline: its last point is its first, which it meets at no other time. What it encloses is
    the region.

    Raises
    ------
    ValueError
        When the region is empty.
    """
    box = _box(region)
    if box is None:
        raise ValueError("an empty region has no outline")
    padded = np.pad(region[box], 1)
    start, digits = _trace(padded.tobytes(), padded.shape[1])
    row, column = divmod(start, padded.shape[1])
    points = points_of((row - 1 + box[0].start, column - 1 + box[1].start), digits)
    return Outline(_started_once(points))


def _trace(inside: bytes, width: int) -> tuple[int, NDArray[np.uint8]]:
    """Follow the border (Moore's neighbour tracing); returns the start and the steps' digits.

    `inside` is a mask row by row, `width` bytes each, with an empty frame of one pixel.
    """
    moves = [int(row) * width + int(column) for row, column in STEPS]
    start = inside.index(1)
    digits: list[int] = []
    place, digit = start, 2
    while True:
        # Clockwise on from the background pixel that was looked at last.
        turns = ((digit + k) % 8 for k in range(6, 14))
        digit = next((turn for turn in turns if inside[place + moves[turn]]), -1)
        if digit < 0 or (digits and place == start and digit == digits[0]):
            return start, np.array(digits, dtype=np.uint8)
        digits.append(digit)
        place += moves[digit]


def _started_once(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Let a closed outline begin where it passes once only: met again, a start means closed."""
    if len(points) == 1:
        return points
    open_points = points[:-1]
    _, first, times = np.unique(open_points, axis=0, return_index=True, return_counts=True)
    begin = int(first[times == 1].min())
    turned = np.roll(open_points, -begin, axis=0)
    return np.concatenate([turned, turned[:1]])


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _hull(part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill the convex hull of a mask; its corners are pixel centres."""
    rows = np.flatnonzero(part.any(axis=1))
    first = part[rows].argmax(axis=1)
    last = part.shape[1] - 1 - part[rows][:, ::-1].argmax(axis=1)
    left = _bent_outwards(list(zip(rows.tolist(), first.tolist(), strict=True)), -1)
    right = _bent_outwards(list(zip(rows.tolist(), last.tolist(), strict=True)), 1)
    canvas = Image.fromarray(part.astype(np.uint8))
    corners = [(column, row) for row, column in (*left, *reversed(right))]
    # What lies in the hull, and the lines themselves, which a polygon draws in part only.
    pen = ImageDraw.Draw(canvas)
    pen.polygon(corners, fill=1)
    pen.line([*corners, corners[0]], fill=1)
    filled: NDArray[np.bool_] = np.asarray(canvas, dtype=bool)
    return filled


def _bent_outwards(points: list[tuple[int, int]], side: int) -> list[tuple[int, int]]:
    """Keep the corners of a chain of points, a row each, that is convex to the right (side 1)."""
    kept: list[tuple[int, int]] = []
    for row, column in points:
        while len(kept) > 1:
            (row0, column0), (row1, column1) = kept[-2:]
            turn = (row1 - row0) * (column - column0) - (column1 - column0) * (row - row0)
            if turn * side < 0:
                break
            kept.pop()
        kept.append((row, column))
    return kept
