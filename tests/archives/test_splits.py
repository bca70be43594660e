"""Folds by patient, and their digest."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.archives.splits import folds, split_digest

patients = st.dictionaries(
    st.text("abc123", min_size=1, max_size=6), st.sampled_from(["malignant", "benign", "none"])
)
counts = st.integers(2, 7)
seeds = st.integers(0, 2**32 - 1)


@given(patients, counts, seeds)
def test_every_patient_is_in_one_fold_of_those_asked_for(strata, k, seed):
    assigned = folds(strata, k, seed)
    assert assigned.keys() == strata.keys()
    assert set(assigned.values()) <= set(range(k))


@given(patients, counts, seeds)
def test_folds_differ_by_one_patient_at_most_as_a_whole_and_in_each_stratum(strata, k, seed):
    assigned = folds(strata, k, seed)
    for members in (*({p for p in strata if strata[p] == s} for s in set(strata.values())), strata):
        sizes = Counter(assigned[patient] for patient in members)
        assert max(sizes[fold] for fold in range(k)) - min(sizes[fold] for fold in range(k)) <= 1


@given(patients, counts, seeds, st.randoms())
def test_the_order_of_the_patients_changes_nothing(strata, k, seed, rng):
    shuffled = list(strata.items())
    rng.shuffle(shuffled)
    assert folds(dict(shuffled), k, seed) == folds(strata, k, seed)


def test_another_seed_gives_other_folds():
    strata = {f"p{i}": "none" for i in range(40)}
    assert folds(strata, 5, 0) != folds(strata, 5, 1)


def test_one_fold_is_no_split():
    with pytest.raises(ValueError, match="two folds or more, not 1"):
        folds({"a": "none"}, 1, 0)


def test_the_digest_is_sha_256_of_the_sorted_assignment():
    # printf '{"a":0,"b":1}' | sha256sum
    expected = "f4c1d8bd90d7ccd720aa5a69a67185fb9caf4f35926a4eacf53a86d0e70bdf88"
    assert split_digest({"b": 1, "a": 0}) == expected


@given(st.dictionaries(st.text(max_size=4), st.integers(0, 4), min_size=1), st.data())
def test_the_digest_changes_with_any_patient_that_moves(assigned, data):
    moved = data.draw(st.sampled_from(sorted(assigned)))
    assert split_digest({**assigned, moved: assigned[moved] + 1}) != split_digest(assigned)
