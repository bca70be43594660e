"""Points of ROC and precision-recall curves: at every threshold, at one, and at a wish.

A unit is called positive when its score is at least the threshold. What holds at a wished
specificity or recall is the best of all thresholds that keep to it: nothing is drawn between them.
"""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.evaluation.intervals import Array, Statistic, divided
from mammoscope.evaluation.roc import checked

NEARLY = 1e-9
"""What 0.1 of 10 negatives may lack to be 1 of them in the computer's arithmetic."""


@dataclass(frozen=True, slots=True, eq=False)
class PrCurve:
    """Precision and recall at every different score.

    Attributes
    ----------
    thresholds : ndarray of shape (points,), falling: "positive" is score >= threshold
    recall : ndarray of shape (points,) in [0, 1], rising
    precision : ndarray of shape (points,) in [0, 1]
    """

    thresholds: Array
    recall: Array
    precision: Array


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Where one threshold lies on both curves; NaN where a class is empty or none is called.

    Attributes
    ----------
    threshold : "positive" is score >= threshold
    recall, specificity, precision : in [0, 1]
    """

    threshold: float
    recall: float
    specificity: float
    precision: float


def pr_curve(scores: ArrayLike, truth: ArrayLike) -> PrCurve:
    """Return every point of the precision-recall curve.

    Raises
    ------
    ValueError
        When shapes differ, a score is not finite, or there is no positive.
    """
    values, positive = checked(scores, truth)
    if not positive.any():
        raise ValueError("a precision-recall curve needs positives")
    order = np.argsort(-values, kind="stable")
    falling = values[order]
    last = np.flatnonzero(np.diff(falling, append=-np.inf))
    hits = np.cumsum(positive[order])[last]
    return PrCurve(falling[last], hits / hits[-1], hits / (last + 1))


def point_at(scores: ArrayLike, truth: ArrayLike, threshold: float) -> CurvePoint:
    """Return what holds at one threshold.

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values, positive = checked(scores, truth)
    called = values >= threshold

    def share(chosen: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
        return float((chosen & of).sum() / of.sum()) if of.any() else nan

    return CurvePoint(
        threshold=threshold,
        recall=share(called, positive),
        specificity=share(~called, ~positive),
        precision=share(positive, called),
    )


def recall_at_specificity(scores: ArrayLike, truth: ArrayLike, specificity: float) -> float:
    """Return the largest recall among thresholds whose specificity is at least the wished one.

    Returns
    -------
    float
        In [0, 1]; NaN where a class is empty.

    Raises
    ------
    ValueError
        When shapes differ, a score is not finite, or the specificity is not in [0, 1].
    """
    statistic = recall_at_specificity_statistic(scores, truth, specificity)
    return float(statistic(np.ones((1, np.size(truth))))[0])


def specificity_at_recall(scores: ArrayLike, truth: ArrayLike, recall: float) -> float:
    """Return the largest specificity among thresholds whose recall is at least the wished one.

    Returns and raises as `recall_at_specificity`.
    """
    statistic = specificity_at_recall_statistic(scores, truth, recall)
    return float(statistic(np.ones((1, np.size(truth))))[0])


def recall_at_specificity_statistic(
    scores: ArrayLike, truth: ArrayLike, specificity: float
) -> Statistic:
    """Return the function from weights, shape (resamples, units), to such recalls.

    Every resample sets its own threshold, so that the interval holds the doubt about it.

    Raises
    ------
    ValueError
        As `recall_at_specificity`.
    """
    values, positive = checked(scores, truth)
    if not 0 <= specificity <= 1:
        raise ValueError(f"a share cannot be {specificity}")
    order = np.argsort(-values, kind="stable")
    ups_at, downs_at = order[positive[order]], order[~positive[order]]
    # The first negative too many is not called; of the positives those that score more are.
    ups_above = np.searchsorted(-values[ups_at], -values[downs_at], side="left")
    ups_above = np.append(ups_above, len(ups_at))

    def statistic(weights: Array) -> Array:
        alarms = np.cumsum(np.take(weights, downs_at, axis=1), axis=1)
        downs = alarms[:, -1:] if len(downs_at) else np.zeros((len(weights), 1))
        within = alarms <= (1 - specificity + NEARLY) * downs
        hits = np.zeros((len(weights), len(ups_at) + 1))
        np.cumsum(np.take(weights, ups_at, axis=1), axis=1, out=hits[:, 1:])
        called = np.take(ups_above, within.sum(axis=1))
        recall = divided(hits[np.arange(len(hits)), called], hits[:, -1])
        return np.where(downs[:, 0] > 0, recall, nan)

    return statistic


def specificity_at_recall_statistic(
    scores: ArrayLike, truth: ArrayLike, recall: float
) -> Statistic:
    """Return the function from weights, shape (resamples, units), to such specificities.

    Raises
    ------
    ValueError
        As `recall_at_specificity`.
    """
    values, positive = checked(scores, truth)
    return recall_at_specificity_statistic(-values, ~positive, recall)
