"""Figures in groups."""

from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.geometry import Box, Circle, MaskFile
from mammoscope.evaluation.froc import judge
from mammoscope.evaluation.roc import auc
from mammoscope.evaluation.strata import (
    FEW_MARK,
    age_group,
    in_order,
    longest_mm,
    said_age_group,
    score_strata,
    size_group,
    strata_section,
)


@pytest.fixture(scope="module")
def cohort(make_cohort):
    return make_cohort(90, 4)


@pytest.fixture(scope="module")
def section(cohort):
    return strata_section(cohort, judge(cohort), 60, 0)


def test_groups_are_those_of_scans_and_of_findings(section):
    of_findings = {"kind", "pathology", "size", "descriptor"}
    assert set(section) == of_findings | {"view", "breast_density"}
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


@pytest.mark.parametrize(
    ("longest", "group"),
    [
        (0.5, "under 10 mm"),
        (9.99, "under 10 mm"),
        (10, "10 to 20 mm"),
        (20, "20 to 50 mm"),
        (50, "50 mm and more"),
        (200, "50 mm and more"),
    ],
)
def test_a_lesion_belongs_to_the_group_of_its_size(longest, group):
    assert size_group(longest) == group


@pytest.mark.parametrize(
    ("years", "group"),
    [(0, "under 40"), (39.9, "under 40"), (40, "40 to 49"), (69, "60 to 69"), (90, "70 and more")],
)
def test_a_patient_belongs_to_the_group_of_her_age(years, group):
    assert age_group(years) == group


def test_sizes_and_ages_that_are_none_are_refused():
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="mm long"):
            size_group(wrong)
    for wrong in (-1, 999, float("nan")):
        with pytest.raises(ValueError, match="years old"):
            age_group(wrong)


def test_sizes_stand_in_their_order_and_words_in_the_alphabets():
    sizes = {"50 mm and more", "under 10 mm", "10 to 20 mm"}
    assert in_order(sizes) == ["under 10 mm", "10 to 20 mm", "50 mm and more"]
    assert in_order({"B", "A"}) == ["A", "B"]


def test_a_findings_length_follows_rows_and_columns(make_outcome, make_finding):
    outcome = make_outcome(spacing_mm=(0.5, 0.1))
    assert longest_mm(make_finding(roi=Box(0, 0, 10, 30)), outcome) == 5
    assert longest_mm(make_finding(roi=Box(0, 0, 10, 80)), outcome) == 8
    assert longest_mm(make_finding(roi=Circle(50, 50, 8)), outcome) == 8
    assert longest_mm(make_finding(roi=None), outcome) is None
    assert longest_mm(make_finding(roi=MaskFile(Path("mask.png"))), outcome) is None


def test_sizes_and_subtleties_are_groups(make_outcome, make_finding):
    outcomes = [
        make_outcome(
            str(i),
            ((15, 15, 0.9), (60, 60, 0.3)) if i < 15 else ((60, 60, 0.3),),
            (make_finding(str(i), roi=Box(10, 10, 10, 12 if i % 2 else 5), subtlety=1 + i % 2),),
        )
        for i in range(60)
    ]
    section = strata_section(outcomes, judge(outcomes), 60, 0)
    # Seven odd of fifteen are found, and eight even.
    assert list(section["size"]) == ["10 to 20 mm"]
    assert set(section["subtlety"]) == {"1", "2"}
    odd = section["subtlety"]["2"]["sensitivity_at_1_fp"]
    assert (odd["value"], odd["n"]) == (pytest.approx(7 / 30), 30)


def test_a_figure_of_few_of_a_class_is_marked_and_the_threshold_named(make_outcome, make_finding):
    outcomes = [
        make_outcome(
            str(i),
            ((15, 15, (i % 7) / 10),),
            (make_finding(str(i)),) if i < 9 else (),
            strata={"view": "CC"},
        )
        for i in range(40)
    ]
    figures = strata_section(outcomes, judge(outcomes), 60, 0)["view"]["CC"]
    assert figures["too_small"] is False
    assert FEW_MARK in figures["auc_finding"]["warning"]
    assert "fewer than 10 findings" in figures["sensitivity_at_1_fp"]["warning"]


def test_ten_of_each_class_are_not_marked(section):
    assert "warning" not in section["view"]["CC"]["auc_finding"]


def test_anybodys_scores_are_measured_in_groups():
    rng = np.random.default_rng(0)
    truth = np.arange(100) % 2 == 0
    scores = rng.random(100)
    views = ["CC" if i < 60 else "MLO" for i in range(100)]
    # Five positives under 40.
    ages = ["under 40" if i < 30 and (i < 10 or i % 2) else None for i in range(100)]
    rare = ["x" if i < 5 else "" for i in range(100)]
    groups = {"view": views, "age": ages, "site": rare, "nothing": [None] * 100}
    patients = [str(i) for i in range(100)]
    section = score_strata((scores, truth), patients, groups, 0.5, (60, 0))
    assert set(section) == {"view", "age", "site"}
    cc = section["view"]["CC"]
    assert cc["auc"]["value"] == pytest.approx(auc(scores[:60], truth[:60]))
    assert cc["recall"]["value"] == pytest.approx((scores[:60][truth[:60]] >= 0.5).mean())
    assert "warning" not in cc["auc"]
    assert section["site"]["x"]["too_small"] is True
    assert section["site"]["x"]["auc"] is None
    young = section["age"]["under 40"]
    assert young["n"] == 20
    assert FEW_MARK in young["auc"]["warning"]
    assert FEW_MARK in young["recall"]["warning"]
    # Fifteen negatives are enough for specificity.
    assert "fewer than 10" not in young["specificity"].get("warning", "")


@pytest.mark.parametrize(
    ("text", "group"),
    [("57", "50 to 59"), ("039Y", "under 40"), (" 70 ", "70 and more"), ("57.5", "50 to 59")],
)
def test_ages_are_read_as_archives_write_them(text, group):
    assert said_age_group(text) == group


@pytest.mark.parametrize("text", [None, "", "006M", "old", "999", "-1", "nan", "inf"])
def test_what_is_no_age_in_years_makes_no_group(text):
    assert said_age_group(text) is None
