"""What DDSM's outlines mean: abnormalities as findings, and what departs from the rules."""

from collections.abc import Iterator
from pathlib import Path

from mammoscope.core.errors import MammoscopeError
from mammoscope.core.geometry import Outline
from mammoscope.core.records import Finding, Problem
from mammoscope.core.vocabulary import Assessment, FindingKind, Pathology
from mammoscope.formats.overlay import LesionType, OverlayFinding, read_overlay

PATHOLOGIES = {
    "BENIGN": Pathology.BENIGN,
    "BENIGN_WITHOUT_CALLBACK": Pathology.BENIGN,
    "MALIGNANT": Pathology.MALIGNANT,
}
"""UNPROVEN is left out: nothing is known then."""
_KINDS = {"MASS": FindingKind.MASS, "CALCIFICATION": FindingKind.CALCIFICATION}
_SHAPES = {
    "ARCHITECTURAL_DISTORTION": FindingKind.ARCHITECTURAL_DISTORTION,
    "FOCAL_ASYMMETRIC_DENSITY": FindingKind.ASYMMETRY,
    "ASYMMETRIC_BREAST_TISSUE": FindingKind.ASYMMETRY,
}
"""Shapes that DDSM gives to a MASS and that BI-RADS counts as kinds of their own."""
Shape = tuple[int, int]


def findings_of(
    overlay: Path, scan_id: str
) -> tuple[tuple[Finding, ...] | None, tuple[Problem, ...]]:
    """Read the findings of one scan.

    Parameters
    ----------
    overlay : its .OVERLAY file
    scan_id : of the scan

    Returns
    -------
    The findings, None where the file cannot be read, and the problems of the file.
    """
    try:
        drawn = read_overlay(overlay)
    except MammoscopeError as error:
        what = str(error).removeprefix(f"{overlay}: ")
        remedy = "until then it is not said what the scan shows"
        return None, (Problem(where=str(overlay), what=what, remedy=remedy),)
    numbered = list(enumerate(drawn, start=1))
    findings = tuple(_finding(one, scan_id, number) for number, one in numbered)
    problems = tuple(
        Problem(where=str(overlay), what=_what(note, number), remedy=_remedy(note))
        for number, one in numbered
        for note in one.notes
    )
    return findings, problems


def kind_of(lesion_types: tuple[LesionType, ...]) -> FindingKind:
    """Tell the kind of a finding by its first LESION_TYPE.

    A MASS whose SHAPE is only an architectural distortion or an asymmetry is of that kind; where
    another shape stands beside it ("IRREGULAR-ARCHITECTURAL_DISTORTION") a mass was seen.
    """
    if not lesion_types:
        return FindingKind.OTHER
    first = lesion_types[0]
    shapes = {_SHAPES.get(word) for word in first.words("SHAPE")}
    only = shapes.pop() if len(shapes) == 1 else None
    if first.kind == "MASS" and only is not None:
        return only
    return _KINDS.get(first.kind, FindingKind.OTHER)


def leaving(findings: tuple[Finding, ...], shape_px: Shape) -> Iterator[str]:
    """Say which outlines leave the image, and how far.

    Parameters
    ----------
    findings : with outlines
    shape_px : (rows, columns) of the image
    """
    for finding in findings:
        if not isinstance(finding.roi, Outline):
            continue
        box = finding.roi.box
        over = max(-box.top, -box.left, box.bottom - shape_px[0], box.right - shape_px[1])
        if over > 0:
            yield f"the outline of {finding.finding_id} leaves the image by {over:.0f} pixels"


def _finding(drawn: OverlayFinding, scan_id: str, number: int) -> Finding:
    assessment = drawn.assessment
    words = (*map(str, drawn.lesion_types), drawn.pathology)
    return Finding(
        finding_id=f"{scan_id}_{number}",
        scan_id=scan_id,
        kind=kind_of(drawn.lesion_types),
        roi=drawn.boundary,
        pathology=PATHOLOGIES.get(drawn.pathology or ""),
        assessment=None if assessment is None else Assessment(str(assessment)),
        subtlety=drawn.subtlety,
        descriptors=tuple(word for word in words if word),
    )


def _what(note: str, number: int) -> str:
    return note if "TOTAL_ABNORMALITIES" in note else f"abnormality {number}: {note}"


def _remedy(note: str) -> str:
    if "TOTAL_" in note:
        return "what stands in the file is used, not the total"
    if "close" in note:
        return "the outline is used as drawn; its end is joined to its start"
    if "outline" in note or "BOUNDARY" in note:
        return "the finding has no place; get the file again"
    return "that is not known of the finding; get the file again"
