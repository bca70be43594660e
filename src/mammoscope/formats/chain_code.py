"""Freeman chain codes, as DDSM draws outlines: a start and one digit for each step.

0 is up, 1 up and right, 2 right, 3 down and right, 4 down, 5 down and left, 6 left, 7 up and left.
"""

import numpy as np
from numpy.typing import NDArray

STEPS = np.array(
    [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)], dtype=np.int64
)
"""(rows, columns) of each digit's step."""
_DIGIT_OF = np.full((3, 3), -1)
_DIGIT_OF[STEPS[:, 0] + 1, STEPS[:, 1] + 1] = np.arange(8)
_BLANK, _OTHER = 8, 9
_MEANING = np.full(256, _OTHER, np.uint8)
_MEANING[list(b" \t\r\n")] = _BLANK
_MEANING[list(b"01234567")] = np.arange(8)


def digits_of(text: str) -> NDArray[np.uint8] | None:
    """Read the digits of a chain code, parted by blanks.

    Returns
    -------
    ndarray of shape (steps,), uint8 in [0, 7]; None where the text holds anything else, also where
    two digits stand together: a blank there was lost
    """
    meaning = _MEANING[np.frombuffer(text.encode("ascii", "replace"), np.uint8)]
    is_digit = meaning < _BLANK
    if (meaning == _OTHER).any() or (is_digit[1:] & is_digit[:-1]).any():
        return None
    return meaning[is_digit]


def points_of(start: tuple[int, int], digits: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the points that an outline runs through.

    Parameters
    ----------
    start : (row, column)
    digits : ndarray of shape (steps,), in [0, 7]

    Returns
    -------
    ndarray of shape (steps + 1, 2), float32: (row, column) of each point, the start first
    """
    points = np.empty((len(digits) + 1, 2), np.int64)
    points[0] = start
    np.take(STEPS, digits, axis=0, out=points[1:])
    return np.cumsum(points, axis=0).astype(np.float32)


def digits_along(points: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the digits of the steps from point to point, the inverse of `points_of`.

    Parameters
    ----------
    points : ndarray of shape (n, 2): (row, column), each a neighbour of the one before

    Raises
    ------
    ValueError
        When two points that follow each other are not neighbours on the grid.
    """
    steps = np.diff(points, axis=0)
    if (np.abs(steps) > 1).any() or (steps != np.rint(steps)).any():
        raise ValueError("a chain code needs points of whole pixels, each beside the one before")
    digits = _DIGIT_OF[steps[:, 0].astype(np.intp) + 1, steps[:, 1].astype(np.intp) + 1]
    if (digits < 0).any():
        raise ValueError("a chain code cannot stay where it is")
    return digits
