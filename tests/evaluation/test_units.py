"""How scans become breasts and patients."""

import pytest

from mammoscope.core.vocabulary import Pathology
from mammoscope.evaluation.units import auc_finding, auc_malignant, auc_malignant_normal, units


def test_a_breast_has_the_highest_score_and_the_mean_malignancy(make_outcome, make_finding):
    benign = make_finding(pathology=Pathology.BENIGN)
    scans = [
        make_outcome("a", patient_id="p", breast_id="L", score=0.2, malignancy=0.1),
        make_outcome("b", (), (benign,), patient_id="p", breast_id="L", score=0.6, malignancy=0.4),
        make_outcome("c", patient_id="p", breast_id="R", score=0.9, malignancy=0.9),
    ]
    left, right = units(scans, lambda outcome: outcome.breast_id)
    assert (left.score, left.malignancy) == (0.6, pytest.approx(0.25))
    assert (left.has_finding, left.is_malignant) == (True, False)
    assert (right.has_finding, right.is_malignant) == (False, None)


def test_breasts_of_two_patients_are_never_joined(make_outcome):
    scans = [make_outcome(name, patient_id=name, breast_id="L") for name in "ab"]
    assert len(units(scans, lambda outcome: outcome.breast_id)) == 2


@pytest.mark.parametrize(
    ("truths", "has_finding"),
    [("01", True), ("0?", None), ("1?", True), ("00", False), ("??", None)],
)
def test_a_unit_is_free_only_when_every_scan_is(make_outcome, make_finding, truths, has_finding):
    given = {"0": (), "1": (make_finding(),), "?": None}
    scans = [
        make_outcome(str(i), (), given[truth], patient_id="p") for i, truth in enumerate(truths)
    ]
    (unit,) = units(scans, lambda outcome: outcome.patient_id)
    assert unit.has_finding is has_finding


def test_each_auc_sets_the_right_units_against_each_other(make_outcome, make_finding):
    def scan(name, pathology, score, malignancy):
        findings = () if pathology == "free" else (make_finding(name, pathology=pathology),)
        return make_outcome(name, (), findings, score=score, malignancy=malignancy)

    given = units(
        [
            scan("m", Pathology.MALIGNANT, 0.5, 0.5),
            scan("b", Pathology.BENIGN, 0.9, 0.6),
            scan("f", "free", 0.7, 0.1),
            scan("u", None, 0.8, 0.0),
        ],
        lambda outcome: outcome.scan_id,
    )
    # Score: m .5 loses, b .9 and u .8 win against f .7.
    assert auc_finding(given, 40, 0).value == pytest.approx(2 / 3)
    # Malignancy: m .5 loses against b .6; nothing is proven of u and f.
    assert auc_malignant(given, 40, 0).value == 0.0
    assert auc_malignant_normal(given, 40, 0, by_malignancy=False).value == 0.0
    assert auc_malignant_normal(given, 40, 0, by_malignancy=True).value == 1.0
    assert auc_malignant_normal(given, 40, 0, by_malignancy=True).n == 2


def test_without_one_of_the_classes_there_is_no_figure(make_outcome, make_finding):
    free = units([make_outcome()], lambda outcome: outcome.scan_id)
    assert auc_finding(free, 40, 0) is None
    assert auc_malignant(free, 40, 0) is None
    assert auc_malignant_normal(free, 40, 0, by_malignancy=True) is None
