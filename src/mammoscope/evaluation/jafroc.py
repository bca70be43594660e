"""JAFROC: one figure for finding and placing lesions (Chakraborty & Berbaum 2004).

The chance that a lesion's mark scores higher than the highest false mark on another scan, ties
counting half; a lesion that no mark hits and a scan without false marks both score below all marks.
It is the area under the AFROC curve: sensitivity by lesion against the share of scans with a false
positive. Weighted (wAFROC, Chakraborty 2017), every scan with lesions counts alike, however many it
has: each of its n lesions weighs 1 / n.
"""

from typing import Any

import numpy as np

from mammoscope.evaluation.froc import Judged
from mammoscope.evaluation.intervals import Array, Figure, Statistic, draw, figure_of
from mammoscope.evaluation.roc import auc_statistic


def highest_false_scores(judged: Judged) -> Array:
    """Return the highest false score of each counted scan, -inf where it has none.

    Returns
    -------
    ndarray of shape (counted scans,)
    """
    highest = np.full(len(judged.patients), -np.inf)
    np.maximum.at(highest, judged.false_scans, judged.false_scores)
    return highest[judged.counted]


def lesion_weights(judged: Judged) -> Array:
    """Return 1 / (placed findings of its scan) for each finding, shape (findings,)."""
    return 1 / np.bincount(judged.finding_scans, minlength=1)[judged.finding_scans]


def merit_statistic(judged: Judged, *, weighted: bool) -> Statistic:
    """Return weights of the scans, shape (resamples, scans), to figures of merit in [0, 1].

    NaN where no finding or no scan for false positives was drawn.
    """
    rivals = highest_false_scores(judged)
    # Only the order counts; ranks are finite where "no mark" is not.
    _, ranks = np.unique(np.concatenate([judged.found_at, rivals]), return_inverse=True)
    is_finding = np.arange(len(ranks)) < len(judged.found_at)
    area = auc_statistic(ranks, is_finding)
    shares = lesion_weights(judged) if weighted else np.ones(len(judged.found_at))

    def statistic(weights: Array) -> Array:
        of_findings = np.take(weights, judged.finding_scans, axis=1) * shares
        return area(np.concatenate([of_findings, weights[:, judged.counted]], axis=1))

    return statistic


def jafroc(judged: Judged, resamples: int, seed: int, *, weighted: bool = True) -> Figure:
    """Measure the figure of merit with its interval over patients.

    Raises
    ------
    ValueError
        When there are fewer than 40 resamples.
    """
    statistic = merit_statistic(judged, weighted=weighted)
    rng = np.random.default_rng(seed)
    draws = draw(statistic, judged.patients, resamples, rng)
    patients = {judged.patients[scan] for scan in judged.finding_scans}
    return figure_of(draws, n=len(judged.findings), n_patients=len(patients))


def jafroc_section(judged: Judged, resamples: int, seed: int) -> dict[str, Any]:
    """Return the `jafroc` part of `evaluation.json`."""
    rivals = "scans without findings" if judged.on_free_scans else "all scans"
    return {
        "rule": f"{judged.hit_rule}; against the highest false positive of each of {rivals}",
        "weighted": jafroc(judged, resamples, seed).to_json(),
        "by_finding": jafroc(judged, resamples, seed, weighted=False).to_json(),
    }
