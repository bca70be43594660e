"""From scores to probabilities (Platt, temperature, isotonic), and from a wish to a threshold.

probability = 1 / (1 + exp(-(slope * logit(score) + intercept))), or rising steps, as
`core.contract.Calibration` holds and applies them. Calibrations are fitted on patients that neither
trained the network nor test it: `fit_calibration` refuses others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from mammoscope.core.contract import CALIBRATION_KINDS, Calibration
from mammoscope.core.errors import (
    ArchiveError,
    NotFiniteError,
    TrainingError,
    UnknownNameError,
)
from mammoscope.core.vocabulary import Split
from mammoscope.evaluation.froc import cut_scores, judge
from mammoscope.evaluation.intervals import Array
from mammoscope.evaluation.isotonic import Points, fit_isotonic
from mammoscope.evaluation.outcomes import ScanOutcome

MOST_STEPS = 100
NEAREST = 1e-6
"""Scores are kept this far from 0 and 1, whose logits are infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a calibration is fitted on.

    Attributes
    ----------
    split : of the patients; those left out of a fold's training count as validation
    fitted_on : in words, such as "breasts of cbis-ddsm-800, 5 folds by patient"
    meaning : of what it will be the probability, in words
    """

    split: Split
    fitted_on: str
    meaning: str


def fit_calibration(kind: str, scores: ArrayLike, labels: ArrayLike, ground: Ground) -> Calibration:
    """Fit a calibration of a kind, on validation patients only.

    Parameters
    ----------
    kind : "platt", "temperature" or "isotonic"
    scores : shape (units,), in [0, 1]
    labels : shape (units,), True for the positive class

    Raises
    ------
    UnknownNameError
        When there is no such kind.
    TrainingError
        When the ground is not the validation split, or nothing can be fitted.
    ValueError
        When shapes differ or a score lies outside [0, 1].
    """
    if kind not in CALIBRATION_KINDS:
        raise UnknownNameError.among("calibration", kind, CALIBRATION_KINDS)
    if ground.split is not Split.VALIDATION:
        why = (
            "its test figures would flatter it"
            if ground.split is Split.TEST
            else "scores of patients that a network was trained on are too sure"
        )
        raise TrainingError(
            f"A calibration cannot be fitted on the {ground.split} split ({ground.fitted_on}), as "
            f"{why}; fit it on the validation split."
        )
    _, positive = _pair(scores, labels)
    _check_one_class(positive)
    slope, intercept, points = _numbers(kind, scores, labels)
    return Calibration(
        kind=kind,
        slope=slope,
        intercept=intercept,
        points=points,
        fitted_on=ground.fitted_on,
        meaning=ground.meaning,
    )


def fit_temperature(scores: ArrayLike, labels: ArrayLike) -> float:
    """Fit the number that logits are divided by (Guo et al. 2017), by maximum likelihood.

    Parameters
    ----------
    scores : shape (units,), in [0, 1]
    labels : shape (units,), True for the positive class

    Returns
    -------
    float
        Above 0; above 1 where the scores are too sure. It moves no score across 0.5, so it cannot
        mend scores that are too high or too low as a whole.

    Raises
    ------
    TrainingError
        When there is one class only, the scores part the classes at 0.5 without an error, or they
        point the wrong way.
    ValueError
        When shapes differ or a score lies outside [0, 1].
    """
    logits, positive = _pair(scores, labels)
    _check_one_class(positive)
    # At slope 0 the likelihood must still rise, or the best slope is not above 0.
    if (logits * (positive - 0.5)).sum() <= 0:
        raise TrainingError(
            "The scores do not rise with the classes, so no temperature above 0 fits; look whether "
            "labels or scores are the wrong way round, or calibrate with platt."
        )
    if (logits[positive] >= 0).all() and (logits[~positive] <= 0).all():
        raise TrainingError(
            "The scores part the two classes at 0.5 without an error, so no temperature fits best; "
            "calibrate on more patients."
        )
    spread = float(np.abs(logits).max())
    (slope,) = _newton(logits[:, None] / spread, positive.astype(np.float64))
    return float(spread / slope)


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
    logits, positive = _pair(scores, labels)
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


def _numbers(
    kind: str, scores: ArrayLike, labels: ArrayLike
) -> tuple[float | None, float | None, Points]:
    """Return slope, intercept and points of a calibration, as its kind has them."""
    if kind == "isotonic":
        return None, None, fit_isotonic(scores, labels)
    if kind == "temperature":
        return 1 / fit_temperature(scores, labels), 0.0, ()
    return *fit_platt(scores, labels), ()


def _pair(scores: ArrayLike, labels: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    logits, positive = _logits(scores), np.asarray(labels, dtype=bool)
    if logits.shape != positive.shape:
        raise ValueError("scores and labels must have the same length")
    return logits, positive


def _check_one_class(positive: NDArray[np.bool_]) -> None:
    if positive.all() or not positive.any():
        raise TrainingError(
            "A calibration needs malignant and benign units, but all are of one class; calibrate "
            "on more patients."
        )


def _check_fittable(logits: Array, positive: NDArray[np.bool_]) -> None:
    _check_one_class(positive)
    ups, downs = logits[positive], logits[~positive]
    if ups.min() >= downs.max() or ups.max() <= downs.min():
        raise TrainingError(
            "The scores part the two classes without an error, so no calibration fits best; "
            "calibrate on more patients."
        )


def _newton(design: Array, target: Array) -> Array:
    """Return the likeliest coefficients, shape (columns,), by Newton's method with halved steps."""
    beta = np.zeros(design.shape[1])
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
