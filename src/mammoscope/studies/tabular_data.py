"""UCI's four tables as questions: numbers, a truth, and which rows belong together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log, nan, sqrt

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.archives.archive import Archive
from mammoscope.archives.uci_columns import TABLES
from mammoscope.core.errors import AnnotationError, LayoutError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MONTHS = 24
LEAST = 10
"""Groups of rows of each class, so that each fold of five has one and more."""
LEAST_ROWS = 100
"""A third of them, the fewest that a quick run fits a model to, hold the 25 nearest."""
WISCONSIN, WDBC, WPBC, MASS = "wisconsin-original", "wdbc", "wpbc", "mammographic-mass"
WITHOUT, WITH, ALONE = MASS, f"{MASS}, with BI-RADS", f"{MASS}, BI-RADS alone"
ASSESSMENT = "assessment"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """What is asked of a table.

    Attributes
    ----------
    name : of the question
    table : the table it is asked of, as in `Archive.tables`
    asks : what is told apart, in words: the positive class first
    measures : columns of the table that may be used, none of them an id or part of the outcome
    columns : names of the columns of `values`; a category has a column for each of its codes
    measure_of : ndarray of shape (columns,): position in `measures` that a column belongs to
    values : ndarray of shape (rows, columns), in the table's units, NaN where a number is missing;
        a missing category is 0 in all its columns
    truth : ndarray of shape (rows,), bool, True for the positive class
    groups : of each row; rows of one group are never on both sides of a split
    told : what a reader must know, a sentence each
    """

    name: str
    table: str
    asks: tuple[str, str]
    measures: tuple[str, ...]
    columns: tuple[str, ...]
    measure_of: NDArray[np.intp]
    values: Array
    truth: Mask
    groups: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A share with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def questions_of(archive: Archive) -> list[Question]:
    """Return the questions of the tables that are there, in a fixed order.

    Raises
    ------
    LayoutError
        When the archive holds none of the four tables.
    """
    makers = {WISCONSIN: _wisconsin, WDBC: _wdbc, WPBC: _wpbc, MASS: _masses}
    asked = [
        question
        for name, make in makers.items()
        if name in archive.tables
        for question in make(archive.tables[name])
    ]
    if not asked:
        files = ", ".join(TABLES[name].file for name in makers)
        raise LayoutError(
            f"{archive.folder}: expected one of {files}; give the folder that holds them."
        )
    return asked


def refuse_small(archive: Archive, question: Question) -> None:
    """Refuse a table that cannot be divided twice, to outer and to inner folds.

    Raises
    ------
    AnnotationError
        When it has too few rows, or too few groups of a class.
    """
    file = archive.folder / TABLES[question.table].file
    if len(question.truth) < LEAST_ROWS:
        raise AnnotationError(
            f"{file}: expected {LEAST_ROWS} rows or more that can be used, found "
            f"{len(question.truth)}; get the whole table."
        )
    groups = np.asarray(question.groups)
    for truth, what in zip((True, False), question.asks, strict=True):
        there = len(set(groups[question.truth == truth]))
        if there < LEAST:
            raise AnnotationError(
                f"{file}: expected {LEAST} different patients or more with '{what}', found "
                f"{there}; get the whole table."
            )


def _wisconsin(table: pl.DataFrame) -> list[Question]:
    ids = table["sample_id"].cast(pl.String).to_list()
    again = table.height - len(set(ids))
    told = (
        f"{table['bare_nuclei'].null_count()} rows without bare nuclei are kept; the gap is filled "
        "with the median of the training rows",
        f"{again} rows repeat an id: rows of one id stay in one fold and are drawn together",
    )
    question = _question(WISCONSIN, table, _features(WISCONSIN), _malignant(table), ids)
    return [replace(question, told=told)]


def _wdbc(table: pl.DataFrame) -> list[Question]:
    ids = table["sample_id"].cast(pl.String).to_list()
    told = (
        "most patients of wpbc are in this table too: the two are no test of each other",
        "the nuclei were outlined by one person with a program: the figures hold for that way only",
    )
    question = _question(WDBC, table, _features(WDBC), _malignant(table), ids)
    return [replace(question, told=told)]


def _wpbc(table: pl.DataFrame) -> list[Question]:
    recurred = table["outcome"] == "recurrent"
    known = recurred | (table["time_months"] >= MONTHS)
    kept = table.filter(known)
    early = (kept["outcome"] == "recurrent") & (kept["time_months"] <= MONTHS)
    censored = table.height - kept.height
    at_24 = recurrence_by(table, MONTHS)
    told = (
        f"{censored} of {table.height} patients were followed for less than {MONTHS} months "
        "without recurrence: what became of them by then is not known, so they are left out (the "
        "paper counts them as free of disease)",
        f"{int(early.sum())} recurred by month {MONTHS}, {int((~early).sum())} had not",
        f"with censoring {at_24.value:.3f} ({at_24.low:.3f} to {at_24.high:.3f}) recur within "
        f"{MONTHS} months (Kaplan-Meier)",
        "leaving out the censored raises the share of recurrences and may favour long-known "
        "patients; every patient here has cancer",
    )
    ids = kept["sample_id"].cast(pl.String).to_list()
    asks = (f"recurrence within {MONTHS} months", f"none within {MONTHS} months")
    question = _question(WPBC, kept, _features(WPBC), early.to_numpy(), ids)
    return [replace(question, asks=asks, told=told)]


def _masses(table: pl.DataFrame) -> list[Question]:
    """Ask with, without and by the reader's opinion alone; rows and groups are the same."""
    features = _features(MASS)
    groups = [repr(row) for row in table.select(features).rows()]
    # Category 0 asks for more pictures: it is no rank below 1.
    ranked = table.with_columns(
        pl.when(pl.col(ASSESSMENT) > 0).then(pl.col(ASSESSMENT)).alias(ASSESSMENT)
    )
    repeated = table.height - len(set(groups))
    proven = int((table[ASSESSMENT] == 6).sum())
    told = (
        f"{repeated} rows repeat the measures of another: there are no ids, so such rows stay in "
        "one fold and are drawn together, whether they are copies or people alike",
        "missing ages are filled with the median of the training rows; a missing category is a "
        "category of its own",
    )
    opinion = (
        f"BI-RADS 6 ({proven} rows) means cancer was proven before: it tells the truth; "
        "BI-RADS 0 (incomplete) counts as missing",
    )
    asked = (
        (WITHOUT, [name for name in features if name != ASSESSMENT], told),
        (WITH, features, told + opinion),
        (ALONE, [ASSESSMENT], told[:1] + opinion),
    )
    return [
        replace(_question(MASS, ranked, chosen, _malignant(table), groups), name=name, told=said)
        for name, chosen, said in asked
    ]


def _features(name: str) -> list[str]:
    return [column.name for column in TABLES[name].columns if column.role == "feature"]


def _malignant(table: pl.DataFrame) -> Mask:
    return (table["pathology"] == "malignant").to_numpy()


def _question(
    name: str, table: pl.DataFrame, measures: Sequence[str], truth: Mask, groups: Sequence[str]
) -> Question:
    columns: list[str] = []
    measure_of: list[int] = []
    values: list[Array] = []
    for position, measure in enumerate(measures):
        for column, numbers in _numbers(table[measure]):
            columns.append(column)
            measure_of.append(position)
            values.append(numbers)
    return Question(
        name=name,
        table=name,
        asks=("malignant", "benign"),
        measures=tuple(measures),
        columns=tuple(columns),
        measure_of=np.array(measure_of),
        values=np.stack(values, axis=1),
        truth=np.asarray(truth, dtype=bool),
        groups=tuple(groups),
        told=(),
    )


def _numbers(series: pl.Series) -> list[tuple[str, Array]]:
    """Return a number as it is, a category as one column of 0 and 1 for each of its codes."""
    if not isinstance(series.dtype, pl.Enum):
        return [(series.name, series.cast(pl.Float64).fill_null(nan).to_numpy())]
    words = series.cast(pl.String)
    return [
        (
            f"{series.name}: {code}",
            (words == code).fill_null(value=False).cast(pl.Float64).to_numpy(),
        )
        for code in series.dtype.categories.to_list()
    ]


def recurrence_by(table: pl.DataFrame, months: int) -> Share:
    """Estimate the share that recurs within so many months (Kaplan & Meier 1958).

    Parameters
    ----------
    table : with `outcome` and `time_months`

    Returns
    -------
    Share
        With the interval of Greenwood's variance on the scale log(-log) (Kalbfleisch & Prentice).
    """
    times = table["time_months"].to_numpy()
    recurred = (table["outcome"] == "recurrent").to_numpy()
    free, variance = 1.0, 0.0
    for time in np.unique(times[recurred & (times <= months)]):
        at_risk, events = int((times >= time).sum()), int((recurred & (times == time)).sum())
        free *= 1 - events / at_risk
        variance += events / (at_risk * (at_risk - events)) if events < at_risk else nan
    if not 0 < free < 1:
        return Share(1 - free, nan, nan)
    spread = 1.959964 * sqrt(variance) / abs(log(free))
    ends = [1 - free ** exp(sign * spread) for sign in (-1, 1)]
    return Share(1 - free, ends[0], ends[1])
