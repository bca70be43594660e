"""One threshold, by hand."""

import pytest

from mammoscope.evaluation.calibrate import choose_threshold
from mammoscope.evaluation.froc import judge, sensitivity_at
from mammoscope.evaluation.operating import operating_point


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
