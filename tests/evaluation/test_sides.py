"""Left against right: known answers, and what must hold for any two breasts."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.evaluation.sides import less_other_side

SCORES = st.floats(0, 1)
# Where nothing is kept from the ends, so that differences stay differences.
INNER = st.floats(0.001, 0.999)


@pytest.mark.parametrize(
    ("score", "other", "expected"),
    [
        # Odds 9 over the root of odds 9 are odds 3; over the root of odds 1/9, odds 27.
        (0.9, 0.9, 3 / 4),
        (0.9, 0.1, 27 / 28),
        (0.1, 0.9, 1 / 28),
        # Odds 1 over the root of odds 4, and of odds 1/4.
        (0.5, 0.8, 1 / 3),
        (0.5, 0.2, 2 / 3),
        # An other breast at one half changes nothing.
        (0.3, 0.5, 0.3),
    ],
)
def test_odds_are_divided_by_the_root_of_the_others(score, other, expected):
    assert less_other_side(score, other) == pytest.approx(expected, abs=1e-12)


def test_scores_at_the_ends_count_as_a_thousandth_from_them():
    assert less_other_side(0.0, 1.0) == less_other_side(0.001, 0.999) > 0
    assert less_other_side(1.0, 0.0) == less_other_side(0.999, 0.001) < 1


@given(SCORES)
def test_breasts_that_are_alike_move_towards_one_half_and_stay_alike(score):
    told = less_other_side(score, score)
    assert min(score, 0.5) - 1e-12 <= told or score < 0.001
    assert told <= max(score, 0.5) + 1e-12 or score > 0.999
    # The root of the odds: squared they are the odds of the score again.
    kept = min(max(score, 0.001), 0.999)
    assert (told / (1 - told)) ** 2 == pytest.approx(kept / (1 - kept), rel=1e-9)


@given(INNER, INNER)
def test_clear_and_suspicious_are_treated_alike(score, other):
    mirrored = 1 - less_other_side(1 - score, 1 - other)
    assert less_other_side(score, other) == pytest.approx(mirrored, abs=1e-9)


@given(SCORES, SCORES, SCORES)
def test_it_never_falls_with_the_own_score_nor_rises_with_the_others(one, two, other):
    low, high = sorted((one, two))
    assert less_other_side(low, other) <= less_other_side(high, other)
    assert less_other_side(other, low) >= less_other_side(other, high)


@given(SCORES, SCORES)
def test_the_breast_that_scores_higher_still_does(one, two):
    low, high = sorted((one, two))
    assert less_other_side(low, high) <= less_other_side(high, low)


def test_a_score_that_is_no_number_makes_none():
    assert isnan(less_other_side(float("nan"), 0.5))
    assert isnan(less_other_side(0.5, float("nan")))
