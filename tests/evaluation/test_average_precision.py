"""Average precision against hand answers and scikit-learn."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from mammoscope.evaluation.average_precision import (
    average_precision,
    average_precision_statistic,
)

grids = st.lists(st.tuples(st.integers(-8, 8), st.booleans()), min_size=1, max_size=40).filter(
    lambda rows: any(label for _, label in rows)
)


@pytest.mark.parametrize(
    ("scores", "truth", "answer"),
    [
        ([4, 3, 2, 1], [1, 1, 0, 0], 1.0),
        # The positives are 2nd and 4th of four: (1/2 + 2/4) / 2.
        ([4, 3, 2, 1], [0, 1, 0, 1], 0.5),
        # All tie: precision is the share of positives.
        ([1, 1, 1, 1], [1, 0, 0, 0], 0.25),
        # 3 is right (1/1); the tie at 2 holds one more of two (2/3).
        ([3, 2, 2, 1], [1, 1, 0, 0], 5 / 6),
    ],
)
def test_the_precision_at_each_positive_is_averaged(scores, truth, answer):
    assert average_precision(scores, truth) == pytest.approx(answer)


@pytest.mark.parametrize(("scores", "truth"), [([1, 2], [0, 0]), ([], [])])
def test_it_is_undefined_without_a_positive(scores, truth):
    assert isnan(average_precision(scores, truth))


@given(grids)
def test_it_is_scikit_learns(rows):
    scores, truth = zip(*rows, strict=True)
    assert average_precision(scores, truth) == pytest.approx(
        metrics.average_precision_score(truth, scores)
    )


@given(grids, st.integers(0, 1000))
def test_weights_are_scikit_learns_too(rows, seed):
    scores, truth = zip(*rows, strict=True)
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(rows))).astype(float)
    found = average_precision_statistic(scores, truth)(weights)
    for value, row in zip(found, weights, strict=True):
        if row @ np.array(truth, dtype=float):
            theirs = metrics.average_precision_score(truth, scores, sample_weight=row)
            assert value == pytest.approx(theirs)
        else:
            assert isnan(value)
