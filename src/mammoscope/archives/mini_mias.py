"""The MIAS MiniMammographic Database: 322 films at 200 micrometres and one text, Info.txt.

Source: J Suckling et al. 1994, "The Mammographic Image Analysis Society Digital Mammogram
Database". What a row means stands in Info.txt itself; its grammar is in `mias_info`.
"""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.archives.archive import Archive
from mammoscope.archives.look import Look
from mammoscope.archives.mias_info import Info, InfoRow, read_info
from mammoscope.archives.pictures import look_at, pixel_crc
from mammoscope.core.errors import LayoutError, MammoscopeError, MissingFileError
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import (
    FindingKind,
    Intent,
    Laterality,
    Pathology,
    SpacingSource,
    ViewPosition,
)

NAME = "mini-mias"
INFO = "info.txt"
SIDE_PX = 1024
SPACING_MM = 0.2
BLACK = 20
"""Grey level (of 255) that the film beside a breast stays under; breasts lie above it."""
LICENCE = "MIAS licence: research only, no selling, no redistribution (Licence.txt)"
CITATION = (
    "J Suckling et al. 1994, The Mammographic Image Analysis Society Digital Mammogram Database, "
    "Excerpta Medica International Congress Series 1069, 375-378"
)
KINDS = {
    "CALC": FindingKind.CALCIFICATION,
    "CIRC": FindingKind.MASS,
    "SPIC": FindingKind.MASS,
    "MISC": FindingKind.MASS,
    "ARCH": FindingKind.ARCHITECTURAL_DISTORTION,
    "ASYM": FindingKind.ASYMMETRY,
}
SEVERITIES = {"B": Pathology.BENIGN, "M": Pathology.MALIGNANT}
_SCAN = re.compile(r"(mdb\d{3})\.(pgm|png)", re.IGNORECASE)


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive: an Info.txt that names MIAS's films."""
    try:
        info = _info_of(folder)
        return info is not None and _says_something(read_info(info))
    except (OSError, MammoscopeError):
        return False


def read(folder: Path) -> Archive:
    """Read the archive in `folder`, whose scans lie there or in its folder ``scans``.

    Raises
    ------
    LayoutError
        When the folder holds no Info.txt.
    MissingFileError
        When none of the scans that Info.txt names is there.
    """
    info = _info_of(folder)
    text = read_info(info) if info is not None else None
    if info is None or text is None or not _says_something(text):
        raise LayoutError(
            f"{folder}: expected Info.txt and scans mdb001.pgm, mdb002.pgm, ... of {NAME}; "
            "give the folder that holds them."
        )
    by_scan: dict[str, list[InfoRow]] = defaultdict(list)
    for row in text.rows:
        by_scan[row.reference].append(_mended(row))
    paths = _scan_paths(folder)
    present = sorted(set(paths) & set(by_scan))
    if not present and by_scan:
        raise MissingFileError(
            f"{folder}: none of the scans that {info.name} names is there; put mdb001.pgm, ... "
            "beside it."
        )
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(_scan(paths[name], by_scan[name]) for name in present),
        problems=(*text.problems, *_contradictions(info, text.rows, set(by_scan), set(paths))),
        damage=text.damage,
        look=_look,
    )


def _info_of(folder: Path) -> Path | None:
    # Copies spell it Info.txt and info.txt.
    named = (path for path in sorted(folder.iterdir()) if path.name.lower() == INFO)
    return next((path for path in named if path.is_file()), None)


def _says_something(text: Info) -> bool:
    return bool(text.rows or text.damage)


def _scan_paths(folder: Path) -> dict[str, Path]:
    """Find the scans by name; the archive's own PGM wins over a PNG made from it."""
    found: dict[str, Path] = {}
    for place in (folder / "scans", folder):
        # "pgm" sorts before "png", and is laid over it here.
        for path in sorted(place.iterdir(), reverse=True) if place.is_dir() else ():
            name = _SCAN.fullmatch(path.name)
            if name and path.is_file():
                found[name[1].lower()] = path
    return found


def _mended(row: InfoRow) -> InfoRow:
    # One public copy of Info.txt says 53 here; the archive's own says 33.
    if _is_known_misprint(row):
        return replace(row, radius=33)
    return row


def _is_known_misprint(row: InfoRow) -> bool:
    return row.reference == "mdb063" and row.radius == 53


def _scan(path: Path, rows: list[InfoRow]) -> Scan:
    scan_id = rows[0].reference
    number = int(scan_id[3:])
    # Note 1 of Info.txt: films come in pairs of one patient, even numbers show the left breast.
    patient_id = f"mias-{(number + 1) // 2:03d}"
    marked = [row for row in rows if row.word != "NORM"]
    return Scan(
        scan_id=scan_id,
        archive=NAME,
        path=path,
        patient_id=patient_id,
        # Info.txt knows no dates: the two films of a patient count as one exam.
        exam_id=patient_id,
        laterality=Laterality.RIGHT if number % 2 else Laterality.LEFT,
        view=ViewPosition.MLO,
        spacing_mm=(SPACING_MM, SPACING_MM),
        spacing_source=SpacingSource.ARCHIVE,
        intent=Intent.FILM,
        breast_density=rows[0].tissue,
        findings=tuple(_finding(scan_id, i, row) for i, row in enumerate(marked, start=1)),
        normal_ground=None if marked else "Info.txt: class NORM",
    )


def _finding(scan_id: str, index: int, row: InfoRow) -> Finding:
    roi = None
    if row.x is not None and row.y is not None and row.radius is not None:
        # Note 3 of Info.txt: the origin is the bottom-left corner.
        roi = Circle(SIDE_PX - row.y, row.x, row.radius)
    return Finding(
        finding_id=f"{scan_id}_{index}",
        scan_id=scan_id,
        kind=KINDS[row.word],
        roi=roi,
        pathology=SEVERITIES.get(row.severity or ""),
        descriptors=(row.word, "NOTE 3: widely distributed") if row.widespread else (row.word,),
    )


def _contradictions(
    info: Path, rows: tuple[InfoRow, ...], named: set[str], there: set[str]
) -> Iterator[Problem]:
    absent, unnamed = sorted(named - there), sorted(there - named)
    if absent:
        yield Problem(
            where=str(info),
            what=f"{len(absent)} of the {len(named)} scans it names are not here: "
            f"{', '.join(absent)}",
            remedy="get them, or go on without",
        )
    if unnamed:
        yield Problem(
            where=str(info),
            what=f"scans are here of which it says nothing: {', '.join(unnamed)}",
            remedy="get Info.txt again; they are left out",
        )
    words: dict[str, set[str]] = defaultdict(set)
    tissues: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        words[row.reference].add(row.word)
        tissues[row.reference].add(row.tissue)
        if _is_known_misprint(row):
            yield Problem(
                where=f"{info}, line {row.line}",
                what="radius 53 for mdb063 is a misprint of this copy",
                remedy="33 is used, as the archive's own Info.txt says",
            )
    for name in sorted(words):
        if "NORM" in words[name] and len(words[name]) > 1:
            yield _contradiction(info, f"{name} is called NORM and has a finding")
        if len(tissues[name]) > 1:
            yield _contradiction(info, f"{name} has several tissues: {sorted(tissues[name])}")
    for what, times in Counter(row.what for row in rows).items():
        if times > 1:
            yield _contradiction(info, f"{times} rows say the same: {what}")


def _contradiction(info: Path, what: str) -> Problem:
    return Problem(where=str(info), what=what, remedy="get Info.txt again")


def _look(scan: Scan) -> Look:
    """Compare a scan with the archive's own pixels and its findings with the breast."""
    seen, image = look_at(scan, (SIDE_PX, SIDE_PX))
    return seen if image is None else replace(seen, problems=tuple(_doubts(scan, image)))


def _doubts(scan: Scan, image: NDArray[Any]) -> Iterator[Problem]:
    known = _known_crcs().get(scan.scan_id)
    if known is not None and pixel_crc(image) != known:
        yield Problem(
            where=str(scan.path),
            what="the pixels are not the archive's own (a stretched or converted copy?)",
            remedy="get mini-MIAS from its keepers",
        )
    yield from (
        Problem(
            where=str(scan.path),
            what=f"finding {finding.finding_id} lies on black film, beside the breast",
            remedy="do not trust its place: Info.txt itself is wrong there",
        )
        for finding in scan.findings or ()
        if isinstance(finding.roi, Circle) and _is_beside(image, finding.roi)
    )


def _is_beside(image: NDArray[Any], circle: Circle) -> bool:
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    inside = np.hypot(rows - circle.row, columns - circle.column) <= circle.radius
    return not inside.any() or float(image[inside].mean()) < BLACK


@cache
def _known_crcs() -> dict[str, int]:
    """CRC-32 of the pixels by scan; a fact about the films, not a picture of them."""
    table = files("mammoscope.archives") / "data" / "mini-mias-crc32.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {row["scan_id"]: int(row["crc32"], 16) for row in rows}
