"""Platt scaling against scikit-learn, and thresholds by hand."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from mammoscope.core.errors import ArchiveError, TrainingError, UnknownNameError
from mammoscope.core.vocabulary import Split
from mammoscope.evaluation.calibrate import (
    Ground,
    apply_platt,
    choose_threshold,
    fit_calibration,
    fit_platt,
    fit_temperature,
)
from mammoscope.evaluation.froc import sensitivity_at


def _cohort(seed, slope=1.5, intercept=-0.7, n=400):
    rng = np.random.default_rng(seed)
    scores = rng.beta(2, 3, n)
    labels = rng.random(n) < apply_platt(scores, slope, intercept)
    return scores, labels


@pytest.mark.parametrize("seed", range(5))
def test_slope_and_intercept_are_scikit_learns(seed):
    scores, labels = _cohort(seed)
    slope, intercept = fit_platt(scores, labels)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    theirs.fit(logit(scores)[:, None], labels)
    # Their solver stops at a gradient of about 1e-5 here.
    assert slope == pytest.approx(theirs.coef_[0, 0], abs=1e-3)
    assert intercept == pytest.approx(theirs.intercept_[0], abs=1e-3)


def test_the_truth_is_found_again_with_many_units():
    slope, intercept = fit_platt(*_cohort(0, n=200_000))
    # Standard errors are about .007 and .006.
    assert slope == pytest.approx(1.5, abs=0.03)
    assert intercept == pytest.approx(-0.7, abs=0.03)


def test_mean_probability_is_the_share_of_positives():
    # The likelihood's slope by the intercept is 0 at its top: known for every logistic fit.
    scores, labels = _cohort(3)
    assert apply_platt(scores, *fit_platt(scores, labels)).mean() == pytest.approx(labels.mean())


def test_four_units_by_hand():
    # Two groups, each with its own share: the fit passes through logit(1/4) and logit(3/4).
    scores = np.repeat([0.2, 0.8], 4)
    labels = [1, 0, 0, 0, 1, 1, 1, 0]
    slope, intercept = fit_platt(scores, labels)
    assert slope == pytest.approx(np.log(3) / np.log(4))
    assert intercept == pytest.approx(0, abs=1e-9)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=4, max_size=30),
)
def test_the_fit_is_a_maximum_or_is_refused(rows):
    scores, labels = (np.array(column) for column in zip(*rows, strict=True))
    try:
        slope, intercept = fit_platt(scores, labels)
    except TrainingError:
        return
    assume(abs(slope) < 50)

    def likelihood(a, b):
        linear = a * logit(np.clip(scores, 1e-6, 1 - 1e-6)) + b
        return (labels * linear - np.logaddexp(0, linear)).sum()

    best = likelihood(slope, intercept)
    for a, b in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
        assert likelihood(slope + a, intercept + b) <= best + 1e-9


@pytest.mark.parametrize(
    ("scores", "labels", "reason"),
    [
        ([0.1, 0.2, 0.3], [1, 1, 1], "one class"),
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], "part the two classes"),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], "part the two classes"),
        ([0.5, 0.5, 0.5], [0, 1, 1], "part the two classes"),
        ([], [], "one class"),
    ],
)
def test_what_has_no_likeliest_fit_is_refused_with_a_remedy(scores, labels, reason):
    with pytest.raises(TrainingError, match=reason) as caught:
        fit_platt(scores, labels)
    assert "more patients" in str(caught.value)


@pytest.mark.parametrize("scores", [[1.1, 0.5], [-0.1, 0.5], [np.nan, 0.5], [[0.1], [0.2]]])
def test_scores_outside_their_range_are_refused(scores):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        fit_platt(scores, [0, 1])


def test_scores_of_zero_and_one_have_probabilities():
    low, high = apply_platt([0.0, 1.0], 1.0, 0.0)
    assert 0 < low < 1e-5
    assert 1 - 1e-5 < high < 1


@pytest.fixture
def two_scans(make_outcome, make_finding):
    return [
        make_outcome("a", ((15, 15, 0.6), (60, 60, 0.4)), (make_finding("a"),)),
        make_outcome("b", ((5, 5, 0.8), (70, 70, 0.2))),
    ]


@pytest.mark.parametrize(
    ("rate", "threshold"),
    [
        # No peak is above .8, so just above it.
        (0.0, np.nextafter(0.8, 1)),
        # One false positive (.8) on two scans; the next is at .4, the lowest peak above it .6.
        (0.5, 0.6),
        (0.9, 0.6),
        (1.0, 0.4),
        (5.0, 0.2),
    ],
)
def test_the_threshold_is_the_lowest_score_within_the_rate(two_scans, rate, threshold):
    assert choose_threshold(two_scans, rate) == threshold


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.1, 0.5, 1.0, 2.0]))
def test_the_threshold_keeps_within_the_rate_and_finds_what_froc_says(make_cohort, seed, rate):
    outcomes = make_cohort(12, seed, steps=20)
    threshold = choose_threshold(outcomes, rate)
    free = [o for o in outcomes if not o.findings]
    false = sum(peak.score >= threshold for o in free for peak in o.peaks)
    all_scans = [o for o in outcomes if o.findings]
    found = 0
    for outcome in all_scans:
        inside = [p for p in outcome.peaks if 7.6 <= p.row <= 22.4 and 7.6 <= p.column <= 22.4]
        found += any(p.score >= threshold for p in inside)
        false += sum(p.score >= threshold for p in outcome.peaks if p not in inside)
    # Twelve scans without findings are too few: false positives count on all scans.
    assert false <= rate * len(outcomes) + 1e-9
    assert found / len(all_scans) == pytest.approx(sensitivity_at(outcomes, rate))


def test_scans_without_any_peak_have_threshold_zero(make_outcome):
    assert choose_threshold([make_outcome()], 1.0) == 0.0


def test_a_threshold_needs_scans_that_can_show_false_positives(make_outcome, make_finding):
    outcomes = [make_outcome(findings=None), make_outcome(findings=(make_finding(roi=None),))]
    with pytest.raises(ArchiveError, match="gives places"):
        choose_threshold(outcomes, 1.0)


@pytest.mark.parametrize("rate", [-1.0, np.nan])
def test_a_negative_rate_is_refused(two_scans, rate):
    with pytest.raises(ValueError, match="rate"):
        choose_threshold(two_scans, rate)


VALIDATION = Ground(split=Split.VALIDATION, fitted_on="somewhere", meaning="something")


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_is_the_one_that_a_search_finds(seed):
    rng = np.random.default_rng(seed)
    scores = rng.beta(1, 1, 300)
    labels = rng.random(300) < expit(logit(scores) / 2.5)

    def loss(temperature):
        linear = logit(scores) / temperature
        return -(labels * linear - np.logaddexp(0, linear)).sum()

    found = minimize_scalar(loss, bounds=(0.1, 50), method="bounded", options={"xatol": 1e-9})
    assert fit_temperature(scores, labels) == pytest.approx(found.x, rel=1e-4)


def test_a_temperature_by_hand():
    # Scores of .9 that are right three times in four: logit(.9) / T = logit(.75), so T = 2.
    scores = [0.9] * 4 + [0.1] * 4
    labels = [1, 1, 1, 0, 0, 0, 0, 1]
    assert fit_temperature(scores, labels) == pytest.approx(np.log(9) / np.log(3))


@pytest.mark.parametrize(
    ("scores", "labels", "reason"),
    [
        ([0.6, 0.7], [1, 1], "one class"),
        ([0.6, 0.7, 0.2], [1, 1, 0], "part the two classes at 0.5"),
        ([0.6, 0.7, 0.2], [0, 0, 1], "wrong way round"),
        ([0.5, 0.5, 0.5], [0, 0, 1], "do not rise"),
    ],
)
def test_what_no_temperature_fits_is_refused(scores, labels, reason):
    with pytest.raises(TrainingError, match=reason):
        fit_temperature(scores, labels)


@pytest.mark.parametrize("seed", range(4))
def test_isotonic_probabilities_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    # Rounded scores make ties.
    scores = np.round(rng.beta(2, 3, 200), 6 - seed)
    labels = rng.random(200) < scores
    theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, labels)
    ours = fit_calibration("isotonic", scores, labels, VALIDATION)
    asked = np.concatenate([scores, rng.random(500), [0, 1]])
    assert ours.probabilities(asked) == pytest.approx(theirs.predict(asked), abs=1e-9)


@pytest.mark.parametrize("kind", ["platt", "temperature", "isotonic"])
def test_a_calibration_never_turns_the_order_of_scores_round(kind):
    scores, labels = _cohort(2)
    fitted = fit_calibration(kind, scores, labels, VALIDATION)
    probabilities = fitted.probabilities(np.linspace(0, 1, 1001))
    assert (np.diff(probabilities) >= 0).all()
    assert 0 <= probabilities[0] <= probabilities[-1] <= 1
    assert (fitted.kind, fitted.fitted_on, fitted.meaning) == (kind, "somewhere", "something")


def test_platt_through_the_contract_is_platt_by_itself():
    scores, labels = _cohort(2)
    fitted = fit_calibration("platt", scores, labels, VALIDATION)
    assert fitted.probabilities(scores) == pytest.approx(
        apply_platt(scores, *fit_platt(scores, labels)), abs=1e-12
    )


@pytest.mark.parametrize("kind", ["platt", "temperature", "isotonic"])
@pytest.mark.parametrize(("split", "why"), [(Split.TEST, "flatter"), (Split.TRAIN, "too sure")])
def test_only_validation_patients_may_calibrate(kind, split, why):
    scores, labels = _cohort(0)
    ground = Ground(split=split, fitted_on="the wrong ones", meaning="something")
    with pytest.raises(TrainingError, match=rf"the wrong ones.*{why}.*validation split"):
        fit_calibration(kind, scores, labels, ground)


def test_an_unknown_kind_is_refused_with_the_known():
    with pytest.raises(UnknownNameError, match="isotonic"):
        fit_calibration("isotonc", [0.1, 0.2], [0, 1], VALIDATION)


def test_isotonic_needs_both_classes():
    with pytest.raises(TrainingError, match="one class"):
        fit_calibration("isotonic", [0.1, 0.2], [1, 1], VALIDATION)
