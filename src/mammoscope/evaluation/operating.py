"""What a model does at one threshold, and which threshold does what is wished for.

Thresholds are chosen on validation patients and judged on others; `threshold_choice` has the rules
by recall and by specificity, here are those by the share called back and by cost. A unit is called
back when its score is at least the threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mammoscope.evaluation.abstention import abstentions, certainty_of
from mammoscope.evaluation.froc import Judged
from mammoscope.evaluation.intervals import Array, Figure, bootstrap, weighted_mean
from mammoscope.evaluation.metrics import Measure, Told, called_measures, measure, to_json
from mammoscope.evaluation.outcomes import ScanOutcome
from mammoscope.evaluation.prevalence import PREVALENCES, predictive_figures
from mammoscope.evaluation.roc import checked, roc_curve
from mammoscope.evaluation.units import units

NEARLY = 1e-9
"""What 0.1 of 10 units may lack to be 1 of them in the computer's arithmetic."""
CALLED_BACK = (
    "a patient is called back when the highest lesion score of her scans reaches the threshold; "
    "positive is a patient with any finding, negative one known to have none"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What errors cost, in any one unit, and how common disease is where they are made.

    Attributes
    ----------
    miss, false_alarm : 0 or more, not both 0
    prevalence : share of positives where the model will be used, above 0 and below 1
    """

    miss: float
    false_alarm: float
    prevalence: float

    def __post_init__(self) -> None:
        costs = self.miss, self.false_alarm
        if not all(0 <= cost < inf for cost in costs) or not any(costs):
            raise ValueError(f"costs must be 0 or more, and one above 0, not {costs}")
        if not 0 < self.prevalence < 1:
            raise ValueError(f"a prevalence lies between 0 and 1, not at {self.prevalence}")

    def of(self, recall: ArrayLike, specificity: ArrayLike) -> Array:
        """Return the cost of a unit on average at a recall and a specificity."""
        misses = 1 - np.asarray(recall, dtype=np.float64)
        alarms = 1 - np.asarray(specificity, dtype=np.float64)
        return np.asarray(
            self.miss * self.prevalence * misses
            + self.false_alarm * (1 - self.prevalence) * alarms,
            dtype=np.float64,
        )


def threshold_by_recall_rate(scores: ArrayLike, rate: float) -> float:
    """Return the lowest threshold that calls back at most a share of the units.

    Parameters
    ----------
    scores : shape (units,), finite; the archive must hold positives and negatives in the mixture
        of where the model will be used, or the share there is another
    rate : in [0, 1]

    Returns
    -------
    float
        One of the scores, or the next number above the highest where even that is too many.

    Raises
    ------
    ValueError
        When there is no score, one is not finite, or the rate is not in [0, 1].
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError("scores must be flat, finite and at least one")
    if not 0 <= rate <= 1:
        raise ValueError(f"a share called back lies in [0, 1], not at {rate}")
    rising = np.unique(values)
    called = len(values) - np.searchsorted(np.sort(values), rising, side="left")
    within = rising[called <= rate * len(values) + NEARLY]
    return float(within[0]) if len(within) else float(np.nextafter(rising[-1], inf))


def threshold_by_cost(scores: ArrayLike, truth: ArrayLike, cost: Cost) -> float:
    """Return the threshold of least cost; of several the highest, which calls the fewest back.

    Raises
    ------
    ValueError
        When shapes differ, a score is not finite, or there is one class only.
    """
    curve = roc_curve(scores, truth)
    costs = cost.of(curve.true_positive_rate, 1 - curve.false_positive_rate)
    place = int(np.flatnonzero(costs <= costs.min() + NEARLY * (1 + costs.min()))[0])
    return float(curve.thresholds[place]) if place else float(np.nextafter(np.max(scores), inf))


def point_figures(
    scores: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[str],
    threshold: float,
    *,
    prevalences: Sequence[float] = PREVALENCES,
    draws: tuple[int, int] = (1000, 0),
) -> dict[str, Figure]:
    """Measure what a threshold does on units that had no say in choosing it.

    Parameters
    ----------
    scores : shape (units,), finite
    truth : shape (units,), True for the positive class
    patients : patient of each unit
    prevalences : shares of positives at which predictive values are given
    draws : number of resamples (at least 40) and seed of the bootstrap over patients

    Returns
    -------
    dict
        `recall_rate` (share called back), the figures of `metrics.called_measures`, and
        `ppv_at_0.1`, `npv_at_0.1` and so on for each prevalence.

    Raises
    ------
    ValueError
        When shapes differ, a score is not finite, a prevalence is not between 0 and 1, or there are
        fewer than 40 resamples.
    """
    values, positive = checked(scores, truth)
    called = values >= threshold
    resamples, seed = draws
    every = np.ones(len(called), dtype=bool)
    share = weighted_mean(called.astype(np.float64))
    rate = Measure(
        (Told("recall_rate", every, "undefined: there is no unit", is_share=True),),
        lambda weights: share(weights)[:, None],
    )
    measures = [rate, *called_measures(called, positive)]
    figures = measure(measures, patients, resamples, np.random.default_rng(seed))
    return figures | predictive_figures(
        called, positive, patients, prevalences=prevalences, resamples=resamples, seed=seed
    )


def operating_point(
    outcomes: Sequence[ScanOutcome], judged: Judged, threshold: float, resamples: int, seed: int
) -> dict[str, Any]:
    """Measure detection (a peak's score >= threshold) on an archive.

    Returns
    -------
    dict
        `sensitivity` by finding that has a place, `specificity` by scan without findings (no peak
        at or above the threshold) and `fp_per_scan`; each None where the archive has no such cases.
    """
    free = [outcome for outcome in outcomes if outcome.has_finding is False]
    counted = np.flatnonzero(judged.counted)
    alarms = judged.false_scans[judged.false_scores >= threshold]
    by_scan = np.bincount(alarms, minlength=len(judged.patients))
    measured = {
        "sensitivity": _mean(
            judged.found_at >= threshold,
            [judged.patients[scan] for scan in judged.finding_scans],
            (resamples, seed),
            is_share=True,
        ),
        "specificity": _mean(
            [all(peak.score < threshold for peak in outcome.peaks) for outcome in free],
            [outcome.patient_id for outcome in free],
            (resamples, seed),
            is_share=True,
        ),
        "fp_per_scan": _mean(
            by_scan[counted],
            [judged.patients[scan] for scan in counted],
            (resamples, seed),
            is_share=False,
        ),
    }
    return {
        "threshold": threshold,
        "rule": judged.rule,
        **{name: figure.to_json() if figure.n else None for name, figure in measured.items()},
    }


def called_back_section(
    outcomes: Sequence[ScanOutcome], threshold: float, resamples: int, seed: int
) -> dict[str, Any] | None:
    """Measure whom a threshold calls back: a patient with a score at or above it on any scan.

    Returns
    -------
    dict
        `rule`, `figures` (`point_figures` by patient, with predictive values at the prevalences of
        the paper and of screening) and `abstention`: what is bought by leaving out the patients
        whose score is nearest to the threshold. None where the archive lacks patients with
        findings, or patients known to have none.
    """
    known = [u for u in units(outcomes, lambda o: o.patient_id) if u.has_finding is not None]
    truth = np.array([bool(unit.has_finding) for unit in known], dtype=bool)
    if truth.all() or not truth.any():
        return None
    scores = np.array([unit.score for unit in known], dtype=np.float64)
    patients = [unit.patient_id for unit in known]
    given = called_back_of((scores, truth), patients, threshold, (resamples, seed))
    return {"rule": CALLED_BACK, **given}


def called_back_of(
    judged: tuple[ArrayLike, ArrayLike],
    patients: Sequence[str],
    threshold: float,
    draws: tuple[int, int],
) -> dict[str, Any]:
    """Measure what a threshold calls back, and what abstaining from the least certain buys.

    Parameters
    ----------
    judged : scores and truth, each of shape (units,)
    patients : patient of each unit
    draws : number of resamples (at least 40), and seed

    Returns
    -------
    dict
        `threshold`, `figures` and `abstention` (empty where scores or threshold lie outside
        [0, 1]), as in `called_back_section`.
    """
    scores, truth = checked(*judged)
    figures = point_figures(scores, truth, patients, threshold, draws=draws)
    in_range = ((scores >= 0) & (scores <= 1)).all() and 0 <= threshold <= 1
    points = (
        abstentions(
            scores >= threshold, truth, certainty_of(scores, threshold), patients, draws=draws
        )
        if in_range
        else ()
    )
    return {
        "threshold": threshold,
        "figures": to_json(figures),
        "abstention": [point.to_json() for point in points],
    }


def _mean(
    values: Any, patients: Sequence[str], draws: tuple[int, int], *, is_share: bool
) -> Figure:
    resamples, seed = draws
    statistic = weighted_mean(np.asarray(values, dtype=np.float64))
    rng = np.random.default_rng(seed)
    return bootstrap(statistic, patients, resamples, rng, is_share=is_share)
