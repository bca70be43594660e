"""Twelve and sixteen bits to eight, as the paper's chain of programs did."""

from math import floor, log10
from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.errors import ScanError
from mammoscope.core.records import Scan
from mammoscope.tiles.paper_greys import film_bytes, film_scanner, viewer_bytes

SCANNERS = {
    "dba": ("A", "DBA 21"),
    "howtek-mgh": ("A", "HOWTEK 43.5"),
    "howtek-ismd": ("D", "HOWTEK 43.5"),
    "lumisys": ("C", "LUMISYS LASER"),
}


def film(scanner):
    site, words = SCANNERS[scanner]
    return Scan(
        scan_id="A_0001_LEFT_CC",
        archive="ddsm",
        path=Path("A_0001_1.LEFT_CC.LJPEG"),
        patient_id="ddsm-A_0001",
        exam_id="A_0001",
        facts={"site": site, "scanner": words},
    )


def slow_byte(level, scanner):
    """One grey level through ddsmraw2pnm and a division by 256, as method facts 1.1 has it."""
    if scanner == "dba":
        level_in = min(max(level, 4), 64064)
        density = 0 if level == 0 else (log10(level_in) - 4.80662) / -1.07553
    elif scanner == "howtek-mgh":
        density = 3.789 - 0.00094568 * min(level, 4006)
    elif scanner == "howtek-ismd":
        density = 3.96604096240593 - 0.00099055807612 * min(level, 4003)
    else:
        density = (min(max(level, 61), 4097) - 4096.99) / -1009.01
    linear = 65535 - floor(65535 / 4.0 * min(max(density, 0), 4))
    return floor(linear * linear / 65535) // 256


@pytest.mark.parametrize("scanner", SCANNERS)
def test_every_scanner_is_turned_as_the_authors_programs_turn_it(scanner):
    most = 65536 if scanner == "dba" else 4096
    levels = np.arange(0, most, 7, dtype=np.uint16)
    turned = film_bytes(levels[None], film(scanner), white_to_black=False)[0]
    slow = np.array([slow_byte(int(level), scanner) for level in levels])
    # The published constants are rounded at the fifth digit: one step of 256 where it matters.
    assert np.abs(turned.astype(int) - slow).max() <= 1
    assert (turned == slow).mean() > 0.99


def test_a_howtek_level_by_hand():
    # OD = 3.789 - 1.89136 = 1.89764; 65535 - 31090 = 34445; squared over 65535 = 18104; / 256 = 70.
    level = np.array([[2000]], dtype=np.uint16)
    assert film_bytes(level, film("howtek-mgh"), white_to_black=False)[0, 0] == 70


def test_cut_outs_of_the_dba_scanner_turn_white_and_then_black():
    level = np.array([[0, 4, 30000]], dtype=np.uint16)
    assert film_bytes(level, film("dba"), white_to_black=False)[0].tolist()[:2] == [255, 0]
    black = film_bytes(level, film("dba"), white_to_black=True)[0]
    assert black[0] == 0
    assert black[2] > 100


def test_levels_that_the_scanner_cannot_give_are_refused_by_name():
    with pytest.raises(ScanError, match=r"LEFT_CC\.LJPEG: uint16 up to 4096, where a lumisys"):
        film_bytes(np.array([[4096]], dtype=np.uint16), film("lumisys"), white_to_black=True)


def test_a_film_whose_scanner_is_not_known_is_refused_by_name():
    scan = Scan(scan_id="x", archive="ddsm", path=Path("x.LJPEG"), patient_id="x", exam_id="x")
    with pytest.raises(ScanError, match=r"x\.LJPEG: No scanner"):
        film_scanner(scan)


def test_sixteen_bits_of_cbis_are_divided_by_256_and_eight_stay():
    wide = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    assert viewer_bytes(wide, film("dba")).tolist() == [[0, 0, 1, 255]]
    narrow = np.array([[7]], dtype=np.uint8)
    assert viewer_bytes(narrow, film("dba")).tolist() == [[7]]


def test_other_numbers_than_the_archives_are_refused():
    with pytest.raises(ScanError, match="float32, where CBIS-DDSM has 16 or 8 bits"):
        viewer_bytes(np.zeros((1, 1), np.float32), film("dba"))
