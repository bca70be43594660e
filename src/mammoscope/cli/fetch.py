"""`mammoscope archive fetch`: an archive from its keepers, on their terms."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mammoscope.cli.console import make_console, print_table, tell, tell_failures
from mammoscope.core.errors import BadValueError

if TYPE_CHECKING:
    from mammoscope.archives.fetch import Watch
    from mammoscope.archives.fetch_sources import Source


def fetch(
    name: Annotated[str, typer.Argument(help="mini-mias, uci, cbis-ddsm or author-tiles.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that takes it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Accept the licence and begin.")] = False,
    parallel: Annotated[int, typer.Option(metavar="N", help="Files at a time, 1 to 16.")] = 4,
    only: Annotated[
        str, typer.Option(metavar="TEXT", help="Take only files with TEXT in their name.")
    ] = "",
) -> None:
    """Fetch an archive by HTTP; run it again to go on after a cut or an interruption.

    Shows size and licence first and begins when they are accepted. Ends with 0 when all is there,
    1 when some files failed, 2 when all did or the licence was not accepted.
    """
    from mammoscope.archives.fetch import fetch_archive, source_of

    source = source_of(name)
    _show_terms(source, folder)
    _ask(source, accepted=yes)
    with _bars(source.about_bytes) as watch:
        fetched = fetch_archive(source, folder, parallel=parallel, only=only, watch=watch)
    tell_failures(fetched.failed)
    print(
        f"{len(fetched.new)} files fetched, {len(fetched.before)} were there, "
        f"{len(fetched.failed)} failed."
    )
    if fetched.failed:
        tell("run the same command again to go on with what failed.")
        raise typer.Exit(1 if fetched.new or fetched.before else 2)
    print(f"Check it with: mammoscope archive check {name} {folder}")


def _show_terms(source: "Source", folder: Path) -> None:
    gigabytes = source.about_bytes / 1e9
    room = f"about {gigabytes:.1f} GB" if gigabytes >= 0.1 else "less than 0.1 GB"
    rows = [
        ("page", source.page),
        ("licence", source.licence),
        ("cite", source.citation),
        ("room needed", f"{room} in {folder}"),
    ]
    if source.note:
        rows.append(("note", source.note))
    print_table(f"Fetch {source.name}", ("what", ""), rows)


def _ask(source: "Source", *, accepted: bool) -> None:
    if accepted:
        return
    if not sys.stdin.isatty():
        raise BadValueError(
            f"The licence of {source.name} must be accepted first; read it, and run the command "
            "again with --yes."
        )
    if not typer.confirm(f"Do you accept the licence ({source.licence}) and fetch it?"):
        raise BadValueError("Nothing was fetched: the licence was not accepted.")


@contextmanager
def _bars(about_bytes: int) -> Iterator["Watch"]:
    """Show bytes and files on a terminal's error stream."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from mammoscope.archives.fetch import Watch

    console = make_console(errors=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as shown:
        line = shown.add_task("fetching", total=about_bytes)

        def say_files(done: int, total: int) -> None:
            shown.update(line, description=f"{done} of {total} files")

        yield Watch(on_bytes=lambda count: shown.advance(line, count), on_file=say_files)
