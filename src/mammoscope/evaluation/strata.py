"""The same figures in groups: by density, kind, pathology, size, subtlety, view, scanner, age.

A difference between groups is no proof that the group makes it: groups differ in more than their
name, and among twenty of them one interval misses its truth.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mammoscope.core.geometry import MaskFile, bounding_box
from mammoscope.core.records import Finding
from mammoscope.evaluation.froc import Judged, Mask, named_sensitivities
from mammoscope.evaluation.intervals import FEW_PATIENTS, Figure
from mammoscope.evaluation.metrics import (
    Measure,
    curve_measures,
    measure,
    threshold_measures,
)
from mammoscope.evaluation.outcomes import ScanOutcome
from mammoscope.evaluation.units import Unit, auc_finding, auc_malignant, units

BY_FINDING = ("kind", "pathology", "size", "subtlety", "descriptor")
"""Groups of findings, not of scans: their scans are set against all scans without findings."""
FEW_UNITS = 10
SIZES_MM = ((10.0, "under 10 mm"), (20.0, "10 to 20 mm"), (50.0, "20 to 50 mm"))
LARGEST = "50 mm and more"
AGES = ((40, "under 40"), (50, "40 to 49"), (60, "50 to 59"), (70, "60 to 69"))
OLDEST = "70 and more"
ORDER = [name for _, name in SIZES_MM] + [LARGEST] + [name for _, name in AGES] + [OLDEST]
TOO_SMALL_RULE = (
    f"no figures for fewer than {FEW_PATIENTS} patients; a figure of fewer than {FEW_UNITS} units "
    "of either class is marked"
)
FEW_MARK = f"fewer than {FEW_UNITS} units of a class"


def size_group(longest_mm: float) -> str:
    """Return the group of a lesion by its longest side, such as "10 to 20 mm".

    Raises
    ------
    ValueError
        When the length is not above 0.
    """
    if not longest_mm > 0:
        raise ValueError(f"a lesion cannot be {longest_mm} mm long")
    return next((name for below, name in SIZES_MM if longest_mm < below), LARGEST)


def age_group(years: float) -> str:
    """Return the group of a patient by age, such as "50 to 59".

    Raises
    ------
    ValueError
        When the age is not one of a person.
    """
    if not 0 <= years <= 120:
        raise ValueError(f"nobody is {years} years old")
    return next((name for below, name in AGES if years < below), OLDEST)


def said_age_group(text: str | None) -> str | None:
    """Return the group of an age as archives write it, such as "57" or DICOM's "057Y".

    None where it is missing or no age of a person in years.
    """
    try:
        return age_group(float((text or "").strip().removesuffix("Y")))
    except ValueError:
        return None


def strata_section(
    outcomes: Sequence[ScanOutcome], judged: Judged, resamples: int, seed: int
) -> dict[str, Any]:
    """Return the `strata` section: group name -> value -> figures.

    Groups are those of the outcomes' `strata`, and kind, pathology, size (longest side of the box
    round the finding), subtlety and first descriptor of findings. A group of fewer than 20 patients
    has no figures and is marked `too_small`; a figure of fewer than 10 units of either class
    carries a `warning`; `TOO_SMALL_RULE` says so in words.
    """
    names = sorted({name for outcome in outcomes for name in outcome.strata} - set(BY_FINDING))
    section: dict[str, Any] = {}
    for name in [*BY_FINDING, *names]:
        values = in_order({value for outcome in outcomes for value in _values(outcome, name)})
        figures = {v: _figures(outcomes, (name, v), resamples, seed) for v in values}
        _add_sensitivities(figures, judged, outcomes, name, (resamples, seed))
        if figures:
            section[name] = figures
    return section


def score_strata(
    judged: tuple[ArrayLike, ArrayLike],
    patients: Sequence[str],
    groups: Mapping[str, Sequence[str | None]],
    threshold: float,
    draws: tuple[int, int],
) -> dict[str, Any]:
    """Return AUC, recall and specificity in groups of units, whoever scored them.

    Parameters
    ----------
    judged : scores and truth, each of shape (units,)
    patients : patient of each unit
    groups : name -> value of each unit, None (or "") where it has none
    draws : number of resamples (at least 40), and seed

    Returns
    -------
    dict
        name -> value -> `n`, `n_patients`, `too_small` and the figures, as in
        `strata_section`.
    """
    values, truth = np.asarray(judged[0], dtype=np.float64), np.asarray(judged[1], dtype=bool)
    section: dict[str, Any] = {}
    for name, given in groups.items():
        section[name] = {}
        for value in in_order({value for value in given if value}):
            inside = np.array([other == value for other in given], dtype=bool)
            own = [patient for patient, is_in in zip(patients, inside, strict=True) if is_in]
            section[name][value] = _of_scores(values[inside], truth[inside], own, threshold, draws)
    return {name: figures for name, figures in section.items() if figures}


def in_order(values: set[str]) -> list[str]:
    """Sort names of groups: sizes and ages by their number, others by the alphabet."""
    return sorted(values, key=lambda v: (ORDER.index(v) if v in ORDER else -1, v))


def marked(figure: Figure | None, positives: int, negatives: int) -> dict[str, Any] | None:
    """Return a figure for JSON, marked where either class has fewer than 10 units."""
    if figure is None:
        return None
    plain = figure.to_json()
    if min(positives, negatives) >= FEW_UNITS:
        return plain
    said = [FEW_MARK, *([figure.warning] if figure.warning else [])]
    return plain | {"warning": "; ".join(said)}


def _of_scores(
    scores: Any, truth: Mask, patients: Sequence[str], threshold: float, draws: tuple[int, int]
) -> dict[str, Any]:
    said, is_small = _head(len(patients), len(set(patients)))
    if is_small:
        return said | dict.fromkeys(("auc", "recall", "specificity"))
    measures: list[Measure] = [
        *threshold_measures(scores, truth, threshold),
        curve_measures(scores, truth)[0],
    ]
    resamples, seed = draws
    found = measure(measures, patients, resamples, np.random.default_rng(seed))
    ups, downs = int(truth.sum()), int((~truth).sum())
    return said | {
        "auc": marked(found["auc"], ups, downs),
        "recall": marked(found["recall"], ups, FEW_UNITS),
        "specificity": marked(found["specificity"], FEW_UNITS, downs),
    }


def _head(n: int, n_patients: int) -> tuple[dict[str, Any], bool]:
    is_small = n_patients < FEW_PATIENTS
    return {"n": n, "n_patients": n_patients, "too_small": is_small}, is_small


def _figures(
    outcomes: Sequence[ScanOutcome], group: tuple[str, str], resamples: int, seed: int
) -> dict[str, Any]:
    name, value = group
    inside = [outcome for outcome in outcomes if value in _values(outcome, name)]
    said, is_small = _head(len(inside), len({outcome.patient_id for outcome in inside}))
    if is_small:
        return said | dict.fromkeys(("auc_finding", "auc_malignant", "sensitivity_at_1_fp"))
    free = [o for o in outcomes if o.has_finding is False] if name in BY_FINDING else []
    by_scan = units([*inside, *free], lambda outcome: outcome.scan_id)
    proven = units(inside, lambda outcome: outcome.scan_id)
    finding = auc_finding(by_scan, resamples, seed)
    malignant = auc_malignant(proven, resamples, seed)
    return said | {
        "auc_finding": marked(finding, *_counts(by_scan, "has_finding")),
        "auc_malignant": marked(malignant, *_counts(proven, "is_malignant")),
        "sensitivity_at_1_fp": None,
    }


def _counts(given: Sequence[Unit], truth: str) -> tuple[int, int]:
    """Return how many units are positive and how many are not, of those that are known."""
    known = [getattr(unit, truth) for unit in given]
    return sum(its is True for its in known), sum(its is False for its in known)


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
        if masks[value].sum() < FEW_UNITS:
            said = [f"fewer than {FEW_UNITS} findings", figure.get("warning")]
            figure |= {"warning": "; ".join(filter(None, said))}
        figures[value]["sensitivity_at_1_fp"] = figure


def _values_of(finding: Finding, by_scan: dict[str, ScanOutcome], name: str) -> set[str]:
    outcome = by_scan[finding.scan_id]
    return (
        _finding_values([finding], outcome, name) if name in BY_FINDING else _values(outcome, name)
    )


def _values(outcome: ScanOutcome, name: str) -> set[str]:
    """Return the values of a group that a scan belongs to: several where its findings differ."""
    if name in BY_FINDING:
        return _finding_values(outcome.findings or (), outcome, name)
    return {outcome.strata[name]} if name in outcome.strata else set()


def _finding_values(findings: Sequence[Finding], outcome: ScanOutcome, name: str) -> set[str]:
    if name == "size":
        return {size_group(its) for f in findings if (its := longest_mm(f, outcome)) is not None}
    if name == "descriptor":
        return {f.descriptors[0] for f in findings if f.descriptors and f.descriptors[0]}
    given = [getattr(finding, name) for finding in findings]
    return {str(value) for value in given if value is not None}


def longest_mm(finding: Finding, outcome: ScanOutcome) -> float | None:
    """Return the longer side of the box round a finding in millimetres; None without a place."""
    if finding.roi is None or isinstance(finding.roi, MaskFile):
        return None
    box = bounding_box(finding.roi)
    row_mm, column_mm = outcome.spacing_mm
    return max(box.height * row_mm, box.width * column_mm)
