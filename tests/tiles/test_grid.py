"""Where tiles lie; cutting and stitching."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.tiles.grid import cut, places, starts, stitch


def test_places_on_a_small_scan_by_hand():
    assert list(places((5, 7), 3, 2)) == [(0, 0), (0, 2), (0, 4), (2, 0), (2, 2), (2, 4)]
    assert starts(2, 3, 1) == []


def test_overlapping_tiles_are_averaged_by_hand():
    tiles = [np.full((2, 2), 1.0), np.full((2, 2), 3.0)]
    laid = stitch(tiles, [(0, 0), (0, 1)], (3, 3))
    nothing = np.nan
    expected = [[1, 2, 3], [1, 2, 3], [nothing] * 3]
    np.testing.assert_array_equal(laid, expected)


@given(
    rows=st.integers(1, 30),
    columns=st.integers(1, 30),
    size=st.integers(1, 10),
    stride=st.integers(1, 10),
)
def test_cut_and_stitched_again_is_the_scan_where_tiles_lie(rows, columns, size, stride):
    image = np.arange(rows * columns, dtype=float).reshape(rows, columns)
    at = list(places(image.shape, size, stride))
    again = stitch([cut(image, place, size) for place in at], at, image.shape)
    covered = ~np.isnan(again)
    np.testing.assert_array_equal(again[covered], image[covered])
    if stride <= size <= min(rows, columns):
        last = (starts(rows, size, stride)[-1] + size, starts(columns, size, stride)[-1] + size)
        assert covered[: last[0], : last[1]].all()


@pytest.mark.parametrize("place", [(-1, 0), (0, 8), (5, 5)])
def test_a_tile_beyond_the_scan_is_refused(place):
    with pytest.raises(ValueError, match="does not lie"):
        cut(np.zeros((8, 8)), place, 4)


def test_sizes_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        starts(10, 0, 1)
