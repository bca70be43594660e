"""`mammoscope tiles audit`: whether a tile set, or any folder of pictures, leaks or misleads."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mammoscope.cli.console import busy, print_table, tell
from mammoscope.core.errors import BadValueError

if TYPE_CHECKING:
    from mammoscope.tiles.audit.pictures import Pictures
    from mammoscope.tiles.audit.report import Audit

MOST_TOLD = 20
"""Pictures left out that are named one a line; audit.json names all."""


def audit(
    folder: Annotated[
        str | None, typer.Argument(metavar="[SET]", help="Folder of a tile set, or a URL.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of pictures, with --labels.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="Table with a file, label and split of each picture."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write audit.html and audit.json here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the audit as JSON.")] = False,
    seed: Annotated[int, typer.Option(metavar="S", help="Draws samples and folds.")] = 0,
) -> None:
    """Look for leaks between splits, and for shortcuts that tell the label without a lesion.

    For a tile set the audit is also stored beside it. Ends with 0 when the verdict is clean, 1
    when it is suspect or leaking, 2 when nothing could be read.
    """
    from mammoscope.formats.files import write_atomic
    from mammoscope.report.audit_page import write_audit_page

    if seed < 0:
        raise BadValueError(f"--seed {seed}: a seed is 0 or more.")
    with busy("auditing"):
        pictures, found = _audited(folder, images, labels, seed)
    if folder is not None:
        _store(folder, found)
    if out is not None:
        write_audit_page(found, pictures, out)
        write_atomic(out / "audit.json", found.to_json())
    for problem in found.problems[:MOST_TOLD]:
        tell(f"{problem.where}: {problem.what}; {problem.remedy}.")
    if len(found.problems) > MOST_TOLD:
        tell(f"{len(found.problems) - MOST_TOLD} more pictures were left out; --json names all.")
    if as_json:
        print(found.to_json(), end="")
    else:
        _print(found)
        if out is not None:
            print(f"Page: {out / 'audit.html'}")
    if found.verdict != "clean":
        raise typer.Exit(1)


def _audited(
    folder: str | None, images: Path | None, labels: Path | None, seed: int
) -> "tuple[Pictures, Audit]":
    from mammoscope.tiles.audit.pictures import pictures_of, read_pictures
    from mammoscope.tiles.audit.report import audit_pictures, audit_tiles
    from mammoscope.tiles.store import load_tiles

    if folder is not None and images is None and labels is None:
        tiles = load_tiles(folder)
        return pictures_of(tiles), audit_tiles(tiles, seed=seed)
    if folder is None and images is not None and labels is not None:
        pictures = read_pictures(images, labels)
        return pictures, audit_pictures(pictures, seed=seed)
    raise BadValueError(
        "Name either the folder of a tile set, or --images DIR and --labels FILE.csv."
    )


def _store(place: str, found: "Audit") -> None:
    """Keep an audit beside the tile set; where that is a URL, in its copy here as well."""
    from mammoscope.tiles.audit.report import write_audit
    from mammoscope.tiles.remote import cache_folder, is_remote, local_path, upload

    if not is_remote(place):
        write_audit(local_path(place), found)
        return
    upload(write_audit(cache_folder(place), found), place)


def _print(found: "Audit") -> None:
    from mammoscope.tiles.audit.verdict import GROUP_WORDS, WORDS, limit_of

    rows = []
    for told in found.shortcuts.told:
        limit = limit_of(told)
        rows.append(
            (
                WORDS[told.question],
                GROUP_WORDS[told.group],
                f"{told.value:.3f} ({told.low:.3f} to {told.high:.3f})",
                "-" if limit is None else f"{limit:.2f}",
                "-" if told.within is None else f"{told.within:.3f}",
                told.feature,
            )
        )
    if rows:
        print_table(
            f"What simple features tell, on {found.shortcuts.n} of {found.shortcuts.of} pictures",
            ("told is", "from", "area", "limit", "within one source", "most by"),
            rows,
        )
    for note in found.notes:
        print(f"Note: {note}.")
    for why in found.shortcuts.not_measured:
        print(f"Not measured: {why}.")
    print(f"Leaks: {len(found.leaks) or 'none found'}.")
    print(f"Verdict: {found.verdict}.")
    for reason in found.reasons:
        print(f"  {reason.sentence}")
