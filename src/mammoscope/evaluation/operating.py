"""What a model does at one threshold: what it finds, whom it leaves alone, how often it errs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mammoscope.evaluation.froc import Judged
from mammoscope.evaluation.intervals import Figure, bootstrap, weighted_mean
from mammoscope.evaluation.outcomes import ScanOutcome


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


def _mean(
    values: Any, patients: Sequence[str], draws: tuple[int, int], *, is_share: bool
) -> Figure:
    resamples, seed = draws
    statistic = weighted_mean(np.asarray(values, dtype=np.float64))
    rng = np.random.default_rng(seed)
    return bootstrap(statistic, patients, resamples, rng, is_share=is_share)
