"""The figure of merit: by hand, pair by pair, and against scikit-learn's weighted area."""

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mammoscope.core.geometry import Box
from mammoscope.evaluation.froc import judge
from mammoscope.evaluation.jafroc import (
    highest_false_scores,
    jafroc,
    jafroc_section,
    lesion_weights,
    merit_statistic,
)

INSIDE, OTHER, OUTSIDE = (15, 15), (65, 65), (200, 200)
MORE = Box(60, 60, 10, 10)


@pytest.fixture
def by_hand(make_outcome, make_finding):
    """Two findings on a, at .9 and missed; one on b, at .4; and twenty scans without any.

    Ten free scans have a highest false score of .6, five of .4, five have no mark.
    """
    a = make_outcome(
        "a", ((*INSIDE, 0.9), (*OUTSIDE, 0.95)), (make_finding("a"), make_finding("a", roi=MORE))
    )
    b = make_outcome("b", ((*INSIDE, 0.4),), (make_finding("b"),))
    free = [make_outcome(f"m{i}", ((*OUTSIDE, 0.6), (*INSIDE, 0.5))) for i in range(10)]
    free += [make_outcome(f"l{i}", ((*OUTSIDE, 0.4),)) for i in range(5)]
    return judge([a, b, *free, *(make_outcome(f"n{i}") for i in range(5))])


def merit(judged, *, weighted):
    return merit_statistic(judged, weighted=weighted)(np.ones((1, len(judged.patients))))[0]


def test_rivals_are_the_highest_false_scores_of_free_scans(by_hand):
    # The false mark at .95 is on a scan with findings and rivals none.
    assert highest_false_scores(by_hand).tolist() == [0.6] * 10 + [0.4] * 5 + [-inf] * 5
    assert lesion_weights(by_hand).tolist() == [0.5, 0.5, 1.0]


def test_the_figure_of_merit_is_as_by_hand(by_hand):
    # .9 beats all 20. The missed one ties with 5 (2.5). .4 ties with 5 and beats 5 (7.5).
    assert merit(by_hand, weighted=False) == pytest.approx((20 + 2.5 + 7.5) / (3 * 20))
    # Each scan counts alike: (20 + 2.5) / 2 and 7.5.
    assert merit(by_hand, weighted=True) == pytest.approx((11.25 + 7.5) / (2 * 20))


def _pair_by_pair(judged, weights, *, weighted):
    rivals = iter(highest_false_scores(judged).tolist())
    of_scan = [next(rivals) if counts else None for counts in judged.counted]
    sizes = np.bincount(judged.finding_scans, minlength=len(of_scan))
    won = total = 0.0
    for score, scan in zip(judged.found_at, judged.finding_scans, strict=True):
        for rival, weight in zip(of_scan, weights, strict=True):
            if rival is not None:
                pair = weights[scan] * weight / (sizes[scan] if weighted else 1)
                won += pair * ((score > rival) + (score == rival) / 2)
                total += pair
    return won / total


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), weighted=st.booleans(), n_patients=st.sampled_from([6, 24, 50]))
def test_the_figure_is_that_of_the_slow_plain_version(make_cohort, seed, weighted, n_patients):
    judged = judge(make_cohort(n_patients, seed, n_peaks=3, steps=10))
    weights = np.random.default_rng(seed).integers(0, 3, (1, len(judged.patients))).astype(float)
    weights[:, :4] = 1
    ours = merit_statistic(judged, weighted=weighted)(weights)[0]
    if judged.on_free_scans and not weights[0][judged.counted].any():
        assert isnan(ours)
    else:
        assert ours == pytest.approx(_pair_by_pair(judged, weights[0], weighted=weighted))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_one_finding_a_scan_and_a_mark_each_is_scikit_learns_area(make_outcome, make_finding, seed):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random(50), 1)
    outcomes = [
        make_outcome(str(i), ((*INSIDE, score),), (make_finding(str(i)),) if i < 25 else ())
        for i, score in enumerate(scores)
    ]
    judged = judge(outcomes)
    theirs = roc_auc_score(np.arange(50) < 25, scores)
    assert merit(judged, weighted=True) == pytest.approx(theirs)
    assert merit(judged, weighted=False) == pytest.approx(theirs)


def test_the_interval_holds_the_value_and_the_section_names_the_rule(make_cohort):
    judged = judge(make_cohort(60, 1))
    figure = jafroc(judged, 200, 0)
    assert figure.low < figure.value < figure.high
    assert (figure.n, figure.n_patients) == (60, 30)
    section = jafroc_section(judged, 100, 0)
    assert "grown by 2.4 mm" in section["rule"]
    assert "scans without findings" in section["rule"]
    # One finding a scan: both are the same.
    assert section["weighted"] == section["by_finding"]


def test_without_free_scans_all_scans_are_rivals_and_it_says_so(make_cohort):
    section = jafroc_section(judge([o for o in make_cohort(40, 0) if o.findings]), 60, 0)
    assert "all scans" in section["rule"]
    assert 0 < section["weighted"]["value"] < 1


def test_without_findings_the_figure_is_undefined(make_outcome):
    figure = jafroc(judge([make_outcome(str(i), ((*INSIDE, 0.2),)) for i in range(3)]), 60, 0)
    assert isnan(figure.value)
    assert "undefined" in figure.warning
