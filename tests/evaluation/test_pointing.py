"""The pointing game, by hand."""

import numpy as np
import pytest

from mammoscope.evaluation.pointing import pointing_game


def _play(outcomes):
    return pointing_game(outcomes, resamples=100, rng=np.random.default_rng(0))


def test_only_the_highest_peak_points(make_outcome, make_finding):
    outcomes = [
        make_outcome("hit", ((15, 15, 0.9), (60, 60, 0.8)), (make_finding("hit"),)),
        make_outcome("second", ((15, 15, 0.8), (60, 60, 0.9)), (make_finding("second"),)),
        make_outcome("third", ((15, 15, 0.7), (60, 60, 0.9)), (make_finding("third"),)),
        make_outcome("margin", ((22.3, 15, 0.9),), (make_finding("margin"),)),
        make_outcome("silent", (), (make_finding("silent"),)),
    ]
    figure = _play(outcomes)
    assert figure.value == 0.4
    assert (figure.n, figure.n_patients) == (5, 5)


def test_scans_without_a_placed_finding_take_no_part(make_outcome, make_finding):
    outcomes = [
        make_outcome("a", ((15, 15, 0.9),), (make_finding("a"),)),
        make_outcome("free", ((15, 15, 0.9),)),
        make_outcome("unknown", ((15, 15, 0.9),), None),
        make_outcome("placeless", ((15, 15, 0.9),), (make_finding("placeless", roi=None),)),
    ]
    assert _play(outcomes).n == 1


def test_a_perfect_game_has_an_exact_interval(make_outcome, make_finding):
    outcomes = [make_outcome(f"{i}", ((15, 15, 0.9),), (make_finding(f"{i}"),)) for i in range(25)]
    figure = _play(outcomes)
    assert figure.value == figure.high == 1.0
    assert figure.low == pytest.approx(0.025 ** (1 / 25))


def test_without_findings_there_is_no_game(make_outcome):
    assert _play([make_outcome()]).n == 0
