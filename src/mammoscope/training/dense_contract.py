"""The contract of a trained dense network: threshold, calibration, figures, origin and limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mammoscope
from mammoscope.core.contract import (
    Calibration,
    InputSpec,
    ModelContract,
    OperatingPoint,
    OutputSpec,
)
from mammoscope.core.vocabulary import Pathology
from mammoscope.evaluation.calibrate import fit_platt
from mammoscope.evaluation.hits import hits
from mammoscope.evaluation.operating_points import BALANCED, named_points
from mammoscope.evaluation.outcomes import ScanOutcome
from mammoscope.evaluation.units import units
from mammoscope.training.settings import DenseSettings

LIMITS = (
    "Research software, not a medical device: not for diagnosis.",
    "Trained on masses alone: calcifications without a mass are outside what it knows.",
    "Trained on digitised film of the 1990s; digital mammograms look different to it.",
    "Every training scan holds a mass, so its scores say more of where than of whether.",
    "A probability of malignancy holds where there is a mass, in an archive where about half of "
    "the masses are malignant; in screening far fewer are.",
)
LICENCE = (
    "Weights CC BY 3.0, as the scans they were trained on: CBIS-DDSM (Lee et al. 2017, Scientific "
    "Data 4:170177; Clark et al. 2013)."
)
FROM_IMAGENET = " Features began from EfficientNet-lite0 (Apache-2.0)."
"""Added to the licence where it is so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Outcomes of scans that the network did not see, their summary, and the threshold.

    The threshold is that of the summary's figures; the operating points are chosen anew from the
    outcomes, the balanced one by the same rule.
    """

    outcomes: Sequence[ScanOutcome] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None


def finish_contract(
    settings: DenseSettings,
    parts: tuple[InputSpec, OutputSpec],
    own: Measured,
    foreign: Mapping[str, Any],
    split: str,
) -> ModelContract:
    """Put together what the weights carry with them.

    Parameters
    ----------
    parts : the contract's input and output halves
    own : cross-validated on the archive that the network was trained on
    foreign : summary of the final network on the foreign archive; empty without one
    split : digest of the folds
    """
    folds = folds_of(settings)
    figures = dict(_named(f"{folds}, each on patients not trained on", own.summary))
    if settings.foreign is not None:
        figures |= _named(f"{settings.foreign.name}, never trained on", foreign)
    points = operating_points(settings, own.outcomes)
    return ModelContract(
        name=settings.name,
        version=settings.version,
        architecture=settings.architecture,
        input=parts[0],
        output=parts[1],
        operating_point=next((point for point in points if point.name == BALANCED), None),
        operating_points=points,
        calibration=_lesion_calibration(own.outcomes, folds),
        breast_calibration=breast_calibration(own.outcomes, folds),
        origin={
            "archives": settings.archive.name,
            "split": split,
            "settings": f"{settings.epochs} epochs in batches of {settings.batch_size}; seed "
            f"{settings.seed}",
            "code": f"mammoscope {mammoscope.__version__}",
            "command": f"mammoscope train --config configs/{settings.name}.toml",
            "licence": LICENCE + (FROM_IMAGENET if settings.is_from_imagenet else ""),
        },
        figures=figures,
        limits=LIMITS,
    )


def operating_points(
    settings: DenseSettings, outcomes: Sequence[ScanOutcome]
) -> tuple[OperatingPoint, ...]:
    """Choose and measure the named thresholds of a run; none without outcomes of its folds."""
    if not outcomes:
        return ()
    return named_points(
        outcomes, settings.false_positives_per_scan, folds_of(settings), seed=settings.seed
    )


def folds_of(settings: DenseSettings) -> str:
    """Say in words what the figures of a run were measured on."""
    return f"{settings.archive.name}, {settings.folds} folds by patient"


def _lesion_calibration(outcomes: Sequence[ScanOutcome], folds: str) -> Calibration | None:
    """Calibrate the malignancy of a detection on the proven findings that were hit."""
    scores, labels = [], []
    for outcome in outcomes:
        done: set[int] = set()
        for peak in outcome.peaks:
            for index in hits(outcome, peak):
                pathology = (outcome.findings or ())[index].pathology
                if index not in done and pathology is not None:
                    scores.append(peak.malignancy)
                    labels.append(pathology is Pathology.MALIGNANT)
                done.add(index)
    meaning = "how likely the mass marked here is malignant, if it is one"
    return _platt(scores, labels, f"masses found on {folds}", meaning)


def breast_calibration(outcomes: Sequence[ScanOutcome], folds: str) -> Calibration | None:
    """Calibrate the malignancy of a breast, the mean of its scans'."""
    proven = [u for u in units(outcomes, lambda o: o.breast_id) if u.is_malignant is not None]
    meaning = (
        "how likely a breast is to hold a malignant mass, among breasts with a mass of which about "
        "half are malignant"
    )
    scores, labels = [u.malignancy for u in proven], [bool(u.is_malignant) for u in proven]
    return _platt(scores, labels, f"breasts of {folds}", meaning)


def _platt(
    scores: list[float], labels: list[bool], fitted_on: str, meaning: str
) -> Calibration | None:
    if len(set(labels)) < 2:
        return None
    slope, intercept = fit_platt(scores, labels)
    return Calibration(slope=slope, intercept=intercept, fitted_on=fitted_on, meaning=meaning)


def _named(where: str, summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Choose the figures that a contract carries, under names that a person can read."""
    if not summary:
        return {}
    chosen: dict[str, Mapping[str, Any] | None] = {}
    for point in (summary.get("froc") or {}).get("points", ()):
        if point["fp_per_scan"] in (0.25, 1, 4):
            name = f"sensitivity at {point['fp_per_scan']:g} false positives a scan"
            chosen[name] = point["sensitivity"]
    for level in ("scans", "breasts", "patients"):
        unit = level.removesuffix("s")
        chosen[f"AUC malignant or benign, by {unit}"] = summary[level]["auc_malignant"]
        chosen[f"AUC any finding or none, by {unit}"] = summary[level]["auc_finding"]
        chosen[f"AUC malignant or normal, by {unit}"] = summary[level]["auc_malignant_normal"]
    # Summaries that were stored before this figure was measured lack it.
    against = summary["breasts"].get("auc_finding_against_other")
    chosen["AUC any finding or none, by breast, against the other breast"] = against
    return {f"{where}: {name}": figure for name, figure in chosen.items() if figure is not None}
