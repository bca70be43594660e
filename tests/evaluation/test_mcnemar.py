"""McNemar's test against the published example and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mammoscope.evaluation.mcnemar import mcnemar


def calls(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def test_the_published_example_is_met():
    # Bentur et al. as in Fagerland, Lydersen & Laake 2013, table 1: 1, 1, 7 and 12 children.
    # By hand: 2 (1 + 8) / 2^8 exact, and 8 / 2^8 less.
    found = mcnemar(*calls(1, 1, 7, 12))
    assert (found.only_a, found.only_b, found.n) == (1, 7, 21)
    assert found.exact == pytest.approx(18 / 256)
    assert found.mid_p == pytest.approx(10 / 256)


def test_equal_numbers_follow_the_published_rule():
    # 1 less half the chance of 2 in 4.
    found = mcnemar(*calls(0, 2, 2, 0))
    assert found.exact == 1.0
    assert found.mid_p == pytest.approx(1 - 0.5 * 6 / 16)


def test_calls_that_never_differ_show_nothing():
    found = mcnemar([True, False], [True, False])
    assert (found.exact, found.mid_p) == (1.0, 1.0)


@given(st.integers(0, 30), st.integers(0, 30))
def test_the_exact_test_is_the_sign_test(only_a, only_b):
    found = mcnemar(*calls(2, only_a, only_b, 3))
    if only_a + only_b:
        theirs = stats.binomtest(only_a, only_a + only_b).pvalue
        assert found.exact == pytest.approx(min(1.0, theirs))
    assert 0 < found.mid_p <= found.exact <= 1


def test_calls_on_other_numbers_of_units_are_refused():
    with pytest.raises(ValueError, match="length"):
        mcnemar(np.ones(3, bool), np.ones(2, bool))
