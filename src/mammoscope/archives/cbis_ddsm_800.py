"""The masses of CBIS-DDSM's official training part as pictures of 800 x 800 pixels, with boxes.

The pictures were squashed to squares. Nothing is resized here: a scan's record carries the spacing
of the squashed grid, whose rows and columns differ, and resampling by it undoes the squash.
"""

import json
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from types import MappingProxyType

from mammoscope.archives.archive import Archive
from mammoscope.archives.label_tables import Row, heading_of, read_csv, records_of
from mammoscope.archives.look import Look
from mammoscope.archives.pictures import file_named, look_at
from mammoscope.core.errors import LayoutError, MissingFileError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding, Problem, Scan
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
from mammoscope.formats.cbis_spacing import match_of
from mammoscope.formats.one_line import one_line

NAME = "cbis-ddsm-800"
TABLE = "labels.csv"
SIDE_PX = 800
SCANS, PATIENTS = 1231, 691
"""Size of the whole official training part of the masses."""
ASSUMED_UM = 47.7
"""Mean spacing of the 1,099 scans of the training part whose film is known."""
LICENCE = "CC BY 3.0"
CITATION = "Lee et al. 2017, Scientific Data 4:170177; Clark et al. 2013, J Digit Imaging 26:1045"
COLUMNS = (
    "file",
    "split",
    "patient_id",
    "side",
    "view",
    "pathologies",
    "assessment",
    "breast_density",
    "mass_shape",
    "mass_margins",
    "subtlety",
    "boxes_xywh_800",
    "rows_full",
    "columns_full",
    "spacing_um",
    "spacing_from",
    "ddsm_case",
)
BY_LESION = ("pathologies", "assessment", "mass_shape", "mass_margins", "subtlety")
SIDES = {"LEFT": Laterality.LEFT, "RIGHT": Laterality.RIGHT}
PATHOLOGIES = {
    "MALIGNANT": Pathology.MALIGNANT,
    "BENIGN": Pathology.BENIGN,
    "BENIGN_WITHOUT_CALLBACK": Pathology.BENIGN,
}


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive, by the heading of its table."""
    return set(COLUMNS) <= set(heading_of(folder / TABLE))


def read(folder: Path) -> Archive:
    """Read the archive in `folder`.

    Raises
    ------
    LayoutError
        When the folder holds no such table.
    MissingFileError
        When none of the pictures that the table names is there.
    AnnotationError
        When the table is no text at all; a damaged row is a problem instead, and is raised when the
        scans are asked for.
    """
    table = folder / TABLE
    if not table.is_file():
        raise LayoutError(
            f"{folder}: expected {TABLE} and the pictures that it names; "
            "give the folder that holds them."
        )
    made, problems, damage = records_of(read_csv(table, COLUMNS), lambda row: _scan(folder, row))
    scans: dict[str, Scan] = {}
    for row, scan in made:
        problems.extend(_doubts(row.where, scan, again=scan.scan_id in scans))
        scans.setdefault(scan.scan_id, scan)
    there = {scan_id: scan for scan_id, scan in scans.items() if scan.path.is_file()}
    if scans and not there:
        raise MissingFileError(
            f"{folder}: none of the pictures that {TABLE} names is there; get them again."
        )
    problems.extend(_incomplete(table, scans, there))
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(there[scan_id] for scan_id in sorted(there)),
        problems=tuple(problems),
        damage=damage,
        look=_look,
    )


def _look(scan: Scan) -> Look:
    return look_at(scan, (SIDE_PX, SIDE_PX))[0]


def _doubts(where: str, scan: Scan, *, again: bool) -> Iterator[Problem]:
    """Tell what in a row contradicts itself or the rows before it."""
    if again:
        yield Problem(where=where, what=f"a second row for {scan.scan_id}", remedy="drop one")
    if f"P_{scan.path.stem}" != scan.scan_id:
        yield Problem(
            where=where,
            what=f"{scan.path.name} does not fit patient, side and view {scan.scan_id}",
            remedy="get the table again: one of the two is wrong",
        )
    yield from (
        Problem(
            where=where,
            what=f"the box of {finding.finding_id} leaves the picture",
            remedy="get the table again",
        )
        for finding in scan.findings or ()
        if isinstance(finding.roi, Box) and not _is_inside(finding.roi)
    )


def _is_inside(box: Box) -> bool:
    return box.top >= 0 and box.left >= 0 and box.bottom <= SIDE_PX and box.right <= SIDE_PX


def _incomplete(
    table: Path, named: Mapping[str, Scan], there: Mapping[str, Scan]
) -> Iterator[Problem]:
    for scan_id, scan in named.items():
        if scan_id not in there:
            yield Problem(
                where=str(scan.path), what="the picture is missing", remedy="get it again"
            )
    patients = {scan.patient_id for scan in named.values()}
    if (len(named), len(patients)) != (SCANS, PATIENTS):
        yield Problem(
            where=str(table),
            what=f"{len(named)} scans of {len(patients)} patients; the whole part has {SCANS} of "
            f"{PATIENTS}",
            remedy="get the table again, or go on with a part",
        )
    people: dict[str, set[str]] = {}
    for scan in named.values():
        people.setdefault(scan.facts["ddsm_case"], set()).add(scan.patient_id)
    for ddsm_case, ids in people.items():
        if ddsm_case and len(ids) > 1:
            yield Problem(
                where=str(table),
                what=f"{', '.join(sorted(ids))} are one person, DDSM's {ddsm_case}",
                remedy="keep them in one part when the patients are split",
            )


def _scan(folder: Path, row: Row) -> Scan:
    file = file_named(row["file"])
    scan_id = f"{row['patient_id']}_{row['side']}_{row['view']}"
    known = row["spacing_um"] != ""
    spacing_um = float(row["spacing_um"]) if known else ASSUMED_UM
    per_pixel_mm = spacing_um / 1000 / SIDE_PX
    return Scan(
        scan_id=scan_id,
        archive=NAME,
        path=folder / file,
        patient_id=row["patient_id"],
        # The tables know no dates: all scans of a patient count as one exam.
        exam_id=row["patient_id"],
        laterality=SIDES[row["side"]],
        view=ViewPosition(row["view"]),
        spacing_mm=(int(row["rows_full"]) * per_pixel_mm, int(row["columns_full"]) * per_pixel_mm),
        spacing_source=SpacingSource.DDSM_JOIN if known else SpacingSource.ASSUMED,
        intent=Intent.FILM,
        breast_density=row["breast_density"] or None,
        findings=tuple(_findings(scan_id, row)),
        split=Split(row["split"]),
        facts=MappingProxyType(_facts(scan_id, row)),
    )


def _facts(scan_id: str, row: Row) -> dict[str, str]:
    facts = {"ddsm_case": row["ddsm_case"], "spacing_from": row["spacing_from"]}
    match = match_of(scan_id)
    # A table that names another film is believed, and of that film no scanner is known here.
    if match and match.scanner and match.ddsm_case == row["ddsm_case"]:
        facts["scanner"] = match.scanner
    return facts


def _findings(scan_id: str, row: Row) -> Iterator[Finding]:
    """One finding a box; columns that differ by lesion hold one value each, joined by bars."""
    boxes = _boxes(row["boxes_xywh_800"])
    for index, (left, top, width, height) in enumerate(boxes):
        own = {key: _by_lesion(row, key, index, len(boxes)) for key in BY_LESION}
        yield Finding(
            finding_id=f"{scan_id}_{index + 1}",
            scan_id=scan_id,
            kind=FindingKind.MASS,
            roi=Box(top, left, height, width),
            pathology=PATHOLOGIES[own["pathologies"]],
            assessment=Assessment(own["assessment"]),
            # DDSM rates from 1, subtle, to 5, obvious; 0 stands where nothing was noted.
            subtlety=int(own["subtlety"]) or None,
            descriptors=tuple(
                own[key] for key in ("mass_shape", "mass_margins", "pathologies") if own[key]
            ),
        )


def _boxes(text: str) -> list[list[float]]:
    try:
        boxes: list[list[float]] = json.loads(text)
        if all(isfinite(sum(box)) and len(box) == 4 for box in boxes):
            return boxes
    except (ValueError, TypeError, RecursionError):
        pass
    raise ValueError(f"{one_line(text)!r} is no list of boxes of four numbers")


def _by_lesion(row: Row, key: str, index: int, count: int) -> str:
    values = row[key].split("|")
    if len(values) != count:
        raise ValueError(f"{key} has {len(values)} values for {count} boxes")
    return values[index]
