"""Places of two views paired: hand answers and properties."""

from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.evaluation.pairing import MOST_PLACES, Place, depth_mm, nipple_of, pair_places

SHARE = st.floats(0, 1)
PLACES = st.lists(st.builds(Place, SHARE, SHARE, st.none() | st.floats(0, 200)), max_size=12)


def breast(rows=200, columns=150):
    """Half an ellipse, chest wall at the left, nipple at row 100 and column 120."""
    row, column = np.mgrid[:rows, :columns]
    return ((row - 100) / 80) ** 2 + (column / 120.5) ** 2 <= 1


def test_the_nipple_is_the_tip_of_the_breast():
    assert nipple_of(breast(), 0.5) == pytest.approx((100, 120), abs=0.6)


def test_a_breast_cut_off_by_the_film_has_no_nipple():
    assert nipple_of(breast(columns=110), 0.5) is None


def test_no_breast_has_no_nipple():
    assert nipple_of(np.zeros((20, 20), bool), 0.5) is None


def test_depth_looks_at_columns_alone():
    assert depth_mm((10, 20), (90, 120), 0.5) == 50.0


def test_the_pair_at_the_same_depth_goes_before_the_better_scores():
    first = [Place(0.9, 0.5, 20.0)]
    second = [Place(0.9, 0.5, 80.0), Place(0.6, 0.5, 22.0)]
    (pair,) = pair_places(first, second, 10.0)
    assert (pair.first, pair.second) == (0, 1)
    assert pair.likeness == pytest.approx(exp(-0.5 * 0.2**2))
    assert pair.strength == pytest.approx(exp(-0.02) * sqrt(0.54))


def test_unlike_malignancies_lower_the_likeness():
    (pair,) = pair_places([Place(1.0, 0.9, 5.0)], [Place(1.0, 0.2, 5.0)], 10.0)
    assert pair.likeness == pytest.approx(0.3)


def test_without_a_nipple_the_malignancies_alone_decide():
    second = [Place(0.5, 0.1, 5.0), Place(0.5, 0.8, 90.0)]
    best = pair_places([Place(0.5, 0.8, None)], second, 10.0)[0]
    assert (best.second, best.likeness) == (1, 1.0)


@given(PLACES, PLACES)
def test_each_place_stands_in_one_pair_and_the_strongest_goes_first(first, second):
    pairs = pair_places(first, second, 12.0)
    assert len(pairs) == min(len(first), len(second), MOST_PLACES)
    assert len({pair.first for pair in pairs}) == len({pair.second for pair in pairs}) == len(pairs)
    strengths = [pair.strength for pair in pairs]
    assert strengths == sorted(strengths, reverse=True)
    assert all(0 <= pair.likeness <= 1 and 0 <= pair.strength <= 1 for pair in pairs)


@given(PLACES, PLACES)
def test_which_view_comes_first_changes_no_strongest_pair(first, second):
    one, other = pair_places(first, second, 12.0), pair_places(second, first, 12.0)
    assert [p.strength for p in one[:1]] == pytest.approx([p.strength for p in other[:1]])
