"""The mini-MIAS archive: 322 film scans of 161 patients at 200 micrometres, with `Info.txt`.

`Info.txt` counts Y from the bottom of the scan; here rows count from the top.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
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
TABLE = "Info.txt"
SIDE_PX = 1024
SPACING_MM = (0.2, 0.2)
LICENCE = "MIAS licence agreement: research only; not to be sold, rented or passed on"
CITATION = "Suckling et al. 1994, Excerpta Medica, International Congress Series 1069:375-378"
NORMAL = "NORM"
NORMAL_GROUND = "Info.txt of mini-MIAS gives class NORM (normal); it tells of no follow-up"
KINDS = {
    "CALC": FindingKind.CALCIFICATION,
    "CIRC": FindingKind.MASS,
    "SPIC": FindingKind.MASS,
    "MISC": FindingKind.MASS,
    "ARCH": FindingKind.ARCHITECTURAL_DISTORTION,
    "ASYM": FindingKind.ASYMMETRY,
}
PATHOLOGIES = {"B": Pathology.BENIGN, "M": Pathology.MALIGNANT}
EXPECTED = (
    "'mdbNNN F|G|D NORM' or 'mdbNNN F|G|D CALC|CIRC|SPIC|MISC|ARCH|ASYM B|M X Y RADIUS', "
    "where *NOTE 3* or nothing may stand for the last three"
)
SUFFIXES = (".pgm", ".png")
_LINE = re.compile(
    r"(?P<name>mdb\d{3})\s+(?P<tissue>[FGD])\s+"
    r"(?:(?P<normal>NORM)|(?P<sort>CALC|CIRC|SPIC|MISC|ARCH|ASYM)\s+(?P<severity>[BM])"
    r"(?:\s+(?P<column>\d+)\s+(?P<up>\d+)\s+(?P<radius>\d+)|\s+(?P<wide>\*NOTE 3\*))?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of `Info.txt`; `sort` is its class, NORM where there is no finding."""

    line: int
    name: str
    tissue: str
    sort: str
    severity: str | None = None
    circle: Circle | None = None
    wide: bool = False


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive, by lines in its table that name MIAS films."""
    table = folder / TABLE
    return table.is_file() and any(_names_a_film(line) for line in _lines(table))


def read(folder: Path) -> Archive:
    """Read the archive in `folder`: `Info.txt`, and the scans beside it or in `scans` below it.

    Raises
    ------
    LayoutError
        When the folder holds no such table.
    AnnotationError
        When a line of the table is damaged or contradicts another.
    MissingFileError
        When none of the scans is there.
    """
    if not is_here(folder):
        raise LayoutError(
            f"{folder}: expected {TABLE} with lines of {NAME} such as 'mdb001 G CIRC B 535 425 "
            "197'; give the folder that holds it."
        )
    table = folder / TABLE
    rows: dict[str, list[Row]] = {}
    for row in read_table(table):
        rows.setdefault(row.name, []).append(row)
    paths = _pictures(folder)
    scans = [_scan(table, paths[name], its) for name, its in rows.items() if name in paths]
    if not scans:
        raise MissingFileError(
            f"{folder}: none of the scans that {TABLE} names is there or in {folder / 'scans'}; "
            "put them there as mdb001.pgm or mdb001.png."
        )
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(sorted(scans, key=lambda scan: scan.scan_id)),
        problems=tuple(_problems(table, rows, paths)),
    )


def read_table(table: Path) -> tuple[Row, ...]:
    """Read the lines of `Info.txt` that stand between its heading and its foot.

    Raises
    ------
    AnnotationError
        When a line is damaged; the message names file, line, text and what was expected.
    """
    rows: list[Row] = []
    for number, text in enumerate(_lines(table), start=1):
        if rows and text.startswith("==="):
            break
        if text and (rows or _names_a_film(text)):
            rows.append(_row(table, number, text))
    return tuple(rows)


def _lines(table: Path) -> list[str]:
    """Lines without what surrounds them; strange bytes stay visible in the message about them."""
    text = table.read_bytes().decode("utf-8-sig", errors="replace")
    return [line.strip() for line in text.splitlines()]


def _names_a_film(line: str) -> bool:
    return line.startswith("mdb")


def _row(table: Path, number: int, text: str) -> Row:
    found = _LINE.fullmatch(text)
    if found is None:
        raise _damaged(table, number, text, EXPECTED)
    circle = None
    if found["column"] is not None:
        column, up, radius = (int(found[key]) for key in ("column", "up", "radius"))
        if not (column < SIDE_PX and 0 < up <= SIDE_PX and 0 < radius < SIDE_PX):
            raise _damaged(table, number, text, f"a circle on {SIDE_PX} x {SIDE_PX} pixels")
        circle = Circle(SIDE_PX - up, column, radius)
    return Row(
        line=number,
        name=found["name"],
        tissue=found["tissue"],
        sort=found["normal"] or found["sort"],
        severity=found["severity"],
        circle=circle,
        wide=found["wide"] is not None,
    )


def _damaged(table: Path, number: int, text: str, expected: str) -> AnnotationError:
    return AnnotationError(
        f"{table}, line {number}: {text!r} cannot be understood (expected {expected}); get the "
        "file again."
    )


def _pictures(folder: Path) -> dict[str, Path]:
    """Path of each scan by name; the archive's own PGM goes before a PNG made of it."""
    places = [place for place in (folder, folder / "scans") if place.is_dir()]
    paths: dict[str, Path] = {}
    for suffix in SUFFIXES:
        for path in (path for place in places for path in sorted(place.iterdir())):
            name = path.stem.lower()
            if path.suffix.lower() == suffix and _names_a_film(name):
                paths.setdefault(name, path)
    return paths


def _scan(table: Path, path: Path, rows: list[Row]) -> Scan:
    first = rows[0]
    for row in rows[1:]:
        if NORMAL in (row.sort, first.sort) or row.tissue != first.tissue:
            raise AnnotationError(
                f"{table}, line {row.line}: what it says of {row.name} contradicts line "
                f"{first.line}; get the file again."
            )
    number = int(first.name[3:])
    # Info.txt, note 1: films come in pairs, the right breast (odd) and the left (even) of a person.
    patient_id = f"mias-{(number + 1) // 2:03d}"
    normal = first.sort == NORMAL
    return Scan(
        scan_id=first.name,
        archive=NAME,
        path=path,
        patient_id=patient_id,
        exam_id=patient_id,
        laterality=Laterality.RIGHT if number % 2 else Laterality.LEFT,
        view=ViewPosition.MLO,
        spacing_mm=SPACING_MM,
        spacing_source=SpacingSource.ARCHIVE,
        intent=Intent.FILM,
        breast_density=first.tissue,
        findings=() if normal else tuple(_finding(row, at) for at, row in enumerate(rows, 1)),
        normal_ground=NORMAL_GROUND if normal else None,
    )


def _finding(row: Row, at: int) -> Finding:
    return Finding(
        finding_id=f"{row.name}_{at}",
        scan_id=row.name,
        kind=KINDS[row.sort],
        roi=row.circle,
        pathology=PATHOLOGIES[row.severity] if row.severity else None,
        descriptors=(row.sort, "*NOTE 3*") if row.wide else (row.sort,),
    )


def _problems(
    table: Path, rows: Mapping[str, list[Row]], paths: Mapping[str, Path]
) -> Iterable[Problem]:
    for name, its in rows.items():
        if name not in paths:
            yield Problem(
                where=f"{table}, line {its[0].line}",
                what=f"the scan {name} is missing",
                remedy="get it, or go on without",
            )
    for name in sorted(paths.keys() - rows.keys()):
        yield Problem(
            where=str(paths[name]),
            what=f"{TABLE} says nothing about this scan, so it is left out",
            remedy="get Info.txt again",
        )
