"""What an audit asks of simple features: the label, and where a picture comes from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

LEAST_PATIENTS = 10
"""Patients of each class without which a figure would say nothing."""
MOST_CLASSES = 12
NORMAL_WORDS = ("normal", "norm", "negative", "none", "healthy", "no finding", "no_finding", "0")
"""What tables call a picture without a finding."""
LABEL_QUESTIONS = ("abnormal", "malignant", "label")
SOURCES = ("archive", "scanner")
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """Something that features may tell.

    Attributes
    ----------
    name : "abnormal" (or normal), "malignant" (or benign), "label" where labels are called
        otherwise, "control" (normal tissue: has its patient a finding elsewhere?), "archive",
        "scanner"
    rows : shape (n,), which pictures take part
    classes : shape (n,), number of the class of each of them
    names : of the classes
    """

    name: str
    rows: NDArray[np.intp]
    classes: NDArray[np.intp]
    names: tuple[str, ...]


def patients_of(table: pl.DataFrame) -> NDArray[np.str_]:
    """Name the patient of each picture; where nobody knows, each exam, scan or file is its own."""
    rows = pl.Series(range(table.height)).cast(pl.String)
    named = [
        pl.concat_str(pl.lit(f"{column}:"), pl.col(column))
        for column in ("patient_id", "exam_id", "scan_id", "file")
    ]
    whose = table.select(pl.coalesce(*named, pl.lit(rows)).alias("whose"))["whose"]
    return np.asarray(whose.to_list(), dtype=np.str_)


def questions(table: pl.DataFrame) -> Iterator[Question]:
    """Yield what can be asked of a table of pictures.

    Only classes of `LEAST_PATIENTS` patients or more take part; a question needs two of them.
    """
    labels = [str(label) for label in table["label"].fill_null(UNKNOWN).to_list()]
    kinds = ["abnormal" if not is_normal(label) else "normal" for label in labels]
    asked: list[tuple[str, list[str | None], tuple[str, ...]]] = []
    if len(set(kinds)) == 2:
        asked.append(("abnormal", list(kinds), ("normal", "abnormal")))
    natures = [_nature(label) for label in labels]
    if {"benign", "malignant"} <= set(natures):
        asked.append(("malignant", natures, ("benign", "malignant")))
    if not asked:
        asked.append(("label", list(labels), tuple(sorted(set(labels)))))
    patients = patients_of(table)
    if len(set(kinds)) == 2:
        found = {whose for whose, kind in zip(patients, kinds, strict=True) if kind == "abnormal"}
        control = [
            None if kind == "abnormal" else "with finding" if whose in found else "without"
            for whose, kind in zip(patients, kinds, strict=True)
        ]
        asked.append(("control", control, ("without", "with finding")))
    for name in SOURCES:
        values = table[name].fill_null(UNKNOWN).to_list()
        asked.append((name, values, tuple(sorted(set(values)))))
    for name, classes, names in asked:
        question = _question(name, classes, names, patients)
        if question is not None:
            yield question


def is_normal(label: str) -> bool:
    """Tell whether a label means that there is no finding."""
    return label.strip().lower() in NORMAL_WORDS


def sources_of(table: pl.DataFrame) -> NDArray[np.intp]:
    """Give each source, archive and scanner together, a number; shape (n,)."""
    joined = table.select(
        pl.concat_str(*(pl.col(name).fill_null(UNKNOWN) for name in SOURCES), separator="|")
    ).to_series()
    return np.unique(np.asarray(joined.to_list(), dtype=np.str_), return_inverse=True)[1]


def source_columns(table: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return archive and scanner by name alone, shape (n, names), where there are several."""
    columns = {}
    for name in SOURCES:
        values = table[name].fill_null(UNKNOWN).to_list()
        known = sorted(set(values), key=lambda value: (-values.count(value), value))
        if len(known) > 1:
            columns[name] = np.array(
                [[value == one for one in known[:MOST_CLASSES]] for value in values], np.float64
            )
    return columns


def _nature(label: str) -> str | None:
    word = label.strip().lower()
    return next((nature for nature in ("benign", "malignant") if word.startswith(nature)), None)


def _question(
    name: str, classes: list[str | None], names: tuple[str, ...], patients: NDArray[np.str_]
) -> Question | None:
    enough = [
        one
        for one in names
        if len({p for p, c in zip(patients, classes, strict=True) if c == one}) >= LEAST_PATIENTS
    ]
    if not 2 <= len(enough) <= MOST_CLASSES:
        return None
    rows = np.array([i for i, c in enumerate(classes) if c in enough], dtype=np.intp)
    numbers = np.array([enough.index(str(classes[i])) for i in rows], dtype=np.intp)
    return Question(name=name, rows=rows, classes=numbers, names=tuple(enough))
