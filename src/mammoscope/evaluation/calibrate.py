"""From scores to probabilities (Platt 1999), and from a wish to a threshold.

probability = 1 / (1 + exp(-(slope * logit(score) + intercept))), as `core.contract.Calibration`
holds it.
"""

from collections.abc import Sequence
from math import inf, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from mammoscope.core.errors import ArchiveError, NotFiniteError, TrainingError
from mammoscope.evaluation.froc import cut_scores, judge
from mammoscope.evaluation.intervals import Array
from mammoscope.evaluation.outcomes import ScanOutcome

MOST_STEPS = 100
NEAREST = 1e-6
"""Scores are kept this far from 0 and 1, whose logits are infinite."""


def fit_platt(scores: ArrayLike, labels: ArrayLike) -> tuple[float, float]:
    """Fit slope and intercept by maximum likelihood, without any penalty.

    Parameters
    ----------
    scores : shape (units,), in [0, 1]
    labels : shape (units,), True for the positive class

    Returns
    -------
    slope, intercept : float

    Raises
    ------
    TrainingError
        When there is one class only, or the scores part the classes without an error or do not
        differ: then no slope is the likeliest.
    ValueError
        When shapes differ or a score lies outside [0, 1].
    """
    logits = _logits(scores)
    positive = np.asarray(labels, dtype=bool)
    if logits.shape != positive.shape:
        raise ValueError("scores and labels must have the same length")
    _check_fittable(logits, positive)
    # Newton's steps go astray for very long tails; standardised logits keep them well scaled.
    centre, spread = logits.mean(), logits.std()
    design = np.stack([(logits - centre) / spread, np.ones_like(logits)], axis=1)
    slope, intercept = _newton(design, positive.astype(np.float64))
    return float(slope / spread), float(intercept - slope * centre / spread)


def apply_platt(scores: ArrayLike, slope: float, intercept: float) -> Array:
    """Return probabilities, shape (units,) in (0, 1), of scores in [0, 1]."""
    return np.asarray(expit(slope * _logits(scores) + intercept), dtype=np.float64)


def choose_threshold(outcomes: Sequence[ScanOutcome], fp_per_scan: float) -> float:
    """Return the lowest score that keeps false positives (score >= threshold) within a rate.

    False positives are counted as `froc` says. The threshold is a score that a peak really has;
    where no peak scores above the last false positive too many, the next larger number.

    Raises
    ------
    ArchiveError
        When no scan can show a false positive.
    ValueError
        When the rate is negative.
    """
    if not fp_per_scan >= 0:
        raise ValueError(f"a rate of false positives cannot be {fp_per_scan}")
    judged = judge(outcomes)
    if not judged.counted.any():
        raise ArchiveError(
            "No scan can show a false positive, as none is known to be free of findings or to "
            "have all its findings placed; choose the threshold on an archive that gives places."
        )
    cut = float(cut_scores(judged, fp_per_scan)[0])
    above = [peak.score for o in outcomes for peak in o.peaks if peak.score > cut]
    if above:
        return min(above)
    return float(np.nextafter(cut, inf)) if isfinite(cut) else 0.0


def _logits(scores: ArrayLike) -> Array:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("scores must be flat and lie in [0, 1]")
    return np.asarray(logit(np.clip(values, NEAREST, 1 - NEAREST)), dtype=np.float64)


def _check_fittable(logits: Array, positive: NDArray[np.bool_]) -> None:
    remedy = "calibrate on more patients"
    if positive.all() or not positive.any():
        raise TrainingError(
            f"A calibration needs malignant and benign units, but all are of one class; {remedy}."
        )
    ups, downs = logits[positive], logits[~positive]
    if ups.min() >= downs.max() or ups.max() <= downs.min():
        raise TrainingError(
            f"The scores part the two classes without an error, so no slope fits best; {remedy}."
        )


def _newton(design: Array, target: Array) -> Array:
    """Return the likeliest coefficients, shape (2,), by Newton's method with halved steps."""
    beta = np.zeros(2)
    for _ in range(MOST_STEPS):
        chance = expit(design @ beta)
        slope = design.T @ (target - chance)
        bend = (design * (chance * (1 - chance))[:, None]).T @ design
        step = np.linalg.solve(bend, slope)
        before = _log_likelihood(design, target, beta)
        while _log_likelihood(design, target, beta + step) < before - 1e-12 * abs(before):
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            return beta
    raise NotFiniteError("The calibration did not settle; calibrate on more patients.")


def _log_likelihood(design: Array, target: Array, beta: Array) -> float:
    linear = design @ beta
    return float(target @ linear - np.logaddexp(0, linear).sum())
