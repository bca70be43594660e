"""ROC curve and the area under it.

The area is the chance that a unit of the one class scores higher than one of the other, ties
counting half (Mann & Whitney 1947; Hanley & McNeil 1982).
"""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.evaluation.intervals import Array, Statistic, divided


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """Corners of a ROC curve from (0, 0) to (1, 1).

    Attributes
    ----------
    thresholds : ndarray of shape (corners,), falling, the first infinite: "positive" is
        score >= threshold
    false_positive_rate, true_positive_rate : ndarrays of shape (corners,) in [0, 1], rising
    """

    thresholds: Array
    false_positive_rate: Array
    true_positive_rate: Array


def auc(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the area under the ROC curve.

    Parameters
    ----------
    scores : shape (units,), finite, higher for the positive class
    labels : shape (units,), True for the positive class
    weights : shape (units,), 0 or more; all 1 when not given

    Returns
    -------
    float
        In [0, 1]; NaN when either class is empty or has no weight.

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values, positive = checked(scores, labels)
    given = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != values.shape:
        raise ValueError("scores and weights must have the same length")
    return float(auc_statistic(values, positive)(given[None])[0]) if len(values) else nan


def auc_statistic(scores: ArrayLike, labels: ArrayLike) -> Statistic:
    """Return the function from weights, shape (resamples, units), to areas, shape (resamples,).

    The scores are sorted once; each row of weights then costs one pass.
    """
    values, positive = checked(scores, labels)
    order = np.argsort(values, kind="stable")
    ups_at, downs_at = order[positive[order]], order[~positive[order]]
    # A positive beats the negatives before `first`, and ties with those before `last`.
    first = np.searchsorted(values[downs_at], values[ups_at], side="left")
    last = np.searchsorted(values[downs_at], values[ups_at], side="right")
    has_ties = not np.array_equal(first, last)

    def statistic(weights: Array) -> Array:
        downs = np.zeros((len(weights), len(downs_at) + 1))
        np.cumsum(np.take(weights, downs_at, axis=1), axis=1, out=downs[:, 1:])
        ups = np.take(weights, ups_at, axis=1)
        below = np.take(downs, first, axis=1)
        if has_ties:
            below = (below + np.take(downs, last, axis=1)) / 2
        won = np.einsum("ij,ij->i", ups, below)
        return divided(won, ups.sum(axis=1) * downs[:, -1])

    return statistic


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> RocCurve:
    """Return every corner of the ROC curve, one for each different score.

    Raises
    ------
    ValueError
        When shapes differ, a score is not finite, or there is one class only.
    """
    values, positive = checked(scores, labels)
    if positive.all() or not positive.any():
        raise ValueError("a ROC curve needs both classes")
    order = np.argsort(-values, kind="stable")
    falling = values[order]
    last = np.flatnonzero(np.diff(falling, append=-np.inf))
    hits = np.cumsum(positive[order])[last]
    alarms = np.cumsum(~positive[order])[last]
    return RocCurve(
        thresholds=np.concatenate([[np.inf], falling[last]]),
        false_positive_rate=np.concatenate([[0.0], alarms / alarms[-1]]),
        true_positive_rate=np.concatenate([[0.0], hits / hits[-1]]),
    )


def checked(scores: ArrayLike, labels: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    """Return scores and truth as flat arrays.

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values = np.asarray(scores, dtype=np.float64)
    positive = np.asarray(labels, dtype=bool)
    if values.ndim != 1 or values.shape != positive.shape:
        raise ValueError("scores and labels must be flat and of the same length")
    if not np.isfinite(values).all():
        raise ValueError("a score is not a finite number")
    return values, positive
