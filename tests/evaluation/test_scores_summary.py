"""All figures of a table of scores, checked by hand and against scikit-learn."""

import json

import numpy as np
import pytest
from sklearn import metrics as reference

from mammoscope.core.contract import Calibration
from mammoscope.core.errors import AnnotationError
from mammoscope.evaluation.scores import read_scores
from mammoscope.evaluation.scores_summary import summarise_scores
from mammoscope.evaluation.threshold_choice import Threshold

HALF = Threshold(0.5, "given beforehand")


@pytest.fixture
def read(tmp_path):
    def make(rows, head="scan_id,patient_id,score,truth"):
        path = tmp_path / "s.csv"
        path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
        return read_scores(path)

    return make


@pytest.fixture
def cohort(read):
    """60 patients of a left and a right breast, two views each; scores that tell something."""
    rng = np.random.default_rng(5)
    rows = []
    for patient in range(60):
        for side in "LR":
            truth = int(patient % 3 == 0 and side == "L")
            for view in ("CC", "MLO"):
                score = np.clip(rng.normal(0.35 + 0.3 * truth, 0.15), 0, 1)
                scanner = "rare" if patient < 5 else "usual"
                name = f"{patient}{side}{view}"
                rows.append(f"{name},p{patient},{score:.6f},{truth},{side},{view},{scanner}")
    return read(rows, "scan_id,patient_id,score,truth,laterality,view,scanner")


def test_figures_are_those_of_scikit_learn_at_every_level(cohort):
    found = summarise_scores(cohort, HALF, resamples=40)
    json.dumps(found, allow_nan=False)
    side = [one[-3] if one.endswith("CC") else one[-4] for one in cohort.ids]
    for level, keys in (
        ("scans", cohort.ids),
        ("breasts", [f"{p}{s}" for p, s in zip(cohort.patients, side, strict=True)]),
        ("patients", cohort.patients),
    ):
        score, truth = {}, {}
        for key, its, is_so in zip(keys, cohort.scores, cohort.truth, strict=True):
            score[key] = max(score.get(key, 0), its)
            truth[key] = truth.get(key, False) or bool(is_so)
        said, true = np.array(list(score.values())), np.array(list(truth.values()))
        figures = found[level]
        for name, value in (
            ("auc", reference.roc_auc_score(true, said)),
            ("average_precision", reference.average_precision_score(true, said)),
            ("recall", reference.recall_score(true, said >= 0.5)),
            ("precision", reference.precision_score(true, said >= 0.5)),
            ("accuracy", reference.accuracy_score(true, said >= 0.5)),
        ):
            assert figures[name]["value"] == pytest.approx(value), (level, name)
            assert figures[name]["low"] <= value <= figures[name]["high"]
        counts = found["curves"][f"{level}: truth 1 against 0"]["points"][0]["confusion"]
        assert counts == reference.confusion_matrix(true, said >= 0.5).tolist()
    assert found["tiles"] is None
    assert found["scans"]["joined_by"] == "each by itself"
    assert "highest" in found["breasts"]["joined_by"]


def test_the_marked_points_are_half_and_the_threshold(cohort):
    found = summarise_scores(cohort, Threshold(0.4, "before"), resamples=40)
    points = found["curves"]["scans: truth 1 against 0"]["points"]
    assert [point["threshold"] for point in points] == [0.5, 0.4]
    assert points[1]["recall"] == pytest.approx(found["scans"]["recall"]["value"])


def test_small_groups_have_no_figures(cohort):
    strata = summarise_scores(cohort, HALF, resamples=40)["strata"]
    assert strata["scanner"]["rare"] == {
        "n": 20,
        "n_patients": 5,
        "too_small": True,
        **dict.fromkeys(("auc", "recall", "specificity")),
    }
    assert strata["view"]["CC"]["auc"]["n"] == 120


def test_the_worst_are_the_lowest_positive_and_the_highest_negative(read):
    rows = ["a,p,0.9,1", "b,q,0.2,1", "c,r,0.8,0", "d,s,0.1,0"]
    worst = summarise_scores(read(rows), HALF, resamples=40)["worst"]
    assert [(one["id"], one["error"]) for one in worst] == [
        ("b", "scored low"),
        ("a", "scored low"),
        ("c", "scored high"),
        ("d", "scored high"),
    ]


def test_the_scores_errors_as_probabilities_are_those_by_hand(read):
    rows = ["a,p,0.8,1", "b,q,0.4,0"]
    found = summarise_scores(read(rows), HALF, resamples=40)["calibration"]["scans"]
    # Squared errors .04 and .16.
    assert found["brier"]["value"] == pytest.approx(0.1)


def test_tiles_are_joined_to_scans(read):
    rows = ["t1,s1,p,0.2,0", "t2,s1,p,0.7,1", "t3,s2,q,0.6,0"]
    found = summarise_scores(
        read(rows, "tile_id,scan_id,patient_id,score,truth"), HALF, resamples=40
    )
    assert found["counts"]["tiles"] == 3
    assert found["counts"]["scans"] == 2
    assert found["tiles"]["precision"]["value"] == 0.5
    assert found["scans"]["auc"]["value"] == 1.0
    assert found["breasts"] is None


def test_classes_are_measured_beside(read):
    rows = ["a,p,0.9,1,mass,0.1,0.9", "b,q,0.2,0,normal,0.8,0.2", "c,r,0.8,0,normal,0.2,0.8"]
    head = "scan_id,patient_id,score,truth,label,p_normal,p_mass"
    classes = summarise_scores(read(rows, head), HALF, resamples=40)["classes"]
    assert classes["confusion"] == [[1, 1], [0, 1]]
    assert classes["overall"]["accuracy"]["value"] == pytest.approx(2 / 3)


def test_a_threshold_chosen_here_is_named(cohort, read):
    chosen = Threshold(0.44, "youden", on_test=True)
    assert "chosen on the very scores" in summarise_scores(cohort, chosen)["warnings"][0]
    rows = ["a,p,0.91234,1", "b,q,0.2,0", "c,r,0.8,0"]
    suspected = Threshold(0.91234, "given beforehand")
    said = summarise_scores(read(rows), suspected, resamples=40)["warnings"]
    assert "to the last digit" in said[0]
    assert "Only 3 patients" in said[1]
    assert summarise_scores(cohort, HALF, resamples=40)["warnings"] == []


def test_one_class_is_refused(read):
    with pytest.raises(AnnotationError, match="all 2 rows"):
        summarise_scores(read(["a,p,0.9,1", "b,q,0.2,1"]), HALF)


def test_few_of_a_class_in_a_group_are_marked(cohort):
    found = summarise_scores(cohort, HALF, resamples=40)
    assert found["strata"]["scanner"]["rare"]["too_small"] is True
    # On the right side nobody has a finding, so there is no area and no recall.
    right = found["strata"]["laterality"]["R"]
    assert right["too_small"] is False
    assert right["auc"]["value"] is None
    assert "fewer than 10 units" in right["auc"]["warning"]
    assert "fewer than 20 patients" in found["strata_rule"]


def test_patients_called_back_have_predictive_values_and_abstention(cohort):
    found = summarise_scores(cohort, HALF, resamples=40)["called_back"]
    whole = summarise_scores(cohort, HALF, resamples=40)["patients"]
    recall, specificity = (whole[name]["value"] for name in ("recall", "specificity"))
    by_bayes = 0.005 * recall / (0.005 * recall + 0.995 * (1 - specificity))
    assert found["figures"]["ppv_at_0.005"]["value"] == pytest.approx(by_bayes)
    assert not set(found["figures"]) & set(whole)
    assert [point["abstained"] for point in found["abstention"]] == [0, 0.05, 0.1, 0.2, 0.3, 0.5]
    assert found["abstention"][0]["risk"]["value"] == pytest.approx(1 - whole["accuracy"]["value"])


def test_a_calibration_stands_beside_the_scores_as_they_are(cohort):
    # A slope of 1 and an intercept of 0 change nothing but scores of 0 and 1.
    same = Calibration(slope=1.0, intercept=0.0, fitted_on="others", meaning="made")
    section = summarise_scores(cohort, HALF, calibration=same, resamples=40)["calibration"]
    assert list(section) == ["scans", "scans, calibrated by platt"]
    given, fitted = section.values()
    assert fitted["fitted_on"] == "others"
    assert (fitted["slope"], fitted["intercept"]) == (1.0, 0.0)
    assert fitted["brier"]["value"] == pytest.approx(given["brier"]["value"], abs=1e-6)
