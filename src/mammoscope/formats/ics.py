"""The .ics files of DDSM: what is known of a case and of its four films.

Plain ASCII, one key a line, values parted by one blank; written by the University of South
Florida's software of 1995 to 2000. Keys are read wherever they stand.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.core.vocabulary import Laterality, ViewPosition
from mammoscope.formats.ics_date import IcsDate, read_dates
from mammoscope.formats.packed import read_packed

LARGEST_BYTES = 100_000
"""Real files have about 500 bytes."""
View = tuple[Laterality, ViewPosition]
VIEWS: dict[str, View] = {
    "LEFT_CC": (Laterality.LEFT, ViewPosition.CC),
    "LEFT_MLO": (Laterality.LEFT, ViewPosition.MLO),
    "RIGHT_CC": (Laterality.RIGHT, ViewPosition.CC),
    "RIGHT_MLO": (Laterality.RIGHT, ViewPosition.MLO),
}
"""The four films of a case by the archive's words, in the order of the file."""
_IMAGE = re.compile(
    r"([a-z])[-_](\d+)[-_](\d+)\.((?:left|right)_(?:cc|mlo))\.[^/\\]*", re.IGNORECASE
)
_FILM = re.compile(
    r"LINES (\d{1,6}) PIXELS_PER_LINE (\d{1,6}) BITS_PER_PIXEL (\d{1,3}) "
    r"RESOLUTION (\d{1,5}(?:\.\d{1,6})?)(?: (OVERLAY|NON_OVERLAY))?"
)
_SELECTIONS = ("SEQUENCE", "SELECTED")


@dataclass(frozen=True, slots=True, kw_only=True)
class IcsView:
    """One film as the .ics describes it.

    Attributes
    ----------
    name : "LEFT_CC", "LEFT_MLO", "RIGHT_CC" or "RIGHT_MLO"
    lines, pixels_per_line : rows and columns of the image
    bits : of a sample; 16 for the scanner DBA, 12 for the others
    resolution_um : distance of pixel centres in micrometres, down and across
    overlay : whether there is a file of outlines; not always right. None where not said
    """

    name: str
    lines: int
    pixels_per_line: int
    bits: int
    resolution_um: float
    overlay: bool | None = None

    @property
    def view(self) -> View:
        """Which breast, and how it was compressed."""
        return VIEWS[self.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ics:
    """What an .ics file says; what it does not say is None.

    Attributes
    ----------
    filename : as "D-4000-1": site, case, 1
    study_date, scan_date : when the films were taken and digitised
    age : whole years
    film_type : "REGULAR"
    density : ACR breast density, 1 to 4 by rule
    digitizer : "DBA 21", "HOWTEK 43.5" or "LUMISYS LASER", a few times another second word
    selection : the word alone on its line before the films: "SEQUENCE", "SELECTED" or ""
    views : the films, in the order of the file
    notes : where the file departs from the rules, a clause each
    """

    filename: str | None = None
    study_date: IcsDate | None = None
    age: int | None = None
    film_type: str | None = None
    density: int | None = None
    scan_date: IcsDate | None = None
    digitizer: str | None = None
    selection: str = "SEQUENCE"
    views: tuple[IcsView, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    def of(self, view: View | None) -> IcsView | None:
        """Return the film of a view, as `view_of` tells it from a file's name; None: not here."""
        return next((film for film in self.views if film.view == view), None)


def read_ics(path: str | Path, *, orders_mixed: bool = False) -> Ics:
    """Read an .ics file; see `parse_ics`.

    Raises
    ------
    MissingFileError
        When there is no such file.
    CorruptFileError
        When it is no .ics file or damaged.
    """
    data = read_packed(path, LARGEST_BYTES)
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise CorruptFileError(
            f"{path}: byte {error.start} is no ASCII, as an .ics file has; get the file again."
        ) from error
    return parse_ics(text, str(path), orders_mixed=orders_mixed)


def parse_ics(text: str, name: str = "The .ics text", *, orders_mixed: bool = False) -> Ics:
    """Parse the text of an .ics file.

    Parameters
    ----------
    text : the file's content; blank lines, blanks at line ends and CR LF are allowed
    name : how errors call it, usually its path
    orders_mixed : whether the file is of a volume that writes some dates month first (cancer_15)

    Raises
    ------
    CorruptFileError
        When no line is an .ics file's, a number is none, or two lines contradict each other: a size
        or scanner that was guessed would spoil every millimetre.
    """
    values, notes = _keyed(text, name)
    if "ics_version" not in values and not VIEWS.keys() & values.keys():
        raise CorruptFileError(f"{name}: not an .ics file of DDSM; expected its lines.")
    study, scan = read_dates(
        values.get("DATE_OF_STUDY"), values.get("DATE_DIGITIZED"), orders_mixed=orders_mixed
    )
    ics = Ics(
        filename=values.get("filename") or None,
        study_date=study,
        age=_whole(values, "PATIENT_AGE", name),
        film_type=values.get("FILM_TYPE") or None,
        density=_whole(values, "DENSITY", name),
        scan_date=scan,
        digitizer=values.get("DIGITIZER") or None,
        selection=next((word for word in _SELECTIONS if word in values), ""),
        views=tuple(_film(key, values[key], name) for key in values if key in VIEWS),
    )
    return _noted(ics, notes)


def format_ics(ics: Ics) -> str:
    """Write the text of an .ics file, byte for byte in the form of the archive's own."""
    films = [
        f"{film.name} LINES {film.lines} PIXELS_PER_LINE {film.pixels_per_line} BITS_PER_PIXEL "
        f"{film.bits} RESOLUTION {film.resolution_um:g}{_flag(film.overlay)}"
        for film in ics.views
    ]
    lines = [
        " ",
        "ics_version 1.0",
        _line("filename", ics.filename),
        _line("DATE_OF_STUDY", ics.study_date and ics.study_date.text),
        _line("PATIENT_AGE", ics.age),
        "FILM ",
        _line("FILM_TYPE", ics.film_type),
        _line("DENSITY", ics.density),
        # The archive's own line ends with a blank.
        _line("DATE_DIGITIZED", ics.scan_date and ics.scan_date.text) + " ",
        _line("DIGITIZER", ics.digitizer),
        ics.selection,
        *films,
    ]
    return "\n".join(lines) + "\n"


def find_ics(image_path: str | Path) -> Path | None:
    """Find the .ics file that lies beside an image of DDSM; None where there is none.

    The .ics is named with hyphens and the image with underscores; capitals do not matter.

    Raises
    ------
    MissingFileError
        When the folder cannot be listed.
    """
    image = Path(image_path)
    name = _IMAGE.fullmatch(image.name)
    if name is None:
        return None
    wanted = f"{name[1]}-{name[2]}-{name[3]}.ics".lower()
    try:
        if not image.parent.is_dir():
            return None
        beside = sorted(p for p in image.parent.iterdir() if p.suffix.lower() == ".ics")
    except OSError as error:
        raise MissingFileError(
            f"{image.parent}: the folder cannot be listed ({error.strerror}); allow reading it."
        ) from error
    return next((path for path in beside if path.name.lower().replace("_", "-") == wanted), None)


def is_heading_of(ics: Ics, case: str) -> bool:
    """Tell whether an .ics file calls itself by a case's name; one without a name passes.

    Parameters
    ----------
    case : site and number, as "A_1234"
    """
    named = (ics.filename or "").upper().replace("-", "_").rpartition("_")[0]
    return ics.filename is None or named == case.upper()


def view_of(name: str) -> View | None:
    """Tell from an image's name which film it is; None where it is not named as DDSM names them.

    >>> view_of("A_1234_1.LEFT_CC.LJPEG")
    (<Laterality.LEFT: 'L'>, <ViewPosition.CC: 'CC'>)
    """
    found = _IMAGE.fullmatch(Path(name).name)
    return VIEWS[found[4].upper()] if found else None


def _keyed(text: str, name: str) -> tuple[dict[str, str], list[str]]:
    values: dict[str, str] = {}
    unknown: list[str] = []
    for line in text.splitlines():
        key, _, rest = " ".join(line.split()).partition(" ")
        if not key:
            continue
        if key not in _KEYS:
            unknown.append(key[:40])
        elif values.setdefault(key, rest) != rest:
            raise CorruptFileError(f"{name}: two lines {key} say different things; get it again.")
    return values, unknown_lines(unknown)


def unknown_lines(keys: list[str]) -> list[str]:
    """Note lines that are not known, by the words that they begin with: none, or one for all.

    A damaged file can have many thousand of them.
    """
    more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return [f"a line that is not known: {keys[0]!r}{more}"] if keys else []


def _whole(values: dict[str, str], key: str, name: str) -> int | None:
    word = values.get(key, "")
    if not word:
        return None
    if not re.fullmatch(r"\d{1,3}", word, re.ASCII):
        raise CorruptFileError(
            f"{name}: expected a whole number after {key}, found {word[:20]!r}; get it again."
        )
    return int(word)


def _film(key: str, rest: str, name: str) -> IcsView:
    found = _FILM.fullmatch(rest)
    if found is None:
        raise CorruptFileError(
            f"{name}: the line of {key} is not LINES, PIXELS_PER_LINE, BITS_PER_PIXEL and "
            "RESOLUTION with their numbers; get it again."
        )
    film = IcsView(
        name=key,
        lines=int(found[1]),
        pixels_per_line=int(found[2]),
        bits=int(found[3]),
        resolution_um=float(found[4]),
        overlay=None if found[5] is None else found[5] == "OVERLAY",
    )
    possible = 0 < film.lines < 65536 and 0 < film.pixels_per_line < 65536
    if not (possible and 2 <= film.bits <= 16 and 1 <= film.resolution_um < 10_000):
        raise CorruptFileError(
            f"{name}: no film has the size, bits or resolution of {key}; get it again."
        )
    return film


def _noted(ics: Ics, notes: list[str]) -> Ics:
    """Add what departs from the rules."""
    missing = [name for name in VIEWS if all(film.name != name for film in ics.views)]
    if missing:
        notes.append(f"no line for {', '.join(missing)}")
    checks: tuple[tuple[str, Any, Callable[[Any], str]], ...] = (
        ("DATE_OF_STUDY", ics.study_date, lambda date: date.note),
        ("DATE_DIGITIZED", ics.scan_date, lambda date: date.note),
        ("PATIENT_AGE", ics.age, lambda _: ""),
        ("DENSITY", ics.density, lambda v: "" if 1 <= v <= 4 else f"is {v}, expected 1 to 4"),
        ("DIGITIZER", ics.digitizer, lambda _: ""),
    )
    for key, value, note in checks:
        said = "has no value" if value is None else note(value)
        if said:
            notes.append(f"{key} {said}")
    return replace(ics, notes=tuple(notes))


def _line(key: str, value: object) -> str:
    return key if value is None else f"{key} {value}"


def _flag(overlay: bool | None) -> str:  # noqa: FBT001
    return {True: " OVERLAY", False: " NON_OVERLAY", None: ""}[overlay]


_KEYS = frozenset(
    {
        "ics_version",
        "filename",
        "DATE_OF_STUDY",
        "PATIENT_AGE",
        "FILM",
        "FILM_TYPE",
        "DENSITY",
        "DATE_DIGITIZED",
        "DIGITIZER",
        *_SELECTIONS,
        *VIEWS,
    }
)
