"""Risk and coverage, by hand and by a plain count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.evaluation.abstention import (
    WHAT,
    abstention_statistic,
    abstentions,
    certainty_of,
)

# Ten units, the two least certain wrong, one more wrong in the middle.
CERTAINTY = np.arange(10, 0, -1) / 10
TRUTH = np.array([1, 0, 1, 0, 1, 0, 1, 0, 1, 0], bool)
RIGHT = np.array([1, 1, 1, 1, 0, 1, 1, 1, 0, 0], bool)
CALLED = np.where(RIGHT, TRUTH, ~TRUTH)
PATIENTS = [str(i) for i in range(10)]


def at_once(abstained, weights=None):
    statistic = abstention_statistic(RIGHT, TRUTH, CERTAINTY, abstained)
    given_weights = np.ones((1, 10)) if weights is None else weights
    return statistic(given_weights)[0].reshape(len(abstained), len(WHAT))


def test_risk_gain_recall_and_specificity_by_hand():
    nothing, two, half = at_once([0.0, 0.2, 0.5])
    assert nothing == pytest.approx([0.3, 0.0, 3 / 5, 4 / 5])
    # Eight are kept: one wrong of them, a positive of four.
    assert two == pytest.approx([1 / 8, 0.3 - 1 / 8, 3 / 4, 1.0])
    # Five: positives 0, 2, 4 of which the last is missed; negatives 1 and 3.
    assert half == pytest.approx([1 / 5, 0.1, 2 / 3, 1.0])


def test_a_part_of_a_unit_is_kept_as_a_part():
    # 15 %: eight and a half units, half of the ninth wrong.
    assert at_once([0.15])[0][0] == pytest.approx(1.5 / 8.5)


def test_units_of_equal_certainty_are_left_out_by_lot():
    flat = abstention_statistic(RIGHT, TRUTH, np.ones(10), [0.0, 0.5])
    values = flat(np.ones((1, 10)))[0].reshape(2, 4)
    # A certainty that says nothing buys nothing.
    assert values[1] == pytest.approx(values[0])


@settings(deadline=None)
@given(seed=st.integers(0, 1000), left_out=st.integers(0, 29))
def test_whole_weights_are_as_many_copies(seed, left_out):
    rng = np.random.default_rng(seed)
    truth, right = rng.random((2, 12)) < 0.5
    certainty = rng.random(12)
    weights = rng.integers(0, 4, 12)
    if not weights.any():
        weights[0] = 1
    copies = np.repeat(np.arange(12), weights)
    share = left_out / 30
    one = abstention_statistic(right, truth, certainty, [share])(weights[None].astype(float))
    other = abstention_statistic(right[copies], truth[copies], certainty[copies], [share])
    assert one[0] == pytest.approx(other(np.ones((1, len(copies))))[0], nan_ok=True)


def test_figures_rest_on_what_is_kept():
    points = abstentions(CALLED, TRUTH, CERTAINTY, PATIENTS, abstained=(0.0, 0.2), draws=(200, 0))
    assert points[0].risk.value == pytest.approx(0.3)
    assert points[0].gain.value == 0.0
    assert "same value" in points[0].gain.warning
    assert (points[1].risk.n, points[1].recall.n, points[1].specificity.n) == (8, 4, 4)
    assert points[1].gain.value == pytest.approx(0.175)
    assert points[1].risk.low <= points[1].risk.value <= points[1].risk.high
    # Specificity is 1: the exact interval, of the four patients with a negative that is kept.
    assert points[1].specificity.value == 1.0
    assert points[1].specificity.low == pytest.approx(0.025 ** (1 / 4))
    assert points[1].to_json()["abstained"] == 0.2


def test_a_class_kept_only_by_lot_has_no_interval():
    # All are equally certain, so which half of one unit is kept is chance.
    truth = [True, False, False, False, False]
    points = abstentions(truth, truth, np.ones(5), list("edcba"), abstained=(0.9,), draws=(60, 0))
    assert points[0].specificity.value == 1.0
    assert points[0].specificity.warning == "too few patients for an interval"


def test_a_good_certainty_buys_something_beyond_doubt():
    rng = np.random.default_rng(0)
    chance = rng.random(600)
    truth = rng.random(600) < chance
    patients = [str(i) for i in range(600)]
    certainty = certainty_of(chance, 0.5)
    half = abstentions(chance >= 0.5, truth, certainty, patients, abstained=(0.5,), draws=(200, 0))
    # Risk at certainty c is (1 - c) / 2: 1/4 of all, 1/8 of the surer half.
    assert half[0].risk.low < 1 / 8 < half[0].risk.high
    assert half[0].gain.low > 0.05


def test_certainty_is_the_share_of_the_way_to_the_end():
    assert certainty_of([0.0, 0.1, 0.2, 0.6, 1.0], 0.2) == pytest.approx([1, 0.5, 0, 0.5, 1])
    assert certainty_of([0.0, 1.0], 1.0) == pytest.approx([1, 0])
    assert certainty_of([0.0, 1.0], 0.0) == pytest.approx([0, 1])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="lie in"):
        certainty_of([1.2], 0.5)
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        abstention_statistic(RIGHT, TRUTH, CERTAINTY, [1.0])
    with pytest.raises(ValueError, match="same length"):
        abstention_statistic(RIGHT[:3], TRUTH, CERTAINTY, [0.5])
    with pytest.raises(ValueError, match="a unit"):
        abstentions([], [], [], [])
