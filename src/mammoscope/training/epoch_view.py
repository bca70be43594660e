"""What is looked at after an epoch: the first layer's kernels, scores, and the worst tiles."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

MOST_TILES = 16
MOST_ACROSS = 8
"""Kernels or tiles in a row of a picture."""
KERNEL_PX, TILE_PX, TITLE_PX, GAP_PX = 48, 150, 16, 4
"""Sides of what is drawn: a kernel, a tile, a line of text, the gap between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochView:
    """What an epoch shows beside its figures; plain arrays, on no device.

    Attributes
    ----------
    kernels : (kernels, rows, columns), float32; the first layer's, empty where it has none
    scores : (tiles,), float64 in [0, 1]; share of all classes but normal, on validation tiles
    truth : (tiles,), bool; whether each of these tiles is abnormal
    worst_pixels : (shown, side, side), uint8; the tiles that the network is most wrong about
    worst_titles : a short text for each of them, such as "MASS, score 0.02"
    """

    kernels: NDArray[np.float32]
    scores: NDArray[np.float64]
    truth: NDArray[np.bool_]
    worst_pixels: NDArray[np.uint8]
    worst_titles: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.kernels.ndim != 3:
            raise ValueError(f"kernels must be (kernels, rows, columns), not {self.kernels.shape}")
        if self.scores.ndim != 1 or self.scores.shape != self.truth.shape:
            raise ValueError(
                f"scores {self.scores.shape} and truth {self.truth.shape} must be (tiles,) both"
            )
        if self.worst_pixels.ndim != 3 or len(self.worst_pixels) != len(self.worst_titles):
            raise ValueError(
                f"worst_pixels {self.worst_pixels.shape} must be (shown, side, side) with as many "
                f"titles, not {len(self.worst_titles)}"
            )


def worst_places(
    scores: NDArray[np.float64], truth: NDArray[np.bool_], most: int = MOST_TILES
) -> NDArray[np.intp]:
    """Find the tiles that were judged most wrongly, the worst first.

    Parameters
    ----------
    scores : (tiles,), in [0, 1]
    truth : (tiles,), bool
    most : give at most so many

    Returns
    -------
    ndarray of shape (at most `most`,): places in `scores`; tiles on the right side of 0.5 are
    not among them
    """
    wrong = np.abs(truth - scores)
    # A stable order: equal scores must give the same sheet on every machine.
    order = np.argsort(-wrong, kind="stable")
    return order[wrong[order] >= 0.5][:most]


def kernels_picture(kernels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay the first layer's kernels out in a grid, mid-grey being 0.

    All share one scale, so that a kernel of small weights looks as flat as it is.

    Parameters
    ----------
    kernels : (kernels, rows, columns), at least one

    Returns
    -------
    ndarray of shape (rows, columns), uint8
    """
    finite = np.where(np.isfinite(kernels), kernels, 0.0)
    largest = float(np.abs(finite).max(initial=0.0)) or 1.0
    greys = np.rint(finite / largest * 127 + 128).astype(np.uint8)
    # A side of 3 pixels cannot be seen; whole factors keep each weight a square.
    factor = max(1, KERNEL_PX // max(greys.shape[1:]))
    large = greys.repeat(factor, axis=1).repeat(factor, axis=2)
    return _grid(large, GAP_PX)


def worst_sheet(view: EpochView) -> NDArray[np.uint8]:
    """Draw the worst tiles of an epoch with their titles below, as one picture.

    Returns
    -------
    ndarray of shape (rows, columns), uint8
    """
    cells = [
        _titled(tile, title)
        for tile, title in zip(view.worst_pixels, view.worst_titles, strict=True)
    ]
    return _grid(np.stack(cells), GAP_PX)


def _titled(tile: NDArray[np.uint8], title: str) -> NDArray[np.uint8]:
    font = ImageFont.load_default(size=TITLE_PX - 4)
    picture = Image.fromarray(tile).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
    cell = Image.new("L", (TILE_PX, TILE_PX + 2 * TITLE_PX), 255)
    cell.paste(picture, (0, 0))
    draw = ImageDraw.Draw(cell)
    for number, line in enumerate(_two_lines(title, lambda text: draw.textlength(text, font))):
        draw.text((1, TILE_PX + number * TITLE_PX + 1), line, fill=0, font=font)
    return np.asarray(cell)


def _two_lines(title: str, length: Callable[[str], float]) -> list[str]:
    """Break a title into at most two lines that fit below a tile."""
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if length(longer) <= TILE_PX or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines[:2]


def _grid(cells: NDArray[np.uint8], gap: int) -> NDArray[np.uint8]:
    """Lay (cells, rows, columns) out row by row on white, up to 8 in a row."""
    count, rows, columns = cells.shape
    across = min(MOST_ACROSS, count)
    down = -(-count // across)
    shape = (down * (rows + gap) - gap, across * (columns + gap) - gap)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for number, cell in enumerate(cells):
        top, left = (number // across) * (rows + gap), (number % across) * (columns + gap)
        sheet[top : top + rows, left : left + columns] = cell
    return sheet
