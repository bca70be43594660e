"""Figures with 95 % intervals by a bootstrap over patients.

Scans of one patient resemble each other, so patients are drawn, each with all that belongs to it;
a bootstrap over scans gives intervals that are too narrow (`benchmarks/coverage.py` shows both).
A resample is a weight for every unit: how often its patient was drawn. Statistics take many rows of
weights at once, so a thousand resamples cost a thousand rows of an array and no copies of records.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""Weights of shape (resamples, units) to values of shape (resamples,) or (resamples, figures)."""

BCA = "95 % BCa bootstrap over patients"
EXACT = "95 % exact binomial (Clopper-Pearson) over patients"
FEW_PATIENTS = 20
LEAST_RESAMPLES = 40
ROWS_AT_ONCE = 50
WEIGHTS_AT_ONCE = 100_000
"""Weights computed with at a time: what fits a processor's cache takes a third of the time."""
MANY_PATIENTS = 5_000
"""More than so many are drawn one by one and counted, which takes a tenth of the time."""
MOST_UNDEFINED = 0.05
MOST_LEFT_OUT = 200
TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value with its 95 % interval.

    Attributes
    ----------
    value, low, high : NaN where undefined; `warning` then says why
    n : units (scans, findings, breasts) that the value rests on
    n_patients : different patients among them
    method : how the interval was made
    warning : what a reader must know, or None
    """

    value: float
    low: float
    high: float
    n: int
    n_patients: int
    method: str
    warning: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figure as `evaluation.json` holds it, NaN as None."""
        values: dict[str, Any] = {
            key: None if isnan(number) else float(number)
            for key, number in (("value", self.value), ("low", self.low), ("high", self.high))
        }
        values |= {"n": self.n, "n_patients": self.n_patients, "method": self.method}
        return values | ({} if self.warning is None else {"warning": self.warning})


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """A statistic on all patients, on resamples, and with few patients left out at a time.

    Attributes
    ----------
    values : ndarray of shape (figures,) or (), on all patients
    samples : ndarray of shape (resamples, figures) or (resamples,)
    left_out : ndarray of shape (groups, figures) or (groups,): the jackknife, at most 200 groups
    """

    values: Array
    samples: Array
    left_out: Array


def bootstrap(
    statistic: Statistic,
    patients: Sequence[str],
    resamples: int,
    rng: np.random.Generator,
    *,
    is_share: bool = False,
) -> Figure:
    """Measure a statistic of units, with its interval over patients.

    Parameters
    ----------
    statistic : weights of shape (resamples, units) to values of shape (resamples,)
    patients : patient of each unit
    resamples : at least 40; 1,000 for results
    is_share : the statistic is a share of units, so 0 and 1 get the exact interval

    Raises
    ------
    ValueError
        When there are fewer than 40 resamples.
    """
    n, n_patients = len(patients), len(set(patients))
    if n == 0:
        return Figure(nan, nan, nan, 0, 0, BCA, "there is nothing to measure")
    draws = draw(statistic, patients, resamples, rng)
    return figure_of(draws, n=n, n_patients=n_patients, is_share=is_share)


def draw(
    statistic: Statistic, patients: Sequence[str], resamples: int, rng: np.random.Generator
) -> Draws:
    """Compute a statistic on as many patients as there are, drawn with replacement, many times.

    Raises
    ------
    ValueError
        When there are fewer than 40 resamples.
    """
    if resamples < LEAST_RESAMPLES:
        raise ValueError(f"an interval needs at least {LEAST_RESAMPLES} resamples")
    names, codes = np.unique(np.asarray(patients), return_inverse=True)
    # Leaving out groups instead of single patients gives the same acceleration, faster.
    groups = np.arange(len(names)) % MOST_LEFT_OUT
    kept = groups != np.arange(groups.max() + 1)[:, None]
    return Draws(
        values=statistic(np.ones((1, len(codes))))[0],
        samples=_resampled(statistic, codes, len(names), resamples, rng),
        left_out=_in_blocks(statistic, kept, codes),
    )


def figure_of(draws: Draws, *, n: int, n_patients: int, is_share: bool = False) -> Figure:
    """Make a figure with its BCa interval (Efron 1987) from the draws of one statistic.

    BCa was chosen over plain percentiles because these hold the true value too seldom near 1 and
    with few patients (an AUC of .95 by scan in 100 patients: .90 of cohorts against .93;
    `benchmarks/coverage.py`). A share of 0 or 1 is the same in every
    resample; there the exact binomial interval over patients is used, as if each gave one answer.
    """
    value = float(draws.values)
    if not isfinite(value):
        return Figure(nan, nan, nan, n, n_patients, BCA, "undefined: a class or group is empty")
    if is_share and value in (0.0, 1.0):
        low, high = exact_interval(round(value * n_patients), n_patients)
        return Figure(value, low, high, n, n_patients, EXACT, few_patients(n_patients))
    defined = draws.samples[np.isfinite(draws.samples)]
    if n_patients < 2 or len(defined) < (1 - MOST_UNDEFINED) * len(draws.samples):
        warning = "too few patients for an interval"
        return Figure(value, nan, nan, n, n_patients, BCA, warning)
    if defined.min() == defined.max():
        warning = "every resample gave the same value: no interval"
        return Figure(value, nan, nan, n, n_patients, BCA, warning)
    low, high = _bca(value, defined, draws.left_out)
    # Where the bias is great the ends can pass the value; an interval without it would mislead.
    return Figure(
        value, min(low, value), max(high, value), n, n_patients, BCA, few_patients(n_patients)
    )


def exact_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Clopper & Pearson 1934)."""
    interval = stats.binomtest(successes, trials).proportion_ci(0.95, "exact")
    return float(interval.low), float(interval.high)


def weighted_mean(values: Array) -> Statistic:
    """Return the statistic "mean of the units' values" for values of shape (units,)."""

    def statistic(weights: Array) -> Array:
        return divided(weights @ values, weights.sum(axis=1))

    return statistic


def divided(above: Array, below: Array) -> Array:
    """Divide, with NaN (and no warning) where the divisor is 0."""
    quotient: Array = np.full(np.shape(above), nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


def _resampled(
    statistic: Statistic,
    codes: NDArray[np.intp],
    n_patients: int,
    resamples: int,
    rng: np.random.Generator,
) -> Array:
    """Apply a statistic to resamples of the patients; few are in memory at a time."""
    rows = _rows_at_once(len(codes))
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    if n_patients <= MANY_PATIENTS:
        chances = np.full(n_patients, 1 / n_patients)
        drawn = (rng.multinomial(n_patients, chances, size) for size in sizes)
        return np.concatenate([_apply(statistic, counts, codes) for counts in drawn])

    def block(size: int, own: np.random.Generator) -> Array:
        counts = [
            np.bincount(own.integers(0, n_patients, n_patients), minlength=n_patients)
            for _ in range(size)
        ]
        return _apply(statistic, np.stack(counts), codes)

    # A generator for each block: the resamples are the same on any number of processors.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(block, sizes, rng.spawn(len(sizes)))))


def _in_blocks(statistic: Statistic, counts: NDArray[Any], codes: NDArray[np.intp]) -> Array:
    """Apply a statistic to rows of patients' counts, few at a time to save memory."""
    rows = _rows_at_once(len(codes))
    starts = range(0, len(counts), rows)
    return np.concatenate([_apply(statistic, counts[s : s + rows], codes) for s in starts])


def _rows_at_once(n_units: int) -> int:
    return max(1, min(ROWS_AT_ONCE, WEIGHTS_AT_ONCE // n_units))


def _apply(statistic: Statistic, counts: NDArray[Any], codes: NDArray[np.intp]) -> Array:
    return statistic(np.take(counts.astype(np.float64), codes, axis=1))


def skew_and_bias(value: float, samples: Array, left_out: Array) -> tuple[float, float]:
    """Return what BCa moves percentiles by: bias and acceleration (Efron 1987).

    Parameters
    ----------
    value : on all patients
    samples : ndarray of shape (resamples,), finite
    left_out : ndarray of shape (groups,): the jackknife
    """
    defined = left_out[np.isfinite(left_out)]
    below = ((samples < value).mean() + (samples <= value).mean()) / 2
    edge = 1 / (2 * len(samples))
    bias = float(stats.norm.ppf(np.clip(below, edge, 1 - edge)))
    away = defined.mean() - defined
    spread = float((away**2).sum())
    return bias, float((away**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0


def _bca(value: float, samples: Array, left_out: Array) -> tuple[float, float]:
    """Return the ends of the interval: percentiles moved for bias and for skewness."""
    bias, acceleration = skew_and_bias(value, samples, left_out)
    moved = bias + stats.norm.ppf(TAILS)
    low, high = np.quantile(samples, stats.norm.cdf(bias + moved / (1 - acceleration * moved)))
    return float(low), float(high)


def few_patients(n_patients: int) -> str | None:
    """Return the warning that belongs to a figure of fewer than 20 patients, else None."""
    return f"fewer than {FEW_PATIENTS} patients" if n_patients < FEW_PATIENTS else None
