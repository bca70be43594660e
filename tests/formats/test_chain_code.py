"""Chain codes: steps by hand, and digits to points and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.formats.chain_code import digits_along, digits_of, points_of


def test_each_digit_steps_where_the_archive_draws_it():
    # Up, up right, right, down right, down, down left, left, up left, worked by hand.
    points = points_of((10, 20), np.arange(8, dtype=np.uint8))
    rows = [10, 9, 8, 8, 9, 10, 11, 11, 10]
    columns = [20, 20, 21, 22, 23, 23, 22, 21, 20]
    assert points.tolist() == [list(pair) for pair in zip(rows, columns, strict=True)]
    assert points.dtype == np.float32


def test_digits_are_read_whatever_blanks_part_them():
    assert digits_of(" 0 1\t7\n4 ").tolist() == [0, 1, 7, 4]
    assert digits_of("").tolist() == []


@pytest.mark.parametrize("text", ["0 8", "0 9 1", "1 x", "1 12 3", "-1", "1 ° 2"])
def test_anything_but_single_digits_below_eight_is_refused(text):
    assert digits_of(text) is None


@given(st.lists(st.integers(0, 7)), st.integers(-50, 9000), st.integers(-50, 9000))
def test_points_lead_back_to_their_digits(digits, row, column):
    points = points_of((row, column), np.array(digits, np.uint8))
    assert digits_along(points).tolist() == digits
    assert points[0].tolist() == [row, column]


@pytest.mark.parametrize("points", [[[0, 0], [0, 2]], [[0, 0], [0.5, 0]], [[3, 3], [3, 3]]])
def test_points_that_are_no_neighbours_have_no_chain_code(points):
    with pytest.raises(ValueError, match="a chain code"):
        digits_along(np.array(points, np.float32))
