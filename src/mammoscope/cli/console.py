"""What the commands say: one line a failure, tables, figures with their intervals."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

NOTICE = "Research software, not a medical device: no decision about a patient may rest on it."
_WIDTH_OF_A_FILE = 160


def tell(sentence: str) -> None:
    """Print one line on the error stream.

    Names of files end up here: line breaks and terminal controls in them are shown, not obeyed.
    """
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in sentence)
    print(f"mammoscope: {safe}", file=sys.stderr)


def tell_failures(failures: Mapping[str, str]) -> None:
    """Print one line for each input that could not be read; `failures` is name to reason."""
    for name, reason in failures.items():
        tell(reason if name in reason else f"{name}: {reason}")


def make_console(*, errors: bool = False) -> "Console":
    """Make a console; where the output goes into a file, tables are not squeezed to 80 columns."""
    from rich.console import Console  # 60 ms, and `--help` needs none

    stream = sys.stderr if errors else sys.stdout
    width = None if stream.isatty() else _WIDTH_OF_A_FILE
    return Console(stderr=errors, width=width, markup=False, highlight=False, emoji=False)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of plain texts; nothing in them is taken for markup."""
    from rich.table import Table
    from rich.text import Text

    console = make_console()
    # A title of the table's own would be broken at the table's width.
    console.print(Text(title, style="bold"), soft_wrap=True)
    table = Table()
    for column in columns:
        table.add_column(Text(column))
    for row in rows:
        # A path that is too long is broken, not cut: its end is what tells.
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    console.print(table)


def share(value: float | None) -> str:
    """Write a figure in [0, 1] with two decimals, or a dash where there is none."""
    return "-" if value is None else f"{value:.2f}"


def with_interval(figure: Mapping[str, Any]) -> str:
    """Write a figure of `evaluation.json` as "0.812 (0.744 to 0.871)"."""
    if figure["value"] is None:
        return "-"
    text = f"{figure['value']:.3f}"
    if figure["low"] is None or figure["high"] is None:
        return text
    return f"{text} ({figure['low']:.3f} to {figure['high']:.3f})"


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal's error stream that something is being done."""
    with make_console(errors=True).status(what):
        yield


@contextmanager
def counting(what: str) -> Iterator["Callable[[int, int], None]"]:
    """Show a bar on a terminal's error stream; yields a function of (done, total)."""
    from rich.progress import Progress

    console = make_console(errors=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        line = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(line, completed=done, total=total)
