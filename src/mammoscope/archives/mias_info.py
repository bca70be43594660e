"""Info.txt of the MIAS MiniMammographic Database, line by line.

A long heading is followed by rows such as ``mdb001 G CIRC B 535 425 197``: reference, background
tissue, class, severity, centre (x, y) and radius in pixels. Rows of normal films end after the
class. Centres are missing where calcifications are widespread (``*NOTE 3*``), and for one mass.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from mammoscope.core.records import Problem
from mammoscope.formats.packed import read_packed

LARGEST_BYTES = 1_000_000
"""The archive's own has 10,000 bytes."""
_ROW = re.compile(
    r"(?P<reference>mdb\d{3})\s+(?P<tissue>[FGD])\s+"
    r"(?:(?P<normal>NORM)"
    r"|(?P<word>CALC|CIRC|SPIC|MISC|ARCH|ASYM)\s+(?P<severity>[BM])"
    r"(?:\s+(?P<x>\d{1,4})\s+(?P<y>\d{1,4})\s+(?P<radius>\d{1,4})|\s+(?P<note>\*NOTE 3\*))?)",
    re.ASCII,
)
_RULE = re.compile(r"[=\-_\s]*")
_EXPECTED = "a row such as 'mdb001 G CIRC B 535 425 197' or 'mdb003 D NORM'"
_SIDE_PX = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoRow:
    """One row: what Info.txt says of a film, in its own words.

    Attributes
    ----------
    line : number of the line in the file, from 1
    reference : the film, e.g. "mdb001"
    tissue : "F", "G" or "D"
    word : class: "NORM", "CALC", "CIRC", "SPIC", "MISC", "ARCH" or "ASYM"
    severity : "B", "M", or None for NORM
    x, y : centre in pixels from the bottom-left corner; None where it is missing
    radius : in pixels; None where it is missing
    widespread : whether the row points to note 3 instead of a place
    what : the row's words, one space between them
    """

    line: int
    reference: str
    tissue: str
    word: str
    severity: str | None = None
    x: int | None = None
    y: int | None = None
    radius: int | None = None
    widespread: bool = False
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """Info.txt read: its sound rows, a problem for each damaged one, and the first as a sentence.

    `damage` is "" where every row is sound.
    """

    rows: tuple[InfoRow, ...]
    problems: tuple[Problem, ...]
    damage: str


def read_info(path: Path) -> Info:
    """Read an Info.txt; a damaged row is a problem, and reading goes on behind it.

    Raises
    ------
    MissingFileError
        When the file cannot be read.
    CorruptFileError
        When it is far larger than any Info.txt.
    """
    rows: list[InfoRow] = []
    problems: list[Problem] = []
    damage = ""
    # An undecodable byte becomes a mark that fits no row, so it is noticed where it matters.
    text = read_packed(path, LARGEST_BYTES).decode("utf-8-sig", errors="replace")
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        # Before the first row there is prose; behind it only rows, blanks and rulers.
        if not (line.startswith("mdb") or (rows and not _RULE.fullmatch(line))):
            continue
        row = _row(number, line)
        if row is not None:
            rows.append(row)
            continue
        problems.append(
            Problem(
                where=f"{path}, line {number}",
                what=f"expected {_EXPECTED}, found {line!r}",
                remedy="mend the line or get Info.txt again",
            )
        )
        damage = damage or (
            f"{path}, line {number}: expected {_EXPECTED}, found {line!r}; mend the line or get "
            "Info.txt again."
        )
    return Info(rows=tuple(rows), problems=tuple(problems), damage=damage)


def _row(number: int, line: str) -> InfoRow | None:
    """Understand one row; None where it cannot be, or its place lies outside the film."""
    found = _ROW.fullmatch(line)
    if found is None:
        return None
    x, y, radius = (int(found[key]) if found[key] else None for key in ("x", "y", "radius"))
    if radius == 0 or max(x or 0, y or 0, radius or 0) > _SIDE_PX or found["reference"] == "mdb000":
        return None
    return InfoRow(
        line=number,
        reference=found["reference"],
        tissue=found["tissue"],
        word=found["normal"] or found["word"],
        severity=found["severity"],
        x=x,
        y=y,
        radius=radius,
        widespread=found["note"] is not None,
        what=" ".join(line.split()),
    )
