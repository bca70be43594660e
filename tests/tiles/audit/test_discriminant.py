"""The small classifier and its area, against scikit-learn and answers worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from mammoscope.tiles.audit.discriminant import (
    area,
    dealt_anew,
    fold_scores,
    leading,
    mean_area,
    patient_weights,
    varies,
)


def test_the_area_of_three_against_two_is_worked_by_hand():
    scores = np.array([0.1, 0.4, 0.4, 0.8, 0.9])
    truth = np.array([False, True, False, True, False])
    # Pairs of (positive, negative): .4 beats .1, ties .4, loses to .9; .8 beats two of three.
    assert area(scores, truth)[0] == pytest.approx((1 + 0.5 + 0 + 1 + 1 + 0) / 6)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_area_is_that_of_scikit_learn(pairs):
    scores = np.array([float(score) for score, _ in pairs])
    truth = np.array([one for _, one in pairs])
    if truth.all() or not truth.any():
        assert np.isnan(area(scores, truth)[0])
    else:
        assert area(scores, truth)[0] == pytest.approx(roc_auc_score(truth, scores))


def test_weights_count_a_picture_as_often_as_it_was_drawn():
    scores, truth = np.array([0.0, 1, 2, 1.5]), np.array([False, True, False, True])
    drawn = np.array([[2, 0, 1, 3]])
    again = np.repeat(np.arange(4), drawn[0])
    assert area(scores, truth, drawn)[0] == pytest.approx(
        roc_auc_score(truth[again], scores[again])
    )


def test_only_scores_of_one_fold_are_compared():
    # Fold 0 ranks its one pair rightly, fold 1 one of its two; between the folds all is reversed.
    scores = np.array([10.0, 11, 0, 1, 2])
    truth = np.array([False, True, False, True, False])
    fold = np.array([0, 0, 1, 1, 1])
    assert area(scores, truth, fold=fold)[0] == pytest.approx((1 + 1) / 3)
    drawn = np.array([[1, 2, 1, 1, 0]])
    assert area(scores, truth, drawn, fold)[0] == 1.0


def test_without_both_classes_in_one_fold_there_is_no_area():
    scores, truth = np.arange(4.0), np.array([False, False, True, True])
    assert np.isnan(area(scores, truth, fold=np.array([0, 0, 1, 1]))[0])


def test_the_mean_area_of_three_classes_is_that_of_each_against_the_rest():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 60)
    scores = rng.normal(size=(60, 3))
    expected = np.mean([roc_auc_score(classes == k, scores[:, k]) for k in range(3)])
    assert mean_area(scores, classes)[0] == pytest.approx(expected)


def test_the_classifier_is_as_good_as_a_logistic_regression():
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(600, 5))
    truth = (columns @ [1, -1, 0.5, 0, 0] + rng.normal(0, 1.5, 600)) > 0
    fold = np.arange(600) % 5
    ours = fold_scores(columns, np.eye(2)[truth.astype(int)], fold)[:, 1]
    theirs = cross_val_predict(
        LogisticRegression(), columns, truth, cv=5, method="decision_function"
    )
    assert area(ours, truth)[0] == pytest.approx(roc_auc_score(truth, theirs), abs=0.02)


def test_both_ends_of_a_feature_may_mean_the_same_class():
    column = np.random.default_rng(2).normal(size=(800, 1))
    truth = np.abs(column[:, 0]) > 1
    scores = fold_scores(column, np.eye(2)[truth.astype(int)], np.arange(800) % 5)
    assert area(scores[:, 1], truth)[0] > 0.95


def test_a_picture_is_scored_by_others_only():
    rng = np.random.default_rng(3)
    columns, truth = rng.normal(size=(40, 30)), np.arange(40) % 2
    fold = np.arange(40) % 4
    before = fold_scores(columns, np.eye(2)[truth], fold)
    changed = np.where(fold == 1, 1 - truth, truth)
    after = fold_scores(columns, np.eye(2)[changed], fold)
    assert after[fold == 1] == pytest.approx(before[fold == 1])


def test_that_a_feature_is_known_can_tell_as_well_as_its_value():
    truth = np.arange(100) % 2 == 0
    column = np.where(truth, 0.2, np.nan)[:, None]
    scores = fold_scores(column, np.eye(2)[truth.astype(int)], np.arange(100) % 5)
    assert area(scores[:, 1], truth)[0] == 1.0


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (np.zeros((3, 0)), False),
        (np.full((3, 1), 2.0), False),
        (np.full((3, 1), np.nan), False),
        (np.array([[1.0], [1.0], [np.nan]]), True),
        (np.array([[1.0, 5], [1, 6]]), True),
    ],
)
def test_features_that_are_the_same_everywhere_are_left_out(columns, expected):
    assert varies(columns) is expected


def test_labels_dealt_anew_keep_patients_runs_together():
    codes = np.repeat(np.arange(10), 4)
    classes = np.repeat(np.arange(10) % 2, 4)
    dealt = dealt_anew(classes, codes, np.random.default_rng(0))
    assert sorted(dealt) == sorted(classes)
    assert (dealt.reshape(10, 4) == dealt.reshape(10, 4)[:, :1]).all()
    assert (dealt != classes).any()


def test_pictures_of_one_patient_are_drawn_together():
    weights = patient_weights(np.array([0, 1, 0, 2, 1]), 50, np.random.default_rng(0))
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 1] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_the_leading_feature_is_the_one_that_tells_most():
    rng = np.random.default_rng(0)
    classes = np.arange(50) % 2
    columns = np.stack([rng.normal(size=50), -classes + rng.normal(0, 0.1, 50)], axis=1)
    assert leading(columns, classes, 2) == 1
