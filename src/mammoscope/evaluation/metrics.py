"""The figures of a score against a yes-or-no truth, each with its interval over patients.

All figures of one call come from the same resamples, so they can be set against each other.
A unit (a tile, scan, breast or patient; `joining` makes the larger of the smaller) is called
positive when its score is at least the threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.evaluation.average_precision import average_precision_statistic
from mammoscope.evaluation.curves import (
    recall_at_specificity_statistic,
    specificity_at_recall_statistic,
)
from mammoscope.evaluation.intervals import (
    Array,
    Draws,
    Figure,
    Statistic,
    divided,
    draw,
    figure_of,
)
from mammoscope.evaluation.partial_auc import partial_auc_statistic
from mammoscope.evaluation.roc import auc_statistic, checked

WISHED = 0.9
"""Specificity and recall at which the other is given."""
ONE_CLASS = "undefined: all units are of one class"
NO_POSITIVE = "undefined: no unit is positive"
NO_NEGATIVE = "undefined: no unit is negative"
NONE_CALLED = "undefined: no unit was called positive"
ALL_CALLED = "undefined: every unit was called positive"
NEITHER = "undefined: no unit is positive or was called so"

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a figure rests on.

    Attributes
    ----------
    name : as in `evaluation.json`
    rests_on : ndarray of shape (units,), bool: the units that it counts
    undefined : what is said where it is undefined
    is_share : it is a share of those units, so 0 and 1 get the exact interval
    """

    name: str
    rests_on: Mask
    undefined: str
    is_share: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """Figures that are computed together.

    Attributes
    ----------
    told : one a figure
    statistic : weights of shape (resamples, units) to values of shape (resamples, figures)
    """

    told: tuple[Told, ...]
    statistic: Statistic


def binary_figures(
    scores: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[str],
    threshold: float,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Figure]:
    """Measure everything: at the threshold, and over all thresholds.

    Parameters
    ----------
    scores : shape (units,), finite, higher for the positive class
    truth : shape (units,), True for the positive class
    patients : patient of each unit
    threshold : a unit is called positive at a score of at least this
    resamples : of the bootstrap over patients, at least 40
    seed : the same seed gives the same intervals

    Returns
    -------
    dict
        `accuracy`, `majority` (accuracy of calling every unit what most are),
        `accuracy_above_majority`, `recall`, `specificity`, `precision`,
        `negative_predictive_value`, `f1`, `balanced_accuracy`, `auc`, `partial_auc` (specificity
        0.9 to 1), `average_precision`, `recall_at_specificity_0.9`, `specificity_at_recall_0.9`.

    Raises
    ------
    ValueError
        When shapes differ, a score is not finite, or there are fewer than 40 resamples.
    """
    measures = [*threshold_measures(scores, truth, threshold), *curve_measures(scores, truth)]
    return measure(measures, patients, resamples, np.random.default_rng(seed))


def measure(
    measures: Sequence[Measure], patients: Sequence[str], resamples: int, rng: np.random.Generator
) -> dict[str, Figure]:
    """Measure figures on one set of resamples.

    Raises
    ------
    ValueError
        When patients and units differ in number, or there are fewer than 40 resamples.
    """
    told = [one for group in measures for one in group.told]
    if any(len(one.rests_on) != len(patients) for one in told):
        raise ValueError("there must be a patient for every unit")
    draws = draw(joint_statistic(measures), patients, resamples, rng) if len(patients) else None
    return {
        one.name: told_figure(one, None if draws is None else _column(draws, i), patients)
        for i, one in enumerate(told)
    }


def joint_statistic(measures: Sequence[Measure]) -> Statistic:
    """Return weights to values of shape (resamples, figures of all measures)."""

    def statistic(weights: Array) -> Array:
        return np.concatenate([group.statistic(weights) for group in measures], axis=1)

    return statistic


def told_figure(told: Told, draws: Draws | None, patients: Sequence[str]) -> Figure:
    """Make a figure of its draws, with its own words where it is undefined."""
    n = int(told.rests_on.sum())
    n_patients = len(set(compress(patients, told.rests_on)))
    if draws is None:
        nothing = Draws(np.array(np.nan), np.empty(0), np.empty(0))
        figure = figure_of(nothing, n=0, n_patients=0)
    else:
        figure = figure_of(draws, n=n, n_patients=n_patients, is_share=told.is_share)
    return replace(figure, warning=told.undefined) if isnan(figure.value) else figure


def threshold_measures(
    scores: ArrayLike, truth: ArrayLike, threshold: float
) -> tuple[Measure, ...]:
    """Return the measures at one threshold.

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values, positive = checked(scores, truth)
    return called_measures(values >= threshold, positive)


def called_measures(called: Mask, positive: Mask) -> tuple[Measure, ...]:
    """Return the measures of what was called positive, both of shape (units,)."""
    every = np.ones(len(positive), dtype=bool)
    told = (
        Told("accuracy", every, "undefined: there is no unit", is_share=True),
        Told("majority", every, "undefined: there is no unit"),
        Told("accuracy_above_majority", every, "undefined: there is no unit"),
        Told("recall", positive, NO_POSITIVE, is_share=True),
        Told("specificity", ~positive, NO_NEGATIVE, is_share=True),
        Told("precision", called, NONE_CALLED, is_share=True),
        Told("negative_predictive_value", ~called, ALL_CALLED, is_share=True),
        Told("f1", positive | called, NEITHER),
        Told("balanced_accuracy", every, ONE_CLASS),
    )
    kinds = np.stack([positive & called, ~positive & called, positive & ~called], axis=1)
    counted = np.column_stack([kinds, np.ones(len(positive))]).astype(np.float64)

    def statistic(weights: Array) -> Array:
        hits, alarms, misses, total = (weights @ counted).T
        positives, negatives = hits + misses, total - hits - misses
        accuracy = divided(total - alarms - misses, total)
        majority = divided(np.maximum(positives, negatives), total)
        recall = divided(hits, positives)
        specificity = divided(negatives - alarms, negatives)
        precision = divided(hits, hits + alarms)
        npv = divided(negatives - alarms, negatives - alarms + misses)
        f1 = divided(2 * hits, 2 * hits + alarms + misses)
        return np.stack(
            [
                *(accuracy, majority, accuracy - majority),
                *(recall, specificity, precision, npv, f1, (recall + specificity) / 2),
            ],
            axis=1,
        )

    return (Measure(told, statistic),)


def curve_measures(scores: ArrayLike, truth: ArrayLike) -> tuple[Measure, ...]:
    """Return the measures that need no threshold.

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values, positive = checked(scores, truth)
    every = np.ones(len(positive), dtype=bool)
    statistics: Mapping[str, Statistic] = {
        "auc": auc_statistic(values, positive),
        "partial_auc": partial_auc_statistic(values, positive),
        "average_precision": average_precision_statistic(values, positive),
        f"recall_at_specificity_{WISHED:g}": recall_at_specificity_statistic(
            values, positive, WISHED
        ),
        f"specificity_at_recall_{WISHED:g}": specificity_at_recall_statistic(
            values, positive, WISHED
        ),
    }
    return tuple(
        Measure(
            (Told(name, every, NO_POSITIVE if name == "average_precision" else ONE_CLASS),),
            _one_column(statistic),
        )
        for name, statistic in statistics.items()
    )


def confusion_matrix(truth: ArrayLike, called: ArrayLike, n_classes: int = 2) -> NDArray[np.intp]:
    """Count units by what they are and what they were called.

    Parameters
    ----------
    truth, called : shape (units,), integers from 0 to n_classes - 1, or bools

    Returns
    -------
    ndarray of shape (n_classes, n_classes), int
        Rows are the truth, columns what was called.

    Raises
    ------
    ValueError
        When shapes differ or a class is out of range.
    """
    rows, columns = np.asarray(truth).astype(np.intp), np.asarray(called).astype(np.intp)
    if rows.ndim != 1 or rows.shape != columns.shape:
        raise ValueError("truth and calls must be flat and of the same length")
    for classes in (rows, columns):
        if len(classes) and not 0 <= classes.min() <= classes.max() < n_classes:
            raise ValueError(f"a class is not among 0 to {n_classes - 1}")
    flat = np.bincount(rows * n_classes + columns, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes)


def to_json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Return figures as `evaluation.json` holds them."""
    return {name: figure.to_json() for name, figure in figures.items()}


def _one_column(statistic: Statistic) -> Statistic:
    return lambda weights: statistic(weights)[:, None]


def _column(draws: Draws, index: int) -> Draws:
    return Draws(draws.values[index], draws.samples[:, index], draws.left_out[:, index])
