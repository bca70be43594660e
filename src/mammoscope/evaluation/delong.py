"""Areas under ROC curves compared without resampling, and with patients of several units.

The variance is that of DeLong, DeLong & Clarke-Pearson (1988), from placements that are found by
ranks in the time of a sort (Sun & Xu 2014). Units of one patient resemble each other; their
placements are summed by patient first (Obuchowski 1997), which for patients of one unit each gives
DeLong's variance to the last digit. Where the units of a patient are of both classes, that is
allowed for too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mammoscope.evaluation.intervals import Array
from mammoscope.evaluation.roc import checked

DELONG = "DeLong, by patient (Obuchowski 1997)"
PAIRED = f"{DELONG}, paired"
UNPAIRED = f"{DELONG}, unpaired, with Satterthwaite's degrees of freedom"
TOO_FEW = "too few patients of a class for a variance"
NEVER_DIFFERS = "the difference is the same for every patient: no interval"
_Z = float(stats.norm.ppf(0.975))


@dataclass(frozen=True, slots=True)
class Area:
    """An area under a ROC curve with its variance.

    Attributes
    ----------
    value, variance : NaN where undefined
    low, high : 95 % interval by the normal distribution, kept within [0, 1]
    n, n_patients : units and patients
    """

    value: float
    variance: float
    low: float
    high: float
    n: int
    n_patients: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two sets of scores.

    Attributes
    ----------
    a, b : the figure of either
    difference : a - b
    low, high : its 95 % interval; NaN where undefined
    p_value : of no difference, two-sided; NaN where undefined
    n, n_patients : units and patients that it rests on, of both together
    method : how interval and p value were made
    warning : what a reader must know, or None
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    p_value: float
    n: int
    n_patients: int
    method: str
    warning: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values, NaN as None."""
        numbers = {
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
        }
        plain: dict[str, Any] = {k: None if isnan(v) else float(v) for k, v in numbers.items()}
        plain |= {"n": self.n, "n_patients": self.n_patients, "method": self.method}
        return plain | ({} if self.warning is None else {"warning": self.warning})


def delong(scores: ArrayLike, truth: ArrayLike, patients: Sequence[str] | None = None) -> Area:
    """Return the area under a ROC curve and its variance.

    Parameters
    ----------
    scores : shape (units,), finite, higher for the positive class
    truth : shape (units,), True for the positive class
    patients : patient of each unit; every unit its own where not given

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values, positive = checked(scores, truth)
    codes = _codes(patients, len(values))
    n_patients = int(codes.max()) + 1 if len(codes) else 0
    value, parts = _placements(values, positive)
    variance = _variance(parts, positive, codes)
    spread = _Z * sqrt(variance) if variance >= 0 else nan
    low, high = max(0.0, value - spread), min(1.0, value + spread)
    if isnan(spread):
        low = high = nan
    return Area(value, variance, low, high, len(values), n_patients)


def compare_paired(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[str] | None = None,
) -> Difference:
    """Compare the areas of two scores of the same units.

    Parameters
    ----------
    scores_a, scores_b : shape (units,), finite, higher for the positive class
    truth : shape (units,), True for the positive class
    patients : patient of each unit; every unit its own where not given

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values_a, positive = checked(scores_a, truth)
    values_b, _ = checked(scores_b, truth)
    codes = _codes(patients, len(positive))
    a, parts_a = _placements(values_a, positive)
    b, parts_b = _placements(values_b, positive)
    # A difference of areas is a mean of differences of placements, and has their variance.
    variance = _variance(parts_a - parts_b, positive, codes)
    n_patients = int(codes.max()) + 1 if len(codes) else 0
    return _told((a, b), variance, np.inf, (len(positive), n_patients), PAIRED)


def compare_unpaired(
    a: tuple[ArrayLike, ArrayLike, Sequence[str] | None],
    b: tuple[ArrayLike, ArrayLike, Sequence[str] | None],
) -> Difference:
    """Compare the areas of scores of different units; a and b are (scores, truth, patients).

    Patients of both, where there are any, are taken for strangers.

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    first, second = delong(*a), delong(*b)
    variance = first.variance + second.variance
    shares = [
        area.variance**2 / (area.n_patients - 1) if area.n_patients > 1 else nan
        for area in (first, second)
    ]
    below = sum(shares)
    freedom = variance**2 / below if below > 0 else np.inf
    counts = (first.n + second.n, first.n_patients + second.n_patients)
    return _told((first.value, second.value), variance, freedom, counts, UNPAIRED)


def _told(
    areas: tuple[float, float],
    variance: float,
    freedom: float,
    counts: tuple[int, int],
    method: str,
) -> Difference:
    """Make interval and p value of a difference; `freedom` is that of Student's distribution."""
    a, b = areas
    difference = a - b
    if isnan(difference) or isnan(variance):
        why = "undefined: all units are of one class" if isnan(difference) else TOO_FEW
        return Difference(a, b, difference, nan, nan, nan, *counts, method, why)
    if variance <= 0:
        p_value = 1.0 if difference == 0 else nan
        return Difference(a, b, difference, nan, nan, p_value, *counts, method, NEVER_DIFFERS)
    error = sqrt(variance)
    spread = float(stats.t.ppf(0.975, freedom)) * error
    p_value = 2 * float(stats.t.sf(abs(difference) / error, freedom))
    low, high = difference - spread, difference + spread
    return Difference(a, b, difference, low, high, p_value, *counts, method)


def _codes(patients: Sequence[str] | None, n: int) -> Any:
    if patients is None:
        return np.arange(n)
    if len(patients) != n:
        raise ValueError("there must be a patient for every unit")
    return np.unique(np.asarray(patients), return_inverse=True)[1]


def _placements(values: Array, positive: Any) -> tuple[float, Array]:
    """Return the area, and each unit's placement less the area: how it does against the others.

    A positive's placement is the share of negatives below it, a negative's the share of positives
    above it; ties count half.
    """
    ups, downs = values[positive], values[~positive]
    if not len(ups) or not len(downs):
        return nan, np.full(len(values), nan)
    ranks = stats.rankdata(values)
    parts = np.empty(len(values))
    parts[positive] = (ranks[positive] - stats.rankdata(ups)) / len(downs)
    parts[~positive] = 1 - (ranks[~positive] - stats.rankdata(downs)) / len(ups)
    value = float(parts[positive].mean())
    return value, parts - value


def _variance(parts: Array, positive: Any, codes: Any) -> float:
    """Return Obuchowski's variance of an area, or of a difference of areas."""
    n_ups, n_downs = int(positive.sum()), int((~positive).sum())
    with_ups, with_downs = len(np.unique(codes[positive])), len(np.unique(codes[~positive]))
    if with_ups < 2 or with_downs < 2:
        return nan
    ups = np.bincount(codes, np.where(positive, parts, 0.0)) / n_ups
    downs = np.bincount(codes, np.where(positive, 0.0, parts)) / n_downs
    n_patients = len(ups)
    return float(
        with_ups / (with_ups - 1) * (ups @ ups)
        + with_downs / (with_downs - 1) * (downs @ downs)
        + 2 * n_patients / (n_patients - 1) * (ups @ downs)
    )
