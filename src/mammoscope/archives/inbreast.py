"""INbreast: 410 full-field digital scans with radiologists' outlines, from Porto.

The layout is that of the release of 2012 as its users describe it: ``AllDICOMs`` holds
``<file name>_<patient's hash>_MG_<L or R>_<CC, ML or FB>_ANON.dcm``, ``AllXML`` a property list of
outlines for each scan that has any, ``INbreast.csv`` (separated by semicolons, in later copies) or
``INbreast.xls`` a row a scan. Moreira et al. 2012 (Academic Radiology 19:236-248) tell of detector
and readers: a pixel is 70 micrometres, and what names call ML is mediolateral oblique.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from mammoscope.archives.archive import Archive
from mammoscope.archives.dicom_look import look
from mammoscope.archives.inbreast_outlines import read_outlines
from mammoscope.archives.label_tables import (
    Row,
    Table,
    file_problems,
    heading_of,
    read_csv,
    read_sheet,
    records_of,
    some,
)
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import Assessment, Laterality, SpacingSource, ViewPosition

NAME = "inbreast"
RELEASE = "INbreast Release 1.0"
TABLES = ("INbreast.csv", "INbreast.xls")
SCANS_FOLDER, OUTLINES_FOLDER = "AllDICOMs", "AllXML"
COLUMNS = ("Laterality", "View", "Acquisition date", "File Name", "ACR", "Bi-Rads")
VIEWS = {
    "CC": ViewPosition.CC,
    "ML": ViewPosition.MLO,
    "MLO": ViewPosition.MLO,
    "FB": ViewPosition.FB,
}
SPACING_MM = 0.07
LICENCE = "by agreement with its keepers (INESC Porto): research only, no redistribution"
CITATION = "Moreira et al. 2012, INbreast, Academic Radiology 19(2):236-248"
_SCAN = re.compile(r"(\d+)_([0-9a-z]+)_MG_([LR])_([A-Z]+)_ANON\.dcm", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _File:
    """What a scan's name says."""

    path: Path
    patient_id: str
    laterality: str
    view: str


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive: its table beside its folder of scans."""
    place = _release(folder)
    table = _table_of(place)
    if table is None or not (place / SCANS_FOLDER).is_dir():
        return False
    return table.suffix == ".xls" or set(COLUMNS) <= set(heading_of(table))


def read(folder: Path) -> Archive:
    """Read the archive in `folder` or in its folder ``INbreast Release 1.0``.

    Raises
    ------
    LayoutError
        When the folder holds no such table.
    MissingFileError
        When none of the scans that the table names is there.
    MissingDecoderError
        When there is only the Excel table, and nothing to read it with.
    AnnotationError
        When the table is no table at all; a damaged row or list of outlines is a problem instead,
        and is raised when the scans are asked for.
    """
    place = _release(folder)
    table = _read_table(place)
    files, strays = _files(place / SCANS_FOLDER)
    outlines, lost = _outlines(place / OUTLINES_FOLDER)
    made, problems, damage = records_of(table, lambda row: _scan(row, files, outlines))
    scans: dict[str, Scan] = {}
    named: set[str] = set()
    for row, (name, scan) in made:
        problems += _doubts(row, files.get(name), scan, again=name in named)
        named.add(name)
        if scan is not None:
            scans.setdefault(name, scan)
    if not scans:
        raise MissingFileError(
            f"{place / SCANS_FOLDER}: none of the scans that {table.path.name} names is there; "
            "put them there."
        )
    problems += [*strays, *lost, *file_problems(table.path, named - set(files), [], len(named))]
    problems += file_problems(table.path, [], (set(files) | set(outlines)) - named, len(named))
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(scans[name] for name in sorted(scans)),
        problems=tuple(problems),
        damage=damage or next((f"{p.where}: {p.what}; {p.remedy}." for p in lost), ""),
        look=look,
    )


def _release(folder: Path) -> Path:
    inner = folder / RELEASE
    return inner if inner.is_dir() else folder


def _table_of(place: Path) -> Path | None:
    return next((place / name for name in TABLES if (place / name).is_file()), None)


def _read_table(place: Path) -> Table:
    path = _table_of(place)
    if path is None:
        raise LayoutError(
            f"{place}: expected {' or '.join(TABLES)} beside {SCANS_FOLDER} and {OUTLINES_FOLDER}; "
            "give the folder that holds them."
        )
    table = read_sheet(path, COLUMNS) if path.suffix == ".xls" else read_csv(path, COLUMNS)
    # Below the scans, the Excel table has lines of sums and notes, which name no file.
    return replace(table, rows=tuple(row for row in table.rows if row["File Name"]))


def _files(place: Path) -> tuple[dict[str, _File], list[Problem]]:
    """Find the scans by file name, and tell of files whose names say nothing."""
    files: dict[str, _File] = {}
    strays: list[str] = []
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        name = _SCAN.fullmatch(path.name)
        if name is None or name[1] in files:
            strays += [] if path.name.startswith(".") else [path.name]
        else:
            files[name[1]] = _File(path, name[2].lower(), name[3].upper(), name[4].upper())
    if not strays:
        return files, []
    what = f"{len(strays)} files are no scans by their names, or there twice: {some(strays)}"
    return files, [Problem(where=str(place), what=what, remedy="they are left out")]


def _outlines(place: Path) -> tuple[dict[str, tuple[Finding, ...]], list[Problem]]:
    """Read the lists of outlines by file name, and tell which cannot be understood."""
    outlines: dict[str, tuple[Finding, ...]] = {}
    lost: list[Problem] = []
    # Beside a file, macOS keeps a hidden one, "._20586908.xml".
    for path in sorted(place.glob("[!.]*.xml")):
        try:
            outlines[path.stem] = read_outlines(path, path.stem)
        except AnnotationError as error:
            what = str(error).removeprefix(f"{path}: ").removesuffix("; get it again.")
            lost.append(Problem(where=str(path), what=what, remedy="get it again"))
            outlines[path.stem] = ()
    return outlines, lost


def _scan(
    row: Row, files: Mapping[str, _File], outlines: Mapping[str, tuple[Finding, ...]]
) -> tuple[str, Scan | None]:
    """Make the record of a row; None where its file is not there."""
    name = row["File Name"]
    assessment = Assessment(row["Bi-Rads"].upper())
    laterality = Laterality(row["Laterality"])
    file = files.get(name)
    if file is None:
        return name, None
    findings = outlines.get(name)
    free = assessment is Assessment.NEGATIVE and not findings
    return name, Scan(
        scan_id=name,
        archive=NAME,
        path=file.path,
        patient_id=file.patient_id,
        # The table knows the month; a patient who came twice in a month would count as once.
        exam_id=f"{file.patient_id}/{row['Acquisition date']}",
        laterality=laterality,
        view=VIEWS.get(row["View"].upper()),
        spacing_mm=(SPACING_MM, SPACING_MM),
        spacing_source=SpacingSource.ARCHIVE,
        breast_density=row["ACR"] or None,
        findings=() if free else findings,
        normal_ground=f"{NAME}: BI-RADS 1, nothing outlined" if free else None,
        facts=MappingProxyType(
            {"assessment": row["Bi-Rads"], "study_month": row["Acquisition date"]}
        ),
    )


def _doubts(row: Row, file: _File | None, scan: Scan | None, *, again: bool) -> Iterator[Problem]:
    """Tell what in a row contradicts itself, its file or the rows before it."""
    if again:
        yield Problem(
            where=row.where, what=f"a second row for {row['File Name']}", remedy="drop one"
        )
    if file is None or scan is None:
        return
    said = (scan.laterality, scan.view)
    if said != (file.laterality, VIEWS.get(file.view)):
        yield Problem(
            where=row.where,
            what=f"it says {row['Laterality']} {row['View']}, the file's name {file.path.name}",
            remedy="look at the scan; the table's word is used",
        )
    if scan.findings is None:
        yield Problem(
            where=row.where,
            what=f"{scan.scan_id} has BI-RADS {row['Bi-Rads']} and no list of outlines",
            remedy=f"get {OUTLINES_FOLDER} again; its findings count as unknown",
        )
