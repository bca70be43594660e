"""mini-MIAS: 322 film scans of 161 patients, MLO, 1024 x 1024 pixels of 0.2 mm (Suckling 1994).

``Info.txt`` lists the findings, a row each, below a heading. Its y axis points up from the bottom
left. Two scans are one patient: odd numbers the right breast, even ones the left.
"""

import re
from collections.abc import Iterator
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
SPACING_MM = 0.2
LICENCE = "MIAS licence: research only, no selling, no redistribution"
CITATION = "Suckling et al. 1994, Excerpta Medica, International Congress Series 1069, 375-378"
NORMAL_GROUND = "class NORM in Info.txt; the archive names no follow-up"
KINDS = {
    "CALC": FindingKind.CALCIFICATION,
    "CIRC": FindingKind.MASS,
    "SPIC": FindingKind.MASS,
    "MISC": FindingKind.MASS,
    "ARCH": FindingKind.ARCHITECTURAL_DISTORTION,
    "ASYM": FindingKind.ASYMMETRY,
}
PATHOLOGIES = {"B": Pathology.BENIGN, "M": Pathology.MALIGNANT}
# "*NOTE 3*" stands where calcifications are spread too widely for a circle (note 4, in fact).
_ROW = re.compile(
    r"^(?P<name>mdb\d{3}) (?P<tissue>[FGD]) (?:(?P<normal>NORM)|(?P<kind>[A-Z]{4}) (?P<nature>[BM])"
    r"(?: (?P<x>\d+) (?P<y>\d+) (?P<radius>\d+)| \*NOTE 3\*)?)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One line of Info.txt; `kind` is None for a normal scan, `circle` where no place is given."""

    name: str
    tissue: str
    kind: str | None
    nature: str | None
    circle: Circle | None


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive, by a line of its Info.txt."""
    table = folder / TABLE
    return table.is_file() and "mdb" in table.read_text(encoding="latin-1")


def read(folder: Path) -> Archive:
    """Read the archive in `folder`; scans lie beside Info.txt or in ``scans``, as PGM or PNG.

    Scans that Info.txt lists and the folder lacks are problems, not errors.

    Raises
    ------
    LayoutError
        When there is no Info.txt.
    AnnotationError
        When a line of it cannot be understood.
    MissingFileError
        When none of the scans is there.
    """
    if not is_here(folder):
        raise LayoutError(
            f"{folder}: expected the archive's {TABLE} with lines such as 'mdb001 G CIRC B 535 425 "
            "197'; give the folder that holds it."
        )
    by_name: dict[str, list[_Row]] = {}
    for row in _rows(folder / TABLE):
        by_name.setdefault(row.name, []).append(row)
    scans: list[Scan] = []
    problems: list[Problem] = []
    for name, rows in sorted(by_name.items()):
        path = _file_of(folder, name)
        if path is None:
            what = f"{TABLE} lists the scan, and no {name}.pgm or {name}.png is there"
            problems.append(Problem(where=name, what=what, remedy="get it, or go on without"))
            continue
        scan = _scan(name, path, rows)
        scans.append(scan)
        if scan.findings and any(f.roi is None for f in scan.findings):
            problems.append(Problem(where=name, what="a finding has no place in the archive"))
    if not scans:
        raise MissingFileError(
            f"{folder}: none of the {len(by_name)} scans that {TABLE} lists is there; expected "
            "mdb001.pgm or mdb001.png and so on, here or in scans/."
        )
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(scans),
        problems=tuple(problems),
    )


def _rows(table: Path) -> Iterator[_Row]:
    lines = table.read_text(encoding="latin-1").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.startswith("mdb"):
            continue
        found = _ROW.match(line.strip())
        if found is None or (found["kind"] and found["kind"] not in KINDS):
            raise AnnotationError(
                f"{table}, line {number}: {line.strip()!r} cannot be understood; expected scan, "
                "tissue, class, severity, x, y and radius as in 'mdb001 G CIRC B 535 425 197'."
            )
        circle = None
        if found["x"] is not None:
            # Pixel centres are integers; the archive counts rows from the bottom.
            circle = Circle(SIDE_PX - int(found["y"]), int(found["x"]), int(found["radius"]))
        yield _Row(
            name=found["name"],
            tissue=found["tissue"],
            kind=found["kind"],
            nature=found["nature"],
            circle=circle,
        )


def _file_of(folder: Path, name: str) -> Path | None:
    for place in (folder, folder / "scans"):
        for ending in (".pgm", ".png"):
            if (place / f"{name}{ending}").is_file():
                return place / f"{name}{ending}"
    return None


def _scan(name: str, path: Path, rows: list[_Row]) -> Scan:
    number = int(name[3:])
    patient_id = f"mias-{(number + 1) // 2:03d}"
    findings = tuple(
        Finding(
            finding_id=f"{name}-{position}",
            scan_id=name,
            kind=KINDS[row.kind],
            roi=row.circle,
            pathology=PATHOLOGIES.get(row.nature or ""),
            descriptors=(row.kind,),
        )
        for position, row in enumerate(rows, start=1)
        if row.kind is not None
    )
    return Scan(
        scan_id=name,
        archive=NAME,
        path=path,
        patient_id=patient_id,
        exam_id=patient_id,
        laterality=Laterality.LEFT if number % 2 == 0 else Laterality.RIGHT,
        view=ViewPosition.MLO,
        spacing_mm=(SPACING_MM, SPACING_MM),
        spacing_source=SpacingSource.ARCHIVE,
        intent=Intent.FILM,
        breast_density=rows[0].tissue,
        findings=findings,
        normal_ground=None if findings else NORMAL_GROUND,
    )
