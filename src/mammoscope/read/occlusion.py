"""Occlusion: which parts of a picture does a score rest on? (Zeiler and Fergus 2014)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Score = Callable[[NDArray[np.float32]], float]


def occlusion_map(
    image: NDArray[np.float32],
    stand_in: NDArray[np.float32],
    part: tuple[slice, slice],
    square_px: int,
    score: Score,
) -> NDArray[np.float32]:
    """Hide one square after another, and measure how much of the score is lost.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), float32; not changed
    stand_in : ndarray of the same shape: what shows where a square is hidden
    part : rows and columns of `image` that are covered with squares, from `start` to `stop`
    square_px : side of a square; the last of a row or column may be smaller
    score : from an image of that shape to a number; called once a square and once for the whole

    Returns
    -------
    ndarray of shape (squares down, squares across), float32
        Share of the whole's score that is lost with each square: 1 all of it, 0 none; negative
        where the score rises. All 0 where the whole's score is not above 0.

    Raises
    ------
    ValueError
        When shapes differ, a square has no size, or the part is empty or not inside the image.
    """
    if image.shape != stand_in.shape:
        raise ValueError("the image and its stand-in must have one shape")
    if square_px < 1:
        raise ValueError(f"a square cannot have a side of {square_px} pixels")
    inside = all(0 <= s.start < s.stop <= side for s, side in zip(part, image.shape, strict=True))
    if not inside:
        raise ValueError("the part to cover is empty or reaches out of the image")
    tops = range(part[0].start, part[0].stop, square_px)
    lefts = range(part[1].start, part[1].stop, square_px)
    whole = score(image)
    lost = np.zeros((len(tops), len(lefts)), np.float32)
    if whole <= 0:
        return lost
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            place = np.s_[
                top : min(top + square_px, part[0].stop), left : min(left + square_px, part[1].stop)
            ]
            hidden = image.copy()
            hidden[place] = stand_in[place]
            lost[row, column] = (whole - score(hidden)) / whole
    return lost
