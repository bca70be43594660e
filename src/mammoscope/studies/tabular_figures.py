"""Figures of out-of-fold answers, with intervals over groups of rows that belong together.

Scores of two folds come from two models and need not mean the same, so the AUC counts only pairs
of rows within one fold: of all such pairs, the share in which the positive row scores higher.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mammoscope.evaluation.intervals import (
    Array,
    Figure,
    Statistic,
    divided,
    draw,
    figure_of,
)
from mammoscope.evaluation.roc import auc_statistic
from mammoscope.studies.tabular_data import Mask

METHOD = "95 % BCa bootstrap over groups of rows, models held fixed"


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Who is drawn, how often, and by which seed."""

    groups: Sequence[str]
    resamples: int
    seed: int

    def of(self, statistic: Statistic) -> list[Figure]:
        """Measure a statistic of several figures on one set of resamples."""
        rng = np.random.default_rng(self.seed)
        draws = draw(statistic, self.groups, self.resamples, rng)
        n, n_groups = len(self.groups), len(set(self.groups))
        return [
            replace(
                figure_of(
                    replace(
                        draws,
                        values=draws.values[i],
                        samples=draws.samples[:, i],
                        left_out=draws.left_out[:, i],
                    ),
                    n=n,
                    n_patients=n_groups,
                ),
                method=METHOD,
            )
            for i in range(len(draws.values))
        ]


def within_folds(scores: Array, truth: Mask, folds: NDArray[np.intp]) -> Statistic:
    """Return the statistic "AUC over pairs of one fold" of all repeats.

    Parameters
    ----------
    scores, folds : ndarrays of shape (repeats, rows)
    truth : ndarray of shape (rows,)

    Returns
    -------
    function
        From weights, shape (resamples, rows), to values, shape (resamples, 1); NaN where no fold
        holds a pair.
    """
    parts = []
    for own_scores, own_folds in zip(scores, folds, strict=True):
        for fold in np.unique(own_folds):
            rows = np.flatnonzero(own_folds == fold)
            up = truth[rows]
            parts.append((rows[up], rows[~up], rows, auc_statistic(own_scores[rows], up)))

    def statistic(weights: Array) -> Array:
        won, pairs = np.zeros(len(weights)), np.zeros(len(weights))
        for ups, downs, rows, area in parts:
            own = weights[:, ups].sum(axis=1) * weights[:, downs].sum(axis=1)
            won += own * np.nan_to_num(area(weights[:, rows]))
            pairs += own
        return divided(won, pairs)[:, None]

    return statistic


def called_rightly(called: Mask, truth: Mask) -> Statistic:
    """Return the statistic (accuracy, balanced accuracy), means over repeats.

    Parameters
    ----------
    called : ndarray of shape (repeats, rows)
    truth : ndarray of shape (rows,)

    Returns
    -------
    function
        From weights, shape (resamples, rows), to values, shape (resamples, 2).
    """
    right = (called == truth).mean(axis=0)

    def statistic(weights: Array) -> Array:
        of_class = [
            divided(weights[:, rows] @ right[rows], weights[:, rows].sum(axis=1))
            for rows in (np.flatnonzero(truth), np.flatnonzero(~truth))
        ]
        accuracy = divided(weights @ right, weights.sum(axis=1))
        return np.stack([accuracy, (of_class[0] + of_class[1]) / 2], axis=1)

    return statistic


def beside(*statistics: Statistic) -> Statistic:
    """Return the statistic of all figures of several."""

    def statistic(weights: Array) -> Array:
        return np.concatenate([one(weights) for one in statistics], axis=1)

    return statistic


def minus(first: Statistic, second: Statistic) -> Statistic:
    """Return the statistic of the differences of two, paired on the same rows."""

    def statistic(weights: Array) -> Array:
        return first(weights) - second(weights)

    return statistic
