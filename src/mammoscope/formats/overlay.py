"""The .OVERLAY files of DDSM: the outlines of one film and what the radiologist said of them.

Plain ASCII, read by keywords and never by lines counted: what stands in a file holds, not the
totals that it states.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.geometry import Outline
from mammoscope.formats.chain_code import digits_along, digits_of, points_of
from mammoscope.formats.ics import unknown_lines
from mammoscope.formats.packed import read_packed

LARGEST_BYTES = 5_000_000
"""Real files have at most some hundred thousand bytes."""
MOST_ABNORMALITIES = 100
"""Real files have at most 7."""
PATHOLOGIES = ("BENIGN", "MALIGNANT", "BENIGN_WITHOUT_CALLBACK", "UNPROVEN")
LESION_KINDS = ("MASS", "CALCIFICATION", "OTHER")
QUALITIES = ("SHAPE", "MARGINS", "TYPE", "DISTRIBUTION")
NOT_SAID = "N/A"
FARTHEST_PX = 100_000
"""No film has as many rows or columns."""
_CHAIN = re.compile(r"\s*(-?\d{1,6})\s+(-?\d{1,6})(?=\s|$)([^#]*)(#?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionType:
    """One line LESION_TYPE.

    Attributes
    ----------
    kind : "MASS", "CALCIFICATION" or "OTHER"
    qualities : name ("SHAPE", "MARGINS", "TYPE", "DISTRIBUTION") and words, in the file's order;
        words that the file joins by hyphens are parted; none where it says N/A
    """

    kind: str
    qualities: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def words(self, quality: str) -> tuple[str, ...]:
        """Words of one quality; none where it is not there or N/A."""
        return dict(self.qualities).get(quality, ())

    def __str__(self) -> str:
        said = (f" {name} {'-'.join(words) or NOT_SAID}" for name, words in self.qualities)
        return self.kind + "".join(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayFinding:
    """One abnormality of an .OVERLAY file; what it does not say is None.

    Attributes
    ----------
    lesion_types : one, or two where a mass holds calcifications
    assessment : BI-RADS, 0 to 5
    subtlety : 1 hard to see .. 5 plain
    pathology : "BENIGN", "MALIGNANT", "BENIGN_WITHOUT_CALLBACK" or "UNPROVEN"; the outcome of the
        case, not always of a biopsy
    boundary : the outline as drawn, with its cores; its last point is its first where it closes
    notes : where the file departs from the rules, a clause each
    """

    lesion_types: tuple[LesionType, ...] = ()
    assessment: int | None = None
    subtlety: int | None = None
    pathology: str | None = None
    boundary: Outline | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)


Abnormality = OverlayFinding
"""The archive's own word for it."""


def read_overlay(path: str | Path) -> tuple[OverlayFinding, ...]:
    """Read an .OVERLAY file, packed with gzip or not; see `parse_overlay`.

    Raises
    ------
    MissingFileError
        When there is no such file.
    CorruptFileError
        When it is no .OVERLAY file or damaged.
    """
    data = read_packed(path, LARGEST_BYTES)
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise CorruptFileError(
            f"{path}: byte {error.start} is no ASCII, as an OVERLAY file has; get the file again."
        ) from error
    return parse_overlay(text, str(path))


def parse_overlay(text: str, name: str = "The OVERLAY text") -> tuple[OverlayFinding, ...]:
    """Parse the text of an .OVERLAY file.

    Parameters
    ----------
    text : the file's content
    name : how errors call it, usually its path

    Returns
    -------
    Its abnormalities, in the order of the file. What concerns the whole file stands in the notes of
    the first.

    Raises
    ------
    CorruptFileError
        When it holds no abnormality, or more than any film has, or an outline is cut short or no
        chain code: half an outline would enclose another place.
    """
    parts = re.split(r"^[ \t]*ABNORMALITY\b", text, flags=re.MULTILINE)
    if len(parts) < 2:
        raise CorruptFileError(f"{name}: no line ABNORMALITY; expected an OVERLAY file of DDSM.")
    if len(parts) > MOST_ABNORMALITIES + 1:
        raise CorruptFileError(
            f"{name}: {len(parts) - 1} abnormalities, no film has so many; get the file again."
        )
    found = [_Reader(part, name).finding() for part in parts[1:]]
    notes = list(_heading_notes(parts[0], len(found)))
    first = found[0]
    return (_with_notes(first, (*notes, *first.notes)), *found[1:])


def format_overlay(findings: tuple[OverlayFinding, ...]) -> str:
    """Write the text of an .OVERLAY file, byte for byte in the form of the archive's own.

    Raises
    ------
    ValueError
        When an outline does not go from pixel to neighbouring pixel.
    """
    lines = [f"TOTAL_ABNORMALITIES {len(findings)}"]
    for number, finding in enumerate(findings, start=1):
        lines.append(f"ABNORMALITY {number} ")
        lines += [f"LESION_TYPE {lesion}" for lesion in finding.lesion_types]
        lines.append(f"ASSESSMENT {_said(finding.assessment)} ")
        lines.append(f"SUBTLETY {_said(finding.subtlety)} ")
        lines.append(f"PATHOLOGY {_said(finding.pathology)}")
        boundary = finding.boundary
        if boundary is not None:
            lines.append(f"TOTAL_OUTLINES {1 + len(boundary.cores)} ")
            lines += ["BOUNDARY", _chain(boundary)]
            for core in boundary.cores:
                lines += ["\tCORE", _chain(core)]
    return "\n".join(lines) + "\n"


class _Reader:
    """Reads the part of a file that belongs to one abnormality, key by key."""

    def __init__(self, text: str, name: str) -> None:
        # The first line is the rest of ABNORMALITY: its number, which is not trusted.
        self._lines = text.splitlines()[1:]
        self._name = name
        self._notes: list[str] = []
        self._said: dict[str, str] = {}
        self._types: list[LesionType] = []
        self._outlines: dict[str, list[Outline]] = {"BOUNDARY": [], "CORE": []}
        self._named = 0

    def finding(self) -> OverlayFinding:
        unknown: list[str] = []
        for index, line in enumerate(self._lines):
            key, _, rest = " ".join(line.split()).partition(" ")
            if key == "LESION_TYPE":
                self._types.append(self._lesion_type(rest))
            elif key in self._outlines:
                self._named += 1
                self._outline(key, index, rest)
            elif key in ("ASSESSMENT", "SUBTLETY", "PATHOLOGY", "TOTAL_OUTLINES"):
                self._keep(key, rest)
            elif key and not self._is_chain(line):
                unknown.append(key[:40])
        self._notes += unknown_lines(unknown)
        return self._made()

    def _is_chain(self, line: str) -> bool:
        # Chains are read with the keyword before them.
        return re.match(r"\s*(?:[-\d#]|$)", line) is not None

    def _keep(self, key: str, value: str) -> None:
        if self._said.setdefault(key, value) != value:
            raise CorruptFileError(
                f"{self._name}: two lines {key} of one abnormality say different things; get the "
                "file again."
            )

    def _lesion_type(self, text: str) -> LesionType:
        kind, *words = text.split() or [""]
        if kind not in LESION_KINDS:
            self._notes.append(f"LESION_TYPE {kind[:40]!r} is not known")
        qualities: list[tuple[str, tuple[str, ...]]] = []
        for word in words:
            if word in QUALITIES:
                qualities.append((word, ()))
            elif qualities and not qualities[-1][1]:
                parts = () if word == NOT_SAID else tuple(filter(None, word.split("-")))
                qualities[-1] = (qualities[-1][0], parts)
            else:
                self._notes.append(f"LESION_TYPE has a word out of place: {word[:40]!r}")
        return LesionType(kind=kind, qualities=tuple(qualities))

    def _outline(self, key: str, index: int, rest: str) -> None:
        text = rest + "\n" + "\n".join(self._chain_lines(index + 1))
        if not text.strip():
            self._notes.append(f"{key} without an outline")
            return
        found = _CHAIN.fullmatch(text)
        digits = digits_of(found[3]) if found else None
        if found is None or digits is None or not found[4]:
            raise CorruptFileError(
                f"{self._name}: the chain code of a {key} is cut short or damaged; expected "
                "column, row, digits 0 to 7 and a final #: get the file again."
            )
        start = int(found[2]), int(found[1])
        if not all(-FARTHEST_PX < value < FARTHEST_PX for value in start):
            raise CorruptFileError(f"{self._name}: a {key} starts at {start}; get the file again.")
        points = points_of(start, digits)
        self._notes += _closing_notes(key, points)
        self._outlines[key].append(Outline(points))

    def _chain_lines(self, index: int) -> Iterator[str]:
        for line in self._lines[index:]:
            if not self._is_chain(line):
                return
            yield line

    def _made(self) -> OverlayFinding:
        boundaries, cores = self._outlines["BOUNDARY"], self._outlines["CORE"]
        if len(boundaries) > 1 or (cores and not boundaries):
            raise CorruptFileError(
                f"{self._name}: an abnormality has {len(boundaries)} boundaries, not one; get the "
                "file again."
            )
        stated = self._said.get("TOTAL_OUTLINES", "")
        if stated != str(self._named):
            self._notes.append(f"TOTAL_OUTLINES is {stated[:20]!r}, {self._named} are there")
        if not self._named:
            self._notes.append("no BOUNDARY")
        if not self._types:
            self._notes.append("no LESION_TYPE")
        return OverlayFinding(
            lesion_types=tuple(self._types),
            assessment=self._number("ASSESSMENT", 0, 5),
            subtlety=self._number("SUBTLETY", 1, 5),
            pathology=self._pathology(),
            boundary=Outline(boundaries[0].points, tuple(cores)) if boundaries else None,
            notes=tuple(self._notes),
        )

    def _number(self, key: str, least: int, most: int) -> int | None:
        word = self._said.get(key, "")
        if len(word) == 1 and word.isdecimal() and least <= int(word) <= most:
            return int(word)
        self._notes.append(f"{key} is {word[:20]!r}, expected {least} to {most}")
        return None

    def _pathology(self) -> str | None:
        word = self._said.get("PATHOLOGY", "")
        if word in PATHOLOGIES:
            return word
        self._notes.append(f"PATHOLOGY {word[:40]!r} is not known")
        return None


def _heading_notes(heading: str, count: int) -> Iterator[str]:
    stated = re.search(r"^\s*TOTAL_ABNORMALITIES[ \t]*(\S*)", heading, re.MULTILINE)
    if stated is None:
        yield "no line TOTAL_ABNORMALITIES"
    elif stated[1] != str(count):
        yield f"TOTAL_ABNORMALITIES is {stated[1][:20]!r}, {count} are there"


def _closing_notes(key: str, points: NDArray[np.float32]) -> Iterator[str]:
    """Tell where an outline does not end on its start."""
    steps = len(points) - 1
    if not steps:
        yield f"{key} is a single point"
        return
    if (points[-1] == points[0]).all():
        return
    away = np.abs(points[1:] - points[0]).max(axis=1)
    closed = np.flatnonzero(away == 0)
    if len(closed):
        yield f"{key} runs on for {steps - closed[-1] - 1} steps after it has closed"
    else:
        yield f"{key} does not close: it ends {away[-1]:.0f} pixels from its start"


def _with_notes(finding: OverlayFinding, notes: tuple[str, ...]) -> OverlayFinding:
    return finding if notes == finding.notes else replace(finding, notes=notes)


def _said(value: object) -> str:
    return NOT_SAID if value is None else str(value)


def _chain(outline: Outline) -> str:
    row, column = outline.points[0].astype(int)
    digits = " ".join(map(str, digits_along(outline.points).tolist()))
    return f"{column} {row}  {digits} #" if digits else f"{column} {row}  #"
