"""Isotonic regression by hand, and by its own conditions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from mammoscope.evaluation.isotonic import fit_isotonic, pooled

weighted = st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 9)), min_size=1, max_size=40)


def test_violators_are_pooled_by_hand():
    # 3 and 1 pool to 2; then 4, 2, 0 pool to 2 with them: all five are 2.
    assert pooled([3, 1, 4, 2, 0], np.ones(5)).tolist() == [2] * 5
    assert pooled([1, 3, 2, 4], np.ones(4)).tolist() == [1, 2.5, 2.5, 4]
    # Weights 3 and 1: (3 x 3 + 1) / 4.
    assert pooled([3, 1], [3, 1]).tolist() == [2.5, 2.5]


@given(weighted)
def test_pooling_is_scikit_learns(rows):
    values, weights = (np.array(column, float) for column in zip(*rows, strict=True))
    theirs = isotonic_regression(values, sample_weight=weights)
    assert pooled(values, weights) == pytest.approx(theirs, abs=1e-9)


@given(weighted)
def test_pooling_keeps_the_mean_and_never_falls_and_changes_nothing_twice(rows):
    values, weights = (np.array(column, float) for column in zip(*rows, strict=True))
    risen = pooled(values, weights)
    assert (np.diff(risen) >= 0).all()
    assert (risen * weights).sum() == pytest.approx((values * weights).sum(), abs=1e-6)
    assert pooled(risen, weights) == pytest.approx(risen)


def test_the_points_are_the_ends_of_the_steps():
    # Shares at .1 to .5: 0, 1, 0, 1/2 (a tie of two), 1; .2 to .4 pool to 2 of 4.
    scores = [0.1, 0.2, 0.3, 0.4, 0.4, 0.5]
    labels = [0, 1, 0, 1, 0, 1]
    assert fit_isotonic(scores, labels) == ((0.1, 0.0), (0.2, 0.5), (0.4, 0.5), (0.5, 1.0))


@pytest.mark.parametrize(
    ("scores", "labels", "said"),
    [
        ([], [], "above 0"),
        ([0.1, 0.2], [1], "same length"),
        ([0.1, 1.2], [0, 1], "lie in"),
        ([0.1, np.nan], [0, 1], "lie in"),
    ],
)
def test_bad_scores_are_refused(scores, labels, said):
    with pytest.raises(ValueError, match=said):
        fit_isotonic(scores, labels)
