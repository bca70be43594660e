"""Partial areas against hand answers and scikit-learn; published ones are in the aSAH tests."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from mammoscope.evaluation.partial_auc import partial_auc, partial_auc_statistic
from mammoscope.evaluation.roc import auc

grids = st.lists(st.tuples(st.integers(-8, 8), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(label for _, label in rows) < len(rows)
)


def test_a_perfect_score_has_1_and_one_that_says_nothing_half():
    assert partial_auc([1, 2, 3, 4], [0, 0, 1, 1]) == pytest.approx(1)
    assert partial_auc([1, 1, 1, 1], [0, 0, 1, 1]) == pytest.approx(0.5)


def test_the_part_is_the_area_beside_its_own_chance():
    # Scores 4+ 3- 2+ 1-: recall is 1/2 until half of the negatives are called, then 1.
    # Left of 1/2 lies 1/4; chance is 1/8 and the most 1/2: (1 + (1/4 - 1/8) / (3/8)) / 2.
    assert partial_auc([4, 3, 2, 1], [1, 0, 1, 0], (0.5, 1.0)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("truth", [[1, 1], [0, 0]])
def test_it_is_undefined_where_a_class_is_empty(truth):
    assert isnan(partial_auc([1, 2], truth))


@pytest.mark.parametrize("specificity", [(0.9, 0.9), (1.0, 0.9), (-0.1, 1.0), (0.5, 1.1)])
def test_what_is_no_part_of_the_curve_is_refused(specificity):
    with pytest.raises(ValueError, match="no part"):
        partial_auc([1, 2], [0, 1], specificity)


@given(grids, st.sampled_from([0.05, 0.1, 0.3, 0.75]))
def test_it_is_scikit_learns(rows, most):
    scores, truth = zip(*rows, strict=True)
    theirs = metrics.roc_auc_score(truth, scores, max_fpr=most)
    assert partial_auc(scores, truth, (1 - most, 1.0)) == pytest.approx(theirs)


@given(grids)
def test_the_whole_is_the_auc(rows):
    scores, truth = zip(*rows, strict=True)
    assert partial_auc(scores, truth, (0.0, 1.0)) == pytest.approx(auc(scores, truth))


@given(grids, st.integers(0, 1000))
def test_a_weight_is_a_repetition(rows, seed):
    scores, truth = (np.array(column) for column in zip(*rows, strict=True))
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(rows)))
    found = partial_auc_statistic(scores, truth)(weights.astype(float))
    for value, row in zip(found, weights, strict=True):
        plain = partial_auc(np.repeat(scores, row), np.repeat(truth, row))
        assert value == pytest.approx(plain, nan_ok=True)
