"""Differences of figures between two sets of scores, by a bootstrap over patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan

import numpy as np
from scipy import stats

from mammoscope.evaluation.delong import Difference
from mammoscope.evaluation.intervals import (
    MOST_UNDEFINED,
    Array,
    Draws,
    draw,
    figure_of,
    skew_and_bias,
)
from mammoscope.evaluation.metrics import (
    Mask,
    Measure,
    curve_measures,
    joint_statistic,
    threshold_measures,
)

BOOTSTRAP_PAIRED = "95 % BCa bootstrap over patients, paired"
BOOTSTRAP_UNPAIRED = "95 % percentiles of a bootstrap over the patients of each, unpaired"
COMPARED = (
    *("partial_auc", "average_precision", "recall", "specificity", "precision", "f1"),
    *("accuracy", "balanced_accuracy", "recall_at_specificity_0.9", "specificity_at_recall_0.9"),
)
"""Figures that the bootstrap compares."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One set of scores.

    Attributes
    ----------
    name : shown in the tables
    ids, patients : of each unit; an id occurs once
    scores : ndarray of shape (units,), finite
    truth : ndarray of shape (units,), bool
    threshold : a unit is called positive at a score of at least this
    """

    name: str
    ids: tuple[str, ...]
    patients: tuple[str, ...]
    scores: Array
    truth: Mask
    threshold: float = 0.5

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.patients), len(self.scores), len(self.truth)}
        if len(lengths) != 1:
            raise ValueError("ids, patients, scores and truth must have the same length")
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("an id is given twice")


def _measures(one: Scored) -> list[Measure]:
    return [
        *threshold_measures(one.scores, one.truth, one.threshold),
        *curve_measures(one.scores, one.truth),
    ]


def _names(measures: Sequence[Measure]) -> list[str]:
    return [told.name for group in measures for told in group.told]


def differences_paired(
    a: Scored, b: Scored, resamples: int, rng: np.random.Generator
) -> dict[str, Difference]:
    """Compare sets of the same units in the same order: patients are drawn once for both.

    Returns
    -------
    dict
        Name -> difference, for the figures of `COMPARED`.

    Raises
    ------
    ValueError
        When the sets differ in patients, or there are fewer than 40 resamples.
    """
    if a.patients != b.patients:
        raise ValueError("the sets hold other patients")
    measures = _measures(a)
    names = _names(measures)
    first, second = joint_statistic(measures), joint_statistic(_measures(b))
    every = np.ones((1, len(a.ids)))
    of_a, of_b = first(every)[0], second(every)[0]
    draws = draw(lambda weights: first(weights) - second(weights), a.patients, resamples, rng)
    counts = (len(a.ids), len(set(a.patients)))
    told = {}
    for name in COMPARED:
        i = names.index(name)
        one = Draws(draws.values[i], draws.samples[:, i], draws.left_out[:, i])
        told[name] = _bootstrapped((of_a[i], of_b[i]), one, counts)
    return told


def _bootstrapped(values: tuple[float, float], draws: Draws, counts: tuple[int, int]) -> Difference:
    n, n_patients = counts
    figure = figure_of(draws, n=n, n_patients=n_patients)
    p_value = nan
    if not isnan(figure.low):
        p_value = bca_p_value(draws)
    elif figure.value == 0 and bool((draws.samples == 0).all()):
        p_value = 1.0
    return Difference(
        a=float(values[0]),
        b=float(values[1]),
        difference=figure.value,
        low=figure.low,
        high=figure.high,
        p_value=p_value,
        n=n,
        n_patients=n_patients,
        method=BOOTSTRAP_PAIRED,
        warning=figure.warning,
    )


def bca_p_value(draws: Draws) -> float:
    """Return twice the tail at which the BCa interval ends at 0: the p value of no difference.

    No smaller than two in as many as there are resamples can tell.
    """
    samples = draws.samples[np.isfinite(draws.samples)]
    edge = 1 / (2 * len(samples))
    bias, acceleration = skew_and_bias(float(draws.values), samples, draws.left_out)
    below = ((samples < 0).mean() + (samples <= 0).mean()) / 2
    away = stats.norm.ppf(np.clip(below, edge, 1 - edge)) - bias
    tail = float(stats.norm.cdf(away / (1 + acceleration * away) - bias))
    # Beyond this the formula has gone round its pole: 0 lies outside of every interval.
    if 1 + acceleration * away <= 0:
        tail = 0.0
    return min(1.0, max(2 * min(tail, 1 - tail), 2 * edge))


def differences_unpaired(
    a: Scored, b: Scored, resamples: int, rng: np.random.Generator
) -> dict[str, Difference]:
    """Compare sets of different units: the patients of either are drawn by themselves.

    Returns and raises as `differences_paired`.
    """
    measures = [_measures(one) for one in (a, b)]
    names = _names(measures[0])
    first, second = (
        draw(joint_statistic(group), one.patients, resamples, rng)
        for group, one in zip(measures, (a, b), strict=True)
    )
    counts = (len(a.ids) + len(b.ids), len(set(a.patients)) + len(set(b.patients)))
    told = {}
    for name in COMPARED:
        i = names.index(name)
        values = float(first.values[i]), float(second.values[i])
        told[name] = _percentiles(values, first.samples[:, i] - second.samples[:, i], counts)
    return told


def _percentiles(
    values: tuple[float, float], samples: Array, counts: tuple[int, int]
) -> Difference:
    a, b = values
    difference = a - b
    defined = samples[np.isfinite(samples)]
    nothing = (nan, nan, nan, *counts, BOOTSTRAP_UNPAIRED)
    if not isfinite(difference):
        return Difference(a, b, difference, *nothing, "undefined: a class or group is empty")
    if len(defined) < (1 - MOST_UNDEFINED) * len(samples):
        return Difference(a, b, difference, *nothing, "too few patients for an interval")
    if defined.min() == defined.max():
        return Difference(a, b, difference, *nothing, "every resample gave the same value")
    low, high = np.quantile(defined, (0.025, 0.975))
    below = ((defined < 0).mean() + (defined <= 0).mean()) / 2
    p_value = min(1.0, max(2 * min(below, 1 - below), 1 / len(defined)))
    return Difference(
        *(a, b, difference, float(low), float(high), float(p_value)), *counts, BOOTSTRAP_UNPAIRED
    )
