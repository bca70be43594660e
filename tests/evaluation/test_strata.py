"""Figures in groups."""

import pytest

from mammoscope.evaluation.froc import judge
from mammoscope.evaluation.roc import auc
from mammoscope.evaluation.strata import strata_section


@pytest.fixture(scope="module")
def cohort(make_cohort):
    return make_cohort(90, 4)


@pytest.fixture(scope="module")
def section(cohort):
    return strata_section(cohort, judge(cohort), 60, 0)


def test_groups_are_those_of_scans_and_of_findings(section):
    assert set(section) == {"kind", "pathology", "view", "breast_density"}
    assert set(section["view"]) == {"CC", "MLO"}
    # Findings are on even patients, whose kinds are all MASS; pathologies go by threes.
    assert set(section["kind"]) == {"MASS"}
    assert set(section["pathology"]) == {"BENIGN", "HIGH_RISK", "MALIGNANT"}


def test_a_group_of_scans_is_measured_by_itself(cohort, section):
    inside = [outcome for outcome in cohort if outcome.strata["view"] == "CC"]
    expected = auc([o.score for o in inside], [bool(o.findings) for o in inside])
    figures = section["view"]["CC"]
    assert figures["auc_finding"]["value"] == pytest.approx(expected)
    assert (figures["n"], figures["n_patients"]) == (90, 90)
    assert figures["too_small"] is False


def test_a_group_of_findings_is_set_against_all_scans_without(cohort, section):
    inside = [o for o in cohort if o.pathology in (None, "MALIGNANT")]
    assert section["pathology"]["MALIGNANT"]["n_patients"] == 15
    expected = auc([o.score for o in cohort], [bool(o.findings) for o in cohort])
    assert section["kind"]["MASS"]["auc_finding"]["value"] == pytest.approx(expected)
    assert len(inside) == 120


def test_a_group_of_few_patients_has_no_figures_and_says_so(section):
    figures = section["pathology"]["MALIGNANT"]
    assert figures["too_small"] is True
    assert figures["auc_finding"] is None
    assert figures["auc_malignant"] is None
    assert figures["sensitivity_at_1_fp"] is None


def test_density_b_has_no_findings_and_so_no_figures(section):
    # Odd patients have none; densities go by fours.
    assert section["breast_density"]["B"]["auc_finding"] is None
    assert section["breast_density"]["B"]["sensitivity_at_1_fp"] is None
    assert section["breast_density"]["B"]["too_small"] is False


def test_sensitivities_of_both_views_make_up_that_of_all(section):
    by_view = [section["view"][view]["sensitivity_at_1_fp"] for view in ("CC", "MLO")]
    whole = section["kind"]["MASS"]["sensitivity_at_1_fp"]
    assert sum(f["n"] for f in by_view) == whole["n"]
    total = sum(f["n"] * f["value"] for f in by_view)
    assert total == pytest.approx(whole["n"] * whole["value"])
