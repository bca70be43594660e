"""Average precision: the area under the precision-recall curve, by steps and not by lines.

It is the mean over positives of the precision at each one's score: the sum over falling thresholds
of (recall gained) times (precision there), as scikit-learn defines it. Straight lines between the
points of a precision-recall curve would promise too much (Davis & Goadrich 2006).
"""

import numpy as np
from numpy.typing import ArrayLike

from mammoscope.evaluation.intervals import Array, Statistic, divided
from mammoscope.evaluation.roc import checked


def average_precision(scores: ArrayLike, truth: ArrayLike) -> float:
    """Return the average precision.

    Parameters
    ----------
    scores : shape (units,), finite, higher for the positive class
    truth : shape (units,), True for the positive class

    Returns
    -------
    float
        In (0, 1]; the share of positives where scores say nothing; NaN without a positive.

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values, positive = checked(scores, truth)
    return float(average_precision_statistic(values, positive)(np.ones((1, len(values))))[0])


def average_precision_statistic(scores: ArrayLike, truth: ArrayLike) -> Statistic:
    """Return the function from weights, shape (resamples, units), to average precisions."""
    values, positive = checked(scores, truth)
    order = np.argsort(-values, kind="stable")
    ups_at, downs_at = order[positive[order]], order[~positive[order]]
    falling = -values[ups_at]
    ups_until = np.searchsorted(falling, falling, side="right")
    downs_until = np.searchsorted(-values[downs_at], falling, side="right")

    def statistic(weights: Array) -> Array:
        ups = np.take(weights, ups_at, axis=1)
        hits = np.take(_running(ups), ups_until, axis=1)
        alarms = np.take(_running(np.take(weights, downs_at, axis=1)), downs_until, axis=1)
        # Where no unit was drawn yet there is no precision, and nothing of its weight either.
        precision = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=hits > 0)
        return divided(np.einsum("ij,ij->i", ups, precision), ups.sum(axis=1))

    return statistic


def _running(weights: Array) -> Array:
    """Return running sums along each row, from 0."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums
