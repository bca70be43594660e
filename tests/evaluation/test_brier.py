"""The Brier score and its parts, by hand, against scikit-learn and by their own identity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from mammoscope.evaluation.brier import PARTS, brier_parts, brier_parts_statistic, brier_values


def test_the_brier_score_is_scikit_learns():
    rng = np.random.default_rng(0)
    probabilities, labels = rng.random(100), rng.random(100) < 0.3
    ours = brier_values(probabilities, labels).mean()
    assert ours == pytest.approx(brier_score_loss(labels, probabilities))


def test_the_parts_are_as_by_hand():
    # Two bins of four: told .25, one of four; told .75, four of four.
    probabilities = np.repeat([0.25, 0.75], 4)
    labels = [1, 0, 0, 0, 1, 1, 1, 1]
    parts = brier_parts_statistic(probabilities, labels, np.repeat([0, 1], 4))(np.ones((1, 8)))[0]
    # Gaps 0 and 1/4; shares 1/4 and 1 round 5/8; 5/8 x 3/8.
    assert parts == pytest.approx([1 / 32, 9 / 64, 15 / 64, 0], abs=1e-12)


@given(st.integers(0, 1000))
def test_the_parts_make_up_the_score_in_every_resample(seed):
    rng = np.random.default_rng(seed)
    probabilities, labels = rng.random(30), rng.random(30) < 0.4
    bins = rng.integers(0, 5, 30)
    weights = rng.integers(0, 3, (4, 30)).astype(float)
    weights[:, 0] = 1
    parts = brier_parts_statistic(probabilities, labels, bins)(weights)
    calibration, resolution, uncertainty, within = parts.T
    for row in range(4):
        expected = brier_score_loss(labels, probabilities, sample_weight=weights[row])
        total = calibration[row] - resolution[row] + uncertainty[row] + within[row]
        assert total == pytest.approx(expected)
    assert (parts[:, :3] >= 0).all()


def test_one_probability_a_bin_leaves_nothing_within():
    rng = np.random.default_rng(3)
    bins = rng.integers(0, 4, 50)
    parts = brier_parts_statistic(bins / 4, rng.random(50) < 0.5, bins)(np.ones((1, 50)))[0]
    assert parts[3] == pytest.approx(0, abs=1e-12)


def test_parts_come_with_intervals():
    rng = np.random.default_rng(0)
    probabilities = rng.random(200)
    labels = rng.random(200) < probabilities
    bins = (probabilities * 5).astype(np.intp)
    figures = brier_parts(probabilities, labels, bins, [str(i // 2) for i in range(200)], (200, 0))
    assert tuple(figures) == PARTS
    for figure in figures.values():
        assert figure.low <= figure.value <= figure.high
        assert (figure.n, figure.n_patients) == (200, 100)
    # Shares of the five bins are .1 to .9: variance .08.
    assert figures["resolution"].low < 0.08 < figures["resolution"].high
