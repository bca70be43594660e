"""The Brier score of probabilities, and what it is made of (Brier 1950; Murphy 1973)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.evaluation.intervals import (
    Array,
    Draws,
    Figure,
    Statistic,
    divided,
    draw,
    figure_of,
)

PARTS = ("reliability", "resolution", "uncertainty", "within_bins")
"""Brier score = reliability - resolution + uncertainty + within_bins."""


def brier_values(probabilities: ArrayLike, labels: ArrayLike) -> Array:
    """Return each unit's squared error, shape (units,) in [0, 1]."""
    errors = np.asarray(probabilities, dtype=np.float64) - np.asarray(labels, dtype=bool)
    return np.asarray(errors**2, dtype=np.float64)


def brier_parts_statistic(
    probabilities: ArrayLike, labels: ArrayLike, bins: NDArray[np.intp]
) -> Statistic:
    """Return weights, shape (resamples, units), to the four `PARTS`, shape (resamples, 4).

    Parameters
    ----------
    probabilities : shape (units,), in [0, 1]
    labels : shape (units,), True for the positive class
    bins : ndarray of shape (units,): bin of each unit, from 0; they stay the same in every resample

    Notes
    -----
    *Reliability* is the mean squared gap between a bin's mean probability and its share of
    positives: 0 for a calibrated model. *Resolution* is how far the bins' shares differ from the
    share of all: what the scores are worth. *Uncertainty* is the error of always saying the share
    of all. *Within bins* is what the bins hide of the probabilities' own differences (Stephenson et
    al. 2008); it is 0 where all units of a bin have one probability. Chance makes reliability and
    resolution too large by about as much, the more the fewer units a bin has.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    positive = np.asarray(labels, dtype=np.float64)
    belongs = np.eye(int(bins.max()) + 1)[bins]
    errors = brier_values(values, positive.astype(bool))

    def statistic(weights: Array) -> Array:
        total = weights.sum(axis=1)
        masses = weights @ belongs
        gaps, ups = (weights * (values - positive)) @ belongs, (weights * positive) @ belongs
        # A bin that was not drawn adds nothing.
        calibration = divided(np.nan_to_num(divided(gaps**2, masses)).sum(axis=1), total)
        base = divided(ups.sum(axis=1), total)
        spread = masses * np.nan_to_num(divided(ups, masses) - base[:, None]) ** 2
        resolution = divided(spread.sum(axis=1), total)
        uncertainty = base * (1 - base)
        within = divided(weights @ errors, total) - (calibration - resolution + uncertainty)
        return np.stack([calibration, resolution, uncertainty, within], axis=1)

    return statistic


def brier_parts(
    probabilities: ArrayLike,
    labels: ArrayLike,
    bins: NDArray[np.intp],
    patients: Sequence[str],
    draws: tuple[int, int],
) -> dict[str, Figure]:
    """Measure the parts of the Brier score with intervals over patients.

    Parameters
    ----------
    bins : as `brier_parts_statistic`
    draws : number of resamples (at least 40), and seed

    Returns
    -------
    dict
        By name of `PARTS`. Intervals of the first two do not allow for their bias; whether a model
        is calibrated, the calibration error's says (`reliability.calibration_error_figure`).
    """
    statistic = brier_parts_statistic(probabilities, labels, bins)
    resamples, seed = draws
    drawn = draw(statistic, patients, resamples, np.random.default_rng(seed))
    figures = {}
    for at, name in enumerate(PARTS):
        one = Draws(drawn.values[at], drawn.samples[:, at], drawn.left_out[:, at])
        figures[name] = figure_of(one, n=len(patients), n_patients=len(set(patients)))
    return figures
