"""p values corrected for how many there are. An undefined one stays NaN and is not counted."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mammoscope.evaluation.intervals import Array


def holm(p_values: ArrayLike) -> Array:
    """Return p values by which the chance of even one false find stays at its level (Holm 1979).

    They hold whatever the p values have to do with each other.

    Parameters
    ----------
    p_values : shape (comparisons,), in [0, 1] or NaN

    Raises
    ------
    ValueError
        When a p value is not in [0, 1].
    """
    rising, order, corrected = _sorted(p_values)
    count = len(rising)
    raised = np.maximum.accumulate(rising * np.arange(count, 0, -1))
    corrected[order] = np.minimum(raised, 1)
    return corrected


def benjamini_hochberg(p_values: ArrayLike) -> Array:
    """Return p values by which the share of false finds among finds stays at its level.

    Benjamini & Hochberg (1995); for p values that are independent or rise and fall together.

    Parameters
    ----------
    p_values : shape (comparisons,), in [0, 1] or NaN

    Raises
    ------
    ValueError
        When a p value is not in [0, 1].
    """
    rising, order, corrected = _sorted(p_values)
    if len(rising):
        corrected[order] = stats.false_discovery_control(rising)
    return corrected


def _sorted(p_values: ArrayLike) -> tuple[Array, NDArray[np.intp], Array]:
    """Return the defined p values rising, their places, and an array of NaN to fill."""
    given = np.asarray(p_values, dtype=np.float64)
    defined = np.flatnonzero(~np.isnan(given))
    if given.ndim != 1 or not ((given[defined] >= 0) & (given[defined] <= 1)).all():
        raise ValueError("p values must be flat and lie in [0, 1]")
    order = defined[np.argsort(given[defined], kind="stable")]
    return given[order], order, np.full(len(given), np.nan)
