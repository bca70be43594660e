"""Corrections against hand answers and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mammoscope.evaluation.corrections import benjamini_hochberg, holm

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_holm_multiplies_by_how_many_are_left():
    # 0.01 x 4, 0.02 x 3, 0.03 x 2 = 0.06, and 0.04 x 1 raised to 0.06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_benjamini_hochberg_divides_by_the_rank():
    # 0.01 x 4/1, 0.04 x 4/2, 0.05 x 4/3, 0.9 x 4/4.
    found = benjamini_hochberg([0.9, 0.04, 0.01, 0.05])
    assert found == pytest.approx([0.9, 0.05 * 4 / 3, 0.04, 0.05 * 4 / 3])


@given(p_lists)
def test_benjamini_hochberg_is_scipys(p_values):
    theirs = stats.false_discovery_control(p_values, method="bh")
    np.testing.assert_allclose(benjamini_hochberg(p_values), theirs)


@given(p_lists)
def test_holm_lies_between_the_plain_p_and_bonferronis(p_values):
    found, given_p = holm(p_values), np.array(p_values)
    assert (found >= given_p).all()
    assert (found <= np.minimum(1, given_p * len(given_p)) + 1e-15).all()
    assert (found >= benjamini_hochberg(p_values) - 1e-15).all()


def test_what_is_undefined_stays_so_and_is_not_counted():
    found = holm([np.nan, 0.01, 0.5])
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([0.02, 0.5])
    assert np.isnan(benjamini_hochberg([np.nan])[0])


@pytest.mark.parametrize("p_values", [[1.5], [-0.1], [[0.1]]])
def test_what_is_no_p_value_is_refused(p_values):
    with pytest.raises(ValueError, match="p values"):
        holm(p_values)
