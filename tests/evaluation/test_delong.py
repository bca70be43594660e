"""DeLong with and without clusters: a slow plain version, and what clusters must do.

Published values are in `test_published_asah.py`.
"""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.evaluation.delong import compare_paired, compare_unpaired, delong
from mammoscope.evaluation.roc import auc

seeds = st.integers(0, 10_000)


def cohort(seed: int, n_patients: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Two rounded scores of patients of one to three units, some with units of both classes."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(n_patients), rng.integers(1, 4, n_patients))
    truth = (patients % 2 == 0) ^ (rng.random(len(patients)) < 0.1)
    own = rng.normal(size=n_patients)[patients]
    a, b = (np.round(own + truth + rng.normal(size=len(truth)), 1) for _ in range(2))
    return a, b, truth, [f"p{patient}" for patient in patients]


def obuchowski(scores, truth, patients) -> float:
    """Obuchowski's variance, pair by pair."""
    ups, downs = scores[truth], scores[~truth]
    wins = (ups[:, None] > downs) + 0.5 * (ups[:, None] == downs)
    area, m, n = wins.mean(), len(ups), len(downs)
    owners = np.array(patients)
    names = sorted(set(patients))
    x = [(wins.mean(axis=1) - area)[owners[truth] == name].sum() for name in names]
    y = [(wins.mean(axis=0) - area)[owners[~truth] == name].sum() for name in names]
    i10, i01, both = len(set(owners[truth])), len(set(owners[~truth])), len(names)
    s10 = i10 / ((i10 - 1) * m) * sum(v**2 for v in x)
    s01 = i01 / ((i01 - 1) * n) * sum(v**2 for v in y)
    s11 = both / (both - 1) * sum(v * w for v, w in zip(x, y, strict=True))
    return s10 / m + s01 / n + 2 * s11 / (m * n)


@given(seeds)
def test_the_variance_is_that_of_the_slow_plain_version(seed):
    a, _, truth, patients = cohort(seed)
    found = delong(a, truth, patients)
    assert found.value == pytest.approx(auc(a, truth))
    assert found.variance == pytest.approx(obuchowski(a, truth, patients))


def test_patients_of_one_unit_each_are_as_if_none_were_given():
    a, _, truth, _ = cohort(1)
    alone = [str(i) for i in range(len(a))]
    assert delong(a, truth, alone).variance == pytest.approx(delong(a, truth).variance)


def test_copies_of_a_units_patient_add_nothing():
    a, _, truth, _ = cohort(2)
    names = [str(i) for i in range(len(a))]
    plain = delong(a, truth, names)
    doubled = delong(np.tile(a, 2), np.tile(truth, 2), names * 2)
    assert doubled.value == pytest.approx(plain.value)
    assert doubled.variance == pytest.approx(plain.variance)
    # Without patients the copies count as news, and the variance halves.
    assert delong(np.tile(a, 2), np.tile(truth, 2)).variance < 0.6 * plain.variance


@given(seeds)
def test_swapping_the_sets_turns_the_difference_round(seed):
    a, b, truth, patients = cohort(seed)
    one, other = compare_paired(a, b, truth, patients), compare_paired(b, a, truth, patients)
    assert one.difference == pytest.approx(-other.difference)
    assert one.low == pytest.approx(-other.high, nan_ok=True)
    assert one.p_value == pytest.approx(other.p_value, nan_ok=True)


@given(seeds)
def test_the_p_value_is_below_5_percent_when_the_interval_leaves_out_0(seed):
    a, b, truth, patients = cohort(seed)
    paired = compare_paired(a, b, truth, patients)
    strangers = compare_unpaired((a, truth, patients), (b, truth, patients))
    for found in (paired, strangers):
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)


def test_equal_scores_do_not_differ():
    a, _, truth, patients = cohort(3)
    found = compare_paired(a, a, truth, patients)
    assert (found.difference, found.p_value) == (0.0, 1.0)
    assert isnan(found.low)
    assert "same for every patient" in str(found.warning)


def test_one_class_is_undefined_with_a_reason():
    found = compare_paired([1, 2], [2, 1], [1, 1])
    assert isnan(found.difference)
    assert found.to_json()["p_value"] is None
    assert "one class" in str(found.warning)


def test_a_class_of_one_patient_has_no_variance():
    found = delong([1, 2, 3, 4], [0, 0, 1, 1], ["a", "b", "c", "c"])
    assert found.value == 1.0
    assert isnan(found.variance)
    assert isnan(found.low)


def test_nothing_is_undefined():
    found = delong([], [])
    assert isnan(found.value)
    assert (found.n, found.n_patients) == (0, 0)


def test_too_few_patients_are_refused():
    with pytest.raises(ValueError, match="patient"):
        delong([1, 2], [0, 1], ["a"])
