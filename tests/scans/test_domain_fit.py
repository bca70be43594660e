"""Guards from made statistics: what differs is flagged, what does not is not."""

import numpy as np
import pytest

from mammoscope.core.vocabulary import ViewPosition
from mammoscope.scans.domain import UNLIKE
from mammoscope.scans.domain_fit import Sample, fit_guard, fold_of
from mammoscope.scans.domain_statistics import NAMES

COUNT = len(NAMES)
SCANS = 400


def sample(seed, place=None, shift=0.0, view=ViewPosition.MLO):
    values = np.random.default_rng(seed).normal(size=(SCANS, COUNT))
    if place is not None:
        values[:, place] += shift
    return Sample(
        values=values,
        patients=tuple(f"p{i // 2}" for i in range(SCANS)),
        views=(view,) * SCANS,
    )


@pytest.fixture(scope="module")
def guard():
    spoiled = {
        "inverted": sample(3, 0, 7.0),
        "implant": sample(4, 1, -7.0),
        "turned by 180 degrees": sample(5, 2, 7.0),
    }
    return fit_guard(sample(1), sample(2), spoiled, archive="made", made_by="a command")


def verdicts(guard, given):
    return [guard.judge(v, w) for v, w in zip(given.values, given.views, strict=True)]


def test_new_scans_of_the_same_kind_are_hardly_ever_flagged(guard):
    flagged = [found.verdict == "unlike" for found in verdicts(guard, sample(11))]
    assert np.mean(flagged) <= 0.01


@pytest.mark.parametrize(("kind", "place", "shift"), [("inverted", 0, 7.0), ("implant", 1, -7.0)])
def test_new_spoiled_scans_are_flagged_by_their_name(guard, kind, place, shift):
    found = verdicts(guard, sample(12, place, shift))
    assert np.mean([kind in f.kinds for f in found]) >= 0.99


def test_half_a_turn_is_looked_for_where_there_is_a_top(guard):
    (check,) = [c for c in guard.checks if c.kind == "turned by 180 degrees"]
    assert ViewPosition.MLO in check.views
    assert ViewPosition.CC not in check.views


def test_a_kind_that_was_never_seen_is_doubtful_for_its_distance_and_refused_when_farther(guard):
    odd = sample(13)
    odd.values[:, 10:20] += 5.0
    found = verdicts(guard, odd)
    assert np.mean([f.verdict in ("doubtful", "unlike") for f in found]) >= 0.99
    assert np.mean([bool(f.reasons) and f.reasons[-1].startswith(UNLIKE) for f in found]) >= 0.99
    odd.values[:, 10:20] += 15.0
    assert np.mean([f.verdict == "unlike" for f in verdicts(guard, odd)]) >= 0.99


def test_the_distance_refuses_only_what_is_farther_than_every_scan_of_the_fit(guard):
    z = guard.standardised(sample(1).values)
    assert guard.odd < guard.farthest
    assert guard.distance(z).max() < guard.farthest


def test_likeness_of_new_scans_is_spread_over_the_whole_range(guard):
    likeness = [f.likeness for f in verdicts(guard, sample(14))]
    assert np.mean(likeness) == pytest.approx(0.5, abs=0.06)


def test_all_scans_of_a_patient_are_in_one_fold_and_folds_are_even():
    patients = [f"p{i % 10}" for i in range(50)]
    folds = fold_of(patients)
    assert all(len({folds[i] for i in range(50) if patients[i] == p}) == 1 for p in set(patients))
    assert np.bincount(folds).tolist() == [10] * 5
