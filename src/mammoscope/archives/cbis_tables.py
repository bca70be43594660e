"""CBIS-DDSM's four tables: a row an abnormality, training and test, masses and calcifications.

Source: R S Lee et al. 2017, "A curated mammography data set for use in computer-aided detection and
diagnosis research", Scientific Data 4:170177, and the tables themselves. The heading spells
``breast density`` in two ways, and the paths end in line breaks.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mammoscope.archives.label_tables import delimiter_of
from mammoscope.core.records import Problem
from mammoscope.core.vocabulary import Assessment, FindingKind, Pathology, Split

KINDS = {"Mass": FindingKind.MASS, "Calc": FindingKind.CALCIFICATION}
PARTS = {"Training": Split.TRAIN, "Test": Split.TEST}
TABLES = {
    f"{kind.lower()}_case_description_{split}_set.csv": (kind, part)
    for kind in KINDS
    for part, split in PARTS.items()
}
"""Names of the tables, each with the words that begin the names of its scans."""
WORDS = {"Mass": ("mass shape", "mass margins"), "Calc": ("calc type", "calc distribution")}
COLUMNS = (
    "patient id",
    "breast density",
    "left or right breast",
    "image view",
    "abnormality id",
    "assessment",
    "pathology",
    "subtlety",
)
FILES = ("image file path", "cropped image file path", "roi mask file path")
PATHOLOGIES = {
    "MALIGNANT": Pathology.MALIGNANT,
    "BENIGN": Pathology.BENIGN,
    "BENIGN_WITHOUT_CALLBACK": Pathology.BENIGN,
}
DENSITIES = {"1": "1", "2": "2", "3": "3", "4": "4", "0": None, "": None}
"""Two published rows say 0, which is no density."""
_PATIENT = re.compile(r"P_\d{5}")
_NAME = re.compile(r"(Mass|Calc)-(Training|Test)_(P_\d{5}_(?:LEFT|RIGHT)_(?:CC|MLO))(?:_(\d+))?")


@dataclass(frozen=True, slots=True)
class Series:
    """A name as the archive gives it to a scan, or with a number to one of its abnormalities.

    ``Mass-Training_P_00001_LEFT_CC_1`` is the kind ``Mass``, the part ``Training``, the scan
    ``P_00001_LEFT_CC`` and the abnormality 1; the number is None where the name is the scan's.
    """

    kind: str
    part: str
    scan_id: str
    number: int | None = None

    def __str__(self) -> str:
        name = f"{self.kind}-{self.part}_{self.scan_id}"
        return name if self.number is None else f"{name}_{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row of a table.

    `where` is the table and line; `series` the name of the abnormality; `scan_file`, `cut_out_file`
    and `mask_file` are the paths as published (None where the table has none), which often
    exchange the crop and the mask. `descriptors` are the archive's own words.
    """

    where: str
    series: Series
    density: str | None
    assessment: Assessment
    pathology: Pathology
    subtlety: int | None
    descriptors: tuple[str, ...]
    scan_file: PurePosixPath | None = None
    cut_out_file: PurePosixPath | None = None
    mask_file: PurePosixPath | None = None

    @property
    def scan(self) -> Series:
        """Name of the scan that it was seen on."""
        return Series(self.series.kind, self.series.part, self.series.scan_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What the tables say; `damage` tells why that cannot be trusted, "" where it can."""

    rows: tuple[TableRow, ...]
    problems: tuple[Problem, ...]
    damage: str

    def series_by_uid(self) -> dict[str, Series]:
        """Tell for the UIDs of studies and series in the published paths what they show."""
        known: dict[str, Series] = {}
        for row in self.rows:
            for path in (row.scan_file, row.cut_out_file, row.mask_file):
                series = parse_series(path.parts[0]) if path is not None else None
                if path is not None and series is not None:
                    known.update((uid, series) for uid in path.parts[1:-1])
        return known


def parse_series(name: str) -> Series | None:
    """Take a name such as ``Calc-Test_P_00038_LEFT_CC_1`` apart; None where it is none."""
    found = _NAME.fullmatch(name.strip())
    if found is None:
        return None
    return Series(found[1], found[2], found[3], int(found[4]) if found[4] else None)


def read_tables(paths: Mapping[str, Path]) -> Tables:
    """Read those of the four tables that are there.

    Parameters
    ----------
    paths : by the names of `TABLES`
    """
    rows: list[TableRow] = []
    problems: list[Problem] = []
    damage = ""
    for name in (name for name in TABLES if name in paths):
        for line, cells in _cells(paths[name]):
            where = f"{paths[name]}, line {line}"
            try:
                rows.append(_table_row(where, TABLES[name], cells))
            except (ValueError, KeyError) as error:
                what = f"the row cannot be understood ({_said(error)})"
                problems.append(Problem(where=where, what=what, remedy="get the table again"))
                damage = damage or f"{where}: {what}; get the table again."
    unique, repeated = _once(rows)
    return Tables(rows=tuple(unique), problems=(*problems, *repeated), damage=damage)


def _cells(table: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Read a table's rows by the names of its columns; a table that is none is one bad row."""
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        delimiter = delimiter_of(stream.readline(10_000))
        stream.seek(0)
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        try:
            heading = [cell.strip().lower().replace("_", " ") for cell in next(reader, [])]
            missing = {*COLUMNS, *WORDS[TABLES[table.name.lower()][0]]} - set(heading)
            if missing:
                yield 1, {"missing": ", ".join(sorted(missing))}
                return
            line = reader.line_num + 1
            for cells in reader:
                if cells:
                    whole = len(cells) == len(heading)
                    row = dict(zip(heading, cells, strict=False)) if whole else {"torn": None}
                    yield line, {**row}
                # A row goes over several lines where a path ends in a line break.
                line = reader.line_num + 1
        except csv.Error as error:
            yield reader.line_num, {"torn": str(error)}


def _said(error: Exception) -> str:
    return f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)


def _table_row(where: str, table: tuple[str, str], cells: Mapping[str, str | None]) -> TableRow:
    if "missing" in cells:
        raise ValueError(f"the heading lacks {cells['missing']}")
    if "torn" in cells:
        raise ValueError(cells["torn"] or "it has more or fewer cells than the heading")
    row = {name: (cell or "").strip() for name, cell in cells.items()}
    patient, side = row["patient id"], row["left or right breast"]
    view, number = row["image view"], int(row["abnormality id"])
    if not _PATIENT.fullmatch(patient) or side not in ("LEFT", "RIGHT"):
        raise ValueError(f"{patient!r}, {side!r} are no patient and side")
    if view not in ("CC", "MLO") or number < 1:
        raise ValueError(f"{view!r}, {number} are no view and number")
    if row["pathology"] not in PATHOLOGIES:
        raise ValueError(f"{row['pathology']!r} is no pathology")
    subtlety, density = int(row["subtlety"]), row["breast density"]
    if not 0 <= subtlety <= 5 or density not in DENSITIES:
        raise ValueError(f"{subtlety}, {density!r} are no subtlety and density")
    words = (*(row[column] for column in WORDS[table[0]]), row["pathology"])
    scan_file, cut_out_file, mask_file = (_path(row.get(column, "")) for column in FILES)
    return TableRow(
        where=where,
        series=Series(*table, f"{patient}_{side}_{view}", number),
        density=DENSITIES[density],
        assessment=Assessment(row["assessment"]),
        pathology=PATHOLOGIES[row["pathology"]],
        # DDSM rates from 1, subtle, to 5, obvious; 0 stands where nothing was noted.
        subtlety=subtlety or None,
        descriptors=tuple(word for word in words if word not in ("", "N/A")),
        scan_file=scan_file,
        cut_out_file=cut_out_file,
        mask_file=mask_file,
    )


def _path(text: str) -> PurePosixPath | None:
    path = PurePosixPath(text.replace("\\", "/"))
    return path if len(path.parts) > 1 else None


def _once(rows: Iterable[TableRow]) -> tuple[list[TableRow], list[Problem]]:
    """Keep the first row of each abnormality."""
    first: dict[Series, TableRow] = {}
    problems: list[Problem] = []
    for row in rows:
        if first.setdefault(row.series, row) is not row:
            problems.append(
                Problem(
                    where=row.where,
                    what=f"a second row for {row.series}",
                    remedy="drop one; the first is used",
                )
            )
    return list(first.values()), problems
