"""Curves with marked points and the worst errors, as pages draw them."""

import numpy as np
import pytest

from mammoscope.evaluation.picture_points import curves_of, drawn_of, worst_errors


def test_points_and_confusion_are_those_by_hand():
    curves = curves_of([0.9, 0.6, 0.5, 0.1], [True, False, True, False])
    assert curves is not None
    (point,) = curves["points"]
    # Called are .9, .6 and .5: both positives, and one of two negatives.
    assert point == {
        "threshold": 0.5,
        "recall": 1.0,
        "specificity": 0.5,
        "precision": pytest.approx(2 / 3, abs=1e-5),
        "confusion": [[1, 1], [0, 2]],
    }
    assert curves["roc"] == {
        "false_positive_rate": [0.0, 0.0, 0.5, 0.5, 1.0],
        "recall": [0.0, 0.5, 0.5, 1.0, 1.0],
    }


def test_one_class_has_no_curves():
    assert curves_of([0.9, 0.6], [True, True]) is None
    assert curves_of([], []) is None


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    rng = np.random.default_rng(0)
    curves = curves_of(rng.random(5000), rng.random(5000) < 0.5)
    assert curves is not None
    assert len(curves["roc"]["recall"]) == 400
    assert curves["roc"]["recall"][-1] == curves["pr"]["recall"][-1] == 1.0


def test_no_more_than_six_of_each_kind_are_named():
    ids = [str(i) for i in range(20)]
    worst = worst_errors(ids, ids, np.arange(20) / 20, np.arange(20) % 2 == 0)
    low = [one["id"] for one in worst if one["error"] == "scored low"]
    high = [one["id"] for one in worst if one["error"] == "scored high"]
    assert low == ["0", "2", "4", "6", "8", "10"]
    assert high == ["19", "17", "15", "13", "11", "9"]


def test_questions_without_both_classes_are_not_drawn(make_cohort, make_outcome, make_finding):
    drawn = drawn_of(make_cohort(12, 0), 0.4)
    assert set(drawn["curves"]) == {
        f"{level}: {question}"
        for level in ("scans", "breasts", "patients")
        for question in ("any finding against none", "malignant against benign")
    }
    only = [make_outcome(f"s{i}", findings=(make_finding(scan_id=f"s{i}"),)) for i in range(3)]
    assert drawn_of(only, None)["curves"] == {}
    assert drawn_of([make_outcome(findings=None)], None) == {"curves": {}, "worst": []}
