"""Differences by a bootstrap: what pairing does, and p values that agree with intervals."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.evaluation.differences import (
    COMPARED,
    Scored,
    bca_p_value,
    differences_paired,
    differences_unpaired,
)
from mammoscope.evaluation.intervals import draw, figure_of, weighted_mean


def scored(name: str, seed: int, effect: float, n: int = 120) -> Scored:
    """Patients of two units each; the truth and half of the noise are the same for every name."""
    shared = np.random.default_rng(0)
    truth = np.repeat(shared.random(n // 2) < 0.4, 2)
    noise = shared.normal(size=n) + np.random.default_rng(seed).normal(size=n)
    scores = 1 / (1 + np.exp(-(noise + effect * truth)))
    ids = tuple(f"s{i}" for i in range(n))
    return Scored(name, ids, tuple(f"p{i // 2}" for i in range(n)), scores, truth)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_a_set_does_not_differ_from_itself():
    found = differences_paired(scored("a", 1, 1), scored("b", 1, 1), 60, rng())
    assert set(found) == set(COMPARED)
    for difference in found.values():
        assert (difference.difference, difference.p_value) == (0.0, 1.0)


def test_pairing_narrows_the_interval_of_scores_that_go_together():
    a, b = scored("a", 1, 1), scored("b", 2, 1)
    paired, strangers = (
        compare(a, b, 400, rng())["average_precision"]
        for compare in (differences_paired, differences_unpaired)
    )
    assert paired.difference == pytest.approx(strangers.difference)
    assert paired.high - paired.low < strangers.high - strangers.low


def test_a_great_difference_is_found_and_none_is_not():
    a, b, c = scored("a", 1, 4), scored("b", 2, 0), scored("c", 3, 0)
    assert differences_paired(a, b, 400, rng())["average_precision"].p_value < 0.01
    assert differences_unpaired(a, b, 400, rng())["average_precision"].p_value < 0.01
    assert differences_paired(b, c, 400, rng())["average_precision"].p_value > 0.05


@given(st.integers(0, 500), st.floats(-0.6, 0.6))
def test_the_p_value_is_below_5_percent_when_the_interval_leaves_out_0(seed, middle):
    values = np.random.default_rng(seed).gamma(1.0, size=25) - 1 + middle
    draws = draw(weighted_mean(values), [str(i) for i in range(25)], 200, rng())
    figure = figure_of(draws, n=25, n_patients=25)
    p_value = bca_p_value(draws)
    # Between two neighbouring resamples the ends are drawn by a line, the p value is not.
    if abs(p_value - 0.05) > 0.015:
        assert (p_value < 0.05) == (figure.low > 0 or figure.high < 0)


def test_the_p_value_is_no_smaller_than_resamples_can_tell():
    values = np.random.default_rng(0).random(30) + 5
    draws = draw(weighted_mean(values), [str(i) for i in range(30)], 100, rng())
    assert 0 < bca_p_value(draws) <= 0.02


def test_a_figure_undefined_in_one_set_has_no_difference():
    a = scored("a", 1, 1)
    none_called = Scored("b", a.ids, a.patients, a.scores, a.truth, threshold=2.0)
    for compare in (differences_paired, differences_unpaired):
        found = compare(a, none_called, 60, rng())["precision"]
        assert isnan(found.difference)
        assert isnan(found.p_value)
        assert "undefined" in str(found.warning)


def test_paired_sets_of_other_patients_are_refused():
    a = scored("a", 1, 1)
    other = Scored("b", a.ids, a.patients[::-1], a.scores, a.truth)
    with pytest.raises(ValueError, match="patients"):
        differences_paired(a, other, 60, rng())


@pytest.mark.parametrize("ids", [("x",), ("x", "x")])
def test_a_set_whose_parts_do_not_fit_is_refused(ids):
    with pytest.raises(ValueError, match=r"length|twice"):
        Scored("a", ids, ("p", "q"), np.zeros(2), np.zeros(2, dtype=bool))
