"""3,600 films of 900 DDSM cases as pictures of 299 x 299 pixels, with `index.csv`.

The pictures were squashed to squares and each stretched from its own darkest to its own brightest
level. Nothing is resized here: a scan's record carries the spacing of the squashed grid, whose rows
and columns differ. Outlines are given for cancer cases only, as boxes, so findings are known there
alone: a benign case has findings of which the index says nothing.
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from mammoscope.archives.archive import Archive
from mammoscope.archives.label_tables import Row, heading_of, read_csv, records_of
from mammoscope.archives.look import Look
from mammoscope.archives.pictures import file_named, look_at
from mammoscope.core.errors import LayoutError, MissingFileError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding, Problem, Scan, Spacing
from mammoscope.core.vocabulary import (
    Assessment,
    FindingKind,
    Intent,
    Laterality,
    Pathology,
    SpacingSource,
    ViewPosition,
)

NAME = "ddsm-299"
TABLE = "index.csv"
SIDE_PX = 299
SCANS, CASES = 3600, 900
LICENCE = "DDSM: free for research; cite Heath et al. 2001"
CITATION = (
    "M Heath, K Bowyer, D Kopans, R Moore, W P Kegelmeyer 2001, The Digital Database for Screening "
    "Mammography, Proc. 5th Int. Workshop on Digital Mammography, 212-218"
)
COLUMNS = (
    "file",
    "case_class",
    "case",
    "side",
    "view",
    "volume",
    "digitizer",
    "density",
    "age",
    "date_of_study",
    "lines",
    "pixels_per_line",
    "bits",
    "resolution_um",
    "overlay",
    "lesions",
    "pathologies",
    "assessments",
    "subtleties",
    "boxes_x0y0x1y1_299",
    "cbis_ids",
    "cbis_pathologies",
    "truncated_rows",
)
CLASSES = ("normal", "cancer", "benign", "benign_without_callback")
SIDES = {"LEFT": Laterality.LEFT, "RIGHT": Laterality.RIGHT}
PATHOLOGIES = {
    "MALIGNANT": Pathology.MALIGNANT,
    "BENIGN": Pathology.BENIGN,
    "BENIGN_WITHOUT_CALLBACK": Pathology.BENIGN,
    "UNPROVEN": None,
}
SHAPES = {
    "ARCHITECTURAL_DISTORTION": FindingKind.ARCHITECTURAL_DISTORTION,
    "ASYMMETRIC_BREAST_TISSUE": FindingKind.ASYMMETRY,
    "FOCAL_ASYMMETRIC_DENSITY": FindingKind.ASYMMETRY,
}
_NOT_UNDERSTOOD = (
    *(LookupError, TypeError, AttributeError),
    # An infinite number, and brackets within brackets without end.
    *(OverflowError, RecursionError),
)
_CASE = re.compile(r"([A-D]_\d{4})_\d")
_CBIS = re.compile(r"(?:Mass|Calc)-(?:Training|Test)_(P_\d{5})_(?:LEFT|RIGHT)_(?:CC|MLO)")


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds this archive, by the heading of its table."""
    return set(COLUMNS) <= set(heading_of(folder / TABLE))


def read(folder: Path) -> Archive:
    """Read the archive in `folder`.

    Raises
    ------
    LayoutError
        When the folder holds no such table.
    MissingFileError
        When none of the pictures that the table names is there.
    AnnotationError
        When the table is no text at all; a damaged row is a problem instead, and is raised when the
        scans are asked for.
    """
    path = folder / TABLE
    if not path.is_file():
        raise LayoutError(
            f"{folder}: expected {TABLE} and the pictures that it names; "
            "give the folder that holds them."
        )
    table = read_csv(path, COLUMNS)
    people = _patients(row.cells for row in table.rows)
    made, problems, damage = records_of(table, lambda row: _understood(folder, row, people))
    scans: dict[str, Scan] = {}
    for row, (scan, cut) in made:
        problems.extend(_doubts(row.where, scan, cut, again=scan.scan_id in scans))
        scans.setdefault(scan.scan_id, scan)
    there = {scan_id: scan for scan_id, scan in scans.items() if scan.path.is_file()}
    if scans and not there:
        raise MissingFileError(
            f"{folder}: none of the pictures that {TABLE} names is there; get them again."
        )
    problems.extend(_incomplete(path, scans, there))
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(there[scan_id] for scan_id in sorted(there)),
        problems=tuple(problems),
        damage=damage,
        look=look,
    )


def look(scan: Scan) -> Look:
    """Look into the picture of one scan."""
    return look_at(scan, (SIDE_PX, SIDE_PX))[0]


def _understood(folder: Path, row: Row, people: Mapping[str, tuple[str, ...]]) -> tuple[Scan, int]:
    """Make the scan of a row, and tell how many of its picture's rows were cut off."""
    try:
        return _scan(folder, row.cells, people), int(row.cells["truncated_rows"])
    except _NOT_UNDERSTOOD as error:
        raise ValueError(str(error)) from error


def _patients(rows: Iterable[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """CBIS-DDSM's ids of each case, sorted; films of one case are of one person."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for cbis_id in _parts(row.get("cbis_ids") or ""):
            name = _CBIS.fullmatch(cbis_id)
            if name:
                found[_exam_id(row)].add(name[1])
    return {exam_id: tuple(sorted(ids)) for exam_id, ids in found.items()}


def _exam_id(row: Mapping[str, str]) -> str:
    case = _CASE.fullmatch(row.get("case") or "")
    return f"{row.get('volume')}/{case[1] if case else row.get('case')}"


def _scan(folder: Path, row: Mapping[str, str], people: Mapping[str, tuple[str, ...]]) -> Scan:
    file = file_named(row["file"])
    if row["case_class"] not in CLASSES or _CASE.fullmatch(row["case"]) is None:
        raise ValueError(f"case {row['case']!r} of class {row['case_class']!r} is not of DDSM")
    if not all(_CBIS.fullmatch(cbis_id) for cbis_id in _parts(row["cbis_ids"])):
        raise ValueError(f"{row['cbis_ids']!r} does not name scans of CBIS-DDSM")
    exam_id = _exam_id(row)
    # The same ids as in the archive `ddsm`: a film is one scan wherever it lies.
    scan_id = f"{exam_id}_{row['side']}_{row['view']}"
    spacing_mm = _spacing(row)
    normal = row["case_class"] == "normal"
    return Scan(
        scan_id=scan_id,
        archive=NAME,
        path=folder / file,
        patient_id=people[exam_id][0] if exam_id in people else f"ddsm-{exam_id.replace('/', '-')}",
        exam_id=exam_id,
        laterality=SIDES[row["side"]],
        view=ViewPosition(row["view"]),
        spacing_mm=spacing_mm,
        spacing_source=None if spacing_mm is None else SpacingSource.ARCHIVE,
        intent=Intent.FILM,
        breast_density=_density(row["density"]),
        findings=_findings(scan_id, row),
        normal_ground=f"DDSM: volume of normal exams ({row['volume']})" if normal else None,
        facts=_facts(row),
    )


def _spacing(row: Mapping[str, str]) -> Spacing | None:
    """Spacing of the squashed grid; None where the film's own size is not known."""
    if not (row["lines"] and row["pixels_per_line"] and row["resolution_um"]):
        return None
    per_pixel_mm = float(row["resolution_um"]) / 1000 / SIDE_PX
    return float(row["lines"]) * per_pixel_mm, float(row["pixels_per_line"]) * per_pixel_mm


def _density(text: str) -> str | None:
    density = _whole(text)
    if density not in ("", *"1234"):
        raise ValueError(f"a density of {text!r}, expected 1 to 4")
    return density or None


def _facts(row: Mapping[str, str]) -> Mapping[str, str]:
    facts = {
        "kind": row["case_class"],
        "volume": row["volume"],
        "site": row["case"][0],
        "scanner": row["digitizer"],
        "film_rows": _whole(row["lines"]),
        "film_columns": _whole(row["pixels_per_line"]),
        "bits": _whole(row["bits"]),
        "resolution_um": row["resolution_um"],
        "age": _whole(row["age"]),
        "study_date_text": row["date_of_study"],
        "cbis_ids": "|".join(dict.fromkeys(_parts(row["cbis_ids"]))),
        "cbis_pathologies": row["cbis_pathologies"],
    }
    return MappingProxyType({name: value for name, value in facts.items() if value})


def _findings(scan_id: str, row: Mapping[str, str]) -> tuple[Finding, ...] | None:
    """Tell what the index says of a scan's findings; None where it says nothing.

    A film without an outline in a cancer case is no normal film: it may show the cancer that was
    outlined on the other view only.
    """
    if row["case_class"] == "normal":
        if row["lesions"] or row["boxes_x0y0x1y1_299"]:
            raise ValueError("a normal case has lesions")
        return ()
    if not row["boxes_x0y0x1y1_299"]:
        return None
    return tuple(_outlined(scan_id, row))


def _outlined(scan_id: str, row: Mapping[str, str]) -> Iterator[Finding]:
    boxes = json.loads(row["boxes_x0y0x1y1_299"])
    own = {
        "lesions": row["lesions"].split(" ; "),
        **{key: row[key].split("|") for key in ("pathologies", "assessments", "subtleties")},
    }
    for key, values in own.items():
        if len(values) != len(boxes):
            raise ValueError(f"{key} has {len(values)} values for {len(boxes)} boxes")
    for index, (left, top, right, bottom) in enumerate(boxes):
        lines = own["lesions"][index].split("+")
        word = own["pathologies"][index]
        yield Finding(
            finding_id=f"{scan_id}_{index + 1}",
            scan_id=scan_id,
            kind=_kind(lines[0]),
            roi=Box(top, left, bottom - top, right - left),
            pathology=PATHOLOGIES[word],
            assessment=Assessment(own["assessments"][index]),
            # DDSM rates from 1, hard to see, to 5, plain; 0 stands where nothing was noted.
            subtlety=int(own["subtleties"][index]) or None,
            descriptors=(*lines, word),
        )


def _kind(line: str) -> FindingKind:
    """Kind of a lesion by its first LESION_TYPE line, such as MASS SHAPE OVAL MARGINS OBSCURED."""
    words = line.split()
    if words[0] == "CALCIFICATION":
        return FindingKind.CALCIFICATION
    if words[0] != "MASS":
        return FindingKind.OTHER
    kinds = {SHAPES.get(shape, FindingKind.MASS) for shape in words[2].split("-")}
    return FindingKind.MASS if FindingKind.MASS in kinds else sorted(kinds)[0]


def _doubts(where: str, scan: Scan, cut: int, *, again: bool) -> Iterator[Problem]:
    """Tell what in a row contradicts itself or the rows before it."""
    if again:
        yield Problem(where=where, what=f"a second row for {scan.scan_id}", remedy="drop one")
    if cut:
        yield Problem(
            where=where,
            what=f"the last {cut} rows of {scan.path.name} could not be decoded from the film",
            remedy="do not use what lies there",
        )
    for finding in scan.findings or ():
        if isinstance(finding.roi, Box) and not _is_inside(finding.roi):
            yield Problem(
                where=where,
                what=f"the box of {finding.finding_id} leaves the picture",
                remedy="clip it: some outlines of DDSM leave their film",
            )


def _is_inside(box: Box) -> bool:
    # The table rounds to tenths of a pixel.
    most = SIDE_PX + 0.05
    return box.top >= -0.05 and box.left >= -0.05 and box.bottom <= most and box.right <= most


def _incomplete(
    table: Path, named: Mapping[str, Scan], there: Mapping[str, Scan]
) -> Iterator[Problem]:
    for scan_id, scan in named.items():
        if scan_id not in there:
            yield Problem(
                where=str(scan.path), what="the picture is missing", remedy="get it again"
            )
    cases = Counter(scan.exam_id for scan in named.values())
    if (len(named), len(cases)) != (SCANS, CASES):
        yield Problem(
            where=str(table),
            what=f"{len(named)} scans of {len(cases)} cases; the whole set has {SCANS} of {CASES}",
            remedy="get the table again, or go on with a part",
        )
    unknown = sum(scan.spacing_mm is None for scan in named.values())
    if unknown:
        yield Problem(
            where=str(table),
            what=f"{unknown} scans without the size of their film, so without spacing",
            remedy="leave them out where lengths count",
        )
    for exam_id, case_class in sorted({(s.exam_id, s.facts["kind"]) for s in named.values()}):
        if exam_id.partition("/")[0].rpartition("_")[0] != case_class:
            yield Problem(
                where=str(table),
                what=f"{exam_id} is listed as {case_class}, against its volume",
                remedy="do not count it among either",
            )
    yield from _several_people(table, named.values())


def _several_people(table: Path, scans: Iterable[Scan]) -> Iterator[Problem]:
    """Tell which cases CBIS-DDSM counts as several people, and which people have several cases."""
    people: dict[str, set[str]] = defaultdict(set)
    cases: dict[str, set[str]] = defaultdict(set)
    for scan in scans:
        cases[scan.patient_id].add(scan.exam_id)
        for cbis_id in _parts(scan.facts.get("cbis_ids", "")):
            people[scan.exam_id].add("_".join(cbis_id.split("_")[1:3]))
    for exam_id, ids in sorted(people.items()):
        if len(ids) > 1:
            yield Problem(
                where=str(table),
                what=f"{', '.join(sorted(ids))} are one person, DDSM's {exam_id}",
                remedy="keep them in one part when the patients are split",
            )
    for patient_id, exams in sorted(cases.items()):
        if len(exams) > 1:
            yield Problem(
                where=str(table),
                what=f"{', '.join(sorted(exams))} are matched with one person, {patient_id}",
                remedy="keep them in one part when the patients are split",
            )


def _parts(text: str) -> list[str]:
    return text.split("|") if text else []


def _whole(text: str) -> str:
    """Write 6331.0 as 6331."""
    if not text:
        return ""
    value = float(text)
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"{text} is no whole number")
    return str(int(value))
