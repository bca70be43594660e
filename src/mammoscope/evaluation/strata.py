"""The same figures in groups of scans and findings: by density, kind, pathology, view and so on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mammoscope.core.records import Finding
from mammoscope.evaluation.froc import Judged, Mask, named_sensitivities
from mammoscope.evaluation.intervals import FEW_PATIENTS
from mammoscope.evaluation.outcomes import ScanOutcome
from mammoscope.evaluation.units import auc_finding, auc_malignant, units

BY_FINDING = ("kind", "pathology")
"""Groups of findings, not of scans: their scans are set against all scans without findings."""


def strata_section(
    outcomes: Sequence[ScanOutcome], judged: Judged, resamples: int, seed: int
) -> dict[str, Any]:
    """Return the `strata` section: group name -> value -> figures.

    Groups are those of the outcomes' `strata`, and kind and pathology of findings. A group of
    fewer than 20 patients has no figures and is marked too small.
    """
    names = sorted({name for outcome in outcomes for name in outcome.strata} - set(BY_FINDING))
    section: dict[str, Any] = {}
    for name in [*BY_FINDING, *names]:
        values = sorted({value for outcome in outcomes for value in _values(outcome, name)})
        figures = {v: _figures(outcomes, (name, v), resamples, seed) for v in values}
        _add_sensitivities(figures, judged, outcomes, name, (resamples, seed))
        if figures:
            section[name] = figures
    return section


def _figures(
    outcomes: Sequence[ScanOutcome], group: tuple[str, str], resamples: int, seed: int
) -> dict[str, Any]:
    name, value = group
    inside = [outcome for outcome in outcomes if value in _values(outcome, name)]
    patients = len({outcome.patient_id for outcome in inside})
    figures: dict[str, Any] = {"n": len(inside), "n_patients": patients}
    if patients < FEW_PATIENTS:
        nothing = dict.fromkeys(("auc_finding", "auc_malignant", "sensitivity_at_1_fp"))
        return figures | {"too_small": True} | nothing
    free = [o for o in outcomes if o.has_finding is False] if name in BY_FINDING else []
    by_scan = units([*inside, *free], lambda outcome: outcome.scan_id)
    proven = units(inside, lambda outcome: outcome.scan_id)
    finding = auc_finding(by_scan, resamples, seed)
    malignant = auc_malignant(proven, resamples, seed)
    return figures | {
        "too_small": False,
        "auc_finding": finding and finding.to_json(),
        "auc_malignant": malignant and malignant.to_json(),
        "sensitivity_at_1_fp": None,
    }


def _add_sensitivities(
    figures: dict[str, dict[str, Any]],
    judged: Judged,
    outcomes: Sequence[ScanOutcome],
    name: str,
    draws: tuple[int, int],
) -> None:
    """Set sensitivity at 1 false positive a scan of the whole archive, for large enough groups."""
    by_scan = {outcome.scan_id: outcome for outcome in outcomes}
    masks: dict[str, Mask] = {}
    for value in (v for v, figure in figures.items() if not figure["too_small"]):
        mask = np.array([value in _values_of(f, by_scan, name) for f in judged.findings], bool)
        if mask.any():
            masks[value] = mask
    for value, figure in named_sensitivities(judged, masks, *draws).items():
        figures[value]["sensitivity_at_1_fp"] = figure


def _values_of(finding: Finding, by_scan: dict[str, ScanOutcome], name: str) -> set[str]:
    if name in BY_FINDING:
        return _finding_values([finding], name)
    return _values(by_scan[finding.scan_id], name)


def _values(outcome: ScanOutcome, name: str) -> set[str]:
    """Return the values of a group that a scan belongs to: several where its findings differ."""
    if name in BY_FINDING:
        return _finding_values(outcome.findings or (), name)
    return {outcome.strata[name]} if name in outcome.strata else set()


def _finding_values(findings: Sequence[Finding], name: str) -> set[str]:
    given = [finding.kind if name == "kind" else finding.pathology for finding in findings]
    return {str(value) for value in given if value is not None}
