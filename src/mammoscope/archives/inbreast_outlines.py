"""The outlines of INbreast: a property list of OsiriX for each scan, points as text "(x, y)"."""

import plistlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mammoscope.core.errors import AnnotationError
from mammoscope.core.geometry import Outline
from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import FindingKind
from mammoscope.formats.one_line import one_line

LARGEST_FILE = 50_000_000
"""The largest of the archive has about 3 MB."""
LARGEST_PX = 20_000
KINDS = {
    "mass": FindingKind.MASS,
    "calcification": FindingKind.CALCIFICATION,
    "calcifications": FindingKind.CALCIFICATION,
    "cluster": FindingKind.CALCIFICATION,
    "asymmetry": FindingKind.ASYMMETRY,
    "assymetry": FindingKind.ASYMMETRY,
    "asimmetry": FindingKind.ASYMMETRY,
    "distortion": FindingKind.ARCHITECTURAL_DISTORTION,
}
"""Kinds by the archive's names, its misspellings included. A spiculated region is drawn round a
mass that has an outline of its own, so it is no second mass; it and unnamed outlines are OTHER."""
_NUMBER = r"\s*([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*"
_POINT = re.compile(rf"\({_NUMBER},{_NUMBER}\)")


def read_outlines(path: Path, scan_id: str) -> tuple[Finding, ...]:
    """Read what was outlined on one scan.

    A calcification is often a single point: an outline of one pixel. An outline without points is a
    finding without a place. `descriptors` holds the name as written.

    Raises
    ------
    AnnotationError
        When the file, or a part of it, cannot be understood.
    """
    found = [
        _finding(path, f"{scan_id}_{index}", scan_id, roi)
        for index, roi in enumerate(_rois(path), start=1)
    ]
    return tuple(found)


def _rois(path: Path) -> list[Any]:
    if path.stat().st_size > LARGEST_FILE:
        raise AnnotationError(f"{path}: far larger than any list of outlines; get it again.")
    try:
        # It refuses entities, by which a small file could unfold without end.
        content = plistlib.loads(path.read_bytes(), fmt=plistlib.FMT_XML)
    except Exception as error:  # whatever the parser meets first in damaged bytes
        raise AnnotationError(
            f"{path}: no property list ({one_line(error)}); get it again."
        ) from error
    images = content.get("Images") if isinstance(content, Mapping) else None
    if not isinstance(images, list) or not all(isinstance(image, Mapping) for image in images):
        raise AnnotationError(f"{path}: it has no list of images; get it again.")
    rois: list[Any] = []
    for image in images:
        own = image.get("ROIs", [])
        if not isinstance(own, list) or image.get("NumberOfROIs", len(own)) != len(own):
            raise AnnotationError(f"{path}: outlines are missing in it; get it again.")
        rois += own
    return rois


def _finding(path: Path, finding_id: str, scan_id: str, roi: Any) -> Finding:
    name = str(roi.get("Name", "")).strip() if isinstance(roi, Mapping) else ""
    points = roi.get("Point_px", []) if isinstance(roi, Mapping) else None
    if not isinstance(points, list) or roi.get("NumberOfPoints", len(points)) != len(points):
        raise AnnotationError(f"{path}: points of {finding_id} are missing; get it again.")
    return Finding(
        finding_id=finding_id,
        scan_id=scan_id,
        kind=KINDS.get(name.casefold(), FindingKind.OTHER),
        roi=_outline(path, finding_id, points),
        descriptors=(name,) if name else (),
    )


def _outline(path: Path, finding_id: str, points: list[Any]) -> Outline | None:
    if not points:
        return None
    places = []
    for point in points:
        found = _POINT.fullmatch(point) if isinstance(point, str) else None
        if found is None:
            raise AnnotationError(
                f"{path}: a point of {finding_id} is {str(point)[:40]!r}, not (x, y); get it again."
            )
        # The archive counts x to the right and y downwards.
        places.append((float(found[2]), float(found[1])))
    rows_columns = np.array(places)
    if not (np.abs(rows_columns) < LARGEST_PX).all():
        raise AnnotationError(f"{path}: {finding_id} lies outside of any scan; get it again.")
    return Outline(rows_columns.astype(np.float32))
