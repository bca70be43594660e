"""Bayes by hand, and against precision measured in a cohort of that prevalence."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mammoscope.evaluation.prevalence import (
    EXACT_RATE,
    negative_predictive_value,
    positive_predictive_value,
    predictive_figures,
)

shares = st.floats(0.01, 0.99)


def test_predictive_values_by_hand():
    # Of 1,000 women 5 have cancer: 4 are called, and 10 % of the other 995.
    assert positive_predictive_value(0.8, 0.9, 0.005) == pytest.approx(4 / (4 + 99.5))
    assert negative_predictive_value(0.8, 0.9, 0.005) == pytest.approx(895.5 / (895.5 + 1))
    # At 10 %: 80 of 100 called, and 90 of 900.
    assert positive_predictive_value(0.8, 0.9, 0.1) == pytest.approx(80 / 170)
    assert negative_predictive_value(0.8, 0.9, 0.1) == pytest.approx(810 / 830)


def test_a_call_that_says_nothing_leaves_the_prevalence_as_it_is():
    # Recall equals the share of false alarms.
    assert positive_predictive_value(0.3, 0.7, 0.1) == pytest.approx(0.1)
    assert negative_predictive_value(0.3, 0.7, 0.1) == pytest.approx(0.9)


def test_without_calls_there_is_nothing_to_predict_from():
    assert isnan(positive_predictive_value(0.0, 1.0, 0.1))
    assert isnan(negative_predictive_value(1.0, 0.0, 0.1))


@given(recall=shares, specificity=shares, prevalence=shares)
def test_a_rarer_disease_lowers_one_value_and_raises_the_other(recall, specificity, prevalence):
    rates = recall, specificity
    rarer = prevalence / 2
    assert positive_predictive_value(*rates, rarer) < positive_predictive_value(*rates, prevalence)
    assert negative_predictive_value(*rates, rarer) >= negative_predictive_value(*rates, prevalence)


@given(st.integers(0, 1000))
def test_at_the_cohorts_own_prevalence_they_are_its_precision(seed):
    rng = np.random.default_rng(seed)
    truth = np.arange(40) < rng.integers(5, 35)
    called = rng.random(40) < 0.5
    called[[0, -1]], called[[1, -2]] = True, False
    figures = predictive_figures(
        called, truth, [str(i) for i in range(40)], prevalences=[truth.mean()], resamples=40
    )
    ppv, npv = figures.values()
    assert ppv.value == pytest.approx(truth[called].mean())
    assert npv.value == pytest.approx((~truth)[~called].mean())
    assert ppv.low <= ppv.value <= ppv.high


def test_perfect_specificity_keeps_its_doubt():
    truth = np.arange(60) < 30
    called = np.arange(60) < 24
    figures = predictive_figures(called, truth, [str(i) for i in range(60)], resamples=60)
    ppv = figures["ppv_at_0.005"]
    assert (ppv.value, ppv.high, ppv.method) == (1.0, 1.0, EXACT_RATE)
    # Clopper-Pearson's lower end of 30 in 30; recall .8.
    lowest = stats.beta.ppf(0.025, 30, 1)
    assert ppv.low == pytest.approx(0.8 * 0.005 / (0.8 * 0.005 + (1 - lowest) * 0.995))
    assert ppv.low < 0.05
    npv = figures["npv_at_0.1"]
    assert npv.low < npv.value < npv.high


def test_perfect_recall_keeps_its_doubt_too():
    truth = np.arange(60) < 10
    figures = predictive_figures(np.arange(60) < 20, truth, [str(i) for i in range(60)])
    npv = figures["npv_at_0.1"]
    assert npv.value == 1.0
    lowest, specificity = stats.beta.ppf(0.025, 10, 1), 0.8
    expected = specificity * 0.9 / (specificity * 0.9 + (1 - lowest) * 0.1)
    assert npv.low == pytest.approx(expected)


def test_one_class_is_undefined_and_says_so():
    figures = predictive_figures([True, False], [True, True], ["a", "b"])
    assert all(isnan(figure.value) for figure in figures.values())
    assert "one class" in figures["ppv_at_0.1"].warning


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, np.nan])
def test_a_prevalence_that_is_none_is_refused(prevalence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        positive_predictive_value(0.5, 0.5, prevalence)


def test_calls_and_truth_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="same length"):
        predictive_figures([True], [True, False], ["a", "b"])
