"""Nested cross-validation: settings are chosen inside the training rows of each outer fold.

Outer folds are dealt anew for each repeat, alike for every candidate, even in the classes, with
rows of one group in one fold. Every row so gets a score from a model that never saw its group.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from mammoscope.studies.tabular_data import Array, Mask, Question
from mammoscope.studies.tabular_models import LOGISTIC, Candidate, call_rows, score_rows


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows are divided.

    Attributes
    ----------
    repeats : times that all rows are dealt to outer folds
    folds, inner : outer folds, and those by which settings are chosen
    seed : of the dealing and of the models
    quick : the ends of each grid only
    """

    repeats: int
    folds: int
    inner: int
    seed: int
    quick: bool


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a candidate said of every row, out of fold.

    Attributes
    ----------
    scores : ndarray of shape (repeats, rows); comparable within one fold only
    called : ndarray of shape (repeats, rows), bool: called positive by the model's own rule
    folds : ndarray of shape (repeats, rows): outer fold of each row
    shuffled : ndarray of shape (measures, repeats, rows): scores when one measure was shuffled
        among the rows of its test fold; None where that was not asked for
    chosen : settings of each outer fold
    fits, unsettled : models that were fitted, and warnings that one had not converged
    """

    scores: Array
    called: Mask
    folds: NDArray[np.intp]
    shuffled: Array | None
    chosen: tuple[dict[str, Any], ...]
    fits: int
    unsettled: int


def deal_folds(question: Question, plan: Plan) -> NDArray[np.intp]:
    """Return the outer fold of each row for each repeat, shape (repeats, rows)."""
    dealt = np.zeros((plan.repeats, len(question.truth)), dtype=np.intp)
    for repeat in range(plan.repeats):
        dealer = StratifiedGroupKFold(plan.folds, shuffle=True, random_state=plan.seed + repeat)
        parts = dealer.split(question.values, question.truth, question.groups)
        for number, (_, test) in enumerate(parts):
            dealt[repeat, test] = number
    return dealt


def ask(question: Question, candidate: Candidate, plan: Plan) -> Told:
    """Score every row of a question out of fold, `plan.repeats` times."""
    folds = deal_folds(question, plan)
    scores = np.full(folds.shape, np.nan)
    called = np.zeros(folds.shape, dtype=bool)
    importance = candidate.name == LOGISTIC
    shuffled = np.full((len(question.measures), *folds.shape), np.nan) if importance else None
    chosen: list[dict[str, Any]] = []
    fits = unsettled = 0
    for repeat in range(plan.repeats):
        for fold in range(plan.folds):
            test = np.flatnonzero(folds[repeat] == fold)
            train = np.flatnonzero(folds[repeat] != fold)
            search, loose = _search(question, candidate, plan, train)
            fitted = search.best_estimator_
            values = question.values[test]
            scores[repeat, test] = score_rows(fitted, values)
            called[repeat, test] = call_rows(fitted, values)
            if shuffled is not None:
                rng = np.random.default_rng([plan.seed, repeat, fold])
                shuffled[:, repeat, test] = _shuffled(question, fitted, values, rng)
            chosen.append(_plain(search.best_params_))
            fits += 1 + len(search.cv_results_["params"]) * plan.inner
            unsettled += loose
    return Told(scores, called, folds, shuffled, tuple(chosen), fits, unsettled)


def _search(
    question: Question, candidate: Candidate, plan: Plan, train: NDArray[np.intp]
) -> tuple[GridSearchCV, int]:
    """Choose the settings of the highest AUC in the inner folds, then fit on all training rows."""
    values, truth = question.values[train], question.truth[train]
    groups = np.asarray(question.groups)[train]
    inner = StratifiedGroupKFold(plan.inner, shuffle=True, random_state=plan.seed)
    search = GridSearchCV(
        candidate.pipeline(plan.seed),
        candidate.settings(quick=plan.quick),
        scoring="roc_auc",
        cv=list(inner.split(values, truth, groups)),
        error_score="raise",
    )
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        search.fit(values, truth)
    return search, len(seen)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("model__"): value for name, value in settings.items()}


def _shuffled(
    question: Question, fitted: Pipeline, values: Array, rng: np.random.Generator
) -> Array:
    """Return scores with one measure after another shuffled, shape (measures, rows).

    All columns of a category move together.
    """
    scores = []
    for position in range(len(question.measures)):
        moved = values.copy()
        columns = np.flatnonzero(question.measure_of == position)
        moved[:, columns] = values[np.ix_(rng.permutation(len(values)), columns)]
        scores.append(score_rows(fitted, moved))
    return np.stack(scores)
