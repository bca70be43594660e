"""Normal tiles of the paper: a grid over a scan without findings, and the tests its tiles pass.

Method facts 1.1 and 1.4. The numbers of pixels stay the same whether a tile has 299 or 598 pixels a
side, as in the author's code: at 598 a tile may be dark on a seventh of its area only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.tiles.grid import places
from mammoscope.tiles.paper_sheet import Mark, Place, Sheet, make_tile, turned
from mammoscope.tiles.tile import NORMAL, Origin, Tile

BRIGHT, MOST_BRIGHT = 225, 100
"""So many pixels of a tile, or more, may not be at least so bright."""
DARK, MOST_DARK = 20, 50_000
"""No more than so many pixels may be at most so bright."""
TRIM = 0.07
"""Share of a film's height and width that is cut off at each side, with the white borders."""
_BLACK_ROWS = 10
"""A column beside a film is black in all but so many rows, or fewer."""
_LEVELS = np.arange(256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on a tile's grey levels, 0 to 255."""

    least_mean: float
    least_variance: float
    most_variance: float


LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        "dba": Limits(least_mean=38, least_variance=20, most_variance=1500),
        "howtek-mgh": Limits(least_mean=30, least_variance=10, most_variance=10_000),
        "howtek-ismd": Limits(least_mean=30, least_variance=10, most_variance=10_000),
        "lumisys": Limits(least_mean=28, least_variance=10, most_variance=10_000),
        "mini-mias": Limits(least_mean=38, least_variance=20, most_variance=2000),
    }
)
"""By scanner; those of DDSM stand in the notebook of recipe 9.5 and very likely served the rest."""


def is_usable(tile: NDArray[np.uint8], limits: Limits) -> bool:
    """Test a normal tile as the author's code does: bright and dark pixels, mean and variance.

    All four come from the counts of the grey levels, which is several times as fast as four
    statistics of the pixels, and exact.
    """
    counts = np.array(Image.fromarray(np.ascontiguousarray(tile)).histogram(), dtype=np.int64)
    if counts[BRIGHT:].sum() >= MOST_BRIGHT or counts[: DARK + 1].sum() > MOST_DARK:
        return False
    total, squares = int(counts @ _LEVELS), int(counts @ _LEVELS**2)
    mean = total / tile.size
    # Exact to the last step: whole numbers.
    variance = (squares * tile.size - total * total) / tile.size**2
    return mean >= limits.least_mean and limits.least_variance <= variance <= limits.most_variance


def trim_film(sheet: Sheet) -> Sheet:
    """Cut 7 % of height and width off at each side."""
    rows, columns = sheet.shape
    down, across = int(rows * TRIM), int(columns * TRIM)
    return sheet.trimmed(down, rows - down, across, columns - across)


def trim_black(sheet: Sheet) -> Sheet | None:
    """Cut the black columns off at both sides; None where all are black."""
    black = (sheet.image == 0).sum(axis=0) >= sheet.shape[0] - _BLACK_ROWS
    columns = np.flatnonzero(~black)
    if not columns.size:
        return None
    return sheet.trimmed(0, sheet.shape[0], int(columns[0]), int(columns[-1]) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A grid of normal tiles.

    Attributes
    ----------
    side, stride : in pixels of the sheet; the stride is drawn anew for each scan from its two ends
    tested : whether tiles must pass the tests
    kept : share of the tiles that stay, drawn for each
    refused : share of the tiles that fail the tests and stay all the same, from a grid that is not
        trimmed (recipe 9.5)
    """

    side: int
    stride: tuple[int, int]
    tested: bool = True
    kept: float = 1.0
    refused: float = 0.0


def normal_tiles(
    sheet: Sheet, grid: Grid, limits: Limits, rng: np.random.Generator
) -> Iterator[Tile]:
    """Yield the tiles of a trimmed sheet that pass the tests, each with its lot."""
    for place in _grid_places(sheet, grid, rng):
        usable = not grid.tested or is_usable(sheet.window(place, grid.side), limits)
        if usable and (grid.kept == 1 or rng.random() < grid.kept):
            mark = Mark(label=NORMAL, origin=Origin.NORMAL, lot=rng.random())
            yield make_tile(sheet, place, grid.side, mark, rng, turned)


def refused_tiles(
    sheet: Sheet, grid: Grid, limits: Limits, rng: np.random.Generator
) -> Iterator[Tile]:
    """Yield some of the tiles that fail the tests: film, air and what is too bright or too even."""
    for place in _grid_places(sheet, grid, rng):
        usable = is_usable(sheet.window(place, grid.side), limits)
        if not usable and rng.random() < grid.refused:
            mark = Mark(label=NORMAL, origin=Origin.REFUSED, lot=rng.random())
            yield make_tile(sheet, place, grid.side, mark, rng, turned)


def _grid_places(sheet: Sheet, grid: Grid, rng: np.random.Generator) -> Iterator[Place]:
    low, high = grid.stride
    stride = low if low == high else int(rng.integers(low, high + 1))
    yield from places(sheet.shape, grid.side, stride)
