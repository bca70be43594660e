"""The files of a CBIS-DDSM download, sorted by the scan or abnormality that they belong to.

Two layouts are published: folders with the archive's own names, ``Mass-Training_P_00001_LEFT_CC_1/
STUDY/SERIES/1-1.dcm``, where study and series are UIDs or texts; and folders with UIDs alone beside
the data retriever's ``metadata.csv``. Files that lie elsewhere are asked for their PatientID, which
holds the same name.
"""

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mammoscope.archives.cbis_heads import read_head
from mammoscope.archives.cbis_tables import TABLES, Series, parse_series
from mammoscope.core.records import Problem

COLLECTION = "CBIS-DDSM"
METADATA = "metadata.csv"
Files = Mapping[Series, tuple[Path, ...]]
"""The files of each scan and of each abnormality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Every file under a folder that matters: DICOM files by folder, tables by lower-case name."""

    dicom: Mapping[Path, tuple[Path, ...]]
    tables: Mapping[str, Path]
    metadata: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """DICOM files by the series whose name they bear, and what could not be sorted."""

    files: Files
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class _Metadata:
    """What ``metadata.csv`` says of series: by UID, and by the folder that it gives them."""

    by_uid: dict[str, Series] = field(default_factory=dict)
    by_folder: dict[Path, Series] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def list_files(folder: Path) -> Listing:
    """Find the tables and the DICOM files under a folder; opens none of them."""
    dicom: dict[Path, tuple[Path, ...]] = {}
    tables: dict[str, Path] = {}
    metadata: list[Path] = []
    for place, folders, names in os.walk(folder):
        # Hidden ones are of the system's making: beside a scan, macOS keeps "._1-1.dcm".
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = [name for name in names if not name.startswith(".")]
        here = Path(place)
        images = sorted(name for name in names if name.lower().endswith(".dcm"))
        if images:
            dicom[here] = tuple(here / name for name in images)
        for name in names:
            if name.lower() in TABLES:
                tables.setdefault(name.lower(), here / name)
            elif name.lower() == METADATA:
                metadata.append(here / name)
    return Listing(dicom=dicom, tables=tables, metadata=tuple(metadata))


def sort_files(folder: Path, listing: Listing, by_uid: Mapping[str, Series]) -> Sorted:
    """Sort DICOM files by the names of folders, then by UIDs, then by their headers.

    Parameters
    ----------
    folder : the archive's
    listing : of that folder
    by_uid : what the archive's tables say of UIDs
    """
    metadata = _read_metadata(listing)
    uids = {**by_uid, **metadata.by_uid}
    files: dict[Series, list[Path]] = {}
    strays: list[Path] = []
    for place, paths in listing.dicom.items():
        series = _of_folder(place.relative_to(folder), uids) or metadata.by_folder.get(place)
        for path in paths:
            own = series or _of_header(path)
            if own is None:
                strays.append(path)
            else:
                files.setdefault(own, []).append(path)
    return Sorted(
        files={series: tuple(paths) for series, paths in files.items()},
        problems=(*metadata.problems, *_strays(strays)),
    )


def _of_folder(place: Path, uids: Mapping[str, Series]) -> Series | None:
    # A name goes before a UID: it is the archive's own word for that folder.
    inmost = tuple(reversed(place.parts))
    told = (*(parse_series(part) for part in inmost), *(uids.get(part) for part in inmost))
    return next((series for series in told if series is not None), None)


def _of_header(path: Path) -> Series | None:
    head = read_head(path)
    return parse_series(head.patient_id) if head else None


def _strays(paths: list[Path]) -> Iterator[Problem]:
    for path in paths:
        yield Problem(
            where=str(path),
            what="neither its folder nor its header names a scan of CBIS-DDSM",
            remedy="take it away, or get metadata.csv and the four tables; it is left out",
        )


def _read_metadata(listing: Listing) -> _Metadata:
    known = _Metadata()
    by_name: dict[str, Path] = {place.name: place for place in listing.dicom}
    for table in listing.metadata:
        for line, row in _metadata_rows(table):
            series = parse_series(row.get("Subject ID") or "")
            if series is None or row.get("Collection", COLLECTION) != COLLECTION:
                continue
            uid = (row.get("Series UID") or "").strip()
            place = _folder_of(table, row) if row.get("File Location") else None
            if place not in listing.dicom:
                place = by_name.get(uid)
            if uid:
                known.by_uid[uid] = series
            if place is not None:
                known.by_folder[place] = series
            found = len(listing.dicom[place]) if place is not None else 0
            known.problems.extend(_incomplete(f"{table}, line {line}", series, row, found))
    return known


def _metadata_rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            for row in reader:
                yield reader.line_num, {k: v for k, v in row.items() if k and v is not None}
        except csv.Error:
            # It only helps to find series; what it does not tell is told by name or header.
            return


def _folder_of(table: Path, row: Mapping[str, str]) -> Path:
    # The retriever writes the location with the slashes of its own system.
    location = PurePosixPath(row["File Location"].strip().replace("\\", "/"))
    return table.parent / location


def _incomplete(
    where: str, series: Series, row: Mapping[str, str], found: int
) -> Iterator[Problem]:
    named = (row.get("Number of Images") or "").strip()
    if named.isdecimal() and found != int(named):
        yield Problem(
            where=where,
            what=f"{found} of the {named} files of {series} are here",
            remedy="fetch that series again",
        )
