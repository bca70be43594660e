"""Scans of 12 and 16 bits to the 8 bits of the paper's tiles.

DDSM: the author's programs (jpeg, then ddsmraw2pnm of C Rose) turned grey levels into optical
densities by the scanner's calibration, these into 16 bits that rise with the square of the light
let through, and those into 8 by dividing by 256. CBIS-DDSM: he saved its DICOM files as JPEG from a
viewer whose window is not known. We take the whole range, divided by 256, and leave the losses of
JPEG out: a stated simplification (method facts 1.1 and 1.2).
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import ScanError
from mammoscope.core.records import Scan
from mammoscope.scans.optical_density import BITS, DARKEST, optical_density, scanner_of

WHITE = 255
_ROWS = 16
"""Rows that are turned at a time, so that they stay in the processor's cache."""


def film_scanner(scan: Scan) -> str:
    """Name the scanner of a film of DDSM, as `mammoscope.scans.optical_density` does.

    Raises
    ------
    ScanError
        When the archive does not say it, as where the .ics file is missing.
    """
    try:
        return scanner_of(scan.facts.get("site", ""), scan.facts.get("scanner", ""))
    except ScanError as error:
        raise ScanError(f"{scan.path}: {error}") from error


def film_bytes(image: NDArray[Any], scan: Scan, *, white_to_black: bool) -> NDArray[np.uint8]:
    """Turn a film of DDSM into 8 bits.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), unsigned whole numbers: the scanner's grey levels
    scan : its record, which names the scanner
    white_to_black : 255 becomes 0: in the author's chain level 0 of the DBA scanner, with which
        names were cut out, turns white, and nothing else does

    Returns
    -------
    ndarray of the same shape, uint8, dense tissue bright.

    Raises
    ------
    ScanError
        When the scanner is not known, or cannot have given such grey levels.
    """
    scanner = film_scanner(scan)
    table = _table(scanner, white_to_black=white_to_black)
    if image.dtype not in (np.uint8, np.uint16) or int(image.max(initial=0)) >= len(table):
        raise ScanError(
            f"{scan.path}: {image.dtype} up to {image.max(initial=0)}, where a {scanner} scanner "
            f"gives {BITS[scanner]} bits; check the scanner that its .ics file names."
        )
    turned = np.empty(image.shape, np.uint8)
    for row in range(0, len(image), _ROWS):
        part = slice(row, row + _ROWS)
        np.take(table, image[part], out=turned[part], mode="clip")
    return turned


def viewer_bytes(image: NDArray[Any], scan: Scan) -> NDArray[np.uint8]:
    """Turn a part of a scan of CBIS-DDSM into 8 bits: what has 16 is divided by 256.

    Raises
    ------
    ScanError
        When it has neither 8 nor 16 bits.
    """
    if image.dtype == np.uint8:
        return np.asarray(image, dtype=np.uint8)
    if image.dtype != np.uint16:
        raise ScanError(
            f"{scan.path}: {image.dtype}, where CBIS-DDSM has 16 or 8 bits a pixel; take the "
            "archive's own files."
        )
    return np.asarray(image >> 8, dtype=np.uint8)


@cache
def _table(scanner: str, *, white_to_black: bool) -> NDArray[np.uint8]:
    levels = np.arange(2 ** BITS[scanner])
    densities = optical_density(levels, scanner).astype(np.float64)
    if scanner == "dba":
        # ddsmraw2pnm does not take the logarithm of 0.
        densities[0] = 0
    linear = 65535 - np.floor(65535 / DARKEST * densities)
    table = np.asarray(np.floor(linear * linear / 65535).astype(np.int64) >> 8, dtype=np.uint8)
    if white_to_black:
        table[table == WHITE] = 0
    table.setflags(write=False)
    return table
