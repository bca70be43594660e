"""Area under a part of the ROC curve: where false positives are as rare as a screening allows.

Standardised after McClish (1989): 0.5 is chance and 1 perfect, whatever the part. Corners of the
curve are joined by straight lines, as ties are in the whole area.
"""

from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.evaluation.intervals import Array, Statistic
from mammoscope.evaluation.roc import checked

SCREENING = (0.9, 1.0)
"""Specificities between which the area is taken where nothing else is said."""


def partial_auc(
    scores: ArrayLike, truth: ArrayLike, specificity: tuple[float, float] = SCREENING
) -> float:
    """Return the standardised area under the ROC curve between two specificities.

    Parameters
    ----------
    scores : shape (units,), finite, higher for the positive class
    truth : shape (units,), True for the positive class
    specificity : lower and upper end, in [0, 1]

    Returns
    -------
    float
        1 for a perfect score, 0.5 for chance, less for worse; NaN where a class is empty.

    Raises
    ------
    ValueError
        When shapes differ, a score is not finite, or the ends are not 0 <= lower < upper <= 1.
    """
    values, positive = checked(scores, truth)
    statistic = partial_auc_statistic(values, positive, specificity)
    return float(statistic(np.ones((1, len(values))))[0]) if len(values) else nan


def partial_auc_statistic(
    scores: ArrayLike, truth: ArrayLike, specificity: tuple[float, float] = SCREENING
) -> Statistic:
    """Return the function from weights, shape (resamples, units), to standardised areas.

    Raises
    ------
    ValueError
        As `partial_auc`.
    """
    values, positive = checked(scores, truth)
    lower, upper = specificity
    if not 0 <= lower < upper <= 1:
        raise ValueError(f"specificities from {lower} to {upper} are no part of a ROC curve")
    start, end = 1 - upper, 1 - lower
    order = np.argsort(-values, kind="stable")
    chosen = positive[order]
    last = np.flatnonzero(np.diff(values[order], append=-np.inf))
    chance = (end**2 - start**2) / 2

    def statistic(weights: Array) -> Array:
        falling = np.take(weights, order, axis=1)
        recall = _shares(np.where(chosen, falling, 0.0), last)
        alarms = _shares(np.where(chosen, 0.0, falling), last)
        area = _area_up_to(alarms, recall, end) - _area_up_to(alarms, recall, start)
        return np.asarray((1 + (area - chance) / (end - start - chance)) / 2, dtype=np.float64)

    return statistic


def _shares(weights: Array, last: NDArray[np.intp]) -> Array:
    """Return which share of each row lies at or before each corner, from 0; NaN in empty rows."""
    sums = np.take(np.cumsum(weights, axis=1), last, axis=1)
    shares = np.zeros((len(sums), len(last) + 1))
    whole = sums[:, -1:]
    np.divide(sums, whole, out=shares[:, 1:], where=whole > 0)
    shares[whole[:, 0] == 0] = nan
    return shares


def _area_up_to(alarms: Array, recall: Array, end: float) -> Array:
    """Return the area left of one share of false positives, shape (resamples,)."""
    width = np.diff(alarms, axis=1)
    rise = np.diff(recall, axis=1)
    inside = np.diff(np.minimum(alarms, end), axis=1)
    part = np.divide(inside, width, out=np.zeros_like(width), where=width > 0)
    area = (inside * (recall[:, :-1] + part * rise / 2)).sum(axis=1)
    return np.where(np.isnan(alarms[:, 0]) | np.isnan(recall[:, 0]), nan, area)
