"""A claim is decided by two intervals, over seeds and over patients, and by nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mammoscope.evaluation.differences import Scored, differences_paired
from mammoscope.training.experiment_claims import (
    RESAMPLES,
    Ground,
    Verdict,
    checks_of,
    decide,
    difference,
    distance,
    seeds_interval,
    verdict_of,
    volatility,
)
from mammoscope.training.experiment_outcome import Outcome
from mammoscope.training.experiment_plan import Claim


def make_outcome(scores, truth=None, per_patient=2, rows=()):
    count = len(scores)
    if truth is None:
        truth = [place % 4 == 0 for place in range(count)]
    return Outcome(
        patients=tuple(f"p{place // per_patient}" for place in range(count)),
        truth=np.asarray(truth),
        scores=np.asarray(scores, np.float64),
        rows=tuple(rows),
        seconds=1.0,
    )


def make_ground(outcomes):
    seeds = tuple(sorted({seed for _, seed in outcomes}))
    words = tuple(dict.fromkeys(word for word, _ in outcomes))
    return Ground(outcomes, seeds, words, 0.5)


def claim(**form):
    return Claim(says="It is so.", source="Table 0", figure=form.pop("figure", "recall"), **form)


def graded(shares, count=80):
    """Runs that call this share of the abnormal tiles so, and no normal one, each its own ones."""
    outcomes = {}
    truth = np.array([place % 4 == 0 for place in range(count)])
    for (word, seed), share in shares.items():
        rng = np.random.default_rng(seed)
        scores = np.zeros(count)
        abnormal = rng.permutation(np.flatnonzero(truth))
        scores[abnormal[: round(share * len(abnormal))]] = 1.0
        outcomes[word, seed] = make_outcome(scores, truth)
    return make_ground(outcomes)


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=6).filter(lambda v: np.std(v) > 1e-3))
def test_the_interval_over_seeds_is_that_of_a_one_sample_t_test(values):
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert seeds_interval(values) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_one_seed_has_no_interval():
    assert seeds_interval([0.5]) is None


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([(0.1, 0.2), (0.05, 0.9)], Verdict.HELD),
        ([(0.1, 0.2), (-0.05, 0.9)], Verdict.UNKNOWN),
        ([(-0.1, 0.2), (0.05, 0.9)], Verdict.UNKNOWN),
        ([(0.0, 0.2), (0.05, 0.9)], Verdict.UNKNOWN),
        ([(-0.2, -0.1), (-0.9, 0.0)], Verdict.FAILED),
        ([(0.0, 0.0), (0.0, 0.0)], Verdict.FAILED),
        ([(-0.2, -0.1), (0.1, 0.2)], Verdict.UNKNOWN),
        ([], Verdict.UNKNOWN),
    ],
)
def test_both_intervals_must_lie_on_the_same_side_of_0(intervals, verdict):
    assert decide(intervals) is verdict


def test_the_interval_over_patients_is_that_of_the_paired_comparison():
    rng = np.random.default_rng(5)
    truth = np.array([place % 4 == 0 for place in range(120)])
    first, second = rng.random(120) * 0.6 + 0.4 * truth, rng.random(120)
    # With the same run at every seed the mean over seeds is that run.
    ground = make_ground(
        {
            (word, seed): make_outcome(scores, truth)
            for word, scores in (("a", first), ("b", second))
            for seed in (1, 2)
        }
    )
    found = difference(ground, "a", "b", "recall")
    ids = tuple(str(place) for place in range(120))
    scored = [
        Scored(word, ids, ground.patients(), scores, truth)
        for word, scores in (("a", first), ("b", second))
    ]
    expected = differences_paired(*scored, RESAMPLES, np.random.default_rng(0))["recall"]
    assert found.patients == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx(expected.difference)


def test_a_difference_that_seeds_and_patients_share_is_told():
    shares = {("6", 1): 0.9, ("6", 2): 0.8, ("6", 3): 0.9}
    ground = graded(shares | {("2", 1): 0.1, ("2", 2): 0.1, ("2", 3): 0.2})
    found = difference(ground, "6", "2", "recall")
    assert found.by_seed == pytest.approx((0.8, 0.7, 0.7))
    assert found.verdict is Verdict.HELD
    assert difference(ground, "2", "6", "recall").verdict is Verdict.FAILED


def test_seeds_that_disagree_leave_it_open_and_are_named_as_the_reason():
    shares = {("6", 1): 0.9, ("6", 2): 0.2, ("6", 3): 0.9}
    ground = graded(shares | {("2", 1): 0.1, ("2", 2): 0.3, ("2", 3): 0.1})
    found = difference(ground, "6", "2", "recall")
    assert found.verdict is Verdict.UNKNOWN
    assert found.why == "3 seeds are too few: other ones could turn it round"


def test_patients_who_disagree_leave_it_open_and_are_named_as_the_reason():
    truth = np.array([True, True, False, False] * 6)
    better, worse = np.zeros(24), np.zeros(24)
    better[[0, 4]] = 1.0
    worse[[8]] = 1.0
    ground = make_ground(
        {
            (word, seed): make_outcome(scores, truth)
            for word, scores in (("6", better), ("2", worse))
            for seed in (1, 2, 3)
        }
    )
    found = difference(ground, "6", "2", "recall")
    assert found.verdict is Verdict.UNKNOWN
    assert found.why == "these patients are too few: other ones could turn it round"


def test_runs_that_find_nothing_at_either_value_refute_a_difference():
    ground = graded({(word, seed): 0.0 for word in "62" for seed in (1, 2, 3)})
    found = difference(ground, "6", "2", "recall")
    assert found.patients == (0.0, 0.0)
    assert found.verdict is Verdict.FAILED


def test_a_run_that_failed_leaves_its_seed_out_of_the_pairs():
    shares = {("6", 1): 0.9, ("6", 2): 0.8, ("6", 3): 0.9, ("2", 1): 0.1, ("2", 3): 0.2}
    found = difference(graded(shares), "6", "2", "recall")
    assert found.by_seed[1] is None
    assert found.mean == pytest.approx(0.75)
    only_one = difference(graded({k: v for k, v in shares.items() if k[1] < 3}), "6", "2", "recall")
    assert only_one.verdict is Verdict.UNKNOWN
    assert "known of 1 seeds" in only_one.why


def test_precision_of_runs_that_call_nothing_is_undefined_and_not_0():
    ground = graded({(word, seed): 0.0 for word in "62" for seed in (1, 2)})
    found = difference(ground, "6", "2", "precision")
    assert found.by_seed == (None, None)
    assert found.mean is None
    assert found.verdict is Verdict.UNKNOWN


def test_a_recall_of_0_lies_below_a_number_only_as_far_as_its_patients_tell():
    ground = graded({("2", seed): 0.0 for seed in (1, 2, 3)})
    # No abnormal tile of 20 patients is found: 1 - 0.025 ** (1 / 20) = .1684 is the exact bound.
    at_most = distance(ground, "2", "recall", below=0.2, above=None)
    assert at_most.patients == pytest.approx((0.2 - 0.1684, 0.2), abs=1e-4)
    assert at_most.verdict is Verdict.HELD
    assert distance(ground, "2", "recall", below=0.1, above=None).verdict is Verdict.UNKNOWN
    assert distance(ground, "2", "recall", below=None, above=0.3).verdict is Verdict.FAILED


def test_a_claim_of_the_highest_is_checked_against_every_other_value():
    ground = graded({(w, s): {"2": 0.1, "4": 0.5, "6": 0.9}[w] for w in "246" for s in (1, 2, 3)})
    best = claim(highest="6")
    checks = checks_of(best, ground)
    assert [check.what for check in checks] == [
        "recall at 6 less that at 2",
        "recall at 6 less that at 4",
    ]
    assert verdict_of(best, checks, 100) == (Verdict.HELD, None)
    middle = claim(highest="4")
    assert verdict_of(middle, checks_of(middle, ground), 100) == (Verdict.FAILED, None)
    least = claim(lowest="2")
    assert verdict_of(least, checks_of(least, ground), 100) == (Verdict.HELD, None)


def test_runs_shorter_than_what_the_paper_speaks_of_cannot_tell():
    ground = graded({(w, s): 0.9 if w == "6" else 0.0 for w in "26" for s in (1, 2, 3)})
    late = claim(higher="6", than="2", from_step=20490)
    verdict, why = verdict_of(late, checks_of(late, ground), 1150)
    assert verdict is Verdict.UNKNOWN
    assert why == "the paper saw it from step 20,490 on, and these runs had 1,150"
    assert verdict_of(late, checks_of(late, ground), 20490)[0] is Verdict.HELD


def test_volatility_is_the_mean_change_of_the_validation_accuracy():
    rows = [{"val_accuracy": value} for value in (0.8, 0.9, 0.5)]
    assert volatility(rows) == pytest.approx(0.25)
    assert volatility(rows[:2]) is None


def test_volatility_is_decided_by_the_seeds_alone():
    calm = [{"val_accuracy": value} for value in (0.8, 0.81, 0.8)]
    wild = [{"val_accuracy": value} for value in (0.8, 0.2, 0.8)]
    ground = make_ground(
        {
            (word, seed): make_outcome([0.1, 0.9], [True, False], rows=rows)
            for word, rows in (("2", wild), ("6", calm))
            for seed in (1, 2, 3)
        }
    )
    found = difference(ground, "2", "6", "volatility")
    assert found.patients is None
    assert found.mean == pytest.approx(0.59)
    assert found.verdict is Verdict.HELD
