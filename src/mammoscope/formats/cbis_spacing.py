"""Which DDSM film each of CBIS-DDSM's scans is, and so how large its pixels are.

CBIS-DDSM publishes no pixel spacing. A public table tells which DDSM film each of its scans is, and
DDSM tells each film's size, scanner and resolution; `scripts/make_cbis_films.py` joined the two
(see ``data/cbis-films.md``). The scan's raster is the film's where both have the same size, and
only there does the film's resolution hold.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mammoscope.core.records import Spacing

_NUMBERED = re.compile(r"_\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class CbisFilm:
    """Size of a DDSM film in pixels, and the side of a pixel."""

    spacing_mm: Spacing
    rows: int
    columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CbisMatch:
    """What is known of one scan of CBIS-DDSM beside its own files.

    Attributes
    ----------
    scan : e.g. ``P_00820_LEFT_CC``
    ddsm_case : volume and case, e.g. ``cancer_15/B_3085``
    film : size of the DDSM film; None where DDSM does not say
    masses, calcifications : how many findings of each kind the archive's own tables give it
    scanner : DDSM's word; "" where unknown, and so are the next three
    bits : of a pixel as scanned
    age : of the patient, in years
    study_date : ISO 8601; DDSM writes day and month without saying which is which
    """

    scan: str
    ddsm_case: str
    film: CbisFilm | None
    masses: int
    calcifications: int
    scanner: str = ""
    bits: str = ""
    age: str = ""
    study_date: str = ""

    @property
    def ddsm_film(self) -> str:
        """DDSM's name of the film, e.g. ``B_3085_1.LEFT_CC``."""
        return f"{self.ddsm_case.rsplit('/', 1)[-1]}_1.{self.scan[8:]}"


def match_of(cbis_scan: str) -> CbisMatch | None:
    """Look a scan up by name, e.g. ``Mass-Test_P_00820_LEFT_CC``.

    A name without its table (``P_00820_LEFT_CC``) and one with an abnormality's number behind it
    are understood too. A film that CBIS-DDSM lists among both masses and calcifications is one
    scan. None where the name is not one of the archive's.
    """
    bare = cbis_scan.split("_", 1)[1] if cbis_scan.startswith(("Calc-", "Mass-")) else cbis_scan
    return _matches().get(bare) or _matches().get(_NUMBERED.sub("", bare))


def film_of(cbis_scan: str) -> CbisFilm | None:
    """Look up the film of a scan by name, see `match_of`.

    Its spacing holds only where the scan has the film's rows and columns.
    """
    match = match_of(cbis_scan)
    return match.film if match else None


def spacing_mm_of(cbis_scan: str) -> Spacing | None:
    """(row, column) spacing of a scan's film in millimetres, see `film_of`."""
    film = film_of(cbis_scan)
    return film.spacing_mm if film else None


@cache
def _matches() -> dict[str, CbisMatch]:
    cases: dict[str, list[dict[str, str]]] = {}
    for row in _table("cbis-cases.csv"):
        cases.setdefault(row["patient_id"], []).append(row)
    matches: dict[str, CbisMatch] = {}
    for row in _table("cbis-films.csv"):
        scan = row["scan"]
        own = cases[scan[:7]]
        # Only patients whose films lie in two volumes have two rows, which then name the scans.
        case = next(c for c in own if len(own) == 1 or scan[8:] in c["scans"].split())
        matches[scan] = CbisMatch(
            scan=scan,
            ddsm_case=case["ddsm_case"],
            film=_film(row, case),
            masses=int(row["masses"]),
            calcifications=int(row["calcs"]),
            scanner=case["scanner"],
            bits=case["bits"],
            age=case["age"],
            study_date=case["study_date"],
        )
    return matches


def _film(row: dict[str, str], case: dict[str, str]) -> CbisFilm | None:
    if not row["lines"]:
        return None
    side = float(case["resolution_um"]) / 1000
    rows, columns = int(row["lines"]), int(row["pixels_per_line"])
    return CbisFilm(spacing_mm=(side, side), rows=rows, columns=columns)


def _table(name: str) -> Iterator[dict[str, str]]:
    text = (files("mammoscope.formats") / "data" / name).read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines())
