"""Joining units: hand answers."""

import pytest

from mammoscope.evaluation.joining import JoinBy, join

SCORES, TRUTH = [0.2, 0.6, 0.9, 0.1], [0, 1, 0, 0]
PATIENTS, BREASTS = ["a", "a", "b", "a"], ["L", "L", "L", "R"]


def test_a_breast_has_its_highest_score_and_is_positive_if_a_scan_is():
    found = join(SCORES, TRUTH, PATIENTS, BREASTS)
    assert found.patients == ("a", "b", "a")
    assert found.keys == ("L", "L", "R")
    assert found.scores.tolist() == [0.6, 0.9, 0.1]
    assert found.truth.tolist() == [True, False, False]


def test_a_patient_can_have_the_mean():
    found = join(SCORES, TRUTH, PATIENTS, PATIENTS, JoinBy.MEAN)
    assert found.scores == pytest.approx([0.3, 0.9])
    assert found.truth.tolist() == [True, False]


def test_nothing_joins_to_nothing():
    assert join([], [], [], []).keys == ()


def test_arrays_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="length"):
        join(SCORES, TRUTH, PATIENTS, BREASTS[:2])
