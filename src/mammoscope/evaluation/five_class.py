"""Figures of several classes: class by class, and collapsed to abnormal against normal.

Made for the paper's five classes, good for any number. A unit's call is its likeliest class. For
the collapsed figures the paper's rule holds instead: abnormal where 1 - p_normal > threshold (0.4
in its logs), so a call of the five and the collapsed call can disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.evaluation.intervals import Array, Figure, Statistic, divided
from mammoscope.evaluation.metrics import (
    Mask,
    Measure,
    Told,
    called_measures,
    confusion_matrix,
    curve_measures,
    measure,
)
from mammoscope.evaluation.roc import auc_statistic

PAPER_CLASSES = (
    "normal",
    "benign calcification",
    "benign mass",
    "malignant calcification",
    "malignant mass",
)
PAPER_THRESHOLD = 0.4
MOST_OFF_ONE = 1e-3
"""How far the sum of a unit's probabilities may lie from 1: half precision is not exact."""
NO_UNIT = "undefined: there is no unit"
NO_OTHERS = "undefined: no unit is of this class, or none of another"


@dataclass(frozen=True, slots=True, eq=False)
class ClassFigures:
    """What was measured on several classes.

    Attributes
    ----------
    overall : `accuracy`, `majority` (accuracy of calling every unit the commonest class),
        `accuracy_above_majority`, `macro_recall` (mean over classes that occur), `macro_f1`
    by_class : class -> `recall`, `precision`, `specificity`, `f1`, `auc` (against all others)
    collapsed : the figures of `metrics.binary_figures`, abnormal against normal
    confusion : ndarray of shape (classes, classes), int: rows are the truth
    threshold : of the collapsed figures
    """

    overall: dict[str, Figure]
    by_class: dict[str, dict[str, Figure]]
    collapsed: dict[str, Figure]
    confusion: NDArray[np.intp]
    threshold: float


def class_figures(
    probabilities: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[str],
    classes: Sequence[str] = PAPER_CLASSES,
    *,
    threshold: float = PAPER_THRESHOLD,
    draws: tuple[int, int] = (1000, 0),
) -> ClassFigures:
    """Measure several classes, the first of them normal.

    Parameters
    ----------
    probabilities : shape (units, classes), in [0, 1], each row adding up to 1
    truth : shape (units,), integers from 0 to classes - 1; 0 is normal
    patients : patient of each unit
    classes : name of each class
    threshold : abnormal is called where 1 - p_normal exceeds it
    draws : resamples of the bootstrap over patients, and its seed

    Raises
    ------
    ValueError
        When shapes do not fit, a row is no set of probabilities, or a class is out of range.
    """
    chances = _probabilities(probabilities, len(classes))
    calls = chances.argmax(axis=1) if len(chances) else np.empty(0, dtype=np.intp)
    confusion = confusion_matrix(truth, calls, len(classes))
    given = np.asarray(truth).astype(np.intp)
    resamples, seed = draws

    def measured(measures: Sequence[Measure]) -> dict[str, Figure]:
        # Every section starts from the seed: the resamples of all are the same.
        return measure(measures, patients, resamples, np.random.default_rng(seed))

    abnormal = collapsed_scores(chances)
    return ClassFigures(
        overall=measured([_overall(given, calls, len(classes))]),
        by_class={
            name: measured(_one_class(given == i, calls == i, chances[:, i]))
            for i, name in enumerate(classes)
        },
        collapsed=measured(
            [
                *called_measures(abnormal > threshold, given > 0),
                *curve_measures(abnormal, given > 0),
            ]
        ),
        confusion=confusion,
        threshold=threshold,
    )


def collapsed_scores(probabilities: ArrayLike) -> Array:
    """Return 1 - p_normal, shape (units,), of probabilities of shape (units, classes)."""
    return np.asarray(1 - np.asarray(probabilities, dtype=np.float64)[:, 0], dtype=np.float64)


def _probabilities(given: ArrayLike, n_classes: int) -> Array:
    chances = np.asarray(given, dtype=np.float64)
    if chances.ndim != 2 or chances.shape[1] != n_classes or n_classes < 2:
        raise ValueError(f"probabilities must have a column for each of {n_classes} classes")
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("a probability is not in [0, 1]")
    if (np.abs(chances.sum(axis=1) - 1) > MOST_OFF_ONE).any():
        raise ValueError("the probabilities of a unit do not add up to 1")
    return chances


def _overall(truth: NDArray[np.intp], calls: NDArray[np.intp], n_classes: int) -> Measure:
    every = np.ones(len(truth), dtype=bool)
    is_class = (truth[:, None] == np.arange(n_classes)).astype(np.float64)
    called = (calls[:, None] == np.arange(n_classes)).astype(np.float64)

    def statistic(weights: Array) -> Array:
        of_class, of_calls = weights @ is_class, weights @ called
        hits = weights @ (is_class * called)
        total = of_class.sum(axis=1)
        accuracy = divided(hits.sum(axis=1), total)
        majority = divided(of_class.max(axis=1), total)
        recalls, f1s = divided(hits, of_class), divided(2 * hits, of_class + of_calls)
        occurs = of_class > 0
        means = [
            divided(np.where(occurs, figures, 0).sum(axis=1), occurs.sum(axis=1))
            for figures in (recalls, f1s)
        ]
        return np.stack([accuracy, majority, accuracy - majority, *means], axis=1)

    told = (
        Told("accuracy", every, NO_UNIT, is_share=True),
        *(
            Told(name, every, NO_UNIT)
            for name in ("majority", "accuracy_above_majority", "macro_recall", "macro_f1")
        ),
    )
    return Measure(told, statistic)


def _one_class(is_class: Mask, called: Mask, chances: Array) -> tuple[Measure, ...]:
    (binary,) = called_measures(called, is_class)
    wanted = ("recall", "precision", "specificity", "f1")
    places = [[one.name for one in binary.told].index(name) for name in wanted]
    area = auc_statistic(chances, is_class)
    every = np.ones(len(is_class), dtype=bool)
    return (
        Measure(tuple(binary.told[i] for i in places), _columns(binary.statistic, places)),
        Measure((Told("auc", every, NO_OTHERS),), lambda weights: area(weights)[:, None]),
    )


def _columns(statistic: Statistic, places: list[int]) -> Statistic:
    return lambda weights: statistic(weights)[:, places]
