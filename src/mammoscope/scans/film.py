"""What a scan of film shows beside the breast: bright and dark strips at the frame, white patches.

Strips come from the light box beside the film, from clamps, and from padding. Pure white patches
are labels of lead or paper, tape, and cut-outs over a patient's name in scans whose darkest level
was turned into the brightest. Both give away which archive and scanner a scan is from, which a
network may learn instead of lesions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mammoscope.core.geometry import Box

BRIGHT = 0.8
"""Share of the image's range that a bright strip exceeds."""
MOST_OF_A_LINE, SOME_OF_A_LINE = 0.6, 0.3
"""Share of a line that is bright in a strip, and where a strip that lies aslant peters out."""
WIDEST = 0.25
"""Share of the image's side that a bright strip takes at most; wider ones are tissue."""
FIRST = 0.03
"""Share of the image's side within which a bright strip begins: a sliver may lie outside it."""
ASLANT = 0.06
"""Share of the image's side within which a bright strip ends; tissue fades more slowly."""
DARK, STRAY = 0.001, 0.005
"""A dark line is padding: no pixel but a `STRAY` share is above `DARK` of the image's range."""
WHITE = 0.995
"""Share of the image's range from which a pixel counts as pure white."""
NARROWEST, SMALLEST, FULLNESS = 0.02, 0.0005, 0.5
"""Least share of the image's side that a patch spans both ways (narrower ones are remains of
strips), of the image that it covers (smaller ones are the film's corners), and of its own box (a
square on its tip covers half)."""
SHARP = 0.75
"""Share of a patch's outline beyond which the level drops below `BRIGHT`: tissue fades instead."""


@dataclass(frozen=True, slots=True)
class Margins:
    """How many lines at each side of an image are strips, in pixels."""

    top: int
    bottom: int
    left: int
    right: int


def find_borders(image: NDArray[Any]) -> Margins:
    """Find straight strips along the frame: bright ones, and dark ones without any picture.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), whole numbers or floats, dense tissue bright

    Returns
    -------
    Lines to leave out at each side; they meet nowhere, and are 0 where there is no strip. Where
    a strip lies aslant, its widest end counts.
    """
    if image.ndim != 2 or min(image.shape) < 2:
        raise ValueError(f"expected an image of two dimensions, got shape {image.shape}")
    low, high = float(image.min()), float(image.max())
    if not high > low:
        return Margins(0, 0, 0, 0)
    bright = image >= low + BRIGHT * (high - low)
    lit = image > low + DARK * (high - low)
    rows = slice(0, image.shape[0])
    left, right = (_depth(bright[:, ::s].T, lit[:, ::s].T) for s in (1, -1))
    if left + right >= image.shape[1]:
        left = right = 0
    # Lines across end in the strips left and right; those parts say nothing of top and bottom.
    inner = slice(left, image.shape[1] - right)
    top, bottom = (_depth(bright[rows, inner][::s], lit[rows, inner][::s]) for s in (1, -1))
    if top + bottom >= image.shape[0]:
        top = bottom = 0
    return Margins(top, bottom, left, right)


def find_white_patches(image: NDArray[Any]) -> tuple[Box, ...]:
    """Find blocks of pure white with a sharp outline, away from the strips of `find_borders`.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), whole numbers or floats, dense tissue bright

    Returns
    -------
    The boxes round them, in pixels, from the top downwards.
    """
    margins = find_borders(image)
    low, high = float(image.min()), float(image.max())
    if not high > low:
        return ()
    white = image >= low + WHITE * (high - low)
    inside = np.zeros_like(white)
    part = np.s_[
        margins.top : image.shape[0] - margins.bottom,
        margins.left : image.shape[1] - margins.right,
    ]
    inside[part] = white[part]
    dim = image < low + BRIGHT * (high - low)
    labels, _ = ndimage.label(inside, structure=np.ones((3, 3)))
    found: list[Box] = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = place
        box = Box(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
        if min(box.height, box.width) < NARROWEST * min(image.shape):
            continue
        block = labels[place] == number
        large = block.sum() >= SMALLEST * image.size and block.mean() >= FULLNESS
        if large and _is_sharp(labels, number, dim, place):
            found.append(box)
    return tuple(found)


def _depth(bright: NDArray[np.bool_], lit: NDArray[np.bool_]) -> int:
    """Count the lines from the first on that are strips; a line is a row here."""
    depth, before = 0, -1
    while depth != before and depth < len(bright):
        before = depth
        depth += _dark_depth(lit[depth:])
        depth += _bright_depth(bright[depth:])
    # A picture that is dark all over has no strips.
    return depth if depth < len(bright) else 0


def _dark_depth(lit: NDArray[np.bool_]) -> int:
    shows = lit.mean(axis=1) > STRAY
    return int(shows.argmax()) if shows.any() else len(lit)


def _bright_depth(bright: NDArray[np.bool_]) -> int:
    """Count the lines of a bright strip; 0 where it is too wide to be one."""
    share = bright.mean(axis=1)
    begins = np.flatnonzero(share[: max(2, round(FIRST * len(share)))] >= MOST_OF_A_LINE)
    if not begins.size:
        return 0
    start = int(begins[0])
    ends = np.flatnonzero(share[start:] < SOME_OF_A_LINE)
    depth = start + int(ends[0]) if ends.size else len(bright)
    last = start + int(np.flatnonzero(share[start:depth] >= MOST_OF_A_LINE)[-1])
    ends_sharply = depth - last <= max(2.0, ASLANT * len(bright))
    return depth if ends_sharply and depth <= WIDEST * len(bright) else 0


def _is_sharp(
    labels: NDArray[Any], number: int, dim: NDArray[np.bool_], place: tuple[slice, slice]
) -> bool:
    """Tell whether it is dim all round a patch, three pixels off, where that lies in the image."""
    reach = 3
    rows, columns = (slice(max(0, part.start - reach), part.stop + reach) for part in place)
    near = labels[rows, columns] == number
    inner = ndimage.binary_dilation(near, iterations=reach - 1)
    ring = ndimage.binary_dilation(inner) & ~inner
    around = dim[rows, columns][ring]
    return around.size > 0 and float(around.mean()) >= SHARP
