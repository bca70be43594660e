"""FROC: a case worked by hand, a slow plain version, and the rules one by one."""

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.geometry import Box, Circle
from mammoscope.core.vocabulary import FindingKind
from mammoscope.evaluation import froc
from mammoscope.evaluation.hits import lies_in

INSIDE, OUTSIDE = (15, 15), (60, 60)


@pytest.fixture
def three_scans(make_outcome, make_finding):
    """Scan a: two findings; b: none; c: one finding, missed.

    Peaks by score: .9 hits a/1; .8 hits a/1 again (neither hit nor false); .7 false on b;
    .6 false on a; .5 hits a/2; .4 false on c; .3 false on b.
    """
    return [
        make_outcome(
            "a",
            ((*INSIDE, 0.9), (16, 16, 0.8), (*OUTSIDE, 0.6), (102, 102, 0.5)),
            (make_finding("a"), make_finding("a", roi=Circle(100, 100, 3))),
        ),
        make_outcome("b", ((5, 5, 0.7), (15, 15, 0.3))),
        make_outcome("c", ((*OUTSIDE, 0.4),), (make_finding("c"),)),
    ]


def test_the_three_scans_are_judged_as_by_hand(three_scans):
    judged = froc.judge(three_scans)
    assert judged.found_at.tolist() == [0.9, 0.5, -inf]
    assert judged.false_scores.tolist() == [0.7, 0.6, 0.4, 0.3]
    assert judged.false_scans.tolist() == [1, 0, 2, 1]
    assert judged.counted.all()


@pytest.mark.parametrize(
    ("fp_per_scan", "found"),
    [
        # No false positive allowed: any threshold above .7 finds a/1.
        (0.0, 1 / 3),
        # Two false positives on three scans are .667 a scan: .65 is not enough for the second.
        (0.65, 1 / 3),
        # .667 allows both, so any threshold above .4: a/2 is found at .5.
        (2 / 3, 2 / 3),
        (1.0, 2 / 3),
        # c is never found, however many are allowed.
        (100.0, 2 / 3),
    ],
)
def test_sensitivity_of_the_three_scans_is_as_by_hand(three_scans, fp_per_scan, found):
    assert froc.sensitivity_at(three_scans, fp_per_scan) == pytest.approx(found)


def test_the_curve_of_the_three_scans_is_as_by_hand(three_scans):
    curve = froc.curve(froc.judge(three_scans))
    assert curve.fp_per_scan.tolist() == pytest.approx([0, 2 / 3])
    assert curve.sensitivity.tolist() == pytest.approx([1 / 3, 2 / 3])
    assert curve.thresholds.tolist() == [0.9, 0.5]


def test_a_hit_that_ties_with_a_false_positive_too_many_is_not_found(make_outcome, make_finding):
    outcomes = [
        make_outcome("a", ((*INSIDE, 0.5),), (make_finding("a"),)),
        make_outcome("b", ((*INSIDE, 0.5),)),
    ]
    assert froc.sensitivity_at(outcomes, 0.4) == 0.0
    assert froc.sensitivity_at(outcomes, 0.5) == 1.0


def test_with_twenty_free_scans_only_their_peaks_are_false_positives(make_outcome, make_finding):
    with_finding = make_outcome("a", ((*OUTSIDE, 0.9), (*INSIDE, 0.2)), (make_finding("a"),))
    free = [make_outcome(f"f{i}", ((5, 5, 0.1),)) for i in range(20)]
    assert froc.judge([with_finding, *free]).on_free_scans
    assert froc.sensitivity_at([with_finding, *free], 0.0) == 1.0
    assert "scans without findings (20)" in froc.judge([with_finding, *free]).rule
    # With nineteen all scans count, and the peak at .9 stands in the way.
    assert not froc.judge([with_finding, *free[:19]]).on_free_scans
    assert froc.sensitivity_at([with_finding, *free[:19]], 0.0) == 0.0
    assert "all scans (20)" in froc.judge([with_finding, *free[:19]]).rule


def test_findings_without_a_place_are_left_out_and_counted(make_outcome, make_finding):
    outcomes = [
        make_outcome("a", ((*INSIDE, 0.5),), (make_finding("a"),)),
        # Its peak may be a hit: so it is neither a hit nor a false positive.
        make_outcome("b", ((*OUTSIDE, 0.9),), (make_finding("b", roi=None),)),
        make_outcome("c", ((*OUTSIDE, 0.8),), None),
    ]
    judged = froc.judge(outcomes)
    assert len(judged.findings) == 1
    assert (judged.without_place, judged.unknown_scans) == (1, 1)
    assert judged.counted.tolist() == [True, False]
    assert froc.sensitivity_at(outcomes, 0.0) == 1.0


def test_without_a_scan_for_false_positives_sensitivity_is_undefined(make_outcome, make_finding):
    mixed = (make_finding("a"), make_finding("a", roi=None))
    outcomes = [make_outcome("a", ((*INSIDE, 0.5),), mixed)]
    assert isnan(froc.sensitivity_at(outcomes, 1.0))
    judged = froc.judge(outcomes)
    section = froc.froc_section(judged, 40, 0)
    assert section["points"][0]["sensitivity"]["value"] is None
    assert "undefined" in section["points"][0]["sensitivity"]["warning"]
    assert section["curve"]["fp_per_scan"] == []


def test_without_any_outcome_there_is_nothing():
    judged = froc.judge([])
    assert judged.findings == ()
    assert isnan(froc.sensitivity_at([], 1.0))


def _slow_sensitivity(outcomes, fp_per_scan, margin_mm=2.4):
    """Try every threshold, peak by peak."""
    free = [o for o in outcomes if o.findings == ()]
    counted = free if len(free) >= 20 else outcomes
    total = sum(len(o.findings) for o in outcomes)

    def strikes(outcome, peak, finding):
        return lies_in(finding.roi, (peak.row, peak.column), outcome.spacing_mm, margin_mm)

    best = 0.0
    for threshold in {peak.score for o in outcomes for peak in o.peaks}:
        false = sum(
            peak.score >= threshold and not any(strikes(o, peak, f) for f in o.findings)
            for o in counted
            for peak in o.peaks
        )
        found = sum(
            any(peak.score >= threshold and strikes(o, peak, f) for peak in o.peaks)
            for o in outcomes
            for f in o.findings
        )
        if false <= fp_per_scan * len(counted) + 1e-9:
            best = max(best, found / total)
    return best


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), n_patients=st.sampled_from([4, 12, 44]))
def test_sensitivity_is_that_of_the_slow_plain_version(make_cohort, seed, n_patients):
    outcomes = make_cohort(n_patients, seed, n_peaks=4, steps=10)
    for x in froc.FP_PER_SCAN:
        assert froc.sensitivity_at(outcomes, x) == pytest.approx(_slow_sensitivity(outcomes, x))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), rate=st.floats(0, 6))
def test_the_curve_and_the_points_agree(make_cohort, seed, rate):
    outcomes = make_cohort(12, seed, n_peaks=4, steps=10)
    curve = froc.curve(froc.judge(outcomes))
    below = curve.sensitivity[curve.fp_per_scan <= rate + 1e-9]
    expected = below[-1] if len(below) else 0.0
    assert froc.sensitivity_at(outcomes, rate) == pytest.approx(expected)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_sensitivity_rises_with_the_rate_and_with_the_margin(make_cohort, seed):
    outcomes = make_cohort(20, seed)
    values = [froc.sensitivity_at(outcomes, x) for x in froc.FP_PER_SCAN]
    assert values == sorted(values)
    curve = froc.curve(froc.judge(outcomes))
    assert (np.diff(curve.sensitivity) > 0).all()
    assert (np.diff(curve.fp_per_scan) > 0).all()
    assert (froc.judge(outcomes, 5.0).found_at >= froc.judge(outcomes, 2.4).found_at).all()


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_a_rising_map_of_scores_changes_nothing(make_cohort, make_outcome, seed):
    outcomes = make_cohort(12, seed)
    mapped = [
        make_outcome(
            o.scan_id,
            tuple((p.row, p.column, p.score**3 / 2) for p in o.peaks),
            o.findings,
        )
        for o in outcomes
    ]
    for x in froc.FP_PER_SCAN:
        assert froc.sensitivity_at(mapped, x) == froc.sensitivity_at(outcomes, x)


def test_a_weight_is_a_repetition_of_the_patient(make_cohort, make_outcome):
    outcomes = make_cohort(24, 3)
    judged = froc.judge(outcomes)
    drawn = np.random.default_rng(4).integers(0, 3, 24)
    weights = np.repeat(drawn, 2)[None].astype(float)
    repeated = [
        make_outcome(
            f"{o.scan_id}-{copy}",
            tuple((p.row, p.column, p.score) for p in o.peaks),
            o.findings,
        )
        for o, count in zip(outcomes, weights[0], strict=True)
        for copy in range(int(count))
    ]
    every = np.ones(len(judged.findings), dtype=bool)
    # The repeats must fall on the same side of "at least 20 scans without findings".
    assert froc.judge(repeated).on_free_scans == judged.on_free_scans
    for x in froc.FP_PER_SCAN:
        cuts = froc.cut_scores(judged, x, weights)
        found = froc.sensitivity(judged, cuts, weights, every)[0]
        assert found == pytest.approx(froc.sensitivity_at(repeated, x))


def test_intervals_hold_their_value_and_kinds_share_the_threshold(make_cohort):
    judged = froc.judge(make_cohort(80, 1))
    section = froc.froc_section(judged, 200, 0)
    for point in section["points"]:
        figure = point["sensitivity"]
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert (figure["n"], figure["n_patients"]) == (80, 40)
    by_kind = section["at_1_fp_per_scan"]["kind"]
    # Every even patient has a finding, and kinds alternate between even and odd patients.
    assert by_kind[FindingKind.MASS]["value"] == section["points"][3]["sensitivity"]["value"]
    by_word = section["at_1_fp_per_scan"]["descriptor"]
    assert set(by_word) == {"D0", "D2"}
    total = sum(figure["value"] * figure["n"] for figure in by_word.values())
    assert total == pytest.approx(80 * section["points"][3]["sensitivity"]["value"])


def test_the_hit_rule_is_named_with_its_margin(three_scans):
    assert "grown by 3.5 mm" in froc.judge(three_scans, 3.5).rule


def test_a_margin_in_millimetres_follows_the_spacing(make_outcome, make_finding):
    # 5 rows above the box: 1 mm at .2 mm a row, 5 mm at 1 mm.
    peaks = ((5, 15, 0.9),)
    finding = (make_finding("a", roi=Box(10, 10, 10, 10)),)
    fine = make_outcome("a", peaks, finding, spacing_mm=(0.2, 1.0))
    coarse = make_outcome("a", peaks, finding, spacing_mm=(1.0, 0.2))
    assert froc.judge([fine]).found_at.tolist() == [0.9]
    assert froc.judge([coarse]).found_at.tolist() == [-inf]
