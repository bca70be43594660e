"""What a call means where disease is rarer or commoner than in the archive (Bayes).

Recall and specificity are those of the archive's cases; they are carried over as they are, although
a rarer disease is often an easier or harder one too (spectrum effect). An archive of which half is
malignant shows a precision of .9 where screening, at 0.5 %, would see .04.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isnan

import numpy as np
from numpy.typing import ArrayLike

from mammoscope.evaluation.intervals import (
    Array,
    Figure,
    divided,
    exact_interval,
)
from mammoscope.evaluation.metrics import (
    ALL_CALLED,
    NONE_CALLED,
    ONE_CLASS,
    Mask,
    Measure,
    Told,
    measure,
)

PREVALENCES = (0.1, 0.005)
"""The paper's 10 %, and screening's about 5 of 1,000."""
EXACT_RATE = (
    "95 % exact binomial (Clopper-Pearson) over patients of the rate that is 0 or 1, by Bayes"
)


def positive_predictive_value(
    recall: ArrayLike, specificity: ArrayLike, prevalence: float
) -> Array:
    """Return the share of positives among those called positive, at a prevalence.

    Parameters
    ----------
    recall, specificity : of one shape, in [0, 1]
    prevalence : share of positives, above 0 and below 1

    Returns
    -------
    ndarray of that shape, in [0, 1]; NaN where none is called

    Raises
    ------
    ValueError
        When the prevalence is not between 0 and 1.
    """
    _check(prevalence)
    hits = np.asarray(recall, dtype=np.float64) * prevalence
    return divided(hits, hits + (1 - np.asarray(specificity, dtype=np.float64)) * (1 - prevalence))


def negative_predictive_value(
    recall: ArrayLike, specificity: ArrayLike, prevalence: float
) -> Array:
    """Return the share of negatives among those not called, at a prevalence; NaN where all are.

    Parameters, Returns and Raises as `positive_predictive_value`.
    """
    _check(prevalence)
    return positive_predictive_value(specificity, recall, 1 - prevalence)


def predictive_names(prevalence: float) -> tuple[str, str]:
    """Return the names of both figures, such as "ppv_at_0.005" and "npv_at_0.005"."""
    return f"ppv_at_{prevalence:g}", f"npv_at_{prevalence:g}"


def predictive_measure(called: Mask, positive: Mask, prevalence: float) -> Measure:
    """Return the measure of both predictive values at a prevalence.

    Parameters
    ----------
    called, positive : ndarrays of shape (units,), bool
    """
    _check(prevalence)
    every = np.ones(len(positive), dtype=bool)
    ppv, npv = predictive_names(prevalence)
    either = bool(positive.any()) and not positive.all()
    told = (
        Told(ppv, every, NONE_CALLED if either else ONE_CLASS),
        Told(npv, every, ALL_CALLED if either else ONE_CLASS),
    )
    kinds = np.stack([positive & called, positive, ~positive & ~called, ~positive], axis=1)
    counted = kinds.astype(np.float64)

    def statistic(weights: Array) -> Array:
        hits, positives, left, negatives = (weights @ counted).T
        rates = divided(hits, positives), divided(left, negatives)
        return np.stack(
            [
                positive_predictive_value(*rates, prevalence),
                negative_predictive_value(*rates, prevalence),
            ],
            axis=1,
        )

    return Measure(told, statistic)


def predictive_figures(
    called: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[str],
    *,
    prevalences: Sequence[float] = PREVALENCES,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Figure]:
    """Measure both predictive values at each prevalence, with intervals over patients.

    Parameters
    ----------
    called, truth : shape (units,), True for positive
    patients : patient of each unit

    Returns
    -------
    dict
        `ppv_at_0.1`, `npv_at_0.1` and so on. Where specificity is 1 (recall is 1) the predictive
        value is 1 in every resample; its lower end then comes from the exact interval of that rate,
        with the other rate as it was measured.

    Raises
    ------
    ValueError
        When shapes differ, a prevalence is not between 0 and 1, or there are fewer than 40
        resamples.
    """
    calls, positive = np.asarray(called, dtype=bool), np.asarray(truth, dtype=bool)
    if calls.ndim != 1 or calls.shape != positive.shape:
        raise ValueError("calls and truth must be flat and of the same length")
    measures = [predictive_measure(calls, positive, share) for share in prevalences]
    figures = measure(measures, patients, resamples, np.random.default_rng(seed))
    for share in prevalences:
        ppv, npv = predictive_names(share)
        figures[ppv] = _bounded(figures[ppv], (calls, positive), patients, share)
        # By symmetry: the negatives are the positives of the reversed call.
        figures[npv] = _bounded(figures[npv], (~calls, ~positive), patients, 1 - share)
    return figures


def _bounded(
    figure: Figure, judged: tuple[Mask, Mask], patients: Sequence[str], prevalence: float
) -> Figure:
    """Give a value of 1 the lower end that the exact interval of its specificity allows."""
    called, positive = judged
    if figure.value != 1 or not isnan(figure.low):
        return figure
    negatives = len(
        {p for p, is_positive in zip(patients, positive, strict=True) if not is_positive}
    )
    lowest = exact_interval(negatives, negatives)[0]
    recall = float(called[positive].mean())
    low = float(positive_predictive_value(recall, lowest, prevalence))
    return replace(figure, low=low, high=1.0, method=EXACT_RATE, warning=None)


def _check(prevalence: float) -> None:
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence lies between 0 and 1, not at {prevalence}")
