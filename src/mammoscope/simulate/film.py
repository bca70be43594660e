"""What a film scanner or a digital detector makes of a made scan.

Film: the density of the tissue becomes an exposure, the exposure an optical density by the film's
characteristic curve, and that a grey level by the scanner's line. The curve is that of a
mammography film with a base and fog of 0.2, a largest density of 3.7 and an average gradient near 3
(measured on Kodak Min-R 2000: 2.48 to 3.4 and 3.67 to 3.76; Journal of Medical Physics 37 (2012)
40). The scanners' lines are those of the DDSM web pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.core.errors import UnknownNameError
from mammoscope.core.vocabulary import Laterality
from mammoscope.simulate.exam import MadeScan
from mammoscope.simulate.marks import add_film_marks, add_mias_marks

Floats = NDArray[np.float32]

BASE_AND_FOG, LARGEST_OD = 0.2, 3.7
MIAS_SIDE_PX, MIAS_SPACING_MM = 1024, 0.2
"""Size of a mini-MIAS picture; the film lies in its middle."""
MIAS_BLACKEST_OD = 3.45
DIGITAL_WHITE = 4095


@dataclass(frozen=True, slots=True)
class Scanner:
    """A film scanner of DDSM.

    Attributes
    ----------
    bits : of a grey level
    slope, offset : grey = offset + slope * OD, or log10(grey) where `is_log`
    least : smallest grey level that it gives
    noise_od : its noise where the film is bright, and what is added where the film is black
    """

    bits: int
    slope: float
    offset: float
    least: int
    noise_od: tuple[float, float]
    is_log: bool = False


SCANNERS = {
    "dba": Scanner(16, -1.07553, 4.80662, 4, (0.006, 0.05), is_log=True),
    "howtek-mgh": Scanner(12, -1 / 0.00094568, 3.789 / 0.00094568, 0, (0.006, 0.03)),
    "howtek-ismd": Scanner(
        12, -1 / 0.00099055807612, 3.96604095240593 / 0.00099055807612, 0, (0.006, 0.03)
    ),
    "lumisys": Scanner(12, -1009.01, 4096.99, 61, (0.004, 0.012)),
}
"""The scanners of DDSM, by the name that `to_film` takes."""


def optical_density(density: Floats) -> Floats:
    """Return the optical density of a film behind tissue of `density` in [0, 1]."""
    # Three constants set the exposure: fat near OD 2.2, dense tissue near 0.7, air near black.
    exposure = np.float32(0.52) - np.float32(1.34) * density
    exposure += np.float32(0.60) * np.exp(density * np.float32(-1 / 0.07))
    span = np.float32(LARGEST_OD - BASE_AND_FOG)
    od: Floats = span / (1 + np.exp(np.float32(-3.684) * exposure)) + np.float32(BASE_AND_FOG)
    return od


def grey_levels(od: Floats, scanner: Scanner) -> NDArray[np.uint16]:
    """Return the grey levels that a scanner gives for optical densities."""
    line = scanner.offset + scanner.slope * od
    grey = np.exp(np.float32(np.log(10)) * line) if scanner.is_log else line
    most = 2**scanner.bits - 1
    levels: NDArray[np.uint16] = np.clip(np.rint(grey), scanner.least, most).astype(np.uint16)
    return levels


def to_film(scan: MadeScan, scanner: str, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Return a made scan as a film that one of DDSM's scanners has read.

    Parameters
    ----------
    scanner : "dba" (16 bit), "howtek-mgh", "howtek-ismd" or "lumisys" (12 bit)

    Returns
    -------
    uint16 of the scan's shape; large is bright. Borders, a lead marker with side and view, dust,
    scratches and now and then a white patch lie outside the breast or are as thin as on real films.

    Raises
    ------
    UnknownNameError
        There is no such scanner.
    """
    if scanner not in SCANNERS:
        raise UnknownNameError.among("scanner", scanner, SCANNERS)
    machine = SCANNERS[scanner]
    od = np.empty_like(scan.density)
    tilt = rng.normal(0, 0.04, 2)
    for rows in _bands(od):
        od[rows] = optical_density(scan.density[rows])
        od[rows] += _haze(od, rows, tilt)
    add_film_marks(od, scan, rng)
    grey = np.empty(od.shape, np.uint16)
    for rows in _bands(od):
        grey[rows] = grey_levels(
            od[rows] + _noise(od[rows], scan.spacing_mm, machine.noise_od, rng), machine
        )
    return grey


def _bands(image: NDArray[np.generic]) -> Iterator[slice]:
    """Yield slices of rows that fit into a processor's cache, which is far faster."""
    high = max(2, 2**17 // image.shape[1])
    for first in range(0, image.shape[0], high):
        yield slice(first, min(first + high, image.shape[0]))


def _haze(od: Floats, rows: slice, tilt: NDArray[np.float64]) -> Floats:
    """Return how uneven the film's black is, as light and fog make it."""
    down = np.linspace(-1, 1, od.shape[0], dtype=np.float32)[rows, None]
    across = np.linspace(-1, 1, od.shape[1], dtype=np.float32)[None, :]
    slant = np.float32(tilt[0]) * down + np.float32(tilt[1]) * across
    haze: Floats = slant * np.clip(od[rows] - np.float32(2.5), 0, 1)
    return haze


def _noise(
    od: Floats, spacing_mm: float, noise_od: tuple[float, float], rng: np.random.Generator
) -> Floats:
    """Return film grain, quantum mottle and the scanner's own noise, as optical density.

    The figures hold at 0.05 mm; larger pixels average over more grain.
    """
    rows, columns = od.shape
    coarse = rng.standard_normal((rows // 2 + 2, columns // 2 + 2), dtype=np.float32)
    noise = _twice(_twice(coarse, 0), 1)[:rows, :columns]
    noise *= np.float32(0.032)
    dark = np.clip((od - np.float32(2)) / np.float32(1.7), 0, 1)
    dark *= dark
    sigma = np.float32(0.010 + noise_od[0]) + np.float32(noise_od[1]) * dark
    noise += sigma * rng.standard_normal(od.shape, dtype=np.float32)
    noise *= np.float32(min(1.4, 0.05 / spacing_mm))
    return noise


def _twice(coarse: Floats, axis: int) -> Floats:
    """Double an array along an axis by linear interpolation; the last value is dropped."""
    whole = np.moveaxis(coarse, axis, 0)
    large = np.empty((2 * len(whole) - 2, *whole.shape[1:]), np.float32)
    large[0::2] = whole[:-1]
    large[1::2] = (whole[:-1] + whole[1:]) * np.float32(0.5)
    return np.moveaxis(large, 0, axis)


def to_digital(scan: MadeScan, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Return a made scan as a digital mammogram FOR PRESENTATION: 12 bit, the air exactly 0."""
    grey = np.empty(scan.density.shape, np.uint16)
    for rows in _bands(scan.density):
        noise = rng.standard_normal(grey[rows].shape, dtype=np.float32) * np.float32(0.006)
        light = np.clip((scan.density[rows] + noise - 0.06) / 0.84, 0, 1) ** np.float32(1.25)
        grey[rows] = np.where(scan.breast[rows], np.rint(light * (DIGITAL_WHITE - 40)) + 40, 0)
    return grey


def to_mias(scan: MadeScan, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a made scan as a mini-MIAS picture: uint8, 1024 x 1024 at 0.2 mm."""
    od = optical_density(scan.density)
    small = _mias_size(scan)
    film = np.array(
        Image.fromarray(od).resize((small[1], small[0]), Image.Resampling.BOX), dtype=np.float32
    )
    # A film higher than the picture loses as much above as below.
    add_mias_marks(film, scan, max(0, (small[0] - MIAS_SIDE_PX) // 2), rng)
    film += 0.012 * rng.standard_normal(film.shape, dtype=np.float32)
    light = np.clip((MIAS_BLACKEST_OD - film) / (MIAS_BLACKEST_OD - BASE_AND_FOG), 0, 1) ** 0.85
    picture = np.zeros((MIAS_SIDE_PX, MIAS_SIDE_PX), np.float32)
    _lay(light, picture, scan.laterality)
    return np.rint(picture * 235).astype(np.uint8)


def mias_mask(scan: MadeScan, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask of the scan's shape on the grid of its `to_mias` picture."""
    small = _mias_size(scan)
    share = Image.fromarray(mask.astype(np.float32)).resize(
        (small[1], small[0]), Image.Resampling.BOX
    )
    picture = np.zeros((MIAS_SIDE_PX, MIAS_SIDE_PX), np.float32)
    _lay(np.asarray(share), picture, scan.laterality)
    return picture > 0.1


def _mias_size(scan: MadeScan) -> tuple[int, int]:
    scale = scan.spacing_mm / MIAS_SPACING_MM
    rows, columns = scan.density.shape
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def _lay(film: Floats, picture: Floats, laterality: Laterality) -> None:
    """Lay a film into the middle of a picture; what is too large is cut, the chest wall kept."""
    rows, columns = (min(a, b) for a, b in zip(film.shape, picture.shape, strict=True))
    over = (film.shape[0] - rows) // 2
    left = film.shape[1] - columns if laterality is Laterality.RIGHT else 0
    top, side = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    picture[top : top + rows, side : side + columns] = film[
        over : over + rows, left : left + columns
    ]
