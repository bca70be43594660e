"""Out-of-fold answers as `tabular.json` holds them: every figure with its interval."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from mammoscope.evaluation.intervals import Statistic
from mammoscope.studies.tabular_data import ALONE, MASS, Question
from mammoscope.studies.tabular_figures import (
    Bootstrap,
    beside,
    called_rightly,
    minus,
    within_folds,
)
from mammoscope.studies.tabular_models import LOGISTIC, MOST_FREQUENT
from mammoscope.studies.tabular_nested import Told

Found = Mapping[tuple[str, str], Told]


def candidates_to_json(
    question: Question, found: Found, resamples: int, seed: int
) -> dict[str, Any]:
    """Measure every candidate, and its difference from the reference on the same rows.

    The reference is what must be beaten: BI-RADS alone where masses are asked about, else
    logistic regression.
    """
    reference = (ALONE if question.table == MASS else question.name, LOGISTIC)
    drawn = Bootstrap(question.groups, resamples, seed)
    return {
        "reference": "BI-RADS alone" if question.table == MASS else LOGISTIC,
        "candidates": [
            _candidate(question, name, found, reference, drawn)
            for asked, name in found
            if asked == question.name
        ],
    }


def _candidate(
    question: Question, name: str, found: Found, reference: tuple[str, str], drawn: Bootstrap
) -> dict[str, Any]:
    told = found[question.name, name]
    area = _area(question, told)
    calls = called_rightly(told.called, question.truth)
    plain = found.get((question.name, MOST_FREQUENT))
    statistics = [area, calls]
    keys = ["auc", "accuracy", "balanced_accuracy"]
    if reference in found and reference != (question.name, name):
        statistics.append(minus(area, _area(question, found[reference])))
        keys.append("auc_difference")
    if plain is not None and name != MOST_FREQUENT:
        statistics.append(minus(calls, called_rightly(plain.called, question.truth)))
        keys += ["accuracy_above_most_frequent", "balanced_accuracy_above_most_frequent"]
    figures = drawn.of(beside(*statistics))
    return {
        "name": name,
        **{key: one.to_json() for key, one in zip(keys, figures, strict=True)},
        "auc_by_repeat": _by_repeat(question, told),
        "chosen": _chosen(told),
        "fits": told.fits,
        "unsettled": told.unsettled,
    }


def importance_to_json(
    question: Question, found: Found, resamples: int, seed: int
) -> dict[str, Any] | None:
    """Measure what logistic regression loses when a measure is shuffled in the test folds.

    None where there is one measure only: shuffling it leaves chance.
    """
    told = found[question.name, LOGISTIC]
    if told.shuffled is None or len(question.measures) == 1:
        return None
    area = _area(question, told)
    losses = [
        minus(area, within_folds(scores, question.truth, told.folds)) for scores in told.shuffled
    ]
    figures = Bootstrap(question.groups, resamples, seed).of(beside(*losses))
    rows = [
        {"measure": name, "auc_lost": one.to_json()}
        for name, one in zip(question.measures, figures, strict=True)
    ]
    return {"candidate": LOGISTIC, "measures": sorted(rows, key=_by_loss)}


def _by_loss(row: dict[str, Any]) -> float:
    return -float(row["auc_lost"]["value"])


def _area(question: Question, told: Told) -> Statistic:
    return within_folds(told.scores, question.truth, told.folds)


def _by_repeat(question: Question, told: Told) -> list[float]:
    """Return the AUC of each repeat: what dealing the rows otherwise changes."""
    everyone = np.ones((1, len(question.truth)))
    return [
        float(within_folds(scores[None], question.truth, folds[None])(everyone)[0, 0])
        for scores, folds in zip(told.scores, told.folds, strict=True)
    ]


def _chosen(told: Told) -> list[dict[str, Any]]:
    """Return the settings that outer folds chose, most often chosen first."""
    counted = Counter(tuple(sorted(one.items())) for one in told.chosen)
    return [{"settings": dict(one), "folds": times} for one, times in counted.most_common()]
