"""Records of a reading: what a model says of scans, breasts and an exam, ready for a report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.contract import ModelContract
from mammoscope.core.geometry import Box
from mammoscope.core.records import Detection, Spacing
from mammoscope.core.vocabulary import Laterality, SpacingSource, ViewPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainStatement:
    """How like the training scans a scan is.

    Attributes
    ----------
    verdict : "unlike" where a fault speaks against reading it, "doubtful" where it is odd but no
        fault is sure: it is read, and the doubt is told
    reasons : what speaks against it, in words, the strongest first
    kinds : names of the faults that were found, as `mammoscope.scans.domain.REASONS` has them
    likeness : share of the training scans that lie at least as far from their middle as this scan,
        in [0, 1]; 0 where it is farther off than all
    """

    verdict: Literal["like", "doubtful", "unlike"]
    reasons: tuple[str, ...]
    kinds: tuple[str, ...]
    likeness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NearLesion:
    """A training lesion that looks like a marked place: `distance` from 0, the same, to 2."""

    lesion_id: str
    pathology: str | None
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a place was marked.

    Attributes
    ----------
    box_px : the part of the scan's own grid that was covered, patch by patch
    patch_mm : side of a patch
    lost : ndarray of shape (patches down, patches across), float32, oriented as the file: share of
        the place's score that is lost when the patch is hidden; negative where it rises
    nearest : training lesions that look most like it, nearest first; none where the model has no
        index of them
    """

    box_px: Box
    patch_mm: float
    lost: NDArray[np.float32]
    nearest: tuple[NearLesion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReading:
    """What the model says of one scan.

    Attributes
    ----------
    file : the file's name, without its folder
    shape_px : (rows, columns) of the file's grid
    spacing_mm, spacing_source : of the file's grid, and where it came from
    score : highest lesion score on the scan, in [0, 1]
    malignancy : raw malignancy score of the scan, in [0, 1]
    detections : best first
    picture : ndarray of shape (rows, columns), uint8, 0 black, dense tissue bright: the scan under
        the contract's grey rule at `picture_spacing_mm`, orientation as in the file
    heat : ndarray of the picture's shape, float32 in [0, 1]: the lesion score at each place, 0
        outside the breast
    breast : ndarray of the picture's shape, bool: where the breast is
    domain : how like the training scans it is; None where the model has no guard
    explanations : one for each detection, where they were asked for
    """

    scan_id: str
    file: str
    laterality: Laterality | None
    view: ViewPosition | None
    shape_px: tuple[int, int]
    spacing_mm: Spacing
    spacing_source: SpacingSource
    score: float
    malignancy: float
    detections: tuple[Detection, ...]
    warnings: tuple[str, ...]
    picture: NDArray[np.uint8]
    heat: NDArray[np.float32]
    breast: NDArray[np.bool_]
    picture_spacing_mm: float
    domain: DomainStatement | None = None
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BreastReading:
    """Scores of one breast: `score` and `malignancy` raw, `probability` calibrated or None.

    `score_against_other` is `score` less half of the other breast's, in (0, 1), see
    `mammoscope.evaluation.sides.less_other_side`; None where the exam has no scan of the other
    breast, or the side is not known. No threshold of `score` holds for it.
    """

    laterality: Laterality | None
    score: float
    malignancy: float
    probability: float | None
    score_against_other: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamReading:
    """What the model says of one exam.

    `score` and `malignancy` are raw, `probability` is calibrated or None (the meaning of a
    probability stands in `contract.breast_calibration`). `timings_s` holds seconds by step.
    `failures` names files of the exam that could not be read, with the reason.
    """

    exam_id: str
    patient_id: str | None
    scans: tuple[ScanReading, ...]
    breasts: tuple[BreastReading, ...]
    score: float
    malignancy: float
    probability: float | None
    contract: ModelContract
    model_digest: str
    warnings: tuple[str, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(scan.file)}</td><td>{scan.laterality or '?'} {scan.view or '?'}</td>"
            f"<td>{scan.score:.2f}</td><td>{scan.malignancy:.2f}</td>"
            f"<td>{len(scan.detections)}</td></tr>"
            for scan in self.scans
        )
        head = "<tr><th>file</th><th>view</th><th>score</th><th>malignancy</th><th>marked</th></tr>"
        return (
            f"<b>Exam {escape(self.exam_id)}</b>: score {self.score:.2f}, malignancy "
            f"{self.malignancy:.2f}; research software, not a medical device"
            f"<table>{head}{rows}</table>"
        )
