"""Grey levels of DDSM's four scanners to optical density of the film, and back.

A scanner measured how dark the film is; its grey levels are that density in numbers of its own.
Two sets of calibrations are in use: "web", as on the pages of DDSM, and "heath", regressions the
other way round in README.calibration of the archive's own software (heathusf 1.1.0, M Heath 2000).
Large grey levels are thin film, which is bright on the light box: dense tissue is bright.

One public program that does the same gives grey level 0 of the DBA scanner the density 0, so that
the darkest film turns white, and cut-outs in such scans become white patches. Here the darkest
grey levels are the darkest film.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import ScanError, UnknownNameError

Calibration = Literal["web", "heath"]
PART = 1 << 15
"""Pixels that are worked on at a time."""
DARKEST = 4.0
"""Optical densities run from 0, no film at all, to this."""


@dataclass(frozen=True, slots=True)
class Curve:
    """OD = offset + slope * GL, or of log10(GL) where `logarithmic`.

    `low` and `high` are the grey levels between which 0 <= OD <= 4; levels beyond them are taken
    for the nearest of the two.
    """

    offset: float
    slope: float
    low: int
    high: int
    logarithmic: bool = False


# The web's lines for DBA and Lumisys are regressions of GL on OD, turned round.
_DBA_WEB = Curve(
    4.80662168527192 / 1.07552889682318, -1 / 1.07552889682318, 4, 64064, logarithmic=True
)
_LUMISYS_WEB = Curve(4096.98809984497 / 1009.01021049107, -1 / 1009.01021049107, 61, 4097)
_ISMD = Curve(3.96604095240593, -0.00099055807612, 0, 4003)
CURVES: Mapping[str, Mapping[str, Curve]] = MappingProxyType(
    {
        "dba": {
            "web": _DBA_WEB,
            "heath": Curve(4.26700423014133, -0.90303289757264, 2, 53111, logarithmic=True),
        },
        "howtek-mgh": {
            "web": Curve(3.789, -0.00094568, 0, 4006),
            "heath": Curve(3.78928997845071, -0.00094568009377, 0, 4006),
        },
        "howtek-ismd": {"web": _ISMD, "heath": _ISMD},
        "lumisys": {
            "web": _LUMISYS_WEB,
            "heath": Curve(4.05977749300340, -0.00099080941710, 61, 4097),
        },
    }
)
"""Curves by scanner and calibration."""
BITS: Mapping[str, int] = MappingProxyType(
    {"dba": 16, "howtek-mgh": 12, "howtek-ismd": 12, "lumisys": 12}
)
"""Bits a pixel of each scanner, without exception in the archive."""
_SITES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("A", "DBA"): "dba",
        ("A", "HOWTEK"): "howtek-mgh",
        ("D", "HOWTEK"): "howtek-ismd",
        ("B", "LUMISYS"): "lumisys",
        ("C", "LUMISYS"): "lumisys",
    }
)


def scanner_of(site: str, digitizer: str) -> str:
    """Name the scanner of a DDSM film.

    Parameters
    ----------
    site : first letter of the film's name, "A" to "D"
    digitizer : what the `.ics` file says, such as "HOWTEK 43.5" or "LUMISYS LASER"

    Returns
    -------
    "dba", "howtek-mgh", "howtek-ismd" or "lumisys"

    Raises
    ------
    ScanError
        When no such scanner stood at that site: each has a calibration of its own.
    """
    maker = digitizer.split()[0].upper() if digitizer.split() else ""
    name = _SITES.get((site.upper(), maker))
    if name is None:
        raise ScanError(
            f"No scanner {digitizer!r} of DDSM's site {site!r} is known; expected DBA or HOWTEK at "
            "A, LUMISYS at B and C, HOWTEK at D."
        )
    return name


def optical_density(
    image: NDArray[Any], scanner: str, calibration: Calibration = "web"
) -> NDArray[np.float32]:
    """Turn a scanner's grey levels into optical densities.

    Parameters
    ----------
    image : ndarray of whole numbers, any shape, the scanner's own grey levels
    scanner : a name of `CURVES`

    Returns
    -------
    ndarray of the image's shape, float32 in [0, 4], 0 = clear film, 4 = darkest

    Raises
    ------
    UnknownNameError
        When there is no such scanner or calibration.
    ScanError
        When a grey level is more than the scanner can give: it is another scanner's image, and the
        result would be one white sheet.
    """
    table = _densities(scanner, calibration)
    if not np.issubdtype(image.dtype, np.integer):
        raise TypeError(f"grey levels are whole numbers, got {image.dtype}")
    low, high = (int(image.min()), int(image.max())) if image.size else (0, 0)
    if low < 0 or high >= len(table):
        raise ScanError(
            f"Grey levels from {low} to {high} do not come from a {scanner} scanner of "
            f"{BITS[scanner]} bits; name the scanner that made the film's scan."
        )
    densities = np.empty(image.size, dtype=np.float32)
    flat = image.reshape(-1)
    for part in _parts(image.size):
        np.take(table, flat[part], out=densities[part], mode="clip")
    return densities.reshape(image.shape)


def grey_levels(
    densities: NDArray[Any], scanner: str, calibration: Calibration = "web"
) -> NDArray[np.uint16]:
    """Turn optical densities into the grey levels that a scanner would give; undoes the above.

    Parameters
    ----------
    densities : ndarray of floats, any shape, optical density; what lies beyond what the scanner
        can tell is taken for its nearest level
    scanner : a name of `CURVES`

    Returns
    -------
    ndarray of the same shape, uint16, rounded

    Raises
    ------
    UnknownNameError
        When there is no such scanner or calibration.
    """
    curve = _curve(scanner, calibration)
    # From the density of `high`, not from 0: DBA's powers of ten would run far out of range.
    lightest, darkest = (float(_curve_at(curve, gl)) for gl in (curve.high, curve.low))
    # 12-bit scanners stop at 4095, a little before their curve reaches density 0.
    high = min(curve.high, 2 ** BITS[scanner] - 1)
    given = np.asarray(densities)
    flat = given.reshape(-1)
    levels = np.empty(given.size, dtype=np.uint16)
    for part in _parts(given.size):
        values = np.clip(flat[part].astype(np.float64), lightest, darkest)
        if np.isnan(values).any():
            raise ValueError("an optical density is not a number")
        values -= curve.offset
        values /= curve.slope
        if curve.logarithmic:
            values *= np.log(10)
            np.exp(values, out=values)
        np.clip(np.rint(values, out=values), curve.low, high, out=values)
        levels[part] = values
    return levels.reshape(given.shape)


def _parts(size: int) -> Iterator[slice]:
    """Cut an array into parts that stay in the processor's cache: several times as fast."""
    for start in range(0, size, PART):
        yield slice(start, start + PART)


def _curve(scanner: str, calibration: str) -> Curve:
    if scanner not in CURVES:
        raise UnknownNameError.among("scanner", scanner, CURVES)
    if calibration not in CURVES[scanner]:
        raise UnknownNameError.among("calibration", calibration, CURVES[scanner])
    return CURVES[scanner][calibration]


@cache
def _densities(scanner: str, calibration: str) -> NDArray[np.float32]:
    """Densities of every grey level that a scanner can give."""
    curve = _curve(scanner, calibration)
    levels = np.clip(np.arange(2 ** BITS[scanner]), curve.low, curve.high)
    table = np.clip(_curve_at(curve, levels), 0.0, DARKEST).astype(np.float32)
    table.setflags(write=False)
    return table


def _curve_at(curve: Curve, levels: NDArray[Any] | int) -> NDArray[np.float64]:
    values = np.asarray(levels, dtype=np.float64)
    scale = np.log10(values) if curve.logarithmic else values
    return np.asarray(curve.offset + curve.slope * scale)
