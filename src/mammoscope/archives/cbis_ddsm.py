"""CBIS-DDSM as The Cancer Imaging Archive publishes it: DICOM files and four tables.

What a row means stands in `cbis_tables`, how files are found in `cbis_files`, how masks are told
from crops in `cbis_masks`, how both become records in `cbis_scans`. The pixels' size, the scanner
and the patient's age come from the DDSM film that a scan is (`mammoscope.formats.cbis_spacing`).
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mammoscope.archives.archive import Archive
from mammoscope.archives.cbis_checks import check_rows, patients_in_both_parts
from mammoscope.archives.cbis_files import METADATA, list_files, sort_files
from mammoscope.archives.cbis_masks import look_at_mask
from mammoscope.archives.cbis_scans import NAME, SECOND_FILE, cut_out_fact, make_scan
from mammoscope.archives.cbis_tables import TABLES, TableRow, parse_series, read_tables
from mammoscope.archives.look import Look
from mammoscope.archives.pictures import pixel_digest, unreadable
from mammoscope.core.errors import LayoutError, MammoscopeError, MissingFileError
from mammoscope.core.geometry import MaskFile
from mammoscope.core.records import Problem, Scan
from mammoscope.formats.masks import read_stored

__all__ = ["CITATION", "LICENCE", "NAME", "is_here", "look", "read"]

LICENCE = "CC BY 3.0"
CITATION = "Lee et al. 2017, Scientific Data 4:170177; Clark et al. 2013, J Digit Imaging 26:1045"


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive, by its tables or its folders' names."""
    try:
        # A download can hold thousands of folders; a few tell.
        within = list(islice(folder.iterdir(), 50))
        places = [folder, *(path for path in within if path.is_dir())]
        return any(parse_series(path.name) for path in within) or any(
            (place / name).is_file() for place in places for name in TABLES
        )
    except OSError:
        return False


def read(folder: Path) -> Archive:
    """Read the archive in `folder`; of the DICOM files the headers.

    Pixels are looked at only where a mask cannot be told from its crop by the headers.

    Raises
    ------
    LayoutError
        When none of the four tables is there.
    MissingFileError
        When none of the scans that they name is there.
    """
    listing = list_files(folder)
    if not listing.tables:
        raise LayoutError(
            f"{folder}: expected {', '.join(TABLES)} beside the scans of {NAME}; get the tables "
            "from The Cancer Imaging Archive and put them there."
        )
    tables = read_tables(listing.tables)
    found = sort_files(folder, listing, tables.series_by_uid())
    by_scan: dict[str, list[TableRow]] = {}
    for row in tables.rows:
        by_scan.setdefault(row.series.scan_id, []).append(row)
    leaked = set(patients_in_both_parts(by_scan))
    problems = [
        *(_missing_table(folder, name) for name in TABLES if name not in listing.tables),
        *tables.problems,
        *found.problems,
        *check_rows(by_scan, found.files),
    ]
    scans: list[Scan] = []
    for scan_id, rows in sorted(by_scan.items()):
        scan, seen = make_scan(rows, found.files, in_both_parts=scan_id[:7] in leaked)
        problems += seen
        scans += [scan] if scan is not None else []
    if by_scan and not scans:
        raise MissingFileError(
            f"{folder}: none of the scans that the tables name is there; put the downloaded "
            f"folders there, those of UIDs together with {METADATA}."
        )
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(scans),
        problems=tuple(problems),
        damage=tables.damage,
        look=look,
    )


def look(scan: Scan) -> Look:
    """Look at the pixels of a scan, of its second file where it has one, and of its masks."""
    try:
        image = read_stored(scan.path)
    except MammoscopeError as error:
        return Look(problems=(unreadable(scan, error),))
    digest = pixel_digest(image)
    problems = list(_look_at_second(scan, digest))
    for finding in scan.findings or ():
        if isinstance(finding.roi, MaskFile):
            cut_out = scan.facts.get(cut_out_fact(finding.finding_id))
            problems += look_at_mask(
                finding.finding_id,
                finding.roi.path,
                Path(cut_out) if cut_out else None,
                (image.shape[0], image.shape[1]),
            )
    return Look(problems=tuple(problems), digest=digest)


def _look_at_second(scan: Scan, digest: str) -> Iterator[Problem]:
    second = scan.facts.get(SECOND_FILE)
    if second is None:
        return
    try:
        same = pixel_digest(read_stored(Path(second))) == digest
    except MammoscopeError as error:
        what = str(error).removeprefix(f"{second}: ")
        yield Problem(where=second, what=what, remedy="get it again")
        return
    if not same:
        yield Problem(
            where=second,
            what=f"not the same pixels as {scan.path.name}, though both are {scan.scan_id}",
            remedy="look at both: the masks of one of them lie on another picture",
        )


def _missing_table(folder: Path, name: str) -> Problem:
    return Problem(
        where=str(folder / name),
        what="the table is missing",
        remedy="get it from The Cancer Imaging Archive: its findings are not known without it",
    )
