"""One threshold, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.evaluation.calibrate import choose_threshold
from mammoscope.evaluation.froc import judge, sensitivity_at
from mammoscope.evaluation.operating import (
    Cost,
    called_back_section,
    operating_point,
    point_figures,
    threshold_by_cost,
    threshold_by_recall_rate,
)


def test_the_operating_point_is_as_by_hand(make_outcome, make_finding):
    outcomes = [
        make_outcome("a", ((15, 15, 0.6), (60, 60, 0.7)), (make_finding("a"),)),
        make_outcome("b", ((15, 15, 0.5), (60, 60, 0.4)), (make_finding("b"),)),
        make_outcome("c", ((5, 5, 0.6), (70, 70, 0.9))),
        make_outcome("d", ((5, 5, 0.5),)),
        make_outcome("e", ((5, 5, 0.6),)),
    ]
    point = operating_point(outcomes, judge(outcomes), 0.6, 100, 0)
    # a is found at .6 itself; c has two false positives, a and e one, of five scans; d is quiet.
    assert point["sensitivity"]["value"] == 0.5
    assert point["specificity"]["value"] == pytest.approx(1 / 3)
    assert point["fp_per_scan"]["value"] == 0.8
    assert point["threshold"] == 0.6


def test_what_an_archive_lacks_is_none(make_outcome, make_finding):
    outcomes = [make_outcome("a", ((15, 15, 0.6),), (make_finding("a", roi=None),))]
    point = operating_point(outcomes, judge(outcomes), 0.6, 100, 0)
    assert point["sensitivity"] is None
    assert point["specificity"] is None
    assert point["fp_per_scan"] is None


@pytest.mark.parametrize("rate", [0.25, 1.0])
def test_a_chosen_threshold_gives_the_sensitivity_that_froc_promised(make_cohort, rate):
    outcomes = make_cohort(60, 2)
    threshold = choose_threshold(outcomes, rate)
    point = operating_point(outcomes, judge(outcomes), threshold, 100, 0)
    assert point["fp_per_scan"]["value"] <= rate
    assert point["sensitivity"]["value"] == pytest.approx(sensitivity_at(outcomes, rate))


def test_the_share_called_back_is_kept_with_ties():
    scores = [0.1, 0.2, 0.2, 0.8, 0.9]
    assert threshold_by_recall_rate(scores, 0.4) == 0.8
    # The two of .2 come together: three of five are not allowed to be four.
    assert threshold_by_recall_rate(scores, 0.6) == 0.8
    assert threshold_by_recall_rate(scores, 0.8) == 0.2
    assert threshold_by_recall_rate(scores, 1.0) == 0.1
    assert threshold_by_recall_rate(scores, 0.0) > 0.9


@given(
    scores=st.lists(st.integers(0, 9).map(lambda v: v / 10), min_size=1, max_size=30),
    rate=st.floats(0, 1),
)
def test_no_lower_threshold_keeps_the_share_called_back(scores, rate):
    values = np.array(scores)
    threshold = threshold_by_recall_rate(values, rate)
    assert (values >= threshold).mean() <= rate + 1e-9
    lower = values[values < threshold]
    if len(lower):
        assert (values >= lower.max()).mean() > rate


def test_the_cheapest_threshold_follows_cost_and_prevalence():
    scores = [0.1, 0.4, 0.6, 0.5, 0.9]
    truth = [False, False, False, True, True]
    # Misses and alarms cost alike where half are positive: at .5 one alarm of three is 1/6, at .9
    # one miss of two is 1/4.
    assert threshold_by_cost(scores, truth, Cost(miss=1, false_alarm=1, prevalence=0.5)) == 0.5
    # At 10 % the alarm costs .3 and the miss .05.
    assert threshold_by_cost(scores, truth, Cost(miss=1, false_alarm=1, prevalence=0.1)) == 0.9
    # A miss of a hundred times the cost brings it back: .3 against 5.
    assert threshold_by_cost(scores, truth, Cost(miss=100, false_alarm=1, prevalence=0.1)) == 0.5
    # Where only alarms cost, none is called.
    free = Cost(miss=0, false_alarm=1, prevalence=0.1)
    assert threshold_by_cost(scores, truth, free) > 0.9


@given(seed=st.integers(0, 500), miss=st.floats(0.1, 50), prevalence=st.floats(0.01, 0.9))
def test_no_threshold_is_cheaper(seed, miss, prevalence):
    rng = np.random.default_rng(seed)
    scores, truth = np.round(rng.random(20), 1), np.arange(20) < 8
    cost = Cost(miss=miss, false_alarm=1.0, prevalence=prevalence)

    def paid(threshold):
        called = scores >= threshold
        return float(cost.of(called[truth].mean(), (~called)[~truth].mean()))

    best = paid(threshold_by_cost(scores, truth, cost))
    assert all(best <= paid(t) + 1e-6 for t in [*scores, 2.0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"miss": -1, "false_alarm": 1, "prevalence": 0.1},
        {"miss": 0, "false_alarm": 0, "prevalence": 0.1},
        {"miss": np.inf, "false_alarm": 0, "prevalence": 0.1},
        {"miss": 1, "false_alarm": 1, "prevalence": 0},
    ],
)
def test_costs_that_choose_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=r"costs|prevalence"):
        Cost(**wrong)


def test_scores_that_choose_nothing_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        threshold_by_recall_rate([], 0.1)
    with pytest.raises(ValueError, match="finite"):
        threshold_by_recall_rate([np.nan], 0.1)
    with pytest.raises(ValueError, match="called back"):
        threshold_by_recall_rate([0.1], 1.1)


def test_a_point_has_all_its_figures():
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    truth = np.array([0, 0, 0, 1, 0, 1, 0, 1], bool)
    figures = point_figures(scores, truth, [str(i) for i in range(8)], 0.55, draws=(60, 0))
    assert figures["recall_rate"].value == pytest.approx(3 / 8)
    assert figures["recall"].value == pytest.approx(2 / 3)
    assert figures["specificity"].value == pytest.approx(4 / 5)
    # .667 x .1 = .0667 called rightly and .2 x .9 = .18 wrongly.
    assert figures["ppv_at_0.1"].value == pytest.approx(0.0666667 / 0.2466667, abs=1e-4)
    assert figures["npv_at_0.005"].value > 0.99
    assert figures["precision"].value == pytest.approx(2 / 3)


def test_patients_are_called_back_by_their_highest_scan(make_outcome, make_finding):
    outcomes = []
    for i in range(30):
        has = i < 10
        scores = (0.2, 0.9) if i in (0, 1, 2, 3, 10) else (0.2, 0.3)
        outcomes += [
            make_outcome(
                f"{i}-{view}",
                ((15, 15, score),),
                (make_finding(f"{i}-{view}"),) if has else (),
                patient_id=str(i),
            )
            for view, score in zip(("CC", "MLO"), scores, strict=True)
        ]
    outcomes.append(make_outcome("unknown", ((15, 15, 0.9),), None))
    section = called_back_section(outcomes, 0.5, 60, 0)
    figures = section["figures"]
    # Four of ten with findings, and one of twenty without.
    assert figures["recall_rate"]["value"] == pytest.approx(5 / 30)
    assert figures["recall"]["value"] == pytest.approx(0.4)
    assert figures["specificity"]["value"] == pytest.approx(0.95)
    assert figures["ppv_at_0.005"]["value"] == pytest.approx(0.002 / (0.002 + 0.05 * 0.995))
    assert [point["abstained"] for point in section["abstention"]][:2] == [0.0, 0.05]
    assert section["abstention"][0]["risk"]["value"] == pytest.approx(7 / 30)
    assert "any finding" in section["rule"]


def test_without_free_patients_nobody_is_wrongly_called_back(make_outcome, make_finding):
    outcomes = [make_outcome("a", ((15, 15, 0.9),), (make_finding("a"),))]
    assert called_back_section(outcomes, 0.5, 60, 0) is None
