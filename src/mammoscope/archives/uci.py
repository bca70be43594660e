"""The four tables about breast cancer in the UCI repository: cells, nuclei, recurrence, masses.

What each column means and which values it takes stands in the `.names` file beside each table;
`uci_columns` spells it out. Tables, not scans: `Archive.tables` holds them, `records` is empty.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import polars as pl

from mammoscope.archives.archive import Archive
from mammoscope.archives.uci_columns import TABLES, Column, Table
from mammoscope.core.errors import AnnotationError, LayoutError
from mammoscope.core.records import Problem

NAME = "uci"
LICENCE = "CC BY 4.0"
CITATION = (
    "Wolberg 1990 (Breast Cancer Wisconsin, Original); Wolberg, Street, Mangasarian 1995 "
    "(Wisconsin, Diagnostic and Prognostic); Elter, Schulz-Wendtland, Wittenberg 2007, "
    "Medical Physics 34:4164-4172 (Mammographic Mass); UCI Machine Learning Repository"
)
MISSING = "?"
WHOLE_ROW = "keep equal rows in one part when the rows are split"
ONE_PERSON = "keep the rows of one id in one part when the rows are split"


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds one of the four tables under its published name."""
    try:
        return any((folder / table.file).is_file() for table in TABLES.values())
    except OSError:
        return False


def read(folder: Path) -> Archive:
    """Read the tables that lie in `folder`; absent ones are told as problems.

    Raises
    ------
    LayoutError
        When none of the four is there.
    AnnotationError
        When a row is damaged: a study of the others would count on it silently.
    """
    if not is_here(folder):
        files = ", ".join(table.file for table in TABLES.values())
        raise LayoutError(f"{folder}: expected one of {files}; give the folder that holds them.")
    tables: dict[str, pl.DataFrame] = {}
    problems: list[Problem] = []
    for name, table in TABLES.items():
        path = folder / table.file
        if not path.is_file():
            problems.append(
                Problem(where=str(path), what="the table is missing", remedy="get it, or go on")
            )
            continue
        tables[name], seen = _read_table(path, table)
        problems += [*seen, *_doubts(path, table, tables[name])]
    problems += _people_twice(folder, tables)
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=(),
        problems=tuple(problems),
        tables=MappingProxyType(tables),
    )


def _read_table(path: Path, table: Table) -> tuple[pl.DataFrame, list[Problem]]:
    """Read a table; `?` and values outside any scale are null, the latter with a problem."""
    cells: list[list[object]] = [[] for _ in table.columns]
    problems: list[Problem] = []
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        words = [word.strip() for word in line.split(",")]
        where = f"{path}, line {number}"
        if len(words) != len(table.columns):
            raise AnnotationError(
                f"{where}: expected {len(table.columns)} values, found {len(words)}; mend the line "
                "or get the table again."
            )
        for column, word, values in zip(table.columns, words, cells, strict=True):
            value = _value(where, column, word)
            if value is None and word != MISSING:
                problems.append(
                    Problem(
                        where=where,
                        what=f"{column.name} {word} is not a value of {column.scale}",
                        remedy="taken as missing",
                    )
                )
            values.append(value)
    series = [
        pl.Series(column.name, values, dtype=column.dtype, strict=True)
        for column, values in zip(table.columns, cells, strict=True)
    ]
    return pl.DataFrame(series), problems


def _value(where: str, column: Column, word: str) -> object:
    """Turn a cell into the column's own type; None where it is missing or no value of its scale."""
    if word == MISSING:
        return None
    if column.codes:
        if word not in column.codes:
            raise AnnotationError(
                f"{where}: {column.name} is one of {', '.join(column.codes)}, found {word!r}; mend "
                "the line or get the table again."
            )
        return column.codes[word]
    try:
        value = float(word) if column.dtype == pl.Float64 else int(word)
    except ValueError:
        value = float("nan")
    if not abs(value) < 2**62:
        raise AnnotationError(
            f"{where}: expected a number for {column.name}, found {word!r}; mend the line or get "
            "the table again."
        )
    inside = column.low is None or (column.high is not None and column.low <= value <= column.high)
    return value if inside else None


def _doubts(path: Path, table: Table, frame: pl.DataFrame) -> Iterator[Problem]:
    """Tell in what a table departs from what its keepers say of it."""
    where = str(path)
    if frame.height != table.rows:
        yield Problem(
            where=where,
            what=f"{frame.height} rows; the whole table has {table.rows}",
            remedy="get the table again, or go on with a part",
        )
    for name, (published, low, high) in table.stated.items():
        odd = frame.filter((pl.col(name) < low) | (pl.col(name) > high))
        if odd.height:
            values = ", ".join(f"{v} ({n} times)" for v, n in sorted(Counter(odd[name]).items()))
            yield Problem(
                where=where,
                what=f"{name} {values}; {published} states {low} to {high}",
                remedy="kept, as a category of BI-RADS",
            )
    equal = frame.height - frame.unique().height
    if equal:
        yield Problem(where=where, what=f"{equal} rows repeat another row", remedy=WHOLE_ROW)
    if table.target and "sample_id" in frame.columns:
        yield from _ids_twice(where, frame, table.target)


def _ids_twice(where: str, frame: pl.DataFrame, target: str) -> Iterator[Problem]:
    counted = frame.group_by("sample_id").agg(pl.len(), pl.col(target).n_unique().alias("kinds"))
    again = counted.filter(pl.col("len") > 1)
    if again.height:
        yield Problem(
            where=where,
            what=f"{again.height} ids stand on several rows ({again['len'].sum()} rows)",
            remedy=ONE_PERSON,
        )
    torn = sorted(counted.filter(pl.col("kinds") > 1)["sample_id"].to_list())
    if torn:
        yield Problem(
            where=where,
            what=f"ids of several {target} values: {', '.join(map(str, torn))}",
            remedy="an id is not always one lesion: do not join rows by it",
        )


def _people_twice(folder: Path, tables: dict[str, pl.DataFrame]) -> Iterator[Problem]:
    """Tell how many patients stand in both Wisconsin tables of nuclei."""
    if not {"wdbc", "wpbc"} <= tables.keys():
        return
    shared = set(tables["wdbc"]["sample_id"]) & set(tables["wpbc"]["sample_id"])
    if shared:
        yield Problem(
            where=str(folder),
            what=f"{len(shared)} ids are in wdbc and in wpbc, most with equal measurements",
            remedy="do not train on one table and test on the other",
        )
