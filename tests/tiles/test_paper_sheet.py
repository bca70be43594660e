"""Sheets that know where they lie on their scan; shrinking and turning."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mammoscope.core.errors import ScanError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.tiles.paper_sheet import Sheet, check_size, shrunk, turned

SCAN = Scan(scan_id="s", archive="ddsm", path=Path("s.png"), patient_id="p", exam_id="e")


def sheet(shape, **facts):
    return Sheet(image=np.zeros(shape, np.uint8), scan=SCAN, **facts)


def test_a_window_of_a_trimmed_and_enlarged_sheet_lies_where_it_was_on_the_scan():
    # Rows are enlarged twofold, columns fourfold; 6 rows and 8 columns of the sheet are cut off.
    trimmed = sheet((100, 200), scale=(2.0, 4.0)).trimmed(6, 100, 8, 200)
    assert trimmed.shape == (94, 192)
    assert trimmed.on_scan((4, 20), 40) == Box(5, 7, 20, 10)
    again = trimmed.trimmed(10, 90, 12, 100)
    assert again.on_scan((0, 0), 8) == Box(8, 5, 4, 2)


@pytest.mark.parametrize("place", [(-1, 0), (0, 93), (3, -2)])
def test_a_window_beyond_the_sheet_is_refused(place):
    with pytest.raises(ValueError, match="does not lie"):
        sheet((100, 100)).window(place, 8)


def test_a_sheet_on_which_no_tile_fits_is_refused_by_name():
    with pytest.raises(ScanError, match=r"s\.png: 500 x 700 pixels .* tile of 598; recipe 9"):
        check_size(sheet((500, 700)), 598, "9")
    check_size(sheet((598, 598)), 598, "9")


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    side=st.integers(2, 40),
    levels=st.sampled_from([(0, 256), (0, 2), (250, 256)]),
)
def test_a_window_of_two_tiles_side_is_shrunk_to_the_bit_as_pillow_does(seed, side, levels):
    window = np.random.default_rng(seed).integers(*levels, (2 * side, 2 * side)).astype(np.uint8)
    pillow = Image.fromarray(window).resize((side, side), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(shrunk(window, side), np.asarray(pillow))


def test_any_other_window_is_shrunk_by_pillow_and_one_of_the_size_is_left():
    window = np.random.default_rng(0).integers(0, 256, (700, 700)).astype(np.uint8)
    pillow = Image.fromarray(window).resize((299, 299), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(shrunk(window), np.asarray(pillow))
    assert shrunk(window[:299, :299]).base is window


def test_turns_are_the_eight_symmetries_of_a_square_and_as_likely_as_in_the_notebook():
    tile = np.arange(9, dtype=np.uint8).reshape(3, 3)
    rng = np.random.default_rng(0)
    seen = [turned(tile, rng).tobytes() for _ in range(4000)]
    assert len(set(seen)) == 8
    # Flips are even, so mirrored and not are alike; quarter turns come from k in -3..2.
    same = sum(s == tile.tobytes() for s in seen) / 4000
    # No flip (1/4) and k = 0 (1/6), or both flips (1/4) and k = -2 or 2 (2/6).
    assert same == pytest.approx(1 / 24 + 2 / 24, abs=0.02)
