"""One lesion on two views: places are paired by their depth behind the nipple and their likeness.

The nipple is no landmark that the archives mark. It is taken to be the middle of the breast's
outermost strip, farthest from the chest wall. What is compared is the depth behind it, towards the
chest wall: the straight distance needs its height too, which is found less surely and agrees less
between views (`benchmarks/joining.py` measures both).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray

STRIP_MM = 3.0
MOST_PLACES = 8
"""Places of a view that are paired, the best first; the rest score next to nothing."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place on one view.

    Attributes
    ----------
    score, malignancy : raw, in [0, 1]
    depth_mm : behind the nipple, 0 or more; None where no nipple was found
    """

    score: float
    malignancy: float
    depth_mm: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two places that may be one lesion.

    Attributes
    ----------
    first, second : their positions on either view
    likeness : of place and of malignancy, in [0, 1]
    strength : likeness times the geometric mean of the two lesion scores, in [0, 1]
    """

    first: int
    second: int
    likeness: float
    strength: float


def nipple_of(breast: NDArray[np.bool_], spacing_mm: float) -> tuple[float, float] | None:
    """Find the nipple on a breast mask: the middle of its outermost strip.

    Parameters
    ----------
    breast : ndarray of shape (rows, columns), bool, the chest wall at the left
    spacing_mm : side of a pixel

    Returns
    -------
    (row, column) in pixels of the mask, or None where there is no breast, or it reaches the last
    column: then the film may have cut the nipple off.
    """
    columns = np.flatnonzero(breast.any(axis=0))
    if not len(columns) or columns[-1] == breast.shape[1] - 1:
        return None
    strip = max(1, round(STRIP_MM / spacing_mm))
    rows, _ = np.nonzero(breast[:, max(0, columns[-1] - strip + 1) : columns[-1] + 1])
    return float(rows.mean()), float(columns[-1])


def depth_mm(place: tuple[float, float], nipple: tuple[float, float], spacing_mm: float) -> float:
    """Return how far a place lies behind the nipple, towards the chest wall; 0 or more.

    Parameters
    ----------
    place, nipple : (row, column) in pixels of one grid, the chest wall along its columns
    spacing_mm : side of a pixel
    """
    return abs(place[1] - nipple[1]) * spacing_mm


def pair_places(
    first: Sequence[Place], second: Sequence[Place], spread_mm: float
) -> tuple[Pair, ...]:
    """Pair the places of two views of a breast, the strongest pair first, each place once.

    Likeness falls with the difference d of the depths as exp(-(d / spread)^2 / 2), and with the
    difference of the malignancies as 1 less it. Where a nipple was not found,
    the malignancies alone decide.

    Parameters
    ----------
    first, second : places of either view, best score first; `MOST_PLACES` of each are looked at
    spread_mm : how much the depth of one lesion differs between views; above 0
    """
    candidates = [
        _pair(i, j, (one, other), spread_mm)
        for i, one in enumerate(first[:MOST_PLACES])
        for j, other in enumerate(second[:MOST_PLACES])
    ]
    candidates.sort(key=lambda pair: (-pair.strength, pair.first, pair.second))
    chosen: list[Pair] = []
    for pair in candidates:
        if all(pair.first != one.first and pair.second != one.second for one in chosen):
            chosen.append(pair)
    return tuple(chosen)


def _pair(i: int, j: int, places: tuple[Place, Place], spread_mm: float) -> Pair:
    one, other = places
    near = 1.0
    if one.depth_mm is not None and other.depth_mm is not None:
        near = exp(-0.5 * ((one.depth_mm - other.depth_mm) / spread_mm) ** 2)
    likeness = near * (1 - abs(one.malignancy - other.malignancy))
    return Pair(i, j, likeness, likeness * sqrt(one.score * other.score))
