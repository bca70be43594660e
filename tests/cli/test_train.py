"""`mammoscope train` hands on what was typed, and prints what came of it."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def calls(stand_in):
    made = []

    def train(config, overrides, out):
        made.append((config, overrides, out))
        return Path("runs/a/model.safetensors")

    stand_in("mammoscope.training.run", train=train)
    return made


def test_settings_overrides_and_folder_are_handed_on(run, calls):
    ended = run(
        "train", "--config", "a.toml", "--set", "epochs=3", "--set", "input.low=1", "--out", "b"
    )
    assert ended.code == 0
    assert calls == [(Path("a.toml"), ["epochs=3", "input.low=1"], Path("b"))]
    assert ended.out == "Weights: runs/a/model.safetensors\n"


def test_what_is_not_typed_is_left_to_the_run(run, calls):
    run("train", "--config", "a.toml")
    assert calls == [(Path("a.toml"), [], None)]


@pytest.mark.parametrize(
    ("rank", "said"), [("0", "Weights: runs/a/model.safetensors\n"), ("1", "")]
)
def test_of_several_processes_the_first_one_speaks(run, calls, monkeypatch, rank, said):
    launch = {"RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "here", "MASTER_PORT": "1"}
    for key, value in launch.items():
        monkeypatch.setenv(key, value)
    assert run("train", "--config", "a.toml").out == said


def test_a_process_that_ends_for_another_ones_error_says_nothing(run, stand_in):
    from mammoscope.training.launch import OtherProcessError

    def train(*_):
        raise OtherProcessError("said by another one.")

    stand_in("mammoscope.training.run", train=train)
    ended = run("train", "--config", "a.toml")
    assert (ended.code, ended.out, ended.err) == (2, "", "")


FIGURE = {
    "name": "test tiles auc",
    "values": [0.7, 0.8],
    "mean": 0.75,
    "deviation": 0.0707,
    "low": 0.7,
    "high": 0.8,
    "best_seed": 2,
    "is_fluke": None,
}


@pytest.mark.parametrize(("failed", "code"), [({}, 0), ({"2": "one class."}, 1)])
def test_seeds_print_a_table_their_notes_and_a_page(run, stand_in, tmp_path, failed, code):
    asked = []

    def train_seeds(config, overrides, out, count):
        asked.append((config, overrides, out, count))
        path = tmp_path / "seeds.json"
        record = {
            "schema": "mammoscope.seeds/1",
            "name": "made",
            "seeds": [1, 2],
            "figures": [FIGURE],
            "failed": failed,
            "notes": ["There are fewer than 3 seeds."],
        }
        path.write_text(json.dumps(record))
        return path

    stand_in("mammoscope.training.seeds", train_seeds=train_seeds)
    ended = run("train", "--config", "a.toml", "--seeds", "2", "--out", "b")
    assert asked == [(Path("a.toml"), [], Path("b"), 2)]
    assert ended.code == code
    assert "test tiles auc" in ended.out
    assert "0.0707" in ended.out
    assert ended.err == "mammoscope: There are fewer than 3 seeds.\n"
    assert f"Page: {tmp_path / 'seeds.html'}" in ended.out
    assert "0.0707" in (tmp_path / "seeds.html").read_text()


def test_a_sweep_prints_its_trials_and_a_page(run, stand_in, tmp_path):
    asked = []

    def run_sweep(config, overrides, out, plan):
        asked.append((config, overrides, out, plan))
        trial = {
            "number": 1, "state": "done", "value": 0.875, "epochs": 2, "seconds": 3.0, "why": None,
            "options": {"batch_size": 16}, "curve": [[1, 0.5], [2, 0.875]],
        }  # fmt: skip
        record = {
            "schema": "mammoscope.sweep/1",
            "name": "made",
            "metric": "auc",
            "direction": "maximize",
            "search": {"batch_size": {"low": 8, "high": 32, "log": False}},
            "best": 1,
            "trials": [
                trial,
                {**trial, "number": 2, "state": "failed", "value": None, "why": "one class."},
            ],
        }
        path = tmp_path / "sweep.json"
        path.write_text(json.dumps(record))
        return path

    stand_in("mammoscope.training.sweep", run_sweep=run_sweep)
    ended = run("train", "--config", "a.toml", "--sweep", "plan.toml", "--set", "epochs=2")
    assert asked == [(Path("a.toml"), ["epochs=2"], None, Path("plan.toml"))]
    # Done in part: a trial failed.
    assert ended.code == 1
    assert "0.875" in ended.out
    assert "batch_size" in ended.out
    assert f"Page: {tmp_path / 'sweep.html'}" in ended.out


def make_record():
    figures = {"accuracy": 0.9, "recall": 0.25, "precision": None, "auc": 0.875}
    others = dict.fromkeys(("specificity", "volatility"))
    spreads = [
        {
            "name": name, "values": [value, value], "mean": value, "deviation": 0.0, "low": value,
            "high": value, "by_seeds": None, "by_patients": None,
        }
        for name, value in (figures | others).items()
    ]  # fmt: skip
    run = {
        "value": "2", "seed": 1, "why": None, "seconds": 60.0, "figures": figures | others,
        "curves": {"accuracy": [], "recall": [], "auc": []},
    }  # fmt: skip
    check = {
        "what": "recall at 6 less that at 2", "by_seed": [0.5, 0.25], "mean": 0.375,
        "seeds": [-1.2, 1.9], "patients": [0.1, 0.6], "verdict": "cannot be told",
        "why": "2 seeds are too few",
    }  # fmt: skip
    return {
        "schema": "mammoscope.experiment/1",
        "name": "made", "option": "loss.positive_weight", "values": ["2", "6"], "seeds": [1, 2],
        "metric": "recall", "network": "tilenet-s", "epochs": 5, "steps": 100, "threshold": 0.5,
        "patients": {
            "kind": "test", "tiles": 10, "abnormal": 2, "patients": 5, "abnormal_patients": 1,
            "majority": 0.8,
        },
        "tiles": {"recipe": "9", "digest": "ab", "audit_verdict": None},
        "published": {}, "runs": [run, {**run, "seed": 2}],
        "spreads": {"2": spreads, "6": spreads}, "differences": [check],
        "claims": [
            {
                "says": "More weight finds more.", "source": "Table 4", "figure": "recall",
                "test": "recall is higher at 6 than at 2", "paper": "", "ours": {"6": 0.5},
                "verdict": "cannot be told", "why": "2 seeds are too few", "checks": [check],
            }
        ],
        "notes": ["There are few seeds."],
    }  # fmt: skip


@pytest.mark.parametrize(("why", "code"), [(None, 0), ("one class.", 1)])
def test_an_experiment_prints_values_claims_notes_and_a_page(run, stand_in, tmp_path, why, code):
    asked = []

    def run_experiment(config, overrides, out, plan, *, tell):
        asked.append((config, overrides, out, plan))
        tell("Run 1 of 4")
        record = make_record()
        record["runs"][1]["why"] = why
        path = tmp_path / "experiment.json"
        path.write_text(json.dumps(record))
        return path

    stand_in("mammoscope.training.experiment", run_experiment=run_experiment)
    ended = run("train", "--config", "a.toml", "--experiment", "plan.toml", "--set", "epochs=2")
    assert asked == [(Path("a.toml"), ["epochs=2"], None, Path("plan.toml"))]
    assert ended.code == code
    assert "0.875" in ended.out
    assert "? cannot be told: More weight finds more. (2 seeds are too few)" in ended.out
    assert ended.err == "mammoscope: Run 1 of 4\nmammoscope: There are few seeds.\n"
    assert f"Page: {tmp_path / 'experiment.html'}" in ended.out
    assert "More weight finds more." in (tmp_path / "experiment.html").read_text()


@pytest.mark.parametrize(
    "both",
    [
        ("--seeds", "3", "--sweep", "plan.toml"),
        ("--seeds", "3", "--experiment", "plan.toml"),
        ("--sweep", "plan.toml", "--experiment", "plan.toml"),
    ],
)
def test_two_ways_of_making_many_runs_at_once_are_refused(run, both):
    ended = run("train", "--config", "a.toml", *both)
    assert ended.code == 2
    assert "--seeds, --sweep and --experiment cannot go together" in ended.err
