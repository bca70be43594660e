"""The paper's classifiers of UCI's tables run as its notebooks ran them, beside what they printed.

Two things have changed in scikit-learn since: version 0.22 deals rows to folds otherwise, and
cross-validation no longer weighs folds by their size; `folds_of_2018` and `best_setting` do as it
was, and give the notebooks' printed values. LinearSVC solved another problem by default, drew its
order at random and stopped after 1,000 rounds; several seeds show what that does.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ParameterGrid,
    StratifiedKFold,
    train_test_split,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from mammoscope.evaluation.intervals import exact_interval
from mammoscope.studies.tabular_data import MONTHS, WDBC, Array, Mask
from mammoscope.studies.tabular_network import train_network
from mammoscope.studies.tabular_published import (
    EVER,
    LINEAR,
    NEAREST,
    NETWORK,
    PATHOLOGY,
    PUBLISHED,
    RADIAL,
    TREE,
    WITHIN,
    Baselines,
    Published,
)

Folds = list[tuple[NDArray[np.intp], NDArray[np.intp]]]
Grid = Mapping[str, Sequence[Any]]

DEPTHS = (2, 3, 4, 5, 7, 10, 15, 20)
NEIGHBOURS = (3, 5, 10, 15, 20, 25, 30)
"""The steps between the printed ends are not printed; these give the printed cv for WDBC."""
COSTS = (0.25, 0.5, 1, 1.5, 2, 3)
TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Method:
    """How the notebooks ran a classifier: the estimator, its grid, the folds to choose by.

    `drawn` tells that its result hangs on a seed that is not known.
    """

    estimator: Any
    grid: Grid
    folds: int
    drawn: bool = False


METHODS: Mapping[str, Method] = {
    TREE: Method(DecisionTreeClassifier(random_state=0), {"max_depth": DEPTHS}, 5),
    NEAREST: Method(KNeighborsClassifier(), {"n_neighbors": NEIGHBOURS, "p": (1, 2)}, 5),
    RADIAL: Method(SVC(kernel="rbf", gamma="auto"), {"C": COSTS}, 5),
    LINEAR: Method(LinearSVC(dual=True), {"C": (*COSTS, 5)}, 2, drawn=True),
}


@dataclass(frozen=True, slots=True)
class Part:
    """The rows to train on and those to test on; no part of an outcome among the values."""

    train: Array
    train_truth: Mask
    test: Array
    test_truth: Mask


@dataclass(frozen=True, slots=True)
class Run:
    """One run: right answers in the test part and how it came about.

    Attributes
    ----------
    right : rows of the test part told rightly
    tuned : accuracy of cross-validation at the chosen setting; None without a choice
    chosen : that setting
    one_class : every row of the test part was called the same
    unsettled : fits that stopped before they converged, or diverged
    """

    right: int
    tuned: float | None
    chosen: Mapping[str, Any]
    one_class: bool
    unsettled: int


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A figure of the paper and what came out when it was done again.

    Attributes
    ----------
    published : the paper's
    runs : ours, one for each seed; one where no seed matters
    n : rows of the test part
    larger : of these, rows of its larger class: right answers of always saying that
    today : the same with today's folds and defaults of scikit-learn; None for the network
    scaled : as `today`, with measures scaled by their spread in the training rows
    """

    published: Published
    runs: tuple[Run, ...]
    n: int
    larger: int
    today: Run | None
    scaled: Run

    @property
    def agrees(self) -> bool:
        """Whether the paper's figure is ours to its four decimals, cut or rounded."""
        return any(abs(run.right / self.n - self.published.accuracy) < 1e-4 for run in self.runs)

    def to_json(self) -> dict[str, Any]:
        """Return the row as `tabular.json` holds it."""
        told = self.published
        ordered = sorted(self.runs, key=lambda run: run.right)
        middle = ordered[(len(ordered) - 1) // 2]
        low, high = exact_interval(middle.right, self.n)
        return {
            "table": told.table,
            "classifier": told.classifier,
            "label": told.label,
            "paper": {"accuracy": told.accuracy, "tuned": told.tuned},
            "ours": {
                "accuracy": {
                    "value": middle.right / self.n,
                    "low": low,
                    "high": high,
                    "n": self.n,
                    "method": "95 % exact binomial (Clopper-Pearson) over rows",
                },
                "right": middle.right,
                "n": self.n,
                "tuned": middle.tuned,
                "chosen": dict(middle.chosen),
                "one_class": middle.one_class,
                "seeds": len(self.runs),
                "right_lowest": ordered[0].right,
                "right_highest": ordered[-1].right,
                "seeds_with_one_class": sum(run.one_class for run in self.runs),
                "seeds_as_paper": sum(
                    abs(run.right / self.n - told.accuracy) < 1e-4 for run in self.runs
                ),
                "seeds_unsettled": sum(run.unsettled > 0 for run in self.runs),
            },
            "agrees": self.agrees,
            "larger_class": self.larger / self.n,
            "today": None if self.today is None else _told(self.today, self.n),
            "scaled": _told(self.scaled, self.n),
            "why": told.why,
        }


def _told(run: Run, n: int) -> dict[str, Any]:
    return {
        "right": run.right,
        "accuracy": run.right / n,
        "tuned": run.tuned,
        "chosen": dict(run.chosen),
        "one_class": run.one_class,
        "unsettled": run.unsettled,
    }


def paper_rows(tables: Mapping[str, pl.DataFrame], seeds: int, seed: int) -> list[PaperRow]:
    """Run every classifier of the notebooks on the tables given.

    Parameters
    ----------
    tables : whole tables by name, as `Archive.tables` holds them
    seeds : runs of what hangs on a seed
    seed : first of them
    """
    drawn = range(seed, seed + seeds)
    return [
        _row(published, tables[published.table], drawn)
        for published in PUBLISHED
        if published.table in tables
    ]


def _row(published: Published, table: pl.DataFrame, seeds: range) -> PaperRow:
    part = notebook_part(published, table)
    scaler = StandardScaler().fit(part.train)
    even = Part(
        scaler.transform(part.train), part.train_truth, scaler.transform(part.test), part.test_truth
    )
    today: Run | None = None
    if published.classifier == NETWORK:
        step = 30 if published.table == WDBC else 20
        runs = tuple(_run_network(part, step, seed) for seed in seeds)
        scaled = _run_network(even, step, seeds[0])
    else:
        method = METHODS[published.classifier]
        runs = tuple(
            _run_as_then(method, part, one) for one in seeds[: None if method.drawn else 1]
        )
        today = _run_today(method, part)
        scaled = _run_today(method, part, StandardScaler())
    ups = int(part.test_truth.sum())
    n = len(part.test_truth)
    return PaperRow(published, runs, n, max(ups, n - ups), today, scaled)


def notebook_part(published: Published, table: pl.DataFrame) -> Part:
    """Drop rows with gaps and divide 80 to 20 as the notebooks did: by rows, not stratified.

    The trees of the notebooks saw id and, in WPBC, follow-up time among the measures.
    """
    whole = table.drop_nulls()
    outcome = {"sample_id", "time_months"} if published.classifier != TREE else set()
    measures = [c for c in whole.columns if c not in {"pathology", "outcome"} | outcome]
    values = whole.select(measures).cast(pl.Float64).to_numpy()
    wpbc_network = published.classifier == NETWORK and published.label == WITHIN
    parts = train_test_split(
        values,
        _truth(published.label, whole),
        test_size=TEST_SHARE,
        random_state=1 if wpbc_network else 0,
    )
    return Part(train=parts[0], test=parts[1], train_truth=parts[2], test_truth=parts[3])


def _truth(label: str, table: pl.DataFrame) -> Mask:
    if label == PATHOLOGY:
        return (table["pathology"] == "malignant").to_numpy()
    recurred = table["outcome"] == "recurrent"
    if label == EVER:
        return recurred.to_numpy()
    return (recurred & (table["time_months"] <= MONTHS)).to_numpy()


def folds_of_2018(truth: Mask, n: int) -> Folds:
    """Deal rows to folds as scikit-learn did before 0.22: each class cut into n runs by itself."""
    fold_of = np.zeros(len(truth), dtype=int)
    for one in (False, True):
        rows = np.flatnonzero(truth == one)
        for number, (_, chosen) in enumerate(KFold(n).split(rows)):
            fold_of[rows[chosen]] = number
    return [(np.flatnonzero(fold_of != i), np.flatnonzero(fold_of == i)) for i in range(n)]


def best_setting(
    estimator: Any, grid: Grid, part: Part, folds: Folds
) -> tuple[Mapping[str, Any], float]:
    """Return the first of the best settings and its share of right answers over all folds."""
    best: Mapping[str, Any] = {}
    most = -1
    for setting in ParameterGrid(dict(grid)):
        right = 0
        for train, test in folds:
            fitted = clone(estimator).set_params(**setting)
            fitted.fit(part.train[train], part.train_truth[train])
            right += int((fitted.predict(part.train[test]) == part.train_truth[test]).sum())
        if right > most:
            best, most = setting, right
    return best, most / len(part.train)


def _run_as_then(method: Method, part: Part, seed: int) -> Run:
    estimator = clone(method.estimator)
    if method.drawn:
        estimator.set_params(random_state=seed)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ConvergenceWarning)
        folds = folds_of_2018(part.train_truth, method.folds)
        chosen, tuned = best_setting(estimator, method.grid, part, folds)
        fitted = clone(estimator).set_params(**chosen).fit(part.train, part.train_truth)
    return _judged(fitted.predict(part.test), part, tuned, chosen, len(seen))


def _run_today(method: Method, part: Part, scaler: Any = None) -> Run:
    """Run with today's folds and today's solver of linear machines, which converges."""
    estimator = clone(method.estimator)
    if method.drawn:
        estimator.set_params(dual="auto", random_state=0, max_iter=20_000)
    grid = dict(method.grid)
    if scaler is not None:
        name = type(estimator).__name__.lower()
        estimator = make_pipeline(scaler, estimator)
        grid = {f"{name}__{key}": values for key, values in grid.items()}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ConvergenceWarning)
        search = GridSearchCV(estimator, grid, cv=StratifiedKFold(method.folds))
        search.fit(part.train, part.train_truth)
    chosen = {key.rpartition("__")[2]: value for key, value in search.best_params_.items()}
    called = search.predict(part.test)
    return _judged(called, part, float(search.best_score_), chosen, len(seen))


def _run_network(part: Part, epochs_per_step: int, seed: int) -> Run:
    rng = np.random.default_rng(seed)
    network = train_network(part.train, part.train_truth, epochs_per_step, rng)
    return _judged(network.classes(part.test), part, None, {}, int(network.diverged))


def _judged(
    called: NDArray[Any], part: Part, tuned: float | None, chosen: Mapping[str, Any], unsettled: int
) -> Run:
    called = called.astype(bool)
    return Run(
        right=int((called == part.test_truth).sum()),
        tuned=tuned,
        chosen=chosen,
        one_class=bool(called.all() or not called.any()),
        unsettled=unsettled,
    )


def baseline_to_json(told: Baselines, table: pl.DataFrame) -> dict[str, Any]:
    """Set the paper's baselines over a whole table beside what they come to.

    Drawing classes by their shares has no single result: the mean and the range that holds 95 of
    100 draws are given.
    """
    truth = _truth(told.label, table)
    n, share = len(truth), float(truth.mean())
    # A row of the larger class is told rightly by chance `1 - share`, another by `share`.
    right = (1 - share) ** 2 + share**2
    spread = 1.959964 * sqrt(share * (1 - share) / n)
    return {
        "table": told.table,
        "label": told.label,
        "n": n,
        "most_frequent": {"paper": told.most_frequent, "ours": max(share, 1 - share)},
        "stratified": {
            "paper": told.stratified,
            "ours": right,
            "low": right - spread,
            "high": right + spread,
        },
    }
