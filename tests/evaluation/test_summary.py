"""The whole of `evaluation.json`'s figures, on made and on real truths."""

import csv
import json
import time

import pytest

from mammoscope.core.contract import Calibration
from mammoscope.core.errors import ArchiveError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.evaluation.outcomes import Peak, ScanOutcome
from mammoscope.evaluation.summary import summarise

SECTIONS = (
    "counts",
    "scans",
    "breasts",
    "patients",
    "froc",
    "jafroc",
    "pointing_game",
    "calibration",
    "operating_points",
    "called_back",
    "strata",
    "strata_rule",
)
PLAIN = Calibration(slope=1.0, intercept=0.0, fitted_on="somewhere", meaning="something")


def _figures(value):
    """Yield every figure inside nested sections."""
    if isinstance(value, dict) and "n_patients" in value and "method" in value:
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _figures(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _figures(inner)


def test_every_section_is_there_and_is_plain_json(make_cohort):
    summary = summarise(
        make_cohort(60, 0),
        resamples=100,
        threshold=0.5,
        calibration=PLAIN,
        lesion_calibration=PLAIN,
    )
    assert tuple(summary) == SECTIONS
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_every_figure_lies_in_its_interval_and_says_how_it_was_made(make_cohort):
    summary = summarise(make_cohort(60, 0), resamples=100, threshold=0.5, calibration=PLAIN)
    figures = list(_figures(summary))
    assert len(figures) > 30
    for figure in figures:
        assert figure["method"].startswith("95 %")
        if figure["low"] is not None:
            assert figure["low"] <= figure["value"] <= figure["high"]
        else:
            assert figure["warning"]


def test_the_same_seed_gives_the_same_summary_and_another_gives_other_intervals(make_cohort):
    outcomes = make_cohort(30, 0)
    first = summarise(outcomes, resamples=60, seed=3)
    assert summarise(outcomes, resamples=60, seed=3) == first
    other = summarise(outcomes, resamples=60, seed=4)
    assert other["scans"]["auc_finding"]["value"] == first["scans"]["auc_finding"]["value"]
    assert other["scans"]["auc_finding"]["low"] != first["scans"]["auc_finding"]["low"]


def test_a_threshold_changes_no_other_figure(make_cohort):
    outcomes = make_cohort(30, 0)
    plain, with_point = (
        summarise(outcomes, resamples=60, threshold=threshold) for threshold in (None, 0.4)
    )
    assert plain.pop("operating_points") == []
    assert len(with_point.pop("operating_points")) == 1
    assert plain.pop("called_back") is None
    assert with_point.pop("called_back")["threshold"] == 0.4
    assert plain == with_point


def test_counts_are_as_made(make_cohort):
    counts = summarise(make_cohort(60, 0), resamples=60)["counts"]
    assert counts == {
        "scans": 120,
        "breasts": 60,
        "exams": 120,
        "patients": 60,
        "scans_with_findings": 60,
        "scans_without_findings": 60,
        "scans_unknown": 0,
        "scans_malignant": 20,
        "scans_not_malignant": 40,
        "findings": 60,
        "findings_without_place": 0,
    }


def test_an_archive_without_free_scans_has_no_figure_against_them(make_cohort):
    outcomes = [outcome for outcome in make_cohort(60, 0) if outcome.findings]
    summary = summarise(outcomes, resamples=60)
    for level in ("scans", "breasts", "patients"):
        assert summary[level]["auc_finding"] is None
        assert summary[level]["auc_malignant_normal"] is None
        assert summary[level]["auc_malignant"]["value"] is not None
    assert "all scans" in summary["froc"]["rule"]
    assert summary["calibration"] is None


def test_an_archive_without_places_has_neither_froc_nor_pointing_game(make_outcome, make_finding):
    outcomes = [
        make_outcome("a", ((15, 15, 0.6),), (make_finding("a", roi=None),)),
        make_outcome("b", ((15, 15, 0.6),)),
        make_outcome("c", ((15, 15, 0.6),), None),
    ]
    summary = summarise(outcomes, resamples=60, threshold=0.5)
    assert summary["froc"] is None
    assert summary["jafroc"] is None
    assert summary["pointing_game"] is None
    assert summary["operating_points"][0]["specificity"]["value"] == 0.0
    json.dumps(summary, allow_nan=False)


def test_calibrations_of_breasts_and_lesions_are_told_apart(make_cohort):
    outcomes = make_cohort(60, 0)
    of_breasts = summarise(outcomes, resamples=60, calibration=PLAIN)["calibration"]
    assert of_breasts["lesions"] is None
    assert of_breasts["breasts"]["meaning"] == "something"
    of_lesions = summarise(outcomes, resamples=60, lesion_calibration=PLAIN)["calibration"]
    assert of_lesions["breasts"] is None
    assert of_lesions["lesions"]["fitted_on"] == "somewhere"


def test_what_is_too_small_is_said(make_cohort):
    rule = summarise(make_cohort(10, 0), resamples=60)["strata_rule"]
    assert "fewer than 20 patients" in rule
    assert "fewer than 10 units" in rule


def test_joining_is_named(make_cohort):
    summary = summarise(make_cohort(10, 0), resamples=60)
    assert "mean" in summary["breasts"]["joined_by"]
    assert "highest" in summary["patients"]["joined_by"]
    assert summary["scans"]["joined_by"] == "each scan by itself"


@pytest.fixture
def make_woman(make_outcome, make_finding):
    """A woman's scans: side -> (score, whether with a malignant finding); "?" is no known side."""

    def make(patient, sides, exam=None):
        exam = exam or patient
        return [
            make_outcome(
                f"{exam}-{side}",
                ((15, 15, score),),
                (make_finding(f"{exam}-{side}"),) if ill else (),
                patient_id=patient,
                exam_id=exam,
                breast_id=f"{exam}/{side}",
            )
            for side, (score, ill) in sides.items()
        ]

    return make


AGAINST = ("auc_finding_against_other", "auc_malignant_normal_against_other")
# The ill breast scores below the dense woman's, and above its own other breast.
DENSE, ILL = {"L": (0.8, False), "R": (0.8, False)}, {"L": (0.7, True), "R": (0.2, False)}


def test_a_breast_is_told_by_what_the_other_does_not_show(make_woman):
    # By hand, in odds: ill 7/3 over the root of 1/4 is 4.67; dense 4 over the root of 4 is 2.
    breasts = summarise(make_woman("a", DENSE) + make_woman("b", ILL), resamples=60)["breasts"]
    assert breasts["auc_finding"]["value"] == pytest.approx(1 / 3)
    for name in AGAINST:
        assert breasts[name]["value"] == 1.0
        assert (breasts[name]["n"], breasts[name]["n_patients"]) == (4, 2)


def test_the_highest_scan_of_either_breast_is_what_counts(make_woman, make_outcome):
    # A second view of the ill woman's right breast at 0.95: 7/3 over the root of 19 is 0.54.
    second = make_outcome(
        "b-R2", ((15, 15, 0.95),), (), patient_id="b", exam_id="b", breast_id="b/R"
    )
    outcomes = [*make_woman("a", DENSE), *make_woman("b", ILL), second]
    breasts = summarise(outcomes, resamples=60)["breasts"]
    assert [breasts[name]["value"] for name in AGAINST] == [0.0, 0.0]


def test_a_breast_without_its_other_in_the_same_exam_is_left_out(make_woman):
    lone = [
        *make_woman("c", {"L": (0.99, False)}),
        *make_woman("d", {"L": (0.99, False), "?": (0.1, False)}),
        *make_woman("e", {"L": (0.99, False)}, exam="e1"),
        *make_woman("e", {"R": (0.1, False)}, exam="e2"),
    ]
    both = make_woman("a", DENSE) + make_woman("b", ILL)
    with_lone = summarise(both + lone, resamples=60)["breasts"]
    without = summarise(both, resamples=60)["breasts"]
    assert with_lone["auc_finding"]["n"] == 9
    assert all(with_lone[name] == without[name] for name in AGAINST)


def test_a_scan_of_unknown_side_does_not_come_between_two_known_ones(make_woman):
    ill = make_woman("b", {**ILL, "?": (0.99, False)})
    breasts = summarise(make_woman("a", DENSE) + ill, resamples=60)["breasts"]
    assert all((breasts[name]["value"], breasts[name]["n"]) == (1.0, 4) for name in AGAINST)


def test_without_both_classes_among_women_with_both_breasts_there_is_no_figure(make_woman):
    lone = make_woman("b", {"L": (0.7, True)})
    for outcomes in (lone, make_woman("a", DENSE), make_woman("a", DENSE) + lone):
        summary = summarise(outcomes, resamples=60)
        assert all(summary["breasts"][name] is None for name in AGAINST)
        # A scan has no other side, and a patient has both.
        assert not set(AGAINST) & (set(summary["scans"]) | set(summary["patients"]))


def test_no_scan_is_refused_with_a_remedy():
    with pytest.raises(ArchiveError, match="name an archive"):
        summarise([])


def test_a_scan_given_twice_is_refused(make_outcome):
    with pytest.raises(ValueError, match="twice"):
        summarise([make_outcome(), make_outcome()])


def _pathology(word):
    return Pathology.MALIGNANT if word.startswith("MALIGNANT") else Pathology.BENIGN


def _real_truth(row, aim):
    """Make an outcome of a real scan whose peaks lie at its boxes' centres, moved by `aim` px."""
    scan_id, patient_id = row["file"], row["patient_id"]
    boxes = [
        Box(top, left, height, width)
        for left, top, width, height in json.loads(row["boxes_xywh_800"])
    ]
    pathology = _pathology(row["pathology_worst"])
    findings = tuple(
        Finding(
            finding_id=f"{scan_id}/{i}",
            scan_id=scan_id,
            kind=FindingKind.MASS,
            roi=box,
            pathology=pathology,
        )
        for i, box in enumerate(boxes)
    )
    score = 0.5 + 0.4 * (pathology is Pathology.MALIGNANT)
    peaks = tuple(Peak(b.centre[0] + aim, b.centre[1] + aim, score, score) for b in boxes)
    spacing_um = (row["row_spacing_800_um"], row["column_spacing_800_um"])
    row_mm, column_mm = (float(value or 300) / 1000 for value in spacing_um)
    return ScanOutcome(
        scan_id=scan_id,
        patient_id=patient_id,
        breast_id=f"{patient_id}/{row['side']}",
        exam_id=patient_id,
        spacing_mm=(row_mm, column_mm),
        score=score,
        malignancy=score,
        peaks=peaks,
        findings=findings,
        strata={"view": row["view"], "breast_density": row["breast_density"]},
    )


@pytest.fixture(scope="module")
def real_rows(shared_data):
    path = shared_data / "cbis-ddsm" / "mass-800" / "labels.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.real
def test_real_truths_are_all_found_by_peaks_at_their_centres(real_rows):
    outcomes = [_real_truth(row, aim=0) for row in real_rows]
    start = time.perf_counter()
    summary = summarise(outcomes, threshold=0.5)
    seconds = time.perf_counter() - start
    assert summary["counts"]["scans"] == 1231
    assert summary["counts"]["patients"] == 691
    assert summary["pointing_game"]["share"]["value"] == 1.0
    assert summary["froc"]["points"][0]["sensitivity"]["value"] == 1.0
    assert summary["scans"]["auc_malignant"]["value"] == 1.0
    # A thousand resamples of every figure: a few seconds on a free core.
    assert seconds < 30


@pytest.mark.real
def test_real_truths_are_all_missed_by_peaks_far_away(real_rows):
    outcomes = [_real_truth(row, aim=800) for row in real_rows]
    summary = summarise(outcomes, resamples=40, threshold=0.5)
    assert summary["pointing_game"]["share"]["value"] == 0.0
    assert summary["froc"]["points"][-1]["sensitivity"]["value"] == 0.0
    assert summary["operating_points"][0]["fp_per_scan"]["value"] > 1.0
