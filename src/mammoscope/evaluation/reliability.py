"""How far probabilities mean what they say: Brier score, calibration error, reliability bins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mammoscope.evaluation.intervals import Array, Statistic, divided

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability diagram: its n units' mean probability and share of positives."""

    mean_probability: float
    share_positive: float
    n: int


def brier_values(probabilities: ArrayLike, labels: ArrayLike) -> Array:
    """Return each unit's squared error (Brier 1950), shape (units,) in [0, 1]."""
    errors = np.asarray(probabilities, dtype=np.float64) - np.asarray(labels, dtype=bool)
    return np.asarray(errors**2, dtype=np.float64)


def equal_mass_bins(
    probabilities: ArrayLike, bins: int = BINS
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the bin of each unit, shape (units,): as many units in each as ties allow.

    Equal probabilities always share a bin, so bins may be uneven or empty.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    edges = np.quantile(values, np.arange(1, bins) / bins)
    return np.searchsorted(edges, values, side="right")


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS) -> list[Bin]:
    """Return the non-empty bins of a reliability diagram, lowest first."""
    values = np.asarray(probabilities, dtype=np.float64)
    positive = np.asarray(labels, dtype=bool)
    places = equal_mass_bins(values, bins)
    return [
        Bin(
            float(values[places == place].mean()),
            float(positive[places == place].mean()),
            int((places == place).sum()),
        )
        for place in np.unique(places)
    ]


def calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Statistic:
    """Return the expected calibration error as a function of weights.

    The distance between mean probability and share of positives in each equal-mass bin (Naeini et
    al. 2015), averaged over units. The bins stay those of the whole sample in every resample.
    """
    gaps = np.asarray(probabilities, dtype=np.float64) - np.asarray(labels, dtype=bool)
    places = equal_mass_bins(probabilities, bins)
    belongs = np.eye(bins)[places]

    def statistic(weights: Array) -> Array:
        return divided(np.abs((weights * gaps) @ belongs).sum(axis=1), weights.sum(axis=1))

    return statistic


def error_if_calibrated(
    probabilities: ArrayLike, rng: np.random.Generator, draws: int = 200
) -> float:
    """Return the mean calibration error of labels that are drawn from the probabilities.

    A perfect model's binned error is not 0 but this; an error is only as bad as it exceeds it.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    even = np.ones((1, len(values)))
    drawn = rng.random((draws, len(values))) < values
    return float(np.mean([calibration_error(values, labels)(even)[0] for labels in drawn]))
