"""Tiles round findings as the paper cuts them: zoomed with context, at size, in parts, at random.

Method facts 1.6 and 2.4. What the author's code for CBIS-DDSM does is known from its ports to MIAS;
that code took the larger side of a finding's box for its size, which is `Lesion.size`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mammoscope.tiles.grid import starts
from mammoscope.tiles.paper_sheet import (
    Mark,
    Place,
    Sheet,
    Turn,
    as_cut,
    make_tile,
    turned,
)
from mammoscope.tiles.tile import Tile

CROPS = 3
LEAST_CONTEXT_PX = 300
"""Windows with context are no smaller, so that nothing is enlarged much."""
PART_MARGIN_PX, PART_STRIDE_PX, PART_LEAST_MEAN = 50, 200, 25
SLENDER = 1.5
"""A box this many times as long as wide gives two tiles, as the paper says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """A finding on a sheet.

    Attributes
    ----------
    centre : (row, column)
    sides : height and width of its box
    mark : finding and label of its tiles
    """

    centre: tuple[int, int]
    sides: tuple[float, float]
    mark: Mark

    @property
    def size(self) -> float:
        """The larger side."""
        return max(self.sides)


Method = Callable[[Sheet, Lesion, int, np.random.Generator], Iterator[Tile]]
"""Cuts the tiles of a lesion, given the side of a tile at the sheet's own size."""


def three_crops(
    sheet: Sheet, lesion: Lesion, side: int, rng: np.random.Generator
) -> Iterator[Tile]:
    """Recipe 9: three crops at random places of a box that is a little larger than a tile.

    The box is 1.2 tiles wide for a finding smaller than a tile, else 1.05, or as the finding.
    """
    factor = 1.2 if lesion.size < side else 1.05
    extents = tuple(max(factor * side, own) for own in lesion.sides)
    yield from _crops(sheet, lesion, (extents[0], extents[1]), side, rng)


def three_crops_printed(
    sheet: Sheet, lesion: Lesion, side: int, rng: np.random.Generator
) -> Iterator[Tile]:
    """Recipe 9 as printed: "20% padding on either side", 5 % for findings larger than a tile.

    Twenty per cent of a small finding would still be smaller than a tile: we take it of the larger
    of finding and tile.
    """
    padding = 0.2 if lesion.size < side else 0.05
    extents = tuple((1 + 2 * padding) * max(side, own) for own in lesion.sides)
    yield from _crops(sheet, lesion, (extents[0], extents[1]), side, rng)


def _crops(
    sheet: Sheet,
    lesion: Lesion,
    extents: tuple[float, float],
    side: int,
    rng: np.random.Generator,
) -> Iterator[Tile]:
    """Crop a box round the lesion three times.

    The notebook turns the box before it crops. Cropping first gives the same tiles with the same
    chances (but for one pixel, as the draw leaves the last place out), and keeps each tile's place
    on the scan known.
    """
    extent = [min(int(wanted), length) for wanted, length in zip(extents, sheet.shape, strict=True)]
    box = [
        min(max(centre - own // 2, 0), length - own)
        for centre, own, length in zip(lesion.centre, extent, sheet.shape, strict=True)
    ]
    for _ in range(CROPS):
        down, across = (int(rng.integers(0, max(1, own - side))) for own in extent)
        place = box[0] + down, box[1] + across
        yield make_tile(sheet, place, side, lesion.mark, rng, turned)


def every_way(sheet: Sheet, lesion: Lesion, side: int, rng: np.random.Generator) -> Iterator[Tile]:
    """Recipe 6: context of 2 and of 1.75, at size where it fits, in parts where it is larger."""
    yield context_tile(sheet, lesion, (2.0, 1.2), rng)
    yield context_tile(sheet, lesion, (1.75, 1.3), rng)
    if lesion.size <= side - 60:
        yield at_size(sheet, lesion, side, rng)
    if lesion.size > side:
        yield from parts(sheet, lesion, side, rng)


def every_way_but_parts(
    sheet: Sheet, lesion: Lesion, side: int, rng: np.random.Generator
) -> Iterator[Tile]:
    """Recipe 6 for MIAS: its notebook cuts no parts.

    It sliced by floats there, which numpy refuses, and went on; 238 tiles with context and 109 at
    size are the 347 that its set holds.
    """
    yield context_tile(sheet, lesion, (2.0, 1.2), rng)
    yield context_tile(sheet, lesion, (1.75, 1.3), rng)
    if lesion.size <= side - 60:
        yield at_size(sheet, lesion, side, rng)


def zoomed(sheet: Sheet, lesion: Lesion, side: int, rng: np.random.Generator) -> Iterator[Tile]:
    """Recipe 8: context of 2 and of 1.5, not turned, and at size where the finding fits.

    The code for CBIS-DDSM is lost. Its 2.78 tiles a finding, 2.93 for benign masses and 2.49 for
    malignant calcifications, are two and the share of findings that fit into a tile.
    """
    yield from zoomed_only(sheet, lesion, side, rng)
    if lesion.size <= side - 60:
        yield at_size(sheet, lesion, side, rng)


def zoomed_only(
    sheet: Sheet, lesion: Lesion, side: int, rng: np.random.Generator
) -> Iterator[Tile]:
    """Recipe 8 for MIAS: context of 2 and of 1.5 alone."""
    del side
    yield context_tile(sheet, lesion, (2.0, 1.2), rng, as_cut)
    yield context_tile(sheet, lesion, (1.5, 1.3), rng, as_cut)


def zoomed_printed(
    sheet: Sheet, lesion: Lesion, side: int, rng: np.random.Generator
) -> Iterator[Tile]:
    """Recipe 8 as printed: at its size, and whole with padding; slender ones in two halves."""
    yield at_size(sheet, lesion, side, rng)
    for half in _halves(lesion):
        yield context_tile(sheet, half, (2.0, 1.2), rng)


def context_tile(
    sheet: Sheet,
    lesion: Lesion,
    context: tuple[float, float],
    rng: np.random.Generator,
    turn: Turn = turned,
) -> Tile:
    """Cut a window of the lesion's size times a factor, as `extract_slice` does.

    Parameters
    ----------
    context : the factor, and the one for the part of it that shall stay in the window when it is
        moved at random
    turn : how the tile is turned
    """
    factor, padding = context
    extent = min(max(int(lesion.size * factor), LEAST_CONTEXT_PX), *sheet.shape)
    offset = fuzzy_offset(int(lesion.size * padding), extent, rng)
    place = window_place(sheet, lesion.centre, extent, offset)
    return make_tile(sheet, place, extent, lesion.mark, rng, turn)


def at_size(sheet: Sheet, lesion: Lesion, side: int, rng: np.random.Generator) -> Tile:
    """Cut a tile at the sheet's own size, moved at random."""
    place = window_place(sheet, lesion.centre, side, fuzzy_offset(lesion.size + 50, side, rng))
    return make_tile(sheet, place, side, lesion.mark, rng, turned)


def parts(sheet: Sheet, lesion: Lesion, side: int, rng: np.random.Generator) -> Iterator[Tile]:
    """Cut a lesion larger than a tile, with a margin, into whole tiles that are not too dark."""
    firsts: list[list[int]] = []
    for centre, own, length in zip(lesion.centre, lesion.sides, sheet.shape, strict=True):
        # Along its short side such a lesion may be smaller than a tile.
        half = max(int(own), side) // 2 + PART_MARGIN_PX
        first = max(centre - half, 0)
        room = min(centre + half, length) - first
        firsts.append([first + start for start in starts(room, side, PART_STRIDE_PX)])
    for top in firsts[0]:
        for left in firsts[1]:
            if sheet.window((top, left), side).mean() >= PART_LEAST_MEAN:
                yield make_tile(sheet, (top, left), side, lesion.mark, rng, turned)


def fuzzy_offset(size: float, extent: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw how far a window of `extent` moves, down and across (`get_fuzzy_offset`).

    Up to half of what is left beside a lesion of `size` and 20 pixels; the end is left out.
    """
    room = max(int((extent - size - 20) // 2), 1)
    down, across = (
        int(rng.integers(0, room)) * (1 if rng.random() < 0.5 else -1) for _ in range(2)
    )
    return down, across


def window_place(
    sheet: Sheet, centre: tuple[int, int], extent: int, offset: tuple[int, int]
) -> Place:
    """Place a window round a centre, moved by `offset`, and back into the sheet where it leaves.

    Also where the centre itself lies outside, as some do in recipe 6 for MIAS.
    """
    top, left = (
        min(max(middle - extent // 2 + move, 0), length - extent)
        for middle, move, length in zip(centre, offset, sheet.shape, strict=True)
    )
    return top, left


def _halves(lesion: Lesion) -> Iterator[Lesion]:
    """Yield the lesion, or two halves along its longer side where it is slender.

    Each half is of the size of the longer side's half, or of the shorter side where that is more.
    """
    height, width = lesion.sides
    if max(height, width) <= SLENDER * min(height, width):
        yield lesion
        return
    row, column = lesion.centre
    for sign in (-1, 1):
        if height > width:
            centre = row + sign * int(height / 4), column
            yield replace(lesion, centre=centre, sides=(height / 2, width))
        else:
            centre = row, column + sign * int(width / 4)
            yield replace(lesion, centre=centre, sides=(height, width / 2))
