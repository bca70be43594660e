"""Looking into an archive's scans that are DICOM files, or pictures made of them."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from mammoscope.archives.look import Look
from mammoscope.archives.pictures import pixel_digest, unreadable
from mammoscope.core.errors import MammoscopeError
from mammoscope.core.geometry import MaskFile, bounding_box
from mammoscope.core.records import Problem, Scan
from mammoscope.core.vocabulary import ViewPosition
from mammoscope.formats.dicom import read_dicom
from mammoscope.formats.dicom_facts import DicomFacts
from mammoscope.formats.raster import is_raster, read_raster

SPACING_TOLERANCE = 0.02
"""How far an archive's spacing and a header's may differ, as a share."""
ALIKE = {ViewPosition.ML, ViewPosition.MLO}
"""Archives write ML where they mean MLO, and headers follow either."""


def look(scan: Scan) -> Look:
    """Decode a scan's pixels, and compare its header with what the archive says."""
    try:
        image, facts = _read(scan)
    except MammoscopeError as error:
        return Look(problems=(unreadable(scan, error),))
    problems = (*_outside(scan, image), *(_contradictions(scan, facts) if facts else ()))
    return Look(problems=problems, digest=pixel_digest(image))


def _read(scan: Scan) -> tuple[NDArray[Any], DicomFacts | None]:
    head = b""
    if scan.path.is_file():
        with scan.path.open("rb") as stream:
            head = stream.read(16)
    if is_raster(head):
        return read_raster(scan.path), None
    dicom = read_dicom(scan.path, for_processing="raw", vouched=True)
    return dicom.stored, dicom.facts


def _outside(scan: Scan, image: NDArray[Any]) -> Iterator[Problem]:
    rows, columns = image.shape
    for finding in scan.findings or ():
        if finding.roi is None or isinstance(finding.roi, MaskFile):
            continue
        box = bounding_box(finding.roi)
        if box.top < -1 or box.left < -1 or box.bottom > rows + 1 or box.right > columns + 1:
            yield Problem(
                where=str(scan.path),
                what=f"finding {finding.finding_id} leaves the scan of {rows} x {columns} pixels",
                remedy="get scan and table again: one of the two is another size",
            )


def _contradictions(scan: Scan, facts: DicomFacts) -> Iterator[Problem]:
    if scan.laterality and facts.laterality and scan.laterality != facts.laterality:
        yield _contradiction(scan, "laterality", scan.laterality, facts.laterality)
    views = {scan.view, facts.view} - {None}
    if len(views) == 2 and views != ALIKE:
        yield _contradiction(scan, "view", str(scan.view), str(facts.view))
    if scan.spacing_mm and facts.spacing_mm:
        pairs = zip(scan.spacing_mm, facts.spacing_mm, strict=True)
        if any(abs(theirs / ours - 1) > SPACING_TOLERANCE for ours, theirs in pairs):
            yield _contradiction(
                scan, "spacing in mm", f"{scan.spacing_mm[0]:.4g}", f"{facts.spacing_mm[0]:.4g}"
            )


def _contradiction(scan: Scan, what: str, ours: str, theirs: str) -> Problem:
    return Problem(
        where=str(scan.path),
        what=f"the archive says {what} {ours}, the header {theirs}",
        remedy="look at the scan; the archive's word is used",
    )
