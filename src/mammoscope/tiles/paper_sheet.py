"""The picture that a recipe of the paper cuts, and cutting, shrinking and turning its tiles."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.core.errors import ScanError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.tiles.tile import Origin, Tile

SIDE_PX = 299
"""Side of every tile of the paper; larger windows are shrunk to it."""

Place = tuple[int, int]
"""(top, left) of a window on a sheet."""
Turn = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A picture to cut, enlarged, shrunk or trimmed, that knows where it lies on its scan.

    Attributes
    ----------
    image : ndarray of shape (rows, columns), uint8; or unsigned 16 bits that `to_bytes` turns
    scan : the scan that it was made from
    scale : pixels of the sheet for each of the scan, (by row, by column)
    offset : (row, column) of the sheet's first pixel on the scan's grid
    to_bytes : turns a window into uint8
    """

    image: NDArray[Any]
    scan: Scan
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    to_bytes: Callable[[NDArray[Any], Scan], NDArray[np.uint8]] = lambda window, _: window

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the sheet."""
        return self.image.shape[0], self.image.shape[1]

    def trimmed(self, top: int, bottom: int, left: int, right: int) -> "Sheet":
        """Return the part from row `top` to before `bottom`, column `left` to before `right`."""
        return Sheet(
            image=self.image[top:bottom, left:right],
            scan=self.scan,
            scale=self.scale,
            offset=(self.offset[0] + top / self.scale[0], self.offset[1] + left / self.scale[1]),
            to_bytes=self.to_bytes,
        )

    def on_scan(self, place: Place, side: int) -> Box:
        """Return a window's box on the grid of the scan."""
        box = Box(place[0], place[1], side, side).scaled(1 / self.scale[0], 1 / self.scale[1])
        return Box(box.top + self.offset[0], box.left + self.offset[1], box.height, box.width)

    def window(self, place: Place, side: int) -> NDArray[np.uint8]:
        """Cut a square window out, in 8 bits.

        Raises
        ------
        ValueError
            When it does not lie whole in the sheet.
        """
        part = self.image[place[0] : place[0] + side, place[1] : place[1] + side]
        if min(place) < 0 or part.shape != (side, side):
            raise ValueError(f"a window of {side} at {place} does not lie in {self.shape}")
        return self.to_bytes(part, self.scan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is said of a tile, beside its pixels and place."""

    label: str
    finding_id: str | None = None
    origin: Origin = Origin.LESION
    lot: float = 0.0


def make_tile(
    sheet: Sheet, place: Place, side: int, mark: Mark, rng: np.random.Generator, turn: Turn
) -> Tile:
    """Cut a window out, shrink it to `SIDE_PX`, and flip and turn it."""
    return Tile(
        pixels=turn(shrunk(sheet.window(place, side)), rng),
        scan=sheet.scan,
        finding_id=mark.finding_id,
        box=sheet.on_scan(place, side),
        label=mark.label,
        origin=mark.origin,
        lot=mark.lot,
    )


def shrunk(window: NDArray[np.uint8], side: int = SIDE_PX) -> NDArray[np.uint8]:
    """Resize a square window as imresize did: bilinear, each pixel a mean of those it covers."""
    if window.shape == (side, side):
        return window
    if window.shape == (2 * side, 2 * side):
        return np.ascontiguousarray(_halved(_halved(window.T).T))
    picture = Image.fromarray(np.ascontiguousarray(window))
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))


def _halved(window: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Halve the rows as Pillow's bilinear filter does, to the last bit and twice as fast.

    Weights are 1, 3, 3, 1 eighths, and 3, 3, 1 sevenths at the two ends.
    """
    wide = window.astype(np.uint16)
    total = 3 * (wide[::2] + wide[1::2])
    total[1:] += wide[1:-1:2]
    total[:-1] += wide[2::2]
    halved = ((total + 4) >> 3).astype(np.uint8)
    halved[[0, -1]] = (2 * total[[0, -1]] + 7) // 14
    return halved


def resized(
    image: NDArray[np.uint8], shape: tuple[int, int], filtered: Image.Resampling
) -> NDArray[np.uint8]:
    """Resize a whole scan to (rows, columns)."""
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), filtered))


def turned(tile: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Flip and turn at random as the notebooks do (method facts 1.6).

    Each flip with probability one half; quarter turns by k = randint(-3, 3), the upper end left
    out. With the flips before it, each of the eight symmetries is as likely as another.
    """
    if rng.random() < 0.5:
        tile = tile[:, ::-1]
    if rng.random() < 0.5:
        tile = tile[::-1]
    return np.ascontiguousarray(np.rot90(tile, int(rng.integers(-3, 3))))


def as_cut(tile: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Leave a tile as it lies on the scan."""
    del rng
    return np.ascontiguousarray(tile)


def check_size(sheet: Sheet, side: int, recipe: str) -> None:
    """Refuse a scan on which not one tile fits.

    Raises
    ------
    ScanError
        When a side of the sheet is shorter than `side`.
    """
    if min(sheet.shape) < side:
        raise ScanError(
            f"{sheet.scan.path}: {sheet.shape[0]} x {sheet.shape[1]} pixels are left to cut, fewer "
            f"than a tile of {side}; recipe {recipe} is for scans of the archive's full size."
        )
