"""The course of the learning rate."""

import pytest

from mammoscope.training.rates import RateKind, RateSettings, rate_of


def test_the_paper_s_staircase_ends_where_its_plot_does():
    # 41 epochs of 1,366 steps, .8 every 5: the last rate printed is .000168 for a first of .001.
    rate = rate_of(RateSettings(), 1366, 41)
    assert rate(0) == 1.0
    assert rate(5 * 1366 - 1) == 1.0
    assert rate(5 * 1366) == pytest.approx(0.8)
    assert 0.001 * rate(41 * 1366 - 1) == pytest.approx(0.000168, abs=5e-7)


def test_a_cosine_falls_from_one_to_its_last_value():
    rate = rate_of(RateSettings(kind=RateKind.COSINE, last=0.1), 10, 10)
    assert rate(0) == 1.0
    assert rate(50) == pytest.approx(0.55)
    assert rate(100) == pytest.approx(0.1)


def test_a_warm_up_rises_in_a_straight_line():
    rate = rate_of(RateSettings(kind=RateKind.CONSTANT, warm_up_steps=4), 10, 1)
    assert [rate(step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "numbers", [{"decay": 0}, {"epochs_a_stair": 0}, {"warm_up_steps": -1}, {"last": 2}]
)
def test_numbers_that_make_no_sense_are_refused(numbers):
    with pytest.raises(ValueError, match=next(iter(numbers))):
        RateSettings(**numbers)
