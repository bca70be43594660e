"""Sizes of findings in pixels of the full film and in millimetres, and their summary."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammoscope.archives.archive import Archive
from mammoscope.archives.cbis_heads import read_head
from mammoscope.core.errors import MammoscopeError
from mammoscope.core.geometry import Box, Circle, MaskFile
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import Pathology
from mammoscope.formats.masks import box_of
from mammoscope.scans.load import load

FULL_SIZE = "film_rows", "film_columns"
"""Facts under which `ddsm-299` keeps the film's own size."""
SHRUNK = {"cbis-ddsm-800": 800, "ddsm-299": 299, "mini-mias": 1024}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a finding is.

    Attributes
    ----------
    longest_px : longer side of the box round it, in pixels of the film at full size; None where
        its picture was shrunk by nobody knows how much
    longest_mm : None where the scan's spacing is not known
    radius_px : of a circle, in pixels of the scan's file
    unread : why its mask could not be read; "" otherwise
    """

    finding_id: str
    pathology: Pathology | None
    longest_px: float | None = None
    longest_mm: float | None = None
    radius_px: float | None = None
    unread: str = ""


def lesion_sizes(archive: Archive) -> tuple[Size, ...]:
    """Measure the findings of an archive that have a place.

    Raises
    ------
    AnnotationError
        When a line of the annotations is damaged.
    """
    return tuple(
        _size(scan, finding)
        for scan in archive.scans()
        for finding in scan.findings or ()
        if finding.roi is not None
    )


def summary(values: Sequence[float]) -> dict[str, float | int | None]:
    """Summarise: `n`, `mean`, `deviation` (n - 1; None for one value), `median`, `least`, `most`.

    Raises
    ------
    ValueError
        When there is no value.
    """
    if not values:
        raise ValueError("there is nothing to summarise")
    array = np.asarray(values, dtype=np.float64)
    return {
        "n": len(array),
        "mean": float(array.mean()),
        "deviation": float(array.std(ddof=1)) if len(array) > 1 else None,
        "median": float(np.median(array)),
        "least": float(array.min()),
        "most": float(array.max()),
    }


def in_bins(values: Sequence[float], edges: NDArray[np.float64]) -> list[int]:
    """Count values in bins that hold their lower edge and not their upper; others are left out."""
    places = np.searchsorted(edges, np.asarray(values, dtype=np.float64), side="right") - 1
    inside = places[(places >= 0) & (places < len(edges) - 1)]
    counts: list[int] = np.bincount(inside, minlength=len(edges) - 1).tolist()
    return counts


def _size(scan: Scan, finding: Finding) -> Size:
    roi = finding.roi
    assert roi is not None
    try:
        box = box_of(roi, _shape_of(scan) if isinstance(roi, MaskFile) else (0, 0))
    except MammoscopeError as error:
        return Size(finding_id=finding.finding_id, pathology=finding.pathology, unread=str(error))
    return Size(
        finding_id=finding.finding_id,
        pathology=finding.pathology,
        longest_px=_longest_px(scan, box),
        longest_mm=_longest_mm(scan, box),
        radius_px=roi.radius if isinstance(roi, Circle) else None,
    )


def _longest_mm(scan: Scan, box: Box) -> float | None:
    if scan.spacing_mm is None:
        return None
    return max(box.height * scan.spacing_mm[0], box.width * scan.spacing_mm[1])


def _longest_px(scan: Scan, box: Box) -> float | None:
    """Longer side of a box on the film at full size."""
    side = SHRUNK.get(scan.archive)
    if side is None:
        return max(box.height, box.width)
    rows, columns = (scan.facts.get(name) for name in FULL_SIZE)
    if not (rows and columns):
        return None
    return max(box.height * float(rows) / side, box.width * float(columns) / side)


def _shape_of(scan: Scan) -> tuple[int, int]:
    """(rows, columns) of a scan, from its header where that is enough."""
    head = read_head(scan.path)
    if head is not None:
        return head.shape_px
    rows, columns = load(scan).image.shape
    return rows, columns
