"""Free-response ROC: sensitivity by finding against false positives a scan.

The rule, in full. A peak hits a finding as `hits` says. A finding is found at a threshold when a
peak that hits it scores at least that; it counts once, and more hits on it are neither hits nor
false positives. False positives are counted on scans without findings where there are at least 20
of them, else on all scans whose findings all have a place, and there only peaks that hit nothing.
Findings without a place, and scans of which the archive does not say whether they have findings,
are left out and counted. The sensitivity at x false positives a scan is the largest among
thresholds whose rate is at most x: nothing is interpolated between thresholds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.records import Finding
from mammoscope.evaluation.hits import MARGIN_MM, hit_rule, hits
from mammoscope.evaluation.intervals import Array, Draws, Figure, divided, draw, figure_of
from mammoscope.evaluation.outcomes import ScanOutcome

FP_PER_SCAN = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
LEAST_FREE_SCANS = 20

Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Outcomes under the hit rule: all that FROC needs, as arrays.

    Attributes
    ----------
    patients : patient of each scan
    findings : those with a place, in the order of the scans
    finding_scans : ndarray of shape (findings,), the scan of each
    found_at : ndarray of shape (findings,): highest score of a peak that hits it, -inf if none
    false_scores : ndarray of shape (false positives,), falling
    false_scans : ndarray of shape (false positives,), the scan of each
    counted : ndarray of shape (scans,), bool: scans on which false positives are counted
    without_place, unknown_scans : what was left out: findings and scans
    margin_mm : of the hit rule
    on_free_scans : whether `counted` are the scans without findings
    """

    patients: tuple[str, ...]
    findings: tuple[Finding, ...]
    finding_scans: Indices
    found_at: Array
    false_scores: Array
    false_scans: Indices
    counted: Mask
    without_place: int
    unknown_scans: int
    margin_mm: float
    on_free_scans: bool

    @property
    def hit_rule(self) -> str:
        """When a peak counts as a hit, in words."""
        return hit_rule(self.margin_mm)

    @property
    def rule(self) -> str:
        """The whole rule in words."""
        where = "scans without findings" if self.on_free_scans else "all scans"
        return (
            f"{self.hit_rule}; each finding counts once; false positives on {where} "
            f"({int(self.counted.sum())}); largest sensitivity among thresholds whose false "
            "positives a scan are at most x"
        )


@dataclass(frozen=True, slots=True, eq=False)
class FrocCurve:
    """Corners of the curve: at `fp_per_scan[i]` sensitivity rises to `sensitivity[i]`.

    Both are ndarrays of shape (corners,), rising from the first corner at (0, ...);
    `thresholds` fall with them, the first infinite.
    """

    fp_per_scan: Array
    sensitivity: Array
    thresholds: Array


def judge(outcomes: Sequence[ScanOutcome], margin_mm: float = MARGIN_MM) -> Judged:
    """Judge every peak of every scan by the hit rule.

    Where no scan can show a false positive, none is counted, and every figure that needs their
    rate is undefined.
    """
    known = [outcome for outcome in outcomes if outcome.findings is not None]
    on_free_scans = sum(not outcome.findings for outcome in known) >= LEAST_FREE_SCANS
    counted = np.array(
        [_counts(outcome, on_free_scans=on_free_scans) for outcome in known], dtype=bool
    )
    findings: list[Finding] = []
    finding_scans: list[int] = []
    found_at: list[float] = []
    alarms: list[tuple[float, int]] = []
    for index, outcome in enumerate(known):
        best, missed = _judge_scan(outcome, margin_mm)
        findings += [(outcome.findings or ())[position] for position in best]
        finding_scans += [index] * len(best)
        found_at += best.values()
        alarms += [(score, index) for score in missed if counted[index]]
    alarms.sort(key=lambda alarm: -alarm[0])
    return Judged(
        patients=tuple(outcome.patient_id for outcome in known),
        findings=tuple(findings),
        finding_scans=np.array(finding_scans, dtype=np.intp),
        found_at=np.array(found_at, dtype=np.float64),
        false_scores=np.array([score for score, _ in alarms], dtype=np.float64),
        false_scans=np.array([scan for _, scan in alarms], dtype=np.intp),
        counted=counted,
        without_place=sum(f.roi is None for outcome in known for f in outcome.findings or ()),
        unknown_scans=len(outcomes) - len(known),
        margin_mm=margin_mm,
        on_free_scans=on_free_scans,
    )


def cut_scores(judged: Judged, fp_per_scan: float, weights: Array | None = None) -> Array:
    """Return the score that a threshold must exceed to keep the false positives within a rate.

    Parameters
    ----------
    fp_per_scan : the rate, 0 or more
    weights : ndarray of shape (resamples, scans); all 1 when not given

    Returns
    -------
    ndarray of shape (resamples,)
        -inf where every threshold keeps within the rate, NaN where no counted scan was drawn.
    """
    given = np.ones((1, len(judged.patients))) if weights is None else weights
    return _cuts(judged, given, (fp_per_scan,))[:, 0]


def sensitivity_at(outcomes: Sequence[ScanOutcome], fp_per_scan: float) -> float:
    """Return sensitivity at a rate of false positives, without interval; NaN where undefined."""
    judged = judge(outcomes)
    every = np.ones(len(judged.findings), dtype=bool)
    even = np.ones((1, len(judged.patients)))
    return float(sensitivity(judged, cut_scores(judged, fp_per_scan), even, every)[0])


def sensitivity(judged: Judged, cuts: Array, weights: Array, chosen: Mask) -> Array:
    """Return the share of the chosen findings found above each cut.

    Parameters
    ----------
    cuts : ndarray of shape (resamples,), from `cut_scores`
    weights : ndarray of shape (resamples, scans)
    chosen : ndarray of shape (findings,), bool
    """
    drawn = weights[:, judged.finding_scans[chosen]]
    found = judged.found_at[chosen] > cuts[:, None]
    share = divided((drawn * found).sum(axis=1), drawn.sum(axis=1))
    return np.where(np.isnan(cuts), nan, share)


def sensitivities(
    judged: Judged,
    masks: Sequence[Mask],
    fp_per_scan: Sequence[float],
    resamples: int,
    rng: np.random.Generator,
) -> list[Figure]:
    """Measure sensitivity with intervals: of each mask's findings at the rate of the same position.

    The cut of a rate is that of the whole archive, so figures of different masks share one
    threshold. Patients are drawn with all their scans, those without findings too: the interval
    holds the doubt about the threshold as well as that about the sensitivity.
    """

    def statistic(weights: Array) -> Array:
        rates = sorted(set(fp_per_scan))
        cuts = dict(zip(rates, _cuts(judged, weights, rates).T, strict=True))
        pairs = zip(masks, fp_per_scan, strict=True)
        return np.stack([sensitivity(judged, cuts[x], weights, mask) for mask, x in pairs], axis=1)

    draws = draw(statistic, judged.patients, resamples, rng)
    figures = []
    for position, mask in enumerate(masks):
        scans = judged.finding_scans[mask]
        one = Draws(draws.values[position], draws.samples[:, position], draws.left_out[:, position])
        n_patients = len({judged.patients[scan] for scan in scans})
        figures.append(figure_of(one, n=len(scans), n_patients=n_patients, is_share=True))
    return figures


def curve(judged: Judged) -> FrocCurve:
    """Return the corners of the whole curve; empty where no finding has a place."""
    found = np.sort(judged.found_at[np.isfinite(judged.found_at)])[::-1]
    thresholds = np.concatenate([[inf], np.unique(found)[::-1]])
    # Both lists fall; counting from the other end lets searchsorted count the scores >= threshold.
    alarms = np.searchsorted(-judged.false_scores, -thresholds, side="right")
    hit = np.searchsorted(-found, -thresholds, side="right")
    total = len(judged.found_at)
    if not total or not judged.counted.any():
        return FrocCurve(np.empty(0), np.empty(0), np.empty(0))
    rates = alarms / judged.counted.sum()
    # Of corners at the same rate only the highest is on the curve.
    last = np.flatnonzero(np.diff(rates, append=inf))
    return FrocCurve(rates[last], hit[last] / total, thresholds[last])


def froc_section(judged: Judged, resamples: int, seed: int) -> dict[str, Any]:
    """Return the `froc` section of `evaluation.json`."""
    every = np.ones(len(judged.findings), dtype=bool)
    figures = sensitivities(
        judged, [every] * len(FP_PER_SCAN), FP_PER_SCAN, resamples, np.random.default_rng(seed)
    )
    corners = curve(judged)
    return {
        "rule": judged.rule,
        "points": [
            {"fp_per_scan": x, "sensitivity": figure.to_json()}
            for x, figure in zip(FP_PER_SCAN, figures, strict=True)
        ],
        "curve": {
            "fp_per_scan": corners.fp_per_scan.tolist(),
            "sensitivity": corners.sensitivity.tolist(),
        },
        "findings": len(judged.findings),
        "findings_without_place": judged.without_place,
        "scans_unknown": judged.unknown_scans,
        "false_positives_on": "scans without findings" if judged.on_free_scans else "all scans",
        "false_positive_scans": int(judged.counted.sum()),
        "at_1_fp_per_scan": {
            "kind": named_sensitivities(judged, _kinds(judged), resamples, seed),
            "descriptor": named_sensitivities(judged, _descriptors(judged), resamples, seed),
        },
    }


def named_sensitivities(
    judged: Judged, masks: Mapping[str, Mask], resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Return sensitivity at one false positive a scan for each named group of findings."""
    rates = [1.0] * len(masks)
    if not masks:
        return {}
    rng = np.random.default_rng(seed)
    figures = sensitivities(judged, list(masks.values()), rates, resamples, rng)
    return {name: figure.to_json() for name, figure in zip(masks, figures, strict=True)}


def _counts(outcome: ScanOutcome, *, on_free_scans: bool) -> bool:
    findings = outcome.findings or ()
    return not findings if on_free_scans else all(f.roi is not None for f in findings)


def _judge_scan(outcome: ScanOutcome, margin_mm: float) -> tuple[dict[int, float], list[float]]:
    """Return the best hit of each placed finding by its position, and scores that hit nothing."""
    best = {i: -inf for i, f in enumerate(outcome.findings or ()) if f.roi is not None}
    missed = []
    for peak in outcome.peaks:
        struck = hits(outcome, peak, margin_mm)
        for position in struck:
            best[position] = max(best[position], peak.score)
        if not struck:
            missed.append(peak.score)
    return best, missed


def _cuts(judged: Judged, weights: Array, rates: Sequence[float]) -> Array:
    """Return `cut_scores` for several rates, shape (resamples, rates)."""
    alarms = np.cumsum(weights[:, judged.false_scans], axis=1)
    scans = weights[:, judged.counted].sum(axis=1)
    scores = np.append(judged.false_scores, -inf)
    # Sums of whole weights are exact; the small number forgives the rounding of rate x scans.
    within = [(alarms <= (x * scans + 1e-9)[:, None]).sum(axis=1) for x in rates]
    cuts = scores[np.stack(within, axis=1)]
    return np.where(scans[:, None] > 0, cuts, nan)


def _kinds(judged: Judged) -> dict[str, Mask]:
    return _groups([str(finding.kind) for finding in judged.findings])


def _descriptors(judged: Judged) -> dict[str, Mask]:
    return _groups([f.descriptors[0] if f.descriptors else "" for f in judged.findings])


def _groups(names: Sequence[str]) -> dict[str, Mask]:
    return {
        name: np.array([other == name for other in names], dtype=bool)
        for name in sorted(set(names))
        if name
    }
