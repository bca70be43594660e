"""Where tiles lie on a scan, cutting them out, and laying them together again; pure."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def starts(length: int, size: int, stride: int) -> list[int]:
    """First pixels of the tiles of `size` that fit whole into `length`, every `stride` pixels.

    Raises
    ------
    ValueError
        When size or stride is not positive.

    Examples
    --------
    >>> starts(10, 4, 3)
    [0, 3, 6]
    """
    if size < 1 or stride < 1:
        raise ValueError(f"size and stride must be positive, not {size} and {stride}")
    return list(range(0, length - size + 1, stride))


def places(shape: tuple[int, int], size: int, stride: int) -> Iterator[tuple[int, int]]:
    """(top, left) of every whole tile of a scan of `shape`, row by row."""
    for top in starts(shape[0], size, stride):
        for left in starts(shape[1], size, stride):
            yield top, left


def cut(image: NDArray[np.generic], place: tuple[int, int], size: int) -> NDArray[np.generic]:
    """Cut a tile out; a view of the image.

    Raises
    ------
    ValueError
        When the tile does not lie whole in the image.
    """
    top, left = place
    tile = image[top : top + size, left : left + size] if min(place) >= 0 else image[:0, :0]
    if tile.shape != (size, size):
        raise ValueError(f"a tile of {size} at {place} does not lie in an image of {image.shape}")
    return tile


def stitch(
    tiles: Sequence[NDArray[np.floating]], at: Sequence[tuple[int, int]], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Lay tiles on a scan; where several lie, their mean; NaN where none does."""
    total, count = np.zeros(shape), np.zeros(shape)
    for tile, (top, left) in zip(tiles, at, strict=True):
        here = np.s_[top : top + tile.shape[0], left : left + tile.shape[1]]
        total[here] += tile
        count[here] += 1
    mean = np.full(shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean
