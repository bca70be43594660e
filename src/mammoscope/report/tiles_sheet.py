"""A contact sheet of a tile set: some tiles of each class and split, with where they come from."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mammoscope.core.errors import BadValueError, UnknownNameError
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.exchange.entries import classes_of
from mammoscope.tiles.store import TileSet

EACH = 8
"""Tiles of a class and split."""
SIDE_PX = 168
TIMES = "\N{MULTIPLICATION SIGN}"
_GAP, _TEXT_PX, _LINE_PX, _LINES = 8, 12, 15, 3
_BACK, _INK, _DIM = 16, 235, 165


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A tile as it is shown: its place in the set, and lines of text below it."""

    position: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Tiles of one class in one split; `of` is how many there are, `shown` some of them."""

    split: str
    label: str
    of: int
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which tiles are shown.

    Attributes
    ----------
    split, label : only these; None: all
    each : most tiles of a class and split
    seed : draws them
    """

    split: str | None = None
    label: str | None = None
    each: int = EACH
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.each <= 1000:
            raise BadValueError(f"Between 1 and 1000 tiles of a class are shown, not {self.each}.")
        if self.seed < 0:
            raise BadValueError(f"The seed must be 0 or more, not {self.seed}.")


def choose_tiles(tiles: TileSet, choice: Choice) -> tuple[Group, ...]:
    """Draw tiles of each split and class, of different patients while there are any.

    Raises
    ------
    UnknownNameError
        When no tile is in the split or of the label that was asked for.
    """
    for column, wanted in (("split", choice.split), ("label", choice.label)):
        there = set(tiles.table[column].unique().to_list())
        if wanted is not None and wanted not in there:
            raise UnknownNameError.among(column, wanted, there)
    groups = []
    for split in [str(one) for one in Split if choice.split in (None, one)]:
        for label in [one for one in classes_of(tiles) if choice.label in (None, one)]:
            here = (tiles.table["split"] == split) & (tiles.table["label"] == label)
            positions = np.flatnonzero(here.to_numpy())
            if len(positions):
                groups.append(_group(tiles, split, label, positions, choice))
    return tuple(groups)


def sheet_png(tiles: TileSet, choice: Choice) -> bytes:
    """Draw the contact sheet as PNG: a row of tiles a class and split, each with its caption."""
    groups = choose_tiles(tiles, choice)
    columns = max(len(group.shown) for group in groups)
    cell = SIDE_PX + _GAP
    head, row = _LINE_PX + 2 * _GAP, SIDE_PX + _LINES * _LINE_PX + _GAP
    width = max(columns * cell + _GAP, 480)
    sheet = Image.new("L", (width, len(groups) * (head + row) + _GAP), _BACK)
    pen = ImageDraw.Draw(sheet)
    for number, group in enumerate(groups):
        top = number * (head + row) + _GAP
        title = f"{group.split} / {group.label}: {len(group.shown)} of {group.of:,}"
        pen.text((_GAP, top), title, fill=_INK, font=_font(_TEXT_PX + 2))
        for place, (shown, pixels) in enumerate(_with_pixels(tiles, group)):
            left = _GAP + place * cell
            sheet.paste(Image.fromarray(small(pixels)), (left, top + head))
            for line, text in enumerate(shown.lines[:_LINES]):
                below = top + head + SIDE_PX + 2 + line * _LINE_PX
                pen.text((left, below), _cut(text), fill=_DIM, font=_font(_TEXT_PX))
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring a tile to the size in which it is shown; its grey levels stay what they are."""
    picture = Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def _group(
    tiles: TileSet, split: str, label: str, positions: NDArray[np.intp], choice: Choice
) -> Group:
    drawn = np.random.default_rng(choice.seed).permutation(positions)
    patients = tiles.table["patient_id"][drawn].to_numpy()
    _, first = np.unique(patients, return_index=True)
    others = np.setdiff1d(np.arange(len(drawn)), first)
    chosen = drawn[np.concatenate([np.sort(first), others])[: choice.each]]
    return Group(
        split=split,
        label=label,
        of=len(positions),
        shown=tuple(
            Shown(
                position=int(position),
                lines=_lines(tiles.table.row(int(position), named=True), tiles.shards[0].shape[1]),
            )
            for position in chosen
        ),
    )


def _lines(row: dict[str, Any], side_px: int) -> tuple[str, ...]:
    """Say where a tile comes from: scan, finding, and its box, in mm where that is known."""
    scan = str(row["scan_id"] or row["patient_id"])
    finding = f"finding {row['finding_id']}" if row["finding_id"] else str(row["origin"] or "")
    return scan, finding, _extent(row, side_px)


def _extent(row: dict[str, Any], side_px: int) -> str:
    """Write a tile's box in mm, or in pixels of its scan where their size is not known."""
    spacing = row["spacing_row_mm"], row["spacing_column_mm"]
    if None not in spacing:
        # The spacing is that of the tile's own pixels.
        return f"{side_px * spacing[0]:.1f} {TIMES} {side_px * spacing[1]:.1f} mm"
    if row["height"] is None or row["width"] is None:
        return ""
    return f"{row['height']:.0f} {TIMES} {row['width']:.0f} px of its scan"


def _with_pixels(tiles: TileSet, group: Group) -> Iterator[tuple[Shown, NDArray[np.uint8]]]:
    pixels = tiles.pixels([shown.position for shown in group.shown])
    return zip(group.shown, pixels, strict=True)


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def _cut(text: str) -> str:
    """Shorten a text to what fits below a tile; its end, which tells findings apart, stays."""
    font = _font(_TEXT_PX)
    if font.getlength(text) <= SIDE_PX:
        return text
    while text and font.getlength(f"\N{HORIZONTAL ELLIPSIS}{text}") > SIDE_PX:
        text = text[1:]
    return f"\N{HORIZONTAL ELLIPSIS}{text}"
