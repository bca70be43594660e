"""The command `mammoscope`: its groups, and what happens when something goes wrong."""

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

import mammoscope
from mammoscope.cli import (
    archive,
    compare,
    demo,
    evaluate,
    model,
    read,
    reproduce,
    tabular,
    tiles,
    train,
)
from mammoscope.cli.console import tell
from mammoscope.core.errors import MammoscopeError

NOTHING_DONE = 2
INTERRUPTED = 130

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again",
    errno.EDQUOT: "your share of the disk is used up; free some space and try again",
    errno.EROFS: "the disk takes no writing; choose another place with --out",
    errno.EACCES: "it may not be opened; change its permissions or choose another place",
    errno.EPERM: "it may not be opened; change its permissions or choose another place",
    errno.ENOENT: "there is no such file or folder; check the path",
    errno.ENOTDIR: "a folder was expected and it is, or lies below, a file; check the path",
    errno.EISDIR: "a file was expected and it is a folder; check the path",
    errno.EEXIST: "a file of that name is in the way; move it or choose another place",
    errno.ENAMETOOLONG: "the name is too long; shorten the path",
    errno.EMFILE: "too many files are open; raise the limit with: ulimit -n 4096",
}


@dataclass(slots=True)
class Switches:
    """What was given before the command's name."""

    debug: bool = False


app = typer.Typer(
    name="mammoscope",
    help="Read mammograms: where to look, how sure, and how far that can be trusted. "
    "Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help starts in half the time of rich's.
    rich_markup_mode=None,
)
app.command()(demo.demo)
app.command()(read.read)
app.add_typer(archive.app, name="archive")
app.add_typer(tiles.app, name="tiles")
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.add_typer(model.app, name="model")
app.command()(reproduce.reproduce)
app.command()(tabular.tabular)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"mammoscope {mammoscope.__version__}")
        raise typer.Exit


@app.callback()
def _before(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of every error.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and end."
        ),
    ] = False,
) -> None:
    if isinstance(context.obj, Switches):
        context.obj.debug = debug
    _listen(debug)


def _listen(debug: bool) -> None:
    """Show our own warnings, and those of other packages to who looks for a fault."""
    logging.captureWarnings(not debug)
    shown = logging.StreamHandler()
    if not debug:
        shown.addFilter(logging.Filter("mammoscope"))
    logging.basicConfig(format="mammoscope: %(message)s", handlers=[shown])
    logging.getLogger("mammoscope").setLevel(logging.DEBUG if debug else logging.WARNING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : what follows the command's name; None takes it from the process

    Returns
    -------
    int
        0 done; 1 done in part; 2 nothing done, wrong use or input; 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # File names need not be text, and a terminal need not know every letter.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    switches = Switches()
    try:
        code = _run(arguments, switches)
        sys.stdout.flush()
    except MammoscopeError as error:
        return _explain(str(error), switches)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return 1
    except OSError as error:
        # Only the system's own errors have a number; one without is a fault of ours.
        if error.errno is None:
            raise
        _drop_output()
        return _explain(_sentence(error), switches)
    return code


def _run(arguments: Sequence[str] | None, switches: Switches) -> int:
    try:
        app(args=arguments, prog_name="mammoscope", obj=switches)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def _sentence(error: OSError) -> str:
    """One sentence for an error of the operating system."""
    number = error.errno or 0
    name = error.filename2 or error.filename
    where = f"{os.fsdecode(name)}: " if isinstance(name, str | bytes | os.PathLike) else ""
    return f"{where}{_ADVICE.get(number, error.strerror or os.strerror(number))}."


def _explain(sentence: str, switches: Switches) -> int:
    if switches.debug:
        traceback.print_exc()
    tell(sentence)
    return NOTHING_DONE


def _drop_output() -> None:
    """Send nowhere what cannot be printed: else Python complains of it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 no path of a user
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
