"""`mammoscope evaluate`: what is handed on, the short table, and where the JSON goes."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from mammoscope.cli.evaluate_out import figure_rows


def figure(value, low, high, n=10, n_patients=5):
    return {"value": value, "low": low, "high": high, "n": n, "n_patients": n_patients}


def make_evaluation(failures=()):
    return {
        "schema": "mammoscope.evaluation/1",
        "dataset": {"name": "made", "failures": dict(failures)},
        "counts": {"scans": 10},
        "scans": {
            "joined_by": "each",
            "auc_finding": figure(0.8125, 0.7, 0.9),
            "auc_malignant": None,
        },
        "froc": {
            "rule": "inside",
            "at_1_fp_per_scan": {"kind": {"MASS": figure(0.1, 0.0, 0.2)}},
            "points": [
                {"fp_per_scan": 0.5, "sensitivity": figure(0.6, 0.5, 0.7)},
                {"fp_per_scan": 1.0, "sensitivity": figure(0.7, 0.6, 0.8)},
            ],
        },
        "operating_points": [
            {
                "threshold": 0.25,
                "specificity": figure(None, None, None),
                "fp_per_scan": figure(0.5, 0.4, 0.6),
            }
        ],
        "strata": {"view": {"CC": {"n": 4, "n_patients": 2, "auc": figure(0.1, 0.0, 0.2)}}},
    }


@dataclass(frozen=True)
class MadeArchive:
    name: str
    folder: Path
    records: tuple = ()

    def scans(self):
        return self.records


@pytest.fixture
def calls(stand_in):
    made = []
    made_up = {"result": make_evaluation()}

    def pass_over(model, archive, *, spacing_um, progress):
        progress(1, 2)
        made.append((model, archive, spacing_um))
        return SimpleNamespace(outcomes=())

    def evaluation_of(model, archive, passed, *, resamples, seed):
        made.append((resamples, seed))
        return made_up["result"]

    def open_made(name, folder):
        scans = [
            SimpleNamespace(patient_id=f"p{i // 2}", scan_id=f"s{i}", path=Path(f"s{i}.png"))
            for i in range(10)
        ]
        return MadeArchive(name, folder, tuple(scans))

    stand_in("mammoscope.archives.open", open_archive=open_made)
    stand_in("mammoscope.models.weights", load_model=lambda name: f"model {name}")
    stand_in("mammoscope.read.evaluate", pass_over=pass_over, evaluation_of=evaluation_of)
    made.append(made_up)
    return made


def test_what_is_typed_is_handed_on(run, calls):
    ended = run(
        *("evaluate", "default", "--archive", "mini-mias", "a b"),
        *("--limit", 3, "--resamples", 50, "--seed", 7, "--spacing-um", 47.7),
    )
    assert ended.code == 0
    model, archive, spacing_um = calls[1]
    assert (model, archive.name, archive.folder, spacing_um) == (
        "model default",
        "mini-mias",
        Path("a b"),
        47.7,
    )
    assert [scan.patient_id for scan in archive.scans()] == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert calls[2] == (50, 7)


def test_the_table_holds_figures_with_their_intervals(run, calls):
    out = run("evaluate", "default", "--archive", "made", "x").out
    assert "default on made" in out
    assert "0.812 (0.700 to 0.900)" in out


def test_rows_are_all_figures_but_those_of_groups():
    assert figure_rows(make_evaluation()) == [
        ("scans: auc finding", "0.812 (0.700 to 0.900)", "10", "5"),
        ("froc at 0.5 false positives a scan: sensitivity", "0.600 (0.500 to 0.700)", "10", "5"),
        ("froc at 1 false positives a scan: sensitivity", "0.700 (0.600 to 0.800)", "10", "5"),
        ("marks at threshold 0.250: specificity", "-", "10", "5"),
        ("marks at threshold 0.250: fp per scan", "0.500 (0.400 to 0.600)", "10", "5"),
    ]


def test_json_to_the_output_is_nothing_but_json(run, calls):
    ended = run("evaluate", "default", "--archive", "made", "x", "--json", "-")
    assert json.loads(ended.out) == make_evaluation() | {"warnings": []}
    assert ended.err == ""


def test_json_to_a_file_leaves_the_table_on_the_output(run, calls, tmp_path):
    path = tmp_path / "evaluation.json"
    ended = run("evaluate", "default", "--archive", "made", "x", "--json", path)
    assert json.loads(path.read_text()) == make_evaluation() | {"warnings": []}
    assert "auc finding" in ended.out


def test_scans_that_could_not_be_read_are_named_and_end_with_1(run, calls):
    calls[0]["result"] = make_evaluation({"s1": "s1.png: the file is cut short."})
    ended = run("evaluate", "default", "--archive", "made", "x")
    assert ended.code == 1
    assert "auc finding" in ended.out
    assert "s1.png: the file is cut short." in ended.err


def test_an_archive_needs_its_folder(run):
    assert run("evaluate", "default", "--archive", "made").code == 2


def test_figures_on_the_training_archive_are_marked_as_such(run, calls):
    calls[0]["result"] = {**make_evaluation(), "dataset": {"name": "made", "trained_on": True}}
    ended = run("evaluate", "default", "--archive", "made", "a")
    assert "trained on this archive" in ended.out
    calls[0]["result"] = make_evaluation()
    assert "trained on this archive" not in run("evaluate", "default", "--archive", "made", "a").out


def test_patients_who_were_trained_on_are_refused_and_forced_they_are_said(run, calls, tmp_path):
    trained = tmp_path / "trained.txt"
    trained.write_text("p3\np9\n", encoding="utf-8")
    typed = ("evaluate", "default", "--archive", "made", "x", "--trained-on", trained)
    ended = run(*typed)
    assert ended.code == 2
    assert "1 of the 5 patients measured" in ended.err
    assert len(calls) == 1
    page = tmp_path / "e.html"
    forced = run(*typed, "--force", "--page", page)
    assert forced.code == 0
    assert "--force" in forced.out
    assert "measured all the same (--force)" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "given", [(), ("default", "--scores", "x.csv"), ("--from", "a", "--scores", "b")]
)
def test_one_thing_is_measured_at_a_time(run, given):
    ended = run("evaluate", *given)
    assert ended.code == 2
    assert "one of them" in ended.err


def test_a_model_needs_an_archive(run):
    ended = run("evaluate", "default")
    assert ended.code == 2
    assert "--archive NAME DIR" in ended.err
