"""The masses of CBIS-DDSM's official training part as pictures of 800 x 800 pixels, with boxes.

The pictures were squashed to squares. Nothing is resized here: a scan's record carries the spacing
of the squashed grid, whose rows and columns differ, and resampling by it undoes the squash.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
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

NAME = "cbis-ddsm-800"
TABLE = "labels.csv"
SIDE_PX = 800
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
    table = folder / TABLE
    if not table.is_file():
        return False
    with table.open(encoding="utf-8", newline="") as stream:
        heading = next(csv.reader(stream), [])
    return set(COLUMNS) <= set(heading)


def read(folder: Path) -> Archive:
    """Read the archive in `folder`.

    Raises
    ------
    LayoutError
        When the folder holds no such table.
    AnnotationError
        When a row of the table cannot be understood.
    """
    if not is_here(folder):
        raise LayoutError(
            f"{folder}: expected {TABLE} with the columns of {NAME} "
            f"({', '.join(COLUMNS[:5])}, ...); "
            "give the folder that holds it."
        )
    scans: list[Scan] = []
    problems: list[Problem] = []
    for line, row in _rows(folder / TABLE):
        try:
            scan = _scan(folder, row)
        except (ValueError, KeyError, TypeError) as error:
            raise AnnotationError(
                f"{folder / TABLE}, line {line}: the row of {row.get('file')!r} cannot be "
                f"understood ({error}); get the table again."
            ) from error
        if scan.path.is_file():
            scans.append(scan)
        else:
            problems.append(
                Problem(where=str(scan.path), what="the picture is missing", remedy="get it again")
            )
    if not scans:
        raise MissingFileError(f"{folder}: none of the pictures that {TABLE} names is there.")
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(sorted(scans, key=lambda scan: scan.scan_id)),
        problems=tuple(problems),
    )


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with table.open(encoding="utf-8", newline="") as stream:
        yield from enumerate(csv.DictReader(stream), start=2)


def _scan(folder: Path, row: Mapping[str, str]) -> Scan:
    scan_id = f"{row['patient_id']}_{row['side']}_{row['view']}"
    known = row["spacing_um"] != ""
    spacing_um = float(row["spacing_um"]) if known else ASSUMED_UM
    per_pixel_mm = spacing_um / 1000 / SIDE_PX
    return Scan(
        scan_id=scan_id,
        archive=NAME,
        path=folder / row["file"],
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
        facts=MappingProxyType(
            {"ddsm_case": row["ddsm_case"], "spacing_from": row["spacing_from"]}
        ),
    )


def _findings(scan_id: str, row: Mapping[str, str]) -> Iterator[Finding]:
    """One finding a box; columns that differ by lesion hold one value each, joined by bars."""
    boxes = json.loads(row["boxes_xywh_800"])
    for index, (left, top, width, height) in enumerate(boxes):
        own = {key: _by_lesion(row, key, index, len(boxes)) for key in BY_LESION}
        yield Finding(
            finding_id=f"{scan_id}_{index + 1}",
            scan_id=scan_id,
            kind=FindingKind.MASS,
            roi=Box(top, left, height, width),
            pathology=PATHOLOGIES[own["pathologies"]],
            assessment=Assessment(own["assessment"]),
            subtlety=int(own["subtlety"]),
            descriptors=tuple(
                own[key] for key in ("mass_shape", "mass_margins", "pathologies") if own[key]
            ),
        )


def _by_lesion(row: Mapping[str, str], key: str, index: int, count: int) -> str:
    values = row[key].split("|")
    if len(values) != count:
        raise ValueError(f"{key} has {len(values)} values for {count} boxes")
    return values[index]
