"""`mammoscope evaluate --scores` and `--from`: what is written, what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from mammoscope.core.vocabulary import Split
from mammoscope.evaluation.calibrate import Ground, fit_calibration
from mammoscope.evaluation.scores import read_scores

HEAD = "scan_id,patient_id,score,truth"


@pytest.fixture
def write(tmp_path):
    """Write scores of 30 patients, two scans each; numbers of the first patient and of the seed."""

    def put(name, first=1, seed=0):
        rng = np.random.default_rng(seed)
        rows = [HEAD]
        for film in range(2 * first - 1, 2 * first + 59):
            truth = film % 3 == 0
            score = 0.6 * rng.random() + 0.3 * truth
            rows.append(f"mdb{film:03d},mias-{(film + 1) // 2:03d},{score:.5f},{int(truth)}")
        path = tmp_path / name
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return put


@pytest.fixture
def films(tmp_path):
    """mini-MIAS of two films, the first with a circle at row 523 and column 300."""
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("mdb001", "mdb002"):
        Image.fromarray(np.full((1024, 1024), 90, np.uint8)).save(folder / f"{name}.png")
    (folder / "Info.txt").write_text(
        "mdb001 G CIRC B 300 500 40\nmdb002 G NORM\n", encoding="latin-1"
    )
    return folder


def test_scores_give_figures_json_a_page_and_drawings(run, write, tmp_path):
    page, kept, drawn = (tmp_path / name for name in ("e.html", "e.json", "drawn"))
    ended = run(
        *("evaluate", "--scores", write("mine.csv"), "--resamples", 40),
        *("--json", kept, "--page", page, "--figures", drawn),
    )
    assert ended.code == 0, ended.err
    told = json.loads(kept.read_text(encoding="utf-8"))
    assert told["model"]["name"] == "mine"
    assert told["threshold"] == {"value": 0.5, "chosen_by": "given beforehand", "on_test": False}
    assert "mine on the rows of mine.csv" in page.read_text(encoding="utf-8")
    assert (drawn / "pr-truth-1-against-0.svg").read_bytes().startswith(b"<?xml")
    assert (drawn / "roc-truth-1-against-0.png").read_bytes().startswith(b"\x89PNG")
    again = tmp_path / "again.html"
    assert run("evaluate", "--from", kept, "--page", again).code == 0
    assert again.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_a_threshold_chosen_on_the_test_is_named_and_one_of_others_is_not(run, write):
    mine, others = write("mine.csv"), write("others.csv", first=50, seed=2)
    ended = run("evaluate", "--scores", mine, "--threshold", "youden", "--resamples", 40)
    assert "chosen on the very scores" in ended.out
    ended = run(
        *("evaluate", "--scores", mine, "--threshold", "recall=0.9", "--validation", others),
        *("--resamples", 40, "--json", "-"),
    )
    told = json.loads(ended.out)
    assert told["threshold"]["chosen_by"] == "recall=0.9, on others.csv"
    assert told["warnings"] == []


def test_validation_scores_of_measured_patients_are_refused(run, write):
    mine, others = write("mine.csv"), write("others.csv", first=20)
    ended = run("evaluate", "--scores", mine, "--threshold", "youden", "--validation", others)
    assert ended.code == 2
    assert "11 of the 30 patients measured are in" in ended.err
    assert "which chooses the threshold" in ended.err


def test_a_number_and_a_choice_are_refused_together(run, write):
    mine, others = write("mine.csv"), write("others.csv", first=50)
    ended = run("evaluate", "--scores", mine, "--validation", others)
    assert ended.code == 2
    assert "give a rule" in ended.err


def test_a_split_knows_its_patients(run, write):
    typed = ("--public-split", "mias-folds", "--resamples", 40)
    ended = run("evaluate", "--scores", write("mine.csv"), *typed, "--json", "-")
    told = json.loads(ended.out)
    assert "131 of the 161 patients" in told["warnings"][0]
    assert told["dataset"]["public_split"] == "mias-folds:all"
    assert len(told["dataset"]["public_split_digest"]) == 64
    ended = run("evaluate", "--scores", write("far.csv", first=150), *typed)
    assert ended.code == 2
    assert (
        "line 26: the public split mias-folds:all does not know the patient mias-162" in ended.err
    )


def test_a_division_tells_who_was_trained_on(run, write, tmp_path):
    from mammoscope.archives.splits import Division, write_division
    from mammoscope.core.vocabulary import Split

    mine, path = write("mine.csv"), tmp_path / "division.json"
    write_division(path, Division(patients={"mias-001": Split.TEST, "mias-002": Split.VALIDATION}))
    ended = run("evaluate", "--scores", mine, "--trained-on", path)
    assert ended.code == 2
    assert "(mias-002)" in ended.err


def test_places_are_judged_by_the_archives_findings(run, films, tmp_path):
    scores, places = tmp_path / "s.csv", tmp_path / "d.csv"
    scores.write_text(f"{HEAD}\nmdb001,mias-001,0.9,1\nmdb002,mias-001,0.2,0\n", encoding="utf-8")
    # Info.txt counts rows from the bottom: 1023 - 500.
    places.write_text(
        "scan_id,row,column,score\nmdb001,523,300,0.9\nmdb002,100,100,0.2\n", encoding="utf-8"
    )
    typed = ("evaluate", "--scores", scores, "--detections", places, "--resamples", 40)
    page = tmp_path / "e.html"
    ended = run(*typed, "--archive", "mini-mias", films, "--json", "-", "--page", page)
    told = json.loads(ended.out)
    assert told["froc"]["points"][0]["sensitivity"]["value"] == 1.0
    assert told["pointing_game"]["share"]["value"] == 1.0
    assert page.read_text(encoding="utf-8").count("data:image/jpeg;base64,") == 2
    ended = run(*typed)
    assert ended.code == 2
    assert "--detections needs --archive" in ended.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"schema": "mammoscope.evaluation/1", "dataset": 3}', "not as evaluate writes it"),
        ("{", "not an evaluation"),
        ("[]", "not an evaluation"),
        ('{"schema": "x"}', "its schema is 'x'"),
    ],
)
def test_what_is_no_evaluation_is_told(run, tmp_path, content, words):
    path = tmp_path / "e.json"
    path.write_text(content, encoding="utf-8")
    ended = run("evaluate", "--from", path)
    assert ended.code == 2
    assert words in ended.err


def test_the_verdict_of_an_audit_is_shown(run, write, tmp_path):
    audit, page = tmp_path / "audit.json", tmp_path / "e.html"
    audit.write_text('{"verdict": "leaking"}', encoding="utf-8")
    typed = ("evaluate", "--scores", write("mine.csv"), "--resamples", 40, "--audit", audit)
    assert run(*typed, "--page", page).code == 0
    assert "The audit of this set says" in page.read_text(encoding="utf-8")
    audit.write_text('{"verdict": "fine"}', encoding="utf-8")
    assert "no verdict" in run(*typed).err


@pytest.mark.parametrize("kind", ["platt", "temperature", "isotonic"])
def test_a_calibration_is_fitted_on_other_patients_and_kept(run, write, tmp_path, kind):
    mine, others, page = (
        write("mine.csv"),
        write("others.csv", first=50, seed=2),
        tmp_path / "e.html",
    )
    typed = ("--calibrate", kind, "--validation", others, "--resamples", 40, "--page", page)
    ended = run("evaluate", "--scores", mine, *typed, "--json", "-")
    told = json.loads(ended.out)
    fitted = told["calibration"][f"scans, calibrated by {kind}"]
    assert fitted["kind"] == kind
    assert fitted["fitted_on"] == "60 scans of 30 patients in others.csv"
    assert told["threshold"]["value"] == 0.5
    assert f"{kind} (" in page.read_text(encoding="utf-8")
    # The numbers are those of the other patients' scores.
    scores = read_scores(others)
    ground = Ground(split=Split.VALIDATION, fitted_on="", meaning="")
    again = fit_calibration(kind, scores.scores, scores.truth, ground)
    assert fitted["slope"] == again.slope
    assert [tuple(point) for point in fitted["points"]] == list(again.points)


def test_a_calibration_without_other_patients_is_refused(run, write):
    ended = run("evaluate", "--scores", write("mine.csv"), "--calibrate", "platt")
    assert ended.code == 2
    assert "needs --validation FILE" in ended.err


def test_a_calibration_on_the_test_is_refused_even_when_forced(run, write):
    mine = write("mine.csv")
    typed = ("evaluate", "--scores", mine, "--calibrate", "platt", "--validation", mine)
    assert "fits the calibration" in run(*typed).err
    ended = run(*typed, "--force")
    assert ended.code == 2
    assert "cannot be fitted on the test split" in ended.err


def test_an_unknown_calibration_is_named(run, write):
    mine, others = write("mine.csv"), write("others.csv", first=50)
    ended = run("evaluate", "--scores", mine, "--calibrate", "plat", "--validation", others)
    assert ended.code == 2
    assert "platt" in ended.err


@pytest.mark.parametrize("option", ["--validation", "--calibrate"])
def test_what_is_for_scores_is_refused_for_a_model(run, films, option):
    ended = run("evaluate", "default", "--archive", "mini-mias", films, option, "x")
    assert ended.code == 2
    assert f"{option} is for --scores" in ended.err
