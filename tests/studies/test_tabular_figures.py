"""Figures out of fold: pairs within a fold, means over repeats, paired differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from mammoscope.studies.tabular_figures import (
    Bootstrap,
    beside,
    called_rightly,
    minus,
    within_folds,
)

ONES = np.ones((1, 6))
TRUTH = np.array([1, 1, 0, 0, 1, 0], dtype=bool)


def test_only_pairs_within_a_fold_count():
    scores = np.array([[0.9, 0.1, 0.5, 0.2, 5.0, 4.0]])
    folds = np.array([[0, 0, 0, 0, 1, 1]])
    # Fold 0: .9 beats both, .1 neither: 2 of 4 pairs; fold 1: 1 of 1.
    assert within_folds(scores, TRUTH, folds)(ONES)[0, 0] == pytest.approx(3 / 5)


def test_folds_on_other_scales_do_not_disturb_each_other():
    scores = np.array([[0.9, 0.1, 0.5, 0.2, 5.0, 4.0]])
    folds = np.array([[0, 0, 0, 0, 1, 1]])
    moved = scores + 100 * folds
    before, after = (within_folds(one, TRUTH, folds)(ONES)[0, 0] for one in (scores, moved))
    assert before == after


def test_a_fold_without_a_pair_counts_nothing_and_no_pair_is_undefined():
    folds = np.array([[0, 0, 0, 0, 1, 1]])
    weights = np.array([[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 1]], dtype=float)
    values = within_folds(np.array([[4, 3, 2, 1, 0, 9.0]]), TRUTH, folds)(weights)[:, 0]
    assert values[0] == 1
    assert np.isnan(values[1])


@given(st.integers(0, 10_000))
def test_one_fold_is_the_auc_of_scikit_learn_with_weights(seed):
    rng = np.random.default_rng(seed)
    truth = rng.permutation([True, False] * 8)
    scores, weights = rng.integers(0, 6, 16) / 5, rng.integers(1, 4, 16).astype(float)
    ours = within_folds(scores[None], truth, np.zeros((1, 16), int))(weights[None])[0, 0]
    assert ours == pytest.approx(roc_auc_score(truth, scores, sample_weight=weights))


@given(st.integers(0, 10_000))
def test_called_rightly_is_the_mean_over_repeats_of_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    truth = rng.permutation([True] * 5 + [False] * 9)
    called, weights = rng.random((3, 14)) < 0.5, rng.integers(1, 4, 14).astype(float)
    ours = called_rightly(called, truth)(weights[None])[0]
    right = [np.average(one == truth, weights=weights) for one in called]
    balanced = [balanced_accuracy_score(truth, one, sample_weight=weights) for one in called]
    np.testing.assert_allclose(ours, [np.mean(right), np.mean(balanced)])


def test_a_difference_is_paired_on_the_same_resamples():
    rng = np.random.default_rng(0)
    truth, folds = rng.random(80) < 0.5, np.zeros((1, 80), int)
    scores = rng.random((1, 80)) + 0.5 * truth
    area = within_folds(scores, truth, folds)
    same, plain = Bootstrap([str(i) for i in range(80)], 100, 0).of(beside(minus(area, area), area))
    assert same.value == 0
    assert np.isnan(same.low)
    assert plain.low < plain.value < plain.high


def test_copies_of_rows_do_not_make_the_interval_narrower():
    rng = np.random.default_rng(0)
    truth = rng.random(60) < 0.5
    scores = rng.random((1, 60)) + 0.3 * truth
    groups = [str(i) for i in range(60)]

    def width(times):
        folds = np.zeros((1, 60 * times), int)
        area = within_folds(np.tile(scores, times), np.tile(truth, times), folds)
        (found,) = Bootstrap(groups * times, 400, 0).of(area)
        return found.high - found.low

    assert width(4) == pytest.approx(width(1))
