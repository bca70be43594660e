"""All figures of a model on an archive, as the sections of `evaluation.json`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mammoscope.core.contract import Calibration
from mammoscope.core.errors import ArchiveError
from mammoscope.evaluation import units as of_units
from mammoscope.evaluation.froc import froc_section, judge
from mammoscope.evaluation.hits import MARGIN_MM, hit_rule
from mammoscope.evaluation.jafroc import jafroc_section
from mammoscope.evaluation.operating import called_back_section, operating_point
from mammoscope.evaluation.outcomes import ScanOutcome
from mammoscope.evaluation.pointing import pointing_game
from mammoscope.evaluation.reliability import calibration_section
from mammoscope.evaluation.sides import less_other_side
from mammoscope.evaluation.strata import TOO_SMALL_RULE, strata_section

UNKNOWN_SIDE = "/?"
"""End of a breast's key where the archive does not say which breast it is (`core.records.Scan`)."""


def summarise(
    outcomes: Sequence[ScanOutcome],
    *,
    resamples: int = 1000,
    seed: int = 0,
    threshold: float | None = None,
    calibration: Calibration | None = None,
    lesion_calibration: Calibration | None = None,
) -> dict[str, Any]:
    """Measure a model on an archive.

    Parameters
    ----------
    outcomes : one a scan
    resamples : of the bootstrap over patients
    seed : the same seed gives the same intervals; every figure starts from it anew, so that adding
        one figure changes no other
    threshold : on the lesion score, for `operating_points`; a peak at it is a detection
    calibration, lesion_calibration : of a breast's and of a lesion's malignancy (a contract's
        `breast_calibration` and `calibration`), for the section `calibration`

    Returns
    -------
    dict
        The sections counts, scans, breasts, patients, froc, jafroc, pointing_game, calibration,
        operating_points, called_back, strata and strata_rule of `evaluation.json`; plain values
        that `json.dumps` takes with `allow_nan=False`. A figure is None where the archive has no
        such cases. Those of `breasts` that end in ``_against_other`` are of exams with both
        breasts, each breast's score less half of the other's (`sides.less_other_side`).

    Raises
    ------
    ArchiveError
        When there is no scan.
    ValueError
        When a scan is given twice.
    """
    if not outcomes:
        raise ArchiveError("There is no scan to evaluate; name an archive and a split with scans.")
    if len({outcome.scan_id for outcome in outcomes}) != len(outcomes):
        raise ValueError("a scan is given twice")
    judged = judge(outcomes)
    return {
        "counts": _counts(outcomes),
        "scans": _level(outcomes, "scan_id", resamples, seed),
        "breasts": _level(outcomes, "breast_id", resamples, seed)
        | _against_other(outcomes, resamples, seed),
        "patients": _level(outcomes, "patient_id", resamples, seed),
        "froc": froc_section(judged, resamples, seed) if judged.findings else None,
        "jafroc": jafroc_section(judged, resamples, seed) if judged.findings else None,
        "pointing_game": _pointing(outcomes, resamples, seed),
        "calibration": calibration_section(
            outcomes, (calibration, lesion_calibration), resamples, seed
        ),
        "operating_points": []
        if threshold is None
        else [operating_point(outcomes, judged, threshold, resamples, seed)],
        "called_back": None
        if threshold is None
        else called_back_section(outcomes, threshold, resamples, seed),
        "strata": strata_section(outcomes, judged, resamples, seed),
        "strata_rule": TOO_SMALL_RULE,
    }


def _counts(outcomes: Sequence[ScanOutcome]) -> dict[str, int]:
    findings = [finding for outcome in outcomes for finding in outcome.findings or ()]
    return {
        "scans": len(outcomes),
        "breasts": len({(o.patient_id, o.breast_id) for o in outcomes}),
        "exams": len({(o.patient_id, o.exam_id) for o in outcomes}),
        "patients": len({o.patient_id for o in outcomes}),
        "scans_with_findings": sum(o.has_finding is True for o in outcomes),
        "scans_without_findings": sum(o.has_finding is False for o in outcomes),
        "scans_unknown": sum(o.has_finding is None for o in outcomes),
        "scans_malignant": sum(o.is_malignant is True for o in outcomes),
        "scans_not_malignant": sum(o.is_malignant is False for o in outcomes),
        "findings": len(findings),
        "findings_without_place": sum(f.roi is None for f in findings),
    }


def _level(outcomes: Sequence[ScanOutcome], key: str, resamples: int, seed: int) -> dict[str, Any]:
    given = of_units.units(outcomes, lambda outcome: str(getattr(outcome, key)))
    figures = {
        "auc_finding": of_units.auc_finding(given, resamples, seed),
        "auc_malignant": of_units.auc_malignant(given, resamples, seed),
        "auc_malignant_normal": of_units.auc_malignant_normal(
            given, resamples, seed, by_malignancy=False
        ),
        "auc_malignant_normal_by_malignancy": of_units.auc_malignant_normal(
            given, resamples, seed, by_malignancy=True
        ),
    }
    joined_by = "each scan by itself" if key == "scan_id" else of_units.JOINED_BY
    return {
        "joined_by": joined_by,
        **{name: figure and figure.to_json() for name, figure in figures.items()},
    }


def _against_other(outcomes: Sequence[ScanOutcome], resamples: int, seed: int) -> dict[str, Any]:
    """Measure lesion scores of breasts against the other breast's, where the exam has both."""
    given = _set_against_each_other(outcomes)
    figures = {
        "auc_finding_against_other": of_units.auc_finding(given, resamples, seed),
        "auc_malignant_normal_against_other": of_units.auc_malignant_normal(
            given, resamples, seed, by_malignancy=False
        ),
    }
    return {name: figure and figure.to_json() for name, figure in figures.items()}


def _set_against_each_other(outcomes: Sequence[ScanOutcome]) -> list[of_units.Unit]:
    exams: dict[tuple[str, str], list[ScanOutcome]] = {}
    for outcome in outcomes:
        if not outcome.breast_id.endswith(UNKNOWN_SIDE):
            exams.setdefault((outcome.patient_id, outcome.exam_id), []).append(outcome)
    told: list[of_units.Unit] = []
    for scans in exams.values():
        breasts = of_units.units(scans, lambda outcome: outcome.breast_id)
        if len(breasts) == 2:
            told += [
                replace(own, score=less_other_side(own.score, other.score))
                for own, other in (breasts, breasts[::-1])
            ]
    return told


def _pointing(outcomes: Sequence[ScanOutcome], resamples: int, seed: int) -> dict[str, Any] | None:
    figure = pointing_game(outcomes, resamples=resamples, rng=np.random.default_rng(seed))
    if figure.n == 0:
        return None
    return {"rule": f"highest peak of a scan; {hit_rule(MARGIN_MM)}", "share": figure.to_json()}
