"""Points of curves against hand answers, scikit-learn and slow plain versions."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from mammoscope.evaluation.curves import (
    point_at,
    pr_curve,
    recall_at_specificity,
    recall_at_specificity_statistic,
    specificity_at_recall,
)

grids = st.lists(st.tuples(st.integers(-8, 8), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(label for _, label in rows) < len(rows)
)


def test_the_points_of_a_small_curve_are_those_of_the_hand():
    curve = pr_curve([0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0])
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.1]
    assert curve.recall.tolist() == [0.5, 1.0, 1.0]
    assert curve.precision.tolist() == [1.0, 2 / 3, 0.5]


@given(grids)
def test_the_curve_is_scikit_learns(rows):
    scores, truth = zip(*rows, strict=True)
    curve = pr_curve(scores, truth)
    precision, recall, thresholds = metrics.precision_recall_curve(truth, scores)
    # Theirs rises in thresholds and adds an end that no threshold has.
    np.testing.assert_allclose(curve.precision[::-1], precision[:-1])
    np.testing.assert_allclose(curve.recall[::-1], recall[:-1])
    np.testing.assert_array_equal(curve.thresholds[::-1], thresholds)


def test_a_curve_without_positives_is_refused():
    with pytest.raises(ValueError, match="positives"):
        pr_curve([1, 2], [0, 0])


def test_a_score_at_the_threshold_is_called():
    point = point_at([0.5, 0.4, 0.5], [1, 1, 0], 0.5)
    assert (point.recall, point.specificity, point.precision) == (0.5, 0.0, 0.5)


def test_where_none_is_called_there_is_no_precision():
    point = point_at([0.1, 0.2], [0, 1], 0.5)
    assert isnan(point.precision)
    assert (point.recall, point.specificity) == (0.0, 1.0)


def test_recall_at_a_specificity_lets_in_the_last_negative_that_fits():
    # Ten negatives 0..9: at 0.9 one may be called, so positives above the second highest, 8.
    scores, truth = [*range(10), 8.5, 8.0, 9.5], [0] * 10 + [1] * 3
    assert recall_at_specificity(scores, truth, 0.9) == pytest.approx(2 / 3)
    assert recall_at_specificity(scores, truth, 1.0) == pytest.approx(1 / 3)
    assert recall_at_specificity(scores, truth, 0.0) == 1.0


def test_specificity_at_a_recall_lets_go_the_last_positive_that_may():
    # Ten positives 0..9: at 0.9 one may be missed, so the threshold is the second lowest, 1.
    scores, truth = [*range(10), 0.5, 1.0, -1.0], [1] * 10 + [0] * 3
    assert specificity_at_recall(scores, truth, 0.9) == pytest.approx(2 / 3)
    assert specificity_at_recall(scores, truth, 1.0) == pytest.approx(1 / 3)


@given(grids, st.sampled_from([0.0, 0.1, 0.5, 0.8, 0.9, 1.0]))
def test_it_is_the_best_of_all_thresholds_that_keep_to_the_wish(rows, wish):
    scores, truth = (np.array(column) for column in zip(*rows, strict=True))
    points = [point_at(scores, truth, cut) for cut in [*np.unique(scores), np.inf]]
    recalls = [p.recall for p in points if p.specificity >= wish - 1e-12]
    specificities = [p.specificity for p in points if p.recall >= wish - 1e-12]
    assert recall_at_specificity(scores, truth, wish) == pytest.approx(max(recalls))
    assert specificity_at_recall(scores, truth, wish) == pytest.approx(max(specificities))


@given(grids, st.integers(0, 1000))
def test_a_weight_is_a_repetition(rows, seed):
    scores, truth = (np.array(column) for column in zip(*rows, strict=True))
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(rows)))
    found = recall_at_specificity_statistic(scores, truth, 0.8)(weights.astype(float))
    for value, row in zip(found, weights, strict=True):
        plain = recall_at_specificity(np.repeat(scores, row), np.repeat(truth, row), 0.8)
        assert value == pytest.approx(plain, nan_ok=True)


@pytest.mark.parametrize("truth", [[1, 1], [0, 0]])
def test_it_is_undefined_where_a_class_is_empty(truth):
    assert isnan(recall_at_specificity([1, 2], truth, 0.9))
    assert isnan(specificity_at_recall([1, 2], truth, 0.9))


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueError, match="share"):
        recall_at_specificity([1, 2], [0, 1], 1.5)
