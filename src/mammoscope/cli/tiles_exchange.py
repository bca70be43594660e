"""`mammoscope tiles export` and `import`: tile sets to other programs' formats, and back."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mammoscope.cli.console import busy, tell
from mammoscope.cli.tiles_build import verdict_of
from mammoscope.core.errors import BadValueError, UnknownNameError

if TYPE_CHECKING:
    from mammoscope.tiles.exchange.trade import Format

FormatOption = Annotated[
    str, typer.Option("--format", help="tfrecord, webdataset, folder or huggingface.")
]


def export(
    tiles: Annotated[str, typer.Argument(metavar="SET", help="Folder of the tile set, or a URL.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="Folder to make.")],
    kind: FormatOption,
) -> None:
    """Write a tile set for other programs; `tiles import` brings it back without loss.

    Warns of tiles whose archive does not let others pass them on.
    """
    from mammoscope.tiles.exchange.terms import warnings_for
    from mammoscope.tiles.exchange.tfrecords import notes_on
    from mammoscope.tiles.exchange.trade import Format, export_tiles
    from mammoscope.tiles.remote import local_path
    from mammoscope.tiles.store import load_tiles

    chosen = _format(kind)
    opened = load_tiles(tiles)
    with busy("exporting"):
        export_tiles(opened, local_path(out), chosen)
    print(f"{len(opened)} tiles as {chosen} in {out}.")
    if chosen is Format.TFRECORD:
        for note in notes_on(opened):
            print(note)
    for warning in warnings_for(opened.table["archive"].drop_nulls().unique().to_list()):
        tell(warning)


def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Folder of the tiles.")],
    out: Annotated[str, typer.Argument(metavar="SET", help="Folder of the tile set to make.")],
    kind: FormatOption,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Table of the pictures of a folder.",
            show_default="SOURCE/labels.csv",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=THEIRS", help="Which column holds what, as patient_id=case; repeatable."
        ),
    ] = None,
    faithful: Annotated[
        bool,
        typer.Option(
            "--faithful", help="Take splits that share patients as they are: to compare only."
        ),
    ] = False,
    audit: Annotated[
        bool,
        typer.Option(
            "--audit/--no-audit",
            help="Look for leaks and shortcuts at the end, unless an audit came along.",
        ),
    ] = True,
) -> None:
    """Make a tile set of an export, or of anybody's tiles with a patient, label and split each.

    An export comes back pixel by pixel and row by row, with the report and the audit of its build,
    or is refused.
    """
    from mammoscope.tiles.exchange.trade import Format, Source, import_tiles
    from mammoscope.tiles.remote import local_path

    chosen = _format(kind)
    if labels is not None and chosen is not Format.FOLDER:
        raise BadValueError("--labels goes with --format folder only; leave it out.")
    place = Source(
        folder=local_path(source), kind=chosen, labels=labels, columns=_columns(column or ())
    )
    with busy("importing"):
        made = import_tiles(place, local_path(out), faithful=faithful, audit=audit)
    print(f"{len(made)} tiles in {out}, divided {made.provenance.get('splits', 'as given')}.")
    print(verdict_of(made.folder))


def _format(name: str) -> "Format":
    from mammoscope.tiles.exchange.trade import Format

    known = [str(one) for one in Format]
    if name not in known:
        raise UnknownNameError.among("format", name, known)
    return Format(name)


def _columns(words: Sequence[str]) -> dict[str, str]:
    """Read pairs as `patient_id=case`."""
    pairs = {}
    for word in words:
        ours, given, theirs = word.partition("=")
        if not (ours and given and theirs):
            raise BadValueError(f"--column {word!r}: expected a pair as patient_id=case.")
        pairs[ours] = theirs
    return pairs
