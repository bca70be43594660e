"""The frame of pages about several runs: notes, drawings and tables in one file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

import mammoscope
from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.formats.files import write_atomic
from mammoscope.formats.one_line import one_line
from mammoscope.report.drawing import Drawing
from mammoscope.report.findings import NOTICE

NONE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A drawing with its title and what is to be seen in it."""

    title: str
    text: str
    drawing: Drawing

    @property
    def svg(self) -> str:
        """The drawing as an SVG element."""
        return self.drawing.embedded()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of texts under the names of their columns, and a line that explains them or nothing."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialsPage:
    """A page about several runs, all of it text and drawings.

    `answers` are tables that stand above the drawings: what the runs were made to find out.
    """

    title: str
    lead: str
    notes: tuple[str, ...]
    drawings: tuple[Picture, ...]
    tables: tuple[Table, ...]
    answers: tuple[Table, ...] = ()


def read_record(path: str | Path, schema: str) -> dict[str, Any]:
    """Read a record that a training command wrote.

    Raises
    ------
    MissingFileError
        When there is none.
    CorruptFileError
        When it is damaged or another kind of record.
    """
    place = Path(path)
    if not place.is_file():
        raise MissingFileError(f"{place}: there is no such file; train first.")
    try:
        record: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        found = record["schema"]
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptFileError(
            f"{place}: cannot be read ({one_line(error)}); run the training command again."
        ) from error
    if found != schema:
        raise CorruptFileError(
            f"{place}: is a record {found!r}, and {schema!r} was expected; run the training "
            "command again."
        )
    return record


def write_page(page: TrialsPage, path: str | Path) -> None:
    """Write a page as one file that loads nothing from elsewhere.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("mammoscope.report") / "templates" / "trials.html.jinja"
    text = environment.from_string(template.read_text("utf-8")).render(
        notice=NOTICE,
        version=mammoscope.__version__,
        title=page.title,
        lead=page.lead,
        notes=page.notes,
        drawings=page.drawings,
        tables=page.tables,
        answers=page.answers,
    )
    write_atomic(path, text)


def written(value: object) -> str:
    """Write a number with four digits, anything else as text, what is missing as a dash."""
    if value is None:
        return NONE
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def joined(words: Sequence[str]) -> str:
    """Join words as a sentence does: "1, 2 and 3"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))
