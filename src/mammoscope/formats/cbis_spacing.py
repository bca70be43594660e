"""How large the pixels of CBIS-DDSM's scans are.

CBIS-DDSM publishes no pixel spacing. A public table tells which DDSM film each of its scans is, and
DDSM tells each film's scanner and resolution; `scripts/make_cbis_spacing.py` joined the two and
kept the scans whose raster agrees with the film's (see ``data/cbis-spacing.md``).
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mammoscope.core.records import Spacing

_NUMBERED = re.compile(r"_\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class CbisFilm:
    """Size of a CBIS-DDSM scan in pixels, and the side of a pixel."""

    spacing_mm: Spacing
    rows: int
    columns: int


def film_of(cbis_scan: str) -> CbisFilm | None:
    """Look a scan up by name, e.g. ``Mass-Test_P_00820_LEFT_CC``.

    A name without its table (``P_00820_LEFT_CC``) and one with an abnormality's number behind it
    are understood too. A film that CBIS-DDSM lists among both masses and calcifications is one
    film: the table knows it by its masses. None where the size of the scan's pixels is not known.
    """
    name = cbis_scan if cbis_scan in _films() else _NUMBERED.sub("", cbis_scan)
    bare = name.split("_", 1)[1] if name.startswith(("Calc-", "Mass-")) else name
    return _films().get(name) or _films().get(bare)


def spacing_mm_of(cbis_scan: str) -> Spacing | None:
    """(row, column) spacing of a scan in millimetres, see `film_of`."""
    film = film_of(cbis_scan)
    return film.spacing_mm if film else None


@cache
def _films() -> dict[str, CbisFilm]:
    text = (files("mammoscope.formats") / "data" / "cbis-spacing.csv").read_text(encoding="utf-8")
    films: dict[str, CbisFilm] = {}
    for row in csv.DictReader(text.splitlines()):
        side = float(row["spacing_um"]) / 1000
        film = CbisFilm(spacing_mm=(side, side), rows=int(row["rows"]), columns=int(row["columns"]))
        films[row["cbis_scan"]] = film
        # The same film may stand in the tables of masses and of calcifications; they agree.
        films[row["cbis_scan"].split("_", 1)[1]] = film
    return films
