"""Records of what archives hold and what a reading finds: frozen, plain, missing is None."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from mammoscope.core.geometry import Box, Roi
from mammoscope.core.vocabulary import (
    Assessment,
    FindingKind,
    Intent,
    Laterality,
    Pathology,
    SpacingSource,
    Split,
    ViewPosition,
)

Spacing = tuple[float, float]
"""(row, column) distance between pixel centres in millimetres."""


def _check_spacing(spacing_mm: Spacing | None) -> None:
    if spacing_mm is not None and not all(0 < value < 10 for value in spacing_mm):
        raise ValueError(f"spacing_mm must lie between 0 and 10 mm, got {spacing_mm}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a reader marked on one scan, harmless or not.

    `roi` is on the grid of the scan's file, in pixels; None where the archive gives no place.
    Archives draw circles, boxes, outlines or masks: `mammoscope.formats.masks` turns any of them
    into pixels or a box.
    `descriptors` holds the archive's own words (MIAS class, mass shape and margins).
    """

    finding_id: str
    scan_id: str
    kind: FindingKind
    roi: Roi | None = None
    pathology: Pathology | None = None
    assessment: Assessment | None = None
    subtlety: int | None = None
    descriptors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One two-dimensional mammogram: a file and the facts its archive gives about it.

    `spacing_mm` is that of the file's own grid (rows and columns may differ where a picture was
    squashed). `findings` is None where the archive does not say whether there are any; an empty
    tuple means that the archive calls the scan free of findings (`normal_ground` says how it
    knows).
    """

    scan_id: str
    archive: str
    path: Path
    patient_id: str
    exam_id: str
    laterality: Laterality | None = None
    view: ViewPosition | None = None
    spacing_mm: Spacing | None = None
    spacing_source: SpacingSource | None = None
    intent: Intent | None = None
    breast_density: str | None = None
    findings: tuple[Finding, ...] | None = None
    normal_ground: str | None = None
    split: Split | None = None
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        _check_spacing(self.spacing_mm)
        if (self.spacing_mm is None) != (self.spacing_source is None):
            raise ValueError("spacing_mm and spacing_source are given together or not at all")

    @property
    def breast_id(self) -> str:
        """Key of the breast: one side of one exam."""
        return f"{self.exam_id}/{self.laterality or '?'}"

    @property
    def pathology(self) -> Pathology | None:
        """The gravest pathology among the scan's findings; None where none is proven."""
        proven = [f.pathology for f in self.findings or () if f.pathology is not None]
        order = list(Pathology)
        return max(proven, key=order.index, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """One visit of a patient, usually four scans."""

    exam_id: str
    patient_id: str
    scans: tuple[Scan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that an archive's check found: which file, what is wrong, what to do."""

    where: str
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A place that a model marked on a scan, on the grid of the scan's file.

    `score` in [0, 1] says how likely the place is a lesion, `malignancy` in [0, 1] how likely that
    lesion is malignant (raw); `probability` is the calibrated form of `malignancy`, None where the
    model was not calibrated.
    """

    box_px: Box
    box_mm: tuple[float, float]
    centre_mm: tuple[float, float]
    score: float
    malignancy: float
    probability: float | None
    kind: FindingKind
