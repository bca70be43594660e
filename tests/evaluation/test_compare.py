"""Comparisons: when pairs are paired, what is said where not, and how p values are corrected."""

import json

import numpy as np
import pytest

from mammoscope.evaluation.compare import compare, compare_two
from mammoscope.evaluation.corrections import benjamini_hochberg, holm
from mammoscope.evaluation.delong import compare_paired, compare_unpaired
from mammoscope.evaluation.differences import Scored


def scored(name: str, seed: int, start: int = 0, n: int = 80) -> Scored:
    """Units `start` to `start + n` of patients of two units each."""
    truth = np.repeat(np.random.default_rng(0).random(100) < 0.5, 2)[start : start + n]
    scores = np.clip(np.random.default_rng(seed).random(n) * 0.8 + 0.2 * truth, 0, 1)
    numbers = range(start, start + n)
    patients = tuple(f"p{i // 2}" for i in numbers)
    return Scored(name, tuple(f"s{i}" for i in numbers), patients, scores, truth)


def turned(one: Scored) -> Scored:
    return Scored(
        one.name, one.ids[::-1], one.patients[::-1], one.scores[::-1].copy(), one.truth[::-1].copy()
    )


def test_the_same_units_are_paired_whatever_their_order():
    a, b = scored("a", 1), scored("b", 2)
    pair = compare_two(a, turned(b), resamples=60)
    assert pair.paired
    assert (pair.shared, pair.only_a, pair.only_b) == (80, 0, 0)
    assert pair.figures["auc"] == compare_paired(a.scores, b.scores, a.truth, a.patients)
    assert pair.figures == compare_two(a, b, resamples=60).figures


def test_other_units_are_not_paired_and_the_shared_ones_are_counted():
    a, b = scored("a", 1), scored("b", 2, start=10)
    pair = compare_two(a, b, resamples=60)
    assert not pair.paired
    assert (pair.shared, pair.only_a, pair.only_b) == (70, 10, 10)
    assert "70 are shared, 10 only in a, 10 only in b" in str(pair.why_unpaired)
    assert pair.mcnemar is None
    assert pair.figures["auc"] == compare_unpaired(
        (a.scores, a.truth, a.patients), (b.scores, b.truth, b.patients)
    )


def test_another_truth_of_the_same_unit_forbids_pairing():
    a, b = scored("a", 1), scored("b", 2)
    flipped = b.truth.copy()
    flipped[3] = ~flipped[3]
    pair = compare_two(a, Scored("b", b.ids, b.patients, b.scores, flipped), resamples=60)
    assert "1 of the 80 scans" in str(pair.why_unpaired)


def test_mcnemar_counts_patients_where_they_have_several_units():
    a, b = scored("a", 1), scored("b", 2)
    by_patient = compare_two(a, b, resamples=60)
    assert by_patient.mcnemar_unit == "patient"
    assert by_patient.mcnemar is not None
    assert by_patient.mcnemar.n == 40
    alone = [Scored(x.name, x.ids, x.ids, x.scores, x.truth) for x in (a, b)]
    by_unit = compare_two(*alone, resamples=60)
    assert (by_unit.mcnemar_unit, by_unit.mcnemar.n) == ("unit", 80)


def test_each_pair_of_three_sets_is_compared_and_all_p_values_corrected_together():
    found = compare([scored("a", 1), scored("b", 2), scored("c", 3)], resamples=60)
    assert [(pair.a, pair.b) for pair in found.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    p_values = []
    for pair in found.pairs:
        p_values += [difference.p_value for difference in pair.figures.values()]
        p_values.append(pair.mcnemar.mid_p)
    assert found.n_comparisons == len(p_values) == 3 * 12
    corrected = np.array(list(found.corrected.values()))
    np.testing.assert_array_equal(corrected[:, 0], holm(p_values))
    np.testing.assert_array_equal(corrected[:, 1], benjamini_hochberg(p_values))


def test_a_comparison_goes_through_json():
    a = scored("a", 1)
    one_class = Scored("b", a.ids, a.patients, a.scores, np.zeros(80, dtype=bool))
    found = compare([a, scored("c", 2), one_class], resamples=60).to_json()
    told = json.loads(json.dumps(found, allow_nan=False))
    assert told["schema"] == "mammoscope-comparison-1"
    paired, unpaired, _ = told["pairs"]
    assert paired["paired"]
    assert set(paired["figures"]["auc"]) >= {"a", "b", "difference", "low", "high", "p_holm"}
    assert paired["mcnemar"]["unit"] == "patient"
    assert unpaired["mcnemar"] is None
    assert unpaired["figures"]["auc"]["p_value"] is None
    assert unpaired["figures"]["auc"]["p_holm"] is None


def test_one_set_or_two_of_a_name_are_refused():
    with pytest.raises(ValueError, match="two sets"):
        compare([scored("a", 1)])
    with pytest.raises(ValueError, match="name of its own"):
        compare([scored("a", 1), scored("a", 2)])
