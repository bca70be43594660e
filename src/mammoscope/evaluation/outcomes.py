"""What a model said of one scan beside what its archive knows: the record that figures start from.

A model is run elsewhere. From here on there are only records, so every figure can be made again
from them without the model.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from types import MappingProxyType
from typing import Any

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.geometry import Box, Circle, Roi
from mammoscope.core.records import Finding, Spacing
from mammoscope.core.vocabulary import Assessment, FindingKind, Pathology


@dataclass(frozen=True, slots=True)
class Peak:
    """A local maximum of the lesion score on a scan.

    Attributes
    ----------
    row, column : place on the grid of the scan's file, in pixels
    score : lesion score at the place
    malignancy : raw malignancy score at the place
    """

    row: float
    column: float
    score: float
    malignancy: float


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """One scan, its scores and its truth.

    Attributes
    ----------
    spacing_mm : (row, column) distance of pixel centres; the two may differ
    score : highest lesion score on the scan
    malignancy : raw malignancy score of the scan
    peaks : best score first
    findings : None where the archive does not say; empty where it says that there are none
    strata : groups that the scan belongs to, such as {"view": "CC"}

    Raises
    ------
    ValueError
        When a score is not finite, a spacing not positive, or the peaks are not best first.
    """

    scan_id: str
    patient_id: str
    breast_id: str
    exam_id: str
    spacing_mm: Spacing
    score: float
    malignancy: float
    peaks: tuple[Peak, ...]
    findings: tuple[Finding, ...] | None
    strata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        scores = [peak.score for peak in self.peaks]
        if not all(map(isfinite, (self.score, self.malignancy, *scores))):
            raise ValueError(f"scan {self.scan_id}: a score is not a finite number")
        if scores != sorted(scores, reverse=True):
            raise ValueError(f"scan {self.scan_id}: peaks must stand best first")
        if not all(isfinite(value) and value > 0 for value in self.spacing_mm):
            raise ValueError(f"scan {self.scan_id}: spacing_mm must be positive")

    @property
    def has_finding(self) -> bool | None:
        """Whether the archive marks any finding on the scan; None where it does not say."""
        return None if self.findings is None else bool(self.findings)

    @property
    def is_malignant(self) -> bool | None:
        """Whether the gravest proven finding is malignant; None where nothing is proven.

        A high-risk lesion is not malignant. A scan without findings has nothing proven.
        """
        pathology = self.pathology
        return None if pathology is None else pathology is Pathology.MALIGNANT

    @property
    def pathology(self) -> Pathology | None:
        """The gravest proven pathology among the scan's findings."""
        proven = [f.pathology for f in self.findings or () if f.pathology is not None]
        return max(proven, key=list(Pathology).index, default=None)


def outcome_to_json(outcome: ScanOutcome) -> dict[str, Any]:
    """Return an outcome as plain values that `json.dumps` takes."""
    findings = None if outcome.findings is None else [asdict(f) for f in outcome.findings]
    return {
        "scan_id": outcome.scan_id,
        "patient_id": outcome.patient_id,
        "breast_id": outcome.breast_id,
        "exam_id": outcome.exam_id,
        "spacing_mm": list(outcome.spacing_mm),
        "score": outcome.score,
        "malignancy": outcome.malignancy,
        "peaks": [[p.row, p.column, p.score, p.malignancy] for p in outcome.peaks],
        "findings": findings,
        "strata": dict(outcome.strata),
    }


def outcome_from_json(values: Mapping[str, Any]) -> ScanOutcome:
    """Read an outcome back from `outcome_to_json`'s values.

    Raises
    ------
    CorruptFileError
        When they are not those of an outcome.
    """
    try:
        findings = values["findings"]
        row_mm, column_mm = values["spacing_mm"]
        plain = {
            **values,
            "spacing_mm": (row_mm, column_mm),
            "peaks": tuple(Peak(*peak) for peak in values["peaks"]),
            "findings": None if findings is None else tuple(map(_finding, findings)),
        }
        return ScanOutcome(**plain)
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptFileError(
            f"A stored outcome of a scan cannot be read ({error}); measure the archive again."
        ) from error


def _finding(values: Mapping[str, Any]) -> Finding:
    pathology, assessment = values["pathology"], values["assessment"]
    plain = {
        **values,
        "kind": FindingKind(values["kind"]),
        "roi": _roi(values["roi"]),
        "pathology": None if pathology is None else Pathology(pathology),
        "assessment": None if assessment is None else Assessment(assessment),
        "descriptors": tuple(values["descriptors"]),
    }
    return Finding(**plain)


def _roi(values: Mapping[str, float] | None) -> Roi | None:
    if values is None:
        return None
    return Circle(**values) if "radius" in values else Box(**values)
