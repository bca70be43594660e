"""VinDr-Mammo: 5,000 exams of four digital scans from Hanoi, with boxes and BI-RADS by two readers.

The layout is that of version 1.0.0 at PhysioNet: ``images/<study_id>/<image_id>.dicom``,
``breast-level_annotations.csv`` with a row a scan, ``finding_annotations.csv`` with a row a box.
Nguyen et al. 2023 (Scientific Data 10:277) tell how it was read: only findings that are not benign
(BI-RADS 3 and more) have boxes, and nothing was proven by biopsy.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from mammoscope.archives.archive import Archive
from mammoscope.archives.dicom_look import look
from mammoscope.archives.label_tables import (
    Row,
    file_problems,
    heading_of,
    plain_name,
    read_csv,
    records_of,
)
from mammoscope.core.errors import LayoutError, MissingFileError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import Assessment, FindingKind, Laterality, Split, ViewPosition

NAME = "vindr-mammo"
SCANS_TABLE, FINDINGS_TABLE, SCANS_FOLDER = (
    "breast-level_annotations.csv",
    "finding_annotations.csv",
    "images",
)
COLUMNS = (
    *("study_id", "image_id", "laterality", "view_position", "height", "width"),
    *("breast_birads", "breast_density", "split"),
)
FINDING_COLUMNS = (
    *("study_id", "image_id", "height", "width", "finding_categories", "finding_birads"),
    *("xmin", "ymin", "xmax", "ymax"),
)
LICENCE = "PhysioNet Restricted Health Data License 1.5.0: no redistribution"
CITATION = (
    "Nguyen et al. 2023, VinDr-Mammo, Scientific Data 10:277; PhysioNet, doi 10.13026/br2v-7517"
)
SPLITS = {"training": Split.TRAIN, "test": Split.TEST}
FREE = "No Finding"
KINDS = {
    "Mass": FindingKind.MASS,
    "Suspicious Calcification": FindingKind.CALCIFICATION,
    "Architectural Distortion": FindingKind.ARCHITECTURAL_DISTORTION,
    "Asymmetry": FindingKind.ASYMMETRY,
    "Focal Asymmetry": FindingKind.ASYMMETRY,
    "Global Asymmetry": FindingKind.ASYMMETRY,
    "Skin Thickening": FindingKind.OTHER,
    "Skin Retraction": FindingKind.OTHER,
    "Nipple Retraction": FindingKind.OTHER,
    "Suspicious Lymph Node": FindingKind.OTHER,
}
"""In the order in which one names a box of several categories."""
_LIST = re.compile(r"\[('[A-Za-z ]+'(?:, ?'[A-Za-z ]+')*)\]")


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive, by the headings of its tables."""
    return set(COLUMNS) <= set(heading_of(folder / SCANS_TABLE)) and set(FINDING_COLUMNS) <= set(
        heading_of(folder / FINDINGS_TABLE)
    )


def read(folder: Path) -> Archive:
    """Read the archive in `folder`.

    Raises
    ------
    LayoutError
        When the folder holds no such tables.
    MissingFileError
        When none of the scans that the tables name is there.
    AnnotationError
        When a table is no text at all; a damaged row is a problem instead, and is raised when the
        scans are asked for.
    """
    if not (folder / SCANS_TABLE).is_file() or not (folder / FINDINGS_TABLE).is_file():
        raise LayoutError(
            f"{folder}: expected {SCANS_TABLE}, {FINDINGS_TABLE} and the folder {SCANS_FOLDER}; "
            "give the folder that holds them."
        )
    boxes = read_csv(folder / FINDINGS_TABLE, FINDING_COLUMNS)
    marked, problems, damage = records_of(boxes, _finding)
    findings: dict[str, list[Finding | None]] = defaultdict(list)
    for row, finding in marked:
        findings[row["image_id"]].append(finding)
    table = read_csv(folder / SCANS_TABLE, COLUMNS)
    made, more, other_damage = records_of(table, lambda row: _scan(folder, row, findings))
    problems += more
    scans: dict[str, Scan] = {}
    for row, scan in made:
        if scan.scan_id in scans:
            what = f"a second row for {scan.scan_id}"
            problems.append(Problem(where=row.where, what=what, remedy="drop one"))
        scans.setdefault(scan.scan_id, scan)
    problems += _boxes_without_scan(marked, scans)
    there = {path.stem: path for path in (folder / SCANS_FOLDER).glob("*/[!.]*.dicom")}
    present = [scans[name] for name in sorted(scans) if there.get(name) == scans[name].path]
    if scans and not present:
        raise MissingFileError(
            f"{folder / SCANS_FOLDER}: none of the scans that {SCANS_TABLE} names is there; "
            "put them there."
        )
    absent = [name for name in scans if there.get(name) != scans[name].path]
    problems += file_problems(table.path, absent, set(there) - set(scans), len(scans))
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(present),
        problems=tuple(problems),
        damage=damage or other_damage,
        look=look,
    )


def _scan(folder: Path, row: Row, findings: Mapping[str, list[Finding | None]]) -> Scan:
    study, name = plain_name(row["study_id"]), plain_name(row["image_id"])
    assessment = _assessment(row["breast_birads"])
    boxes = tuple(finding for finding in findings.get(name, ()) if finding is not None)
    # Benign findings have no boxes, so a breast of BI-RADS 2 without any is not free of findings.
    free = assessment is Assessment.NEGATIVE and name in findings and not boxes
    return Scan(
        scan_id=name,
        archive=NAME,
        path=folder / SCANS_FOLDER / study / f"{name}.dicom",
        # Nobody's exams are joined: as far as the archive tells, each is another patient's.
        patient_id=study,
        exam_id=study,
        laterality=Laterality(row["laterality"]),
        view=ViewPosition(row["view_position"]),
        breast_density=row["breast_density"].removeprefix("DENSITY ") or None,
        findings=boxes if boxes or free else None,
        normal_ground=f"{NAME}: BI-RADS 1 and no finding by two readers; no follow-up"
        if free
        else None,
        split=SPLITS[row["split"]],
        facts=MappingProxyType(
            {
                "assessment": row["breast_birads"],
                "film_rows": row["height"],
                "film_columns": row["width"],
            }
        ),
    )


def _finding(row: Row) -> Finding | None:
    """Make the finding of a row; None where the row says that there is none."""
    categories = _categories(row["finding_categories"])
    if categories == (FREE,):
        return None
    kinds = [kind for category, kind in KINDS.items() if category in categories]
    return Finding(
        # A scan's rows have no ids of their own; their lines in the table are theirs.
        finding_id=f"{row['image_id']}_line{row.where.rpartition(' ')[2]}",
        scan_id=row["image_id"],
        kind=kinds[0],
        roi=_box(row),
        assessment=_assessment(row["finding_birads"]) if row["finding_birads"] else None,
        descriptors=categories,
    )


def _categories(text: str) -> tuple[str, ...]:
    found = _LIST.fullmatch(text)
    names = tuple(name.strip(" '") for name in found[1].split(",")) if found else ()
    unknown = set(names) - set(KINDS) - {FREE}
    if not names or unknown or (FREE in names and len(names) > 1):
        raise ValueError(f"{text!r} is no list of findings known here")
    return names


def _box(row: Row) -> Box:
    left, top, right, bottom = (float(row[name]) for name in ("xmin", "ymin", "xmax", "ymax"))
    # Boxes were drawn by hand and some stand a few pixels over the edge.
    left, right = max(left, 0.0), min(right, float(row["width"]))
    top, bottom = max(top, 0.0), min(bottom, float(row["height"]))
    return Box(top, left, bottom - top, right - left)


def _assessment(text: str) -> Assessment:
    return Assessment(text.removeprefix("BI-RADS ").strip().upper())


def _boxes_without_scan(
    marked: list[tuple[Row, Finding | None]], scans: Mapping[str, Scan]
) -> Iterator[Problem]:
    for row, _ in marked:
        if row["image_id"] not in scans:
            yield Problem(
                where=row.where,
                what=f"{SCANS_TABLE} has no row for {row['image_id']}",
                remedy="get both tables again; it is left out",
            )
