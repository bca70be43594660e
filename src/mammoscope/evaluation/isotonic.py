"""Isotonic regression: the rising steps that fit best, with nothing assumed about their form.

By pooling adjacent violators (Ayer et al. 1955; for calibration Zadrozny & Elkan 2002).
"""

import numpy as np
from numpy.typing import ArrayLike

from mammoscope.evaluation.intervals import Array

Points = tuple[tuple[float, float], ...]


def pooled(values: ArrayLike, weights: ArrayLike) -> Array:
    """Return the never falling values nearest to those given, by weighted squares.

    Parameters
    ----------
    values : shape (n,), in the order in which they must not fall
    weights : shape (n,), above 0

    Returns
    -------
    ndarray of shape (n,)
    """
    blocks: list[tuple[float, float, int]] = []
    pairs = zip(
        np.asarray(values, float).tolist(), np.asarray(weights, float).tolist(), strict=True
    )
    for value, weight in pairs:
        mean, mass, size = value, weight, 1
        while blocks and blocks[-1][0] >= mean:
            before, before_mass, before_size = blocks.pop()
            together = before_mass + mass
            mean = (before * before_mass + mean * mass) / together
            mass, size = together, size + before_size
        blocks.append((mean, mass, size))
    return np.repeat([mean for mean, _, _ in blocks], [size for _, _, size in blocks])


def fit_isotonic(scores: ArrayLike, labels: ArrayLike) -> Points:
    """Fit the rising steps from scores to shares of positives.

    Parameters
    ----------
    scores : shape (units,), in [0, 1]
    labels : shape (units,), True for the positive class

    Returns
    -------
    tuple of (score, probability)
        The two ends of each step, as `core.contract.Calibration` holds them: straight lines between
        steps, flat outside.

    Raises
    ------
    ValueError
        When there is no unit, shapes differ, or a score lies outside [0, 1].

    Notes
    -----
    The lowest step is often 0 and the highest 1, resting on a handful of units: with less than some
    hundreds of each class Platt's line is the safer choice (Niculescu-Mizil & Caruana 2005 put the
    border at about 1,000).
    """
    values, positive = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    if values.ndim != 1 or values.shape != positive.shape or not len(values):
        raise ValueError("scores and labels must be flat and of the same length, above 0")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("scores must lie in [0, 1]")
    different, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    shares = np.bincount(codes, positive) / counts
    risen = pooled(shares, counts)
    # Inside a step nothing changes, so its two ends are enough.
    ends = np.ones(len(risen), dtype=bool)
    ends[1:-1] = (risen[1:-1] != risen[:-2]) | (risen[1:-1] != risen[2:])
    return tuple(zip(different[ends].tolist(), risen[ends].tolist(), strict=True))
