"""How well simple features tell a picture's label, and its archive and scanner, by patient.

What a linear model on grey statistics, noise or file facts can tell, a network will tell as well;
nothing here sees a lesion's shape.
"""

from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.archives.splits import folds
from mammoscope.tiles.audit.discriminant import (
    dealt_anew,
    fold_scores,
    leading,
    mean_area,
    patient_weights,
    varies,
)
from mammoscope.tiles.audit.features import Array, measure
from mammoscope.tiles.audit.pictures import Pictures
from mammoscope.tiles.audit.questions import (
    LABEL_QUESTIONS,
    LEAST_PATIENTS,
    Question,
    patients_of,
    questions,
    source_columns,
    sources_of,
)

FOLDS = 5
RESAMPLES = 400
PERMUTATIONS = 40
TAILS = (2.5, 97.5)
MOST_PICTURES = 6000
TELLING = 4
"""Pictures of each class that are named because they are told best."""
METHOD = "95 % percentile bootstrap over patients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How well one group of features answers a question.

    Attributes
    ----------
    question, group : what was asked, and of which features; in group "archive" or "scanner" the
        name of the source alone is the feature
    value, low, high : area under the ROC curve (mean over classes, each against the rest) with its
        95 % interval by patient
    n, n_patients : pictures and patients measured
    chance : what 95 % of runs with labels dealt anew among the patients stay below
    within : the same area among pictures of one archive and scanner; None where there is only one
        source, or none has enough patients of both classes
    feature : which feature tells most by itself
    telling : positions of pictures that are told best, the same number of each class
    """

    question: str
    group: str
    value: float
    low: float
    high: float
    n: int
    n_patients: int
    chance: float
    within: float | None
    feature: str
    telling: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the figure as `audit.json` holds it."""
        numbers = (
            ("value", self.value),
            ("low", self.low),
            ("high", self.high),
            ("chance", self.chance),
            ("within_source", self.within),
        )
        return {
            "question": self.question,
            "features": self.group,
            **{k: None if v is None or isnan(v) else round(v, 4) for k, v in numbers},
            "n": self.n,
            "n_patients": self.n_patients,
            "method": METHOD,
            "feature": self.feature,
            "pictures": list(self.telling),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcuts:
    """All figures of the second half of an audit.

    Attributes
    ----------
    told : a figure for each question and group of features
    n : pictures measured, of `of`
    n_patients : patients of the measured pictures
    not_measured : what could not be asked, and why
    """

    told: tuple[Told, ...]
    n: int
    of: int
    n_patients: int
    not_measured: tuple[str, ...] = ()

    def of_question(self, *names: str) -> tuple[Told, ...]:
        """Return the figures of some questions."""
        return tuple(told for told in self.told if told.question in names)


def measure_shortcuts(pictures: Pictures, *, seed: int = 0, most: int = MOST_PICTURES) -> Shortcuts:
    """Measure how well each group of features tells label, archive and scanner.

    Parameters
    ----------
    seed : draws the sample, the folds, the resamples and the permutations
    most : pictures to measure; of a larger set a sample is drawn

    Raises
    ------
    MammoscopeError
        When a picture can no longer be read.
    """
    rng = np.random.default_rng(seed)
    chosen = np.arange(len(pictures), dtype=np.intp)
    if len(chosen) > most:
        chosen = np.sort(rng.choice(chosen, most, replace=False))
    table = pictures.table[chosen]
    values, names = measure(pictures, chosen)
    measured = _Measured(table, values, names)
    told: list[Told] = []
    asked = list(questions(table))
    for question in asked:
        told += measured.answers(question, chosen, seed)
    return Shortcuts(
        told=tuple(told),
        n=len(chosen),
        of=len(pictures),
        n_patients=len(set(measured.patients.tolist())),
        not_measured=_not_asked({question.name for question in asked}),
    )


class _Measured:
    """The features of the measured pictures, and whose and whence each picture is."""

    def __init__(
        self, table: pl.DataFrame, values: dict[str, Array], names: dict[str, tuple[str, ...]]
    ) -> None:
        self.patients = patients_of(table)
        self._sources = sources_of(table)
        self._values = values
        self._names = names
        self._source_columns = source_columns(table)

    def answers(self, question: Question, chosen: NDArray[np.intp], seed: int) -> list[Told]:
        """Answer one question from each group of features that differs between its pictures."""
        rows = question.rows
        groups = {name: columns[rows] for name, columns in self._values.items()}
        if question.name in LABEL_QUESTIONS:
            groups |= {name: columns[rows] for name, columns in self._source_columns.items()}
        codes = np.unique(self.patients[rows], return_inverse=True)[1]
        return [
            _answer(
                question,
                group,
                _Columns(columns, self._names.get(group, ())),
                _Units(codes, self._sources[rows], chosen[rows]),
                np.random.default_rng([seed, number]),
            )
            for number, (group, columns) in enumerate(groups.items())
            if varies(columns)
        ]


@dataclass(frozen=True, slots=True)
class _Columns:
    values: Array
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Units:
    patients: NDArray[np.intp]
    sources: NDArray[np.intp]
    positions: NDArray[np.intp]


def _answer(
    question: Question, group: str, columns: _Columns, units: _Units, rng: np.random.Generator
) -> Told:
    classes, count = question.classes, len(question.names)
    fold = _folds(classes, units, int(rng.integers(2**31)))
    dealt = [classes, *(dealt_anew(classes, units.patients, rng) for _ in range(PERMUTATIONS))]
    targets = np.hstack([_indicators(one, count) for one in dealt])
    every = fold_scores(columns.values, targets, fold)
    scores = every[:, :count]
    by_chance = [
        float(mean_area(every[:, i * count : (i + 1) * count], one, fold=fold)[0])
        for i, one in enumerate(dealt)
        if i > 0
    ]
    weights = patient_weights(units.patients, RESAMPLES, rng).astype(np.float64)
    drawn = mean_area(scores, classes, weights, fold)
    low, high = np.nanpercentile(drawn, TAILS)
    leader = leading(columns.values, classes, count)
    return Told(
        question=question.name,
        group=group,
        value=float(mean_area(scores, classes, fold=fold)[0]),
        low=float(low),
        high=float(high),
        n=len(classes),
        n_patients=len(set(units.patients.tolist())),
        chance=float(np.nanquantile(by_chance, 0.95)),
        within=_within(question, scores, units, fold),
        feature=columns.names[leader] if columns.names else group,
        telling=_telling(scores, classes, units),
    )


def _folds(classes: NDArray[np.intp], units: _Units, seed: int) -> NDArray[np.intp]:
    """Divide by patient; strata are the classes and sources that a patient's pictures have.

    Without sources a fold that holds more of one source's rare class scores it lower, as its
    training part then holds fewer: areas within a source would fall below one half.
    """
    has: dict[str, set[str]] = {}
    names = [f"{patient:08d}" for patient in units.patients.tolist()]
    for name, number, source in zip(names, classes.tolist(), units.sources.tolist(), strict=True):
        has.setdefault(name, set()).add(f"{number} of {source}")
    fold_of = folds({name: ", ".join(sorted(kinds)) for name, kinds in has.items()}, FOLDS, seed)
    return np.array([fold_of[name] for name in names], dtype=np.intp)


def _indicators(classes: NDArray[np.intp], count: int) -> Array:
    return np.eye(count)[classes]


def _within(
    question: Question, scores: Array, units: _Units, fold: NDArray[np.intp]
) -> float | None:
    """Mean area within single sources, weighted by the patients of the rarer class."""
    if question.name not in LABEL_QUESTIONS or len(set(units.sources.tolist())) < 2:
        return None
    areas, weights = [], []
    for source in np.unique(units.sources):
        here = units.sources == source
        classes = question.classes[here]
        patients = [
            len(set(units.patients[here][classes == k].tolist())) for k in np.unique(classes)
        ]
        if len(patients) == len(question.names) and min(patients) >= LEAST_PATIENTS:
            areas.append(float(mean_area(scores[here], classes, fold=fold[here])[0]))
            weights.append(min(patients))
    return float(np.average(areas, weights=weights)) if areas else None


def _telling(scores: Array, classes: NDArray[np.intp], units: _Units) -> tuple[int, ...]:
    """Name the pictures of each class whose class is told best, one of a patient."""
    found: list[int] = []
    for number in np.unique(classes):
        seen: set[int] = set()
        others = np.delete(scores, number, axis=1).max(axis=1)
        for index in np.argsort(others - scores[:, number], kind="stable"):
            patient = int(units.patients[index])
            if classes[index] == number and patient not in seen and len(seen) < TELLING:
                seen.add(patient)
                found.append(int(units.positions[index]))
    return tuple(found)


def _not_asked(asked: set[str]) -> tuple[str, ...]:
    why = f"a class has fewer than {LEAST_PATIENTS} patients, or there is only one"
    missing = []
    if not asked & set(LABEL_QUESTIONS):
        missing.append(f"whether features tell the label: {why}")
    missing += [
        f"whether features tell the {name}: {why}"
        for name in ("archive", "scanner")
        if name not in asked
    ]
    return tuple(missing)
