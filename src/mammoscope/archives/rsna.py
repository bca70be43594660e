"""RSNA's screening challenge of 2022: 54,706 digital scans from two sites, cancer by breast.

The layout is that of the competition's download: ``train.csv`` with a row a scan and
``train_images/<patient_id>/<image_id>.dcm`` (or ``.png``, converted copies). RSNA's page on the
challenge data names the columns: ``cancer`` says whether the breast was positive for malignant
cancer; ``BIRADS`` is 0 where the breast needed follow-up, 1 where it was rated negative for cancer,
2 where it was rated normal.
"""

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
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, ViewPosition

NAME = "rsna"
TABLE, SCANS_FOLDER = "train.csv", "train_images"
COLUMNS = (
    *("site_id", "patient_id", "image_id", "laterality", "view", "age", "cancer", "biopsy"),
    *("invasive", "BIRADS", "implant", "density", "machine_id", "difficult_negative_case"),
)
KEPT = ("site_id", "age", "biopsy", "implant", "machine_id", "difficult_negative_case")
LICENCE = "RSNA's terms for the challenge: non-commercial research and education only"
CITATION = (
    "Carr et al. 2022, RSNA Screening Mammography Breast Cancer Detection, Radiological Society of "
    "North America and Kaggle"
)
RATED_NEGATIVE = "1"
"""In BI-RADS, 2 is a benign finding; the challenge's page calls it normal, which may be either."""
ENDINGS = (".dcm", ".png")


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive, by the heading of its table."""
    return set(COLUMNS) <= set(heading_of(folder / TABLE))


def read(folder: Path) -> Archive:
    """Read the archive's training part in `folder`; its test part has no labels.

    Raises
    ------
    LayoutError
        When the folder holds no such table.
    MissingFileError
        When none of the scans that the table names is there.
    AnnotationError
        When the table is no text at all; a damaged row is a problem instead, and is raised when the
        scans are asked for.
    """
    table_path = folder / TABLE
    if not table_path.is_file():
        raise LayoutError(
            f"{folder}: expected {TABLE} and the folder {SCANS_FOLDER}; "
            "give the folder that holds them."
        )
    table = read_csv(table_path, COLUMNS)
    files = _files(folder / SCANS_FOLDER)
    made, problems, damage = records_of(table, lambda row: _scan(row, files))
    scans: dict[str, Scan | None] = {}
    for row, (name, scan) in made:
        if name in scans:
            what = f"a second row for {name}"
            problems.append(Problem(where=row.where, what=what, remedy="drop one"))
        scans.setdefault(name, scan)
    there = {name: scan for name, scan in scans.items() if scan is not None}
    if scans and not there:
        raise MissingFileError(
            f"{folder / SCANS_FOLDER}: none of the scans that {TABLE} names is there; "
            "put them there."
        )
    problems += file_problems(
        table_path, set(scans) - set(there), set(files) - set(scans), len(scans)
    )
    problems += _torn(table_path, there)
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(there[name] for name in sorted(there)),
        problems=tuple(problems),
        damage=damage,
        look=look,
    )


def _files(place: Path) -> dict[str, Path]:
    """Find the scans as ``patient/image``; a DICOM file wins over a picture made from it."""
    files: dict[str, Path] = {}
    for path in sorted(place.glob("*/[!.]*"), reverse=True):
        # ".dcm" sorts before ".png", and is laid over it here.
        if path.suffix.lower() in ENDINGS:
            files[f"{path.parent.name}/{path.stem}"] = path
    return files


def _scan(row: Row, files: Mapping[str, Path]) -> tuple[str, Scan | None]:
    """Make the record of a row; None where its file is not there."""
    patient, image = plain_name(row["patient_id"]), plain_name(row["image_id"])
    name = f"{patient}/{image}"
    cancer, rating = _yes_or_no(row, "cancer"), row["BIRADS"].removesuffix(".0")
    if rating not in ("", "0", "1", "2"):
        raise ValueError(f"BIRADS is {row['BIRADS']!r}; expected 0, 1, 2 or nothing")
    laterality = Laterality(row["laterality"])
    path = files.get(name)
    if path is None:
        return name, None
    findings = (_cancer(row, name),) if cancer else None
    free = not cancer and rating == RATED_NEGATIVE
    view = row["view"]
    return name, Scan(
        scan_id=name,
        archive=NAME,
        path=path,
        patient_id=patient,
        # The table knows no dates: all scans of a patient count as one exam.
        exam_id=patient,
        laterality=laterality,
        view=ViewPosition(view) if view in set(ViewPosition) else None,
        breast_density=row["density"] or None,
        findings=() if free else findings,
        normal_ground=f"{TABLE}: BIRADS 1 (rated negative) and cancer 0" if free else None,
        facts=MappingProxyType(_facts(row, rating)),
    )


def _facts(row: Row, rating: str) -> dict[str, str]:
    kept = {column: row[column] for column in KEPT if row[column]}
    return {**kept, **({"assessment": rating} if rating else {}), "view": row["view"]}


def _cancer(row: Row, name: str) -> Finding:
    """Make the finding of a breast with cancer; the archive does not say of what kind and where."""
    return Finding(
        finding_id=f"{name}_1",
        scan_id=name,
        kind=FindingKind.OTHER,
        pathology=Pathology.MALIGNANT,
        descriptors=("invasive" if _yes_or_no(row, "invasive") else "not invasive",),
    )


def _yes_or_no(row: Row, column: str) -> bool:
    value = row[column].removesuffix(".0")
    if value not in ("0", "1"):
        raise ValueError(f"{column} is {row[column]!r}; expected 0 or 1")
    return value == "1"


def _torn(table: Path, scans: Mapping[str, Scan]) -> Iterator[Problem]:
    """Tell of breasts whose rows disagree, since cancer was noted by breast."""
    breasts: dict[str, set[bool]] = {}
    for scan in scans.values():
        breasts.setdefault(scan.breast_id, set()).add(scan.pathology is Pathology.MALIGNANT)
    for breast, said in sorted(breasts.items()):
        if len(said) > 1:
            yield Problem(
                where=str(table),
                what=f"breast {breast} has cancer in some rows and not in others",
                remedy="get the table again",
            )
