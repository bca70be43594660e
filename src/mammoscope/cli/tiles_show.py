"""`mammoscope tiles show`: what a tile set holds, as a table, a contact sheet or a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mammoscope.cli.console import busy, print_table, tell
from mammoscope.cli.opening import open_pairs
from mammoscope.core.errors import BadValueError

if TYPE_CHECKING:
    from mammoscope.report.tiles_sheet import Choice
    from mammoscope.tiles.store import TileSet

SHEET, PAGE = (".png",), (".html", ".htm")


def show(
    tiles: Annotated[str, typer.Argument(metavar="SET", help="Folder of the tile set, or a URL.")],
    archives: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME DIR ...]",
            help="Archives that it was cut from, for the sizes of lesions on the page.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A contact sheet (.png), or a page with statistics (.html)."
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Show tiles of train, validation or test only.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Show tiles of this class only.")] = None,
    each: Annotated[int, typer.Option(metavar="N", help="Tiles of a class and split.")] = 8,
    seed: Annotated[int, typer.Option(metavar="S", help="Draws the tiles.")] = 0,
) -> None:
    """Show some tiles of each class and split, and what the set holds in numbers.

    Without --out, only the counts are printed.
    """
    from mammoscope.report.tiles_sheet import Choice, choose_tiles
    from mammoscope.tiles.exchange.terms import warnings_for
    from mammoscope.tiles.store import load_tiles

    if out is not None and out.suffix.lower() not in (*SHEET, *PAGE):
        raise BadValueError(f"{out}: name a .png for a contact sheet or a .html for a page.")
    if archives and (out is None or out.suffix.lower() not in PAGE):
        raise BadValueError("Archives are for the page only; add --out FILE.html.")
    opened = load_tiles(tiles)
    choice = Choice(split=split, label=label, each=each, seed=seed)
    choose_tiles(opened, choice)
    _print_counts(opened, choice.split, choice.label)
    if out is None:
        return
    with busy("drawing"):
        _draw(opened, choice, out, archives or [])
    print(f"{'Contact sheet' if out.suffix.lower() in SHEET else 'Page'}: {out}")
    for warning in warnings_for(opened.table["archive"].drop_nulls().unique().to_list()):
        tell(warning)


def _draw(opened: "TileSet", choice: "Choice", out: Path, words: list[str]) -> None:
    from mammoscope.formats.files import write_atomic
    from mammoscope.report.tiles_page import write_tiles_page
    from mammoscope.report.tiles_sheet import sheet_png

    if out.suffix.lower() in SHEET:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, sheet_png(opened, choice))
        return
    write_tiles_page(opened, out, choice, open_pairs(words))


def _print_counts(opened: "TileSet", split: str | None, label: str | None) -> None:
    import polars as pl

    from mammoscope.core.vocabulary import Split
    from mammoscope.tiles.exchange.entries import classes_of

    splits = [str(one) for one in Split if split in (None, one)]
    table = opened.table
    counts = {(s, name): n for s, name, n in table.group_by("split", "label").len().rows()}
    rows = [
        (name, *(str(counts.get((one, name), 0)) for one in splits))
        for name in classes_of(opened)
        if label in (None, name)
    ]
    people = [str(table.filter(pl.col("split") == one)["patient_id"].n_unique()) for one in splits]
    rows.append(("patients", *people))
    print_table(f"{len(opened)} tiles in {opened.folder}", ("label", *splits), rows)
