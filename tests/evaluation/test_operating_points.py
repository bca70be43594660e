"""Named thresholds: the rules by hand, and on random cohorts against what they promise."""

import pytest

from mammoscope.core.errors import ArchiveError
from mammoscope.evaluation.froc import judge, sensitivity_at
from mammoscope.evaluation.operating_points import named_points


def hit_and_miss(make_outcome, make_finding, hit, miss, scan_id):
    places = ((15, 15, hit), (60, 60, miss))
    return make_outcome(scan_id, places, (make_finding(scan_id),))


@pytest.fixture
def ten(make_outcome, make_finding):
    """Ten scans: hits at 1, .9, ... .1, one false positive each, of .05 less."""
    return [
        hit_and_miss(make_outcome, make_finding, n / 10, n / 10 - 0.05, f"s{n}")
        for n in range(10, 0, -1)
    ]


def test_the_three_rules_are_as_by_hand(ten):
    points = named_points(ten, 0.5, "ten scans", resamples=40)
    assert [p.name for p in points] == ["high-sensitivity", "balanced", "high-specificity"]
    # Nine of ten hits reach .2. Five false positives reach .55, the sixth is .45, and the lowest
    # score between is a hit of .5; likewise .9 between the first and the second.
    assert [p.threshold for p in points] == pytest.approx([0.2, 0.5, 0.9])
    assert [p.sensitivity["value"] for p in points] == pytest.approx([0.9, 0.6, 0.2])
    assert [p.fp_per_scan["value"] for p in points] == pytest.approx([0.8, 0.5, 0.1])


def test_a_point_says_its_rule_and_its_ground(ten):
    sensitive, balanced, specific = named_points(ten, 0.5, "ten scans", resamples=40)
    assert sensitive.chosen_by == "a sensitivity of 0.9 or just above for places on ten scans"
    assert balanced.chosen_by == "0.5 false positives a scan on ten scans"
    assert specific.chosen_by == "0.1 false positives a scan on ten scans"
    assert {p.measured_on for p in (sensitive, balanced, specific)} == {"ten scans"}


def test_the_rates_keep_what_they_promise(make_cohort):
    outcomes = make_cohort(60, 4)
    points = {p.name: p for p in named_points(outcomes, 0.5, "made", resamples=40)}
    for name, rate in (("balanced", 0.5), ("high-specificity", 0.1)):
        assert points[name].fp_per_scan["value"] <= rate
        assert points[name].sensitivity["value"] == pytest.approx(sensitivity_at(outcomes, rate))


def test_no_higher_threshold_would_find_as_much(ten):
    (sensitive, *_) = named_points(ten, 0.5, "ten", resamples=40)
    found = judge(ten).found_at
    assert (found >= sensitive.threshold).mean() >= 0.9
    assert (found > sensitive.threshold).mean() < 0.9


def test_a_rule_that_no_threshold_keeps_gives_no_point(ten, make_outcome, make_finding):
    lost = [make_outcome(f"l{n}", ((60, 60, 0.3),), (make_finding(f"l{n}"),)) for n in range(3)]
    names = [p.name for p in named_points([*ten, *lost], 0.5, "made", resamples=40)]
    assert names == ["balanced", "high-specificity"]


def test_scans_that_can_show_no_false_positive_are_refused(make_outcome, make_finding):
    only = [make_outcome("a", ((15, 15, 0.6),), (make_finding("a", roi=None),))]
    with pytest.raises(ArchiveError, match="No scan can show a false positive"):
        named_points(only, 0.5, "made", resamples=40)
