"""Figures with 95 % intervals by a bootstrap over patients.

Scans of one patient resemble each other, so patients are drawn, each with all that belongs to it;
a bootstrap over scans gives intervals that are too narrow (`benchmarks/coverage.py` shows both).
A resample is a weight for every unit: how often its patient was drawn. Statistics take many rows of
weights at once, so a thousand resamples cost a thousand rows of an array and no copies of records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""Weights of shape (resamples, units) to values of shape (resamples,) or (resamples, figures)."""

PERCENTILE = "95 % percentile bootstrap over patients"
EXACT = "95 % exact binomial (Clopper-Pearson) over patients"
FEW_PATIENTS = 20
LEAST_RESAMPLES = 40
ROWS_AT_ONCE = 50
MOST_UNDEFINED = 0.05


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
        return Figure(nan, nan, nan, 0, 0, PERCENTILE, "there is nothing to measure")
    value = float(statistic(np.ones((1, n)))[0])
    samples = resampled(statistic, patients, resamples, rng)
    return figure_of(value, samples, n=n, n_patients=n_patients, is_share=is_share)


def resampled(
    statistic: Statistic, patients: Sequence[str], resamples: int, rng: np.random.Generator
) -> Array:
    """Return the statistic on each of the resamples, shape (resamples, ...).

    As many patients are drawn, with replacement, as there are.
    """
    if resamples < LEAST_RESAMPLES:
        raise ValueError(f"an interval needs at least {LEAST_RESAMPLES} resamples")
    names, codes = np.unique(np.asarray(patients), return_inverse=True)
    chances = np.full(len(names), 1 / len(names))
    rows = [ROWS_AT_ONCE] * (resamples // ROWS_AT_ONCE) + [resamples % ROWS_AT_ONCE]
    return np.concatenate(
        [
            statistic(rng.multinomial(len(names), chances, size=size)[:, codes].astype(np.float64))
            for size in rows
            if size
        ]
    )


def figure_of(
    value: float, samples: Array, *, n: int, n_patients: int, is_share: bool = False
) -> Figure:
    """Make a figure from a value and its resamples, shape (resamples,).

    The interval runs from the 2.5th to the 97.5th percentile of the resamples. It was chosen over
    BCa because their coverage is alike on cohorts of our sizes (`docs` of the coverage study stand
    in `benchmarks/coverage.py`), BCa costs a jackknife over patients more, and the acceleration is
    unstable where few patients decide. A share of 0 or 1 gives the same value in every resample;
    there the exact binomial interval over patients is used, as if each gave one answer.
    """
    if not isfinite(value):
        return Figure(nan, nan, nan, n, n_patients, PERCENTILE, "one class only: undefined")
    if is_share and value in (0.0, 1.0):
        low, high = exact_interval(round(value * n_patients), n_patients)
        return Figure(value, low, high, n, n_patients, EXACT, _few(n_patients))
    defined = samples[np.isfinite(samples)]
    if n_patients < 2 or len(defined) < (1 - MOST_UNDEFINED) * len(samples):
        warning = "too few patients for an interval"
        return Figure(value, nan, nan, n, n_patients, PERCENTILE, warning)
    low, high = (float(bound) for bound in np.quantile(defined, (0.025, 0.975)))
    warning_text = _few(n_patients)
    if low == high:
        warning_text = "every resample gave the same value: the interval says nothing"
    return Figure(value, low, high, n, n_patients, PERCENTILE, warning_text)


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


def _few(n_patients: int) -> str | None:
    return f"fewer than {FEW_PATIENTS} patients" if n_patients < FEW_PATIENTS else None
