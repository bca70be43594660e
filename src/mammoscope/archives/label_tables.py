"""The tables that archives come with: CSV and Excel sheets, row by row, with what is wrong in them.

A row that cannot be understood is a problem that names its line, and damages the whole: a scan
whose finding was lost would otherwise pass for one without.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from mammoscope.core.errors import (
    AnnotationError,
    LayoutError,
    MissingDecoderError,
    MissingFileError,
)
from mammoscope.core.records import Problem
from mammoscope.formats.one_line import one_line

LARGEST_SHEET = 100_000_000
"""Most bytes that an Excel file may unfold to; those of mammography archives have under 1 MB."""
NAMED = 10
"""How many names a problem lists at most."""
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table: where it stands (file and line), and its cells by column, stripped."""

    where: str
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of a table, with the problems of those that cannot be understood.

    `damage` is one sentence on the first of them; "" where there is none.
    """

    path: Path
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...] = ()
    damage: str = ""


def delimiter_of(heading: str) -> str:
    """Tell by a table's first line what separates its cells.

    Excel writes semicolons in countries that write a comma in decimal numbers.
    """
    return ";" if heading.count(";") > heading.count(",") else ","


def heading_of(path: Path) -> tuple[str, ...]:
    """Return the first line of a CSV file as column names; empty where there is none to be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            # A file of another kind may hold no line end at all.
            line = stream.readline(10_000)
        names = next(csv.reader([line], delimiter=delimiter_of(line)), [])
        return tuple(name.strip() for name in names)
    except (OSError, csv.Error):
        return ()


def read_csv(path: Path, columns: Sequence[str]) -> Table:
    """Read a CSV file in UTF-8, separated by commas or semicolons.

    Parameters
    ----------
    columns : that must be there; others are kept as well

    Raises
    ------
    MissingFileError
        When there is no such file.
    LayoutError
        When a column is missing.
    AnnotationError
        When the file is not text in UTF-8, or a quotation mark is never closed.
    """
    text = _text(path)
    lines = _csv_rows(path, text)
    _, heading = next(lines, (1, []))
    return _table(path, columns, heading, ((f"{path}, line {line}", row) for line, row in lines))


def read_sheet(path: Path, columns: Sequence[str]) -> Table:
    """Read the first sheet of an Excel file (.xlsx or .xls) with python-calamine, an extra.

    Whole numbers are written without a decimal point; empty rows are left out.

    Raises
    ------
    MissingFileError
        When there is no such file.
    MissingDecoderError
        When python-calamine is not installed.
    LayoutError
        When a column is missing.
    AnnotationError
        When the file is damaged or no Excel file.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file.")
    try:
        calamine = import_module("python_calamine")
    except ImportError as error:
        raise MissingDecoderError(
            f"{path}: reading Excel files needs the package python-calamine "
            '(pip install "mammoscope[excel]"), or save the sheet as a CSV file beside it.'
        ) from error
    _check_size(path)
    try:
        book = calamine.CalamineWorkbook.from_path(str(path))
        rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except Exception as error:  # whatever calamine meets first in damaged bytes
        raise AnnotationError(
            f"{path}: no Excel file, or a damaged one ({one_line(error)}); get it again."
        ) from error
    cells = [[_as_text(cell) for cell in row] for row in rows]
    heading = cells[0] if cells else []
    numbered = ((f"{path}, line {i}", row) for i, row in enumerate(cells[1:], start=2) if any(row))
    return _table(path, columns, heading, numbered)


def records_of(
    table: Table, make: Callable[[Row], Record]
) -> tuple[list[tuple[Row, Record]], list[Problem], str]:
    """Make a record of each row; rows that `make` cannot understand are problems.

    Returns
    -------
    Rows with their records, problems (the table's own first), and damage, one sentence or "".
    """
    made: list[tuple[Row, Record]] = []
    problems = list(table.problems)
    damage = table.damage
    for row in table.rows:
        try:
            made.append((row, make(row)))
        except (ValueError, KeyError) as error:
            unknown = " is no word known here" if isinstance(error, KeyError) else ""
            problem = _not_understood(row.where, one_line(error) + unknown)
            problems.append(problem)
            damage = damage or _sentence(problem)
    return made, problems, damage


def file_problems(
    table: Path, absent: Iterable[str], unnamed: Iterable[str], total: int
) -> Iterator[Problem]:
    """Tell of rows without files and of files without rows, each kind once.

    Parameters
    ----------
    absent, unnamed : names of files that are not there, and that the table does not name
    total : how many files the table names
    """
    missing, strange = sorted(absent), sorted(unnamed)
    if missing:
        yield Problem(
            where=str(table),
            what=f"{len(missing)} of the {total} files it names are not here: {some(missing)}",
            remedy="get them, or go on without",
        )
    if strange:
        yield Problem(
            where=str(table),
            what=f"{len(strange)} files are here of which it says nothing: {some(strange)}",
            remedy="get the table again; they are left out",
        )


def plain_name(name: str) -> str:
    """Return a name of a file or folder as a table gives it, once it is sure to be only that.

    Raises
    ------
    ValueError
        When it is empty or would lead elsewhere.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        raise ValueError(f"{name!r} is no name of a file")
    return name


def some(names: Sequence[str]) -> str:
    """Join the first few names, and tell how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _text(path: Path) -> str:
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingFileError(f"{path}: the file cannot be opened ({error.strerror}).") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise AnnotationError(
            f"{path}, line {line}: no text in UTF-8; get the table again or save it as UTF-8."
        ) from error


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    delimiter = delimiter_of(text.partition("\n")[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            # Its first line: a quotation mark that is not closed swallows those that follow.
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise AnnotationError(
            f"{path}, line {line}: no row of a table ({error}); get the table again."
        ) from error


def _table(
    path: Path,
    columns: Sequence[str],
    heading: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str]]],
) -> Table:
    names = [name.strip() for name in heading]
    lacking = [column for column in columns if column not in names]
    if lacking or len(set(filter(None, names))) != len([name for name in names if name]):
        raise LayoutError(
            f"{path}, line 1: expected the columns {', '.join(columns)}, each once"
            f"{'; missing: ' + ', '.join(lacking) if lacking else ''}; get the table again."
        )
    good: list[Row] = []
    problems: list[Problem] = []
    for where, row in rows:
        if len(row) != len(names):
            problems.append(
                _not_understood(where, f"{len(row)} cells, {len(names)} in the heading")
            )
        elif any("\n" in cell for cell in row):
            problems.append(_not_understood(where, "a quotation mark is not closed"))
        else:
            cells = {name: cell.strip() for name, cell in zip(names, row, strict=True) if name}
            good.append(Row(where=where, cells=cells))
    damage = _sentence(problems[0]) if problems else ""
    return Table(path=path, rows=tuple(good), problems=tuple(problems), damage=damage)


def _not_understood(where: str, why: str) -> Problem:
    return Problem(
        where=where, what=f"the row cannot be understood ({why})", remedy="get the table again"
    )


def _sentence(problem: Problem) -> str:
    return f"{problem.where}: {problem.what}; {problem.remedy}."


def _check_size(path: Path) -> None:
    """Refuse an Excel file that would fill the memory; .xlsx is a ZIP file, which may unfold."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as parts:
            size = max(size, sum(part.file_size for part in parts.infolist()))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        # An .xls file, which is no ZIP file, or a damaged one, which calamine names.
        pass
    if size > LARGEST_SHEET:
        raise AnnotationError(
            f"{path}: it unfolds to {size // 1_000_000} MB, far more than a table of an archive; "
            "get it again."
        )


def _as_text(cell: object) -> str:
    # Excel keeps every number as a float.
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
