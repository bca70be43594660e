"""Brier score, calibration error and bins, by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mammoscope.core.contract import Calibration
from mammoscope.core.vocabulary import Pathology
from mammoscope.evaluation.reliability import (
    calibration_error,
    calibration_error_figure,
    calibration_section,
    equal_mass_bins,
    errors_if_calibrated,
    found_lesions,
    probability_section,
    reliability,
    reliability_with_intervals,
)

PLAIN = Calibration(slope=1.0, intercept=0.0, fitted_on="somewhere", meaning="something")
rows = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=50)


def test_the_calibration_error_is_as_by_hand():
    # Two bins of two: means .15 and .7, shares .5 and 1: gaps .35 and .3.
    statistic = calibration_error([0.1, 0.2, 0.6, 0.8], [0, 1, 1, 1], bins=2)
    assert statistic(np.ones((1, 4)))[0] == pytest.approx(0.325)
    # Weight 3 on the first unit: gaps of the bins are |.3 + .2 - 1| and .6, of 6 in all.
    assert statistic(np.array([[3.0, 1, 1, 1]]))[0] == pytest.approx((0.5 + 0.6) / 6)


def test_bins_hold_as_many_units_each():
    counts = np.bincount(equal_mass_bins(np.random.default_rng(0).random(100)))
    assert counts.tolist() == [10] * 10


def test_a_probability_on_a_border_belongs_to_the_upper_bin():
    assert equal_mass_bins([0.1, 0.5, 0.9], bins=2).tolist() == [0, 1, 1]


@given(rows)
def test_equal_probabilities_share_a_bin(rows):
    values = np.round([value for value, _ in rows], 1)
    places = equal_mass_bins(values)
    for value in np.unique(values):
        assert len(set(places[values == value])) == 1


@given(rows)
def test_the_error_is_the_mean_gap_of_the_reliability_bins(rows):
    probabilities, labels = (np.array(column) for column in zip(*rows, strict=True))
    bins = reliability(probabilities, labels)
    gaps = sum(b.n * abs(b.mean_probability - b.share_positive) for b in bins) / len(rows)
    error = calibration_error(probabilities, labels)(np.ones((1, len(rows))))[0]
    assert error == pytest.approx(gaps, abs=1e-9)
    assert sum(b.n for b in bins) == len(rows)


def test_a_perfect_model_has_an_error_above_zero_and_an_interval_from_zero():
    rng = np.random.default_rng(1)
    probabilities = rng.random(200)
    labels = rng.random(200) < probabilities
    patients = [str(i) for i in range(200)]
    figure = calibration_error_figure(probabilities, labels, patients, (200, 0))
    assert figure.value > 0.01
    assert figure.low == 0.0
    assert figure.value <= figure.high
    chance = errors_if_calibrated(probabilities, patients, 200, rng)
    assert chance.min() <= figure.value <= chance.max()


def test_a_wrong_model_has_an_interval_above_zero():
    rng = np.random.default_rng(1)
    probabilities = rng.random(200)
    labels = rng.random(200) < probabilities**4
    patients = [str(i) for i in range(200)]
    figure = calibration_error_figure(probabilities, labels, patients, (200, 0))
    # The true error is 1/2 - 1/5 = .3.
    assert 0.2 < figure.low < 0.3 < figure.high < 0.4


def test_views_of_one_patient_make_a_larger_error_by_chance():
    probabilities = np.tile(np.linspace(0.05, 0.95, 50), 4)
    alone = [str(i) for i in range(200)]
    together = [str(i % 50) for i in range(200)]
    free = errors_if_calibrated(probabilities, alone, 300, np.random.default_rng(0)).mean()
    tied = errors_if_calibrated(probabilities, together, 300, np.random.default_rng(0)).mean()
    # Four equal copies: a quarter of the units, so twice the error.
    assert tied / free == pytest.approx(2, rel=0.15)


def test_a_found_lesion_is_judged_once_by_its_best_peak(make_outcome, make_finding):
    findings = (
        make_finding(pathology=Pathology.BENIGN),
        make_finding(pathology=None, roi=make_finding().roi.scaled(5, 5)),
    )
    peaks = ((15, 15, 0.4), (16, 16, 0.7), (75, 75, 0.9), (200, 200, 0.95))
    outcome = make_outcome("a", peaks, findings)
    assert found_lesions([outcome]) == [("a", 0.7, False)]


def test_the_section_measures_breasts_and_lesions(make_cohort):
    section = calibration_section(make_cohort(60, 0), (PLAIN, PLAIN), 100, 0)
    # Thirty patients have a finding on both views of one breast.
    assert section["breasts"]["brier"]["n"] == 30
    assert section["breasts"]["ece"]["n_patients"] == 30
    assert section["lesions"]["brier"]["n"] > section["lesions"]["brier"]["n_patients"]
    assert section["breasts"]["bins"] == "10 of equal mass"


def test_without_calibration_or_proof_there_is_no_section(make_cohort, make_outcome):
    assert calibration_section(make_cohort(10, 0), (None, None), 100, 0) is None
    assert calibration_section([make_outcome()], (PLAIN, PLAIN), 100, 0) is None


def test_bins_carry_the_interval_of_their_share():
    rng = np.random.default_rng(0)
    probabilities = rng.random(400)
    labels = rng.random(400) < probabilities
    labels[np.argsort(probabilities)[:40]] = False
    patients = [str(i) for i in range(400)]
    bins = reliability_with_intervals(probabilities, labels, patients, (200, 0))
    assert [(b.n, b.n_patients) for b in bins] == [(40, 40)] * 10
    # None of the lowest forty is positive: Clopper-Pearson's upper end.
    assert (bins[0].share_positive, bins[0].low) == (0.0, 0.0)
    assert bins[0].high == pytest.approx(stats.beta.ppf(0.975, 1, 40))
    # One of ten may miss its truth by chance.
    held = [b.low <= b.mean_probability <= b.high for b in bins[1:]]
    assert sum(held) >= 8


def test_a_bin_of_one_patient_has_no_interval():
    bins = reliability_with_intervals([0.2, 0.2, 0.9], [0, 1, 1], ["a", "a", "b"], (60, 0))
    assert bins[0].share_positive == 0.5
    assert (bins[0].low, bins[0].high, bins[0].n_patients) == (None, None, 1)


def test_isotonic_calibrations_are_applied_as_the_contract_says(make_cohort):
    flat = Calibration(
        kind="isotonic", points=((0.5, 2 / 3),), fitted_on="somewhere", meaning="something"
    )
    section = calibration_section(make_cohort(60, 0), (flat, None), 100, 0)["breasts"]
    assert section["kind"] == "isotonic"
    # Of the patients with a finding a third each is benign, high risk and malignant; all are told
    # 2/3: squared errors (1/9 + 4/9 + 4/9) / 3.
    assert section["brier"]["value"] == pytest.approx(1 / 3)
    assert section["brier_parts"]["resolution"]["value"] == pytest.approx(0)
    assert section["brier_parts"]["reliability"]["value"] == pytest.approx(1 / 9)
    assert len(section["reliability"]) == 1


@pytest.mark.parametrize("wrong", [[], [1.1], [np.nan]])
def test_probabilities_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="must lie in"):
        probability_section(wrong, [True] * len(wrong), ["a"] * len(wrong), (60, 0))


def test_a_calibration_error_of_few_patients_says_so():
    scores, truth = [0.2, 0.8] * 10, [False, True] * 10
    few = calibration_error_figure(scores, truth, [f"p{i // 2}" for i in range(20)], (40, 0))
    enough = calibration_error_figure(scores, truth, [f"p{i}" for i in range(20)], (40, 0))
    assert (few.warning, enough.warning) == ("fewer than 20 patients", None)
