"""ROC against hand answers, scikit-learn and its own symmetries."""

from math import isnan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics

from mammoscope.evaluation.roc import auc, auc_statistic, roc_curve

grids = st.lists(st.tuples(st.integers(-8, 8), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(label for _, label in rows) < len(rows)
)


@pytest.mark.parametrize(
    ("scores", "labels", "answer"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], 1.0),
        ([4, 3, 2, 1], [0, 0, 1, 1], 0.0),
        ([1, 1, 1, 1], [0, 0, 1, 1], 0.5),
        # Pairs: 3>1, 3>2, 2>1 won, 2=2 half: 3.5 of 4.
        ([1, 2, 2, 3], [0, 0, 1, 1], 0.875),
        # Pairs: 0.35>0.1 won, 0.35<0.4 lost, 0.8 wins both: 3 of 4.
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),
    ],
)
def test_auc_counts_pairs(scores, labels, answer):
    assert auc(scores, labels) == answer


def test_weights_count_pairs_by_product():
    # Positive 2 (weight 3) beats 1 (weight 1) and loses to 3 (weight 2): 3 of 9.
    assert auc([1, 2, 3], [0, 1, 0], [1, 3, 2]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_one_class_has_no_auc(labels):
    assert isnan(auc([0.1, 0.2], labels))


def test_nothing_has_no_auc():
    assert isnan(auc([], []))


def test_a_class_without_weight_has_no_auc():
    assert isnan(auc([1, 2], [0, 1], [1, 0]))


@pytest.mark.parametrize(
    ("scores", "labels", "weights"),
    [([1, np.nan], [0, 1], None), ([1, 2], [0], None), ([1, 2], [0, 1], [1])],
)
def test_bad_arrays_are_refused(scores, labels, weights):
    with pytest.raises(ValueError, match=r"finite|length"):
        auc(scores, labels, weights)


@given(grids)
def test_auc_is_scikit_learns(rows):
    scores, labels = zip(*rows, strict=True)
    assert auc(scores, labels) == pytest.approx(metrics.roc_auc_score(labels, scores))


@given(grids, st.randoms(use_true_random=False))
def test_a_weight_is_a_repetition(rows, random):
    counts = [random.randint(0, 3) for _ in rows]
    repeated = [row for row, count in zip(rows, counts, strict=True) for _ in range(count)]
    scores, labels = zip(*rows, strict=True)
    weighted = auc(scores, labels, counts)
    plain = auc([score for score, _ in repeated], [label for _, label in repeated])
    assert weighted == pytest.approx(plain, nan_ok=True)


@given(grids)
def test_auc_is_unchanged_under_a_rising_map(rows):
    scores, labels = (np.array(column) for column in zip(*rows, strict=True))
    assert auc(np.exp(scores / 3) + scores**3, labels) == auc(scores, labels)


@given(grids)
def test_a_sign_flip_gives_one_minus_auc(rows):
    scores, labels = (np.array(column) for column in zip(*rows, strict=True))
    assert auc(-scores, labels) == pytest.approx(1 - auc(scores, labels))


@given(grids)
def test_the_area_under_the_curve_is_the_auc(rows):
    scores, labels = zip(*rows, strict=True)
    curve = roc_curve(scores, labels)
    area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
    assert area == pytest.approx(auc(scores, labels))


@given(grids)
def test_the_curve_is_scikit_learns(rows):
    scores, labels = zip(*rows, strict=True)
    curve = roc_curve(scores, labels)
    false, true, thresholds = metrics.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.false_positive_rate, false)
    np.testing.assert_allclose(curve.true_positive_rate, true)
    np.testing.assert_array_equal(curve.thresholds, thresholds)


def test_a_curve_of_one_class_is_refused():
    with pytest.raises(ValueError, match="both classes"):
        roc_curve([1, 2], [1, 1])


@given(grids, st.integers(0, 1000))
def test_many_rows_of_weights_are_as_one_at_a_time(rows, seed):
    scores, labels = zip(*rows, strict=True)
    weights = np.random.default_rng(seed).integers(0, 3, (5, len(rows))).astype(float)
    assume(len(rows) > 2)
    together = auc_statistic(scores, labels)(weights)
    alone = [auc(scores, labels, row) for row in weights]
    np.testing.assert_allclose(together, alone)
