"""CMMD: 5,202 digital scans of 1,775 patients from China, benign or malignant by biopsy.

The layout is that of The Cancer Imaging Archive: folders of any names (patients, studies, series,
``1-1.dcm``), whose headers say patient (D1-0001, D2-0001), side and view; beside them
``CMMD_clinicaldata_revision.xlsx``, or the same saved as ``.csv``, with a row a breast: ID1,
LeftRight, Age, number, abnormality, classification, subtype. Cui et al. 2021 (The Chinese
Mammography Database, doi 10.7937/tcia.eqde-4b16): the classification was proven by biopsy.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from mammoscope.archives.archive import Archive
from mammoscope.archives.dicom_folder import scan_of, why_left_out
from mammoscope.archives.dicom_headers import files_below, headers_of
from mammoscope.archives.dicom_look import look
from mammoscope.archives.label_tables import (
    Row,
    Table,
    heading_of,
    read_csv,
    read_sheet,
    records_of,
    some,
)
from mammoscope.core.errors import LayoutError, MissingFileError
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology

NAME = "cmmd"
SHEET = "CMMD_clinicaldata_revision.xlsx"
TABLE = "CMMD_clinicaldata_revision.csv"
COLUMNS = ("ID1", "LeftRight", "Age", "abnormality", "classification", "subtype")
LICENCE = "CC BY 4.0"
CITATION = (
    "Cui et al. 2021, The Chinese Mammography Database (CMMD), The Cancer Imaging Archive, "
    "doi 10.7937/tcia.eqde-4b16; Clark et al. 2013, J Digit Imaging 26:1045"
)
PATHOLOGIES = {"benign": Pathology.BENIGN, "malignant": Pathology.MALIGNANT}
KINDS = {
    "mass": FindingKind.MASS,
    "calcification": FindingKind.CALCIFICATION,
    "both": FindingKind.MASS,
}
"""Of a breast with both, it is not known which was proven; its finding is called the mass."""
Breast = tuple[str, Laterality | None]


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive, by its table's name or heading."""
    return (folder / SHEET).is_file() or {"ID1", "LeftRight", "classification"} <= set(
        heading_of(folder / TABLE)
    )


def read(folder: Path) -> Archive:
    """Read the archive in `folder`; a table saved as CSV wins over the Excel one.

    Raises
    ------
    LayoutError
        When the folder holds no such table.
    MissingFileError
        When none of the scans of the patients that the table names is there.
    MissingDecoderError
        When there is only the Excel table, and nothing to read it with.
    AnnotationError
        When the table is no table at all; a damaged row is a problem instead, and is raised when
        the scans are asked for.
    """
    table = _read_table(folder)
    made, problems, damage = records_of(table, _breast)
    breasts: dict[Breast, Row] = {}
    for row, breast in made:
        if breast in breasts:
            what = f"a second row for {row['ID1']} {row['LeftRight']}"
            problems.append(Problem(where=row.where, what=what, remedy="drop one"))
        breasts.setdefault(breast, row)
    scans, more = _scans(folder, breasts)
    problems += [*more, *_unmatched(table.path, breasts, scans)]
    if not scans:
        raise MissingFileError(
            f"{folder}: no scan of a patient that {table.path.name} names is there; put the "
            "folders of the download beside the table."
        )
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(scans[name] for name in sorted(scans)),
        problems=tuple(problems),
        damage=damage,
        look=look,
    )


def _read_table(folder: Path) -> Table:
    if (folder / TABLE).is_file():
        return read_csv(folder / TABLE, COLUMNS)
    if (folder / SHEET).is_file():
        return read_sheet(folder / SHEET, COLUMNS)
    raise LayoutError(
        f"{folder}: expected {SHEET}, or the same saved as {TABLE}, beside the folders of scans; "
        "give the folder that holds them."
    )


def _breast(row: Row) -> Breast:
    if not row["ID1"]:
        raise ValueError("ID1 is empty")
    for column, words in (("classification", PATHOLOGIES), ("abnormality", KINDS)):
        if row[column].lower() not in words:
            raise ValueError(f"{column} is {row[column]!r}; expected {', '.join(words)}")
    return row["ID1"], Laterality(row["LeftRight"])


def _scans(folder: Path, breasts: Mapping[Breast, Row]) -> tuple[dict[str, Scan], list[Problem]]:
    patients = {patient for patient, _ in breasts}
    files, problems = files_below(folder)
    scans: dict[str, Scan] = {}
    strangers: set[str] = set()
    for path, facts in headers_of(files):
        if isinstance(facts, Problem):
            problems.append(facts)
        elif (unfit := why_left_out(facts)) is not None:
            problems.append(Problem(where=str(path), what=unfit, remedy="it is left out"))
        elif facts.patient_id not in patients:
            strangers.add(facts.patient_id or "unknown")
        else:
            scan = _labelled(scan_of(folder, path, facts), breasts)
            problems += _doubts(scan, scans.get(scan.scan_id))
            scans.setdefault(scan.scan_id, scan)
    if strangers:
        what = f"scans of patients whom the table does not name: {some(sorted(strangers))}"
        problems.append(Problem(where=str(folder), what=what, remedy="they are left out"))
    return scans, problems


def _labelled(scan: Scan, breasts: Mapping[Breast, Row]) -> Scan:
    """Give a scan what the table says of its breast; findings None where it says nothing."""
    row = breasts.get((scan.patient_id, scan.laterality))
    named = scan.laterality and scan.view
    name = f"{scan.patient_id}_{scan.laterality}_{scan.view}" if named else scan.scan_id
    facts = dict(scan.facts) if row is None else {**scan.facts, "age": row["Age"]}
    return replace(
        scan,
        scan_id=name,
        archive=NAME,
        # Each patient came once.
        exam_id=scan.patient_id,
        findings=None if row is None else (_finding(name, row),),
        facts=MappingProxyType(facts),
    )


def _finding(scan_id: str, row: Row) -> Finding:
    words = (row["abnormality"], row["classification"], row["subtype"])
    return Finding(
        finding_id=f"{scan_id}_1",
        scan_id=scan_id,
        kind=KINDS[row["abnormality"].lower()],
        pathology=PATHOLOGIES[row["classification"].lower()],
        descriptors=tuple(word for word in words if word),
    )


def _doubts(scan: Scan, twin: Scan | None) -> Iterator[Problem]:
    if twin is not None:
        yield Problem(
            where=str(scan.path),
            what=f"a second scan {scan.scan_id}, after {twin.path}",
            remedy="take one of the two away; this one is left out",
        )
    if scan.laterality is None or scan.view is None:
        yield Problem(
            where=str(scan.path),
            what="the header does not say side and view",
            remedy="get it again: what its breast has is not known",
        )


def _unmatched(
    table: Path, breasts: Mapping[Breast, Row], scans: Mapping[str, Scan]
) -> Iterator[Problem]:
    shown = {(scan.patient_id, scan.laterality) for scan in scans.values()}
    absent = sorted(
        f"{patient} {side}" for patient, side in breasts if (patient, side) not in shown
    )
    if absent:
        yield Problem(
            where=str(table),
            what=f"{len(absent)} of the {len(breasts)} breasts it names have no scan here: "
            f"{some(absent)}",
            remedy="get them, or go on without",
        )
