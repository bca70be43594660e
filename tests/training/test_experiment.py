"""An experiment: every value with every seed, done once each, failures named, claims checked."""

import json
from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.errors import (
    BadValueError,
    CollapseError,
    CorruptFileError,
    MissingFileError,
    TrainingError,
    UnknownKeyError,
)
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import SpacingSource
from mammoscope.tiles.store import write_tiles
from mammoscope.tiles.tile import Tile
from mammoscope.training import experiment as experiment_module
from mammoscope.training.experiment import run_experiment
from mammoscope.training.experiment_plan import make_experiment, word_of
from mammoscope.training.experiment_record import FILE

TEXT = (
    'name = "made"\ntask = "tiles"\ntiles = "{}"\nepochs = 1\nbatch_size = 4\n'
    'architecture = "tilenet-s"\non_alarm = "tell"\ndevice = "cpu"\n'
)
PLAN = """
[experiment]
name = "weight"
seeds = 2
metric = "recall"
[vary]
"loss.positive_weight" = [2, 4.5]
[published.recall]
2 = 0.0
[[claims]]
says = "More weight finds more."
source = "Table 4"
figure = "recall"
higher = 4.5
than = 2
"""


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """24 tiles of 32 x 32 pixels, every third abnormal, 6 of them each for validation and test."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("tiles") / "set"

    def made():
        for number in range(24):
            scan = Scan(
                scan_id=f"s{number}",
                archive="made",
                path=Path("s.png"),
                patient_id=f"p{number}",
                exam_id=f"e{number}",
                spacing_mm=(0.1, 0.1),
                spacing_source=SpacingSource.ARCHIVE,
            )
            yield Tile(
                pixels=rng.integers(0, 256, (32, 32), dtype=np.uint8),
                scan=scan,
                finding_id=None,
                box=Box(0, 0, 32, 32),
                label="NORMAL" if number % 3 else "BENIGN_mass",
            )

    splits = ["test"] * 6 + ["validation"] * 6 + ["train"] * 12
    write_tiles(
        folder,
        made(),
        {f"p{n}": split for n, split in enumerate(splits)},
        {"recipe": "9", "seed": 0},
    )
    return folder


@pytest.fixture
def files(tmp_path, tiles):
    (tmp_path / "a.toml").write_text(TEXT.format(tiles))
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


@pytest.fixture
def trained(monkeypatch):
    """Note every run that is trained; an event is raised instead of training it."""
    made = []
    events = {}
    real = experiment_module.train_settings

    def train_settings(settings, folder):
        place = (folder.parent.name, folder.name)
        made.append(place)
        if place in events:
            raise events[place]
        return real(settings, folder)

    monkeypatch.setattr(experiment_module, "train_settings", train_settings)
    train_settings.made, train_settings.events = made, events
    return train_settings


def carry_out(files, out="out", plan=PLAN, sets=()):
    (files / "plan.toml").write_text(plan)
    path = run_experiment(files / "a.toml", list(sets), files / out, files / "plan.toml")
    assert path == files / out / FILE
    return json.loads(path.read_text())


def test_every_value_is_trained_with_every_seed_and_measured_on_the_patients_named(files, trained):
    record = carry_out(files)
    assert trained.made == [
        ("positive_weight-2", "seed-1"),
        ("positive_weight-4.5", "seed-1"),
        ("positive_weight-2", "seed-2"),
        ("positive_weight-4.5", "seed-2"),
    ]
    assert record["values"] == ["2", "4.5"]
    assert record["steps"] == 3
    assert record["patients"] == {
        "kind": "test", "tiles": 6, "abnormal": 2, "patients": 6, "abnormal_patients": 2,
        "majority": pytest.approx(4 / 6),
    }  # fmt: skip
    for run in record["runs"]:
        folder = files / "out" / f"positive_weight-{run['value']}" / f"seed-{run['seed']}"
        told = json.loads((folder / "evaluation.json").read_text())["tiles"]
        # The same weights were measured by the run itself, on the same patients.
        assert run["figures"]["auc"] == pytest.approx(told["auc"]["value"])
        assert run["figures"]["recall"] == pytest.approx(told["recall"]["value"])
        weights = json.loads((folder / "run" / "settings.json").read_text())["loss"]
        assert weights["positive_weight"] == float(run["value"])
        assert not (folder / "run" / "checkpoint.safetensors").exists()
    (claim,) = record["claims"]
    assert claim["test"] == "recall is higher at 4.5 than at 2"
    assert claim["verdict"] in ("held", "did not hold", "cannot be told")
    assert record["published"] == {"recall": {"2": 0.0}}


def test_what_is_done_is_not_done_again_and_more_seeds_add_to_it(files, trained):
    first = carry_out(files)
    trained.made.clear()
    assert carry_out(files) == first
    assert trained.made == []
    more = carry_out(files, plan=PLAN.replace("seeds = 2", "seeds = 3"))
    assert [seed for _, seed in trained.made] == ["seed-3", "seed-3"]
    assert [r["figures"] for r in more["runs"] if r["seed"] < 3] == [
        r["figures"] for r in first["runs"]
    ]


def test_an_experiment_that_was_killed_comes_to_the_same_record(files, trained):
    whole = carry_out(files, "whole")
    trained.events["positive_weight-2", "seed-2"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        carry_out(files, "cut")
    trained.events.clear()
    cut = carry_out(files, "cut")
    for one in (*whole["runs"], *cut["runs"]):
        one["seconds"] = 0
    assert cut == whole


def test_a_run_that_fails_is_named_and_the_others_are_done(files, trained):
    trained.events["positive_weight-4.5", "seed-1"] = CollapseError("It fell over.")
    record = carry_out(files)
    assert len(trained.made) == 4
    assert [run["why"] for run in record["runs"]] == [None, None, "It fell over.", None]
    assert "loss.positive_weight 4.5, seed 1, failed" in record["notes"][0]
    recall = next(s for s in record["spreads"]["4.5"] if s["name"] == "recall")
    assert recall["values"][0] is None
    (claim,) = record["claims"]
    assert claim["verdict"] == "cannot be told"


def test_an_experiment_of_which_every_run_fails_says_why(files, trained):
    for word in ("2", "4.5"):
        for seed in (1, 2):
            trained.events[f"positive_weight-{word}", f"seed-{seed}"] = CollapseError("All one.")
    with pytest.raises(TrainingError, match=r"Every run failed, the first one so: All one\."):
        carry_out(files)


def test_a_full_disk_ends_it_since_it_would_stop_the_other_runs_too(files, trained):
    trained.events["positive_weight-2", "seed-1"] = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        carry_out(files)
    assert len(trained.made) == 1


def test_a_folder_with_other_runs_is_refused(files, trained):
    carry_out(files)
    with pytest.raises(BadValueError, match="holds a run with other settings or tiles"):
        carry_out(files, sets=["epochs=2"])


@pytest.mark.parametrize("name", ["scores.parquet", "run/history.json", "outcome.json"])
def test_a_damaged_file_of_a_run_is_named(files, trained, name):
    carry_out(files)
    (files / "out" / "positive_weight-2" / "seed-1" / name).write_bytes(b"nothing")
    with pytest.raises(CorruptFileError, match=r"positive_weight-2.seed-1.*remove that folder"):
        carry_out(files)


def test_settings_and_seeds_do_not_touch_patients_that_choose(files):
    plan = PLAN.replace('metric = "recall"', 'metric = "recall"\npatients = "both"')
    with pytest.raises(BadValueError, match="validation patients choose the weights"):
        carry_out(files, plan=plan, sets=["stop.patience=1"])


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("[vary]", "[varied]", UnknownKeyError, "no table 'varied'"),
        ("[2, 4.5]", "[2]", BadValueError, "two or more values"),
        ("[2, 4.5]", "[2, 2.0]", BadValueError, "two or more values"),
        ("[2, 4.5]", "3", BadValueError, "one option with a list"),
        ("[2, 4.5]", '[2, "much"]', BadValueError, "must be a finite number"),
        ("[2, 4.5]", "[2, -1]", BadValueError, "positive_weight must be above 0"),
        ('"loss.positive_weight"', '"loss.weight"', UnknownKeyError, "loss.weight"),
        ('"loss.positive_weight"', "seed", BadValueError, "experiment's own"),
        ('"loss.positive_weight" = [2, 4.5]', "", BadValueError, "one option with a list"),
        ("higher = 4.5", "higher = 5", BadValueError, "'5' is no value"),
        ("higher = 4.5", "higher = 2", BadValueError, "two values"),
        ("than = 2", "", BadValueError, "put as one of"),
        ("than = 2", "than = 2\nbelow = 1", BadValueError, "put as one of"),
        ('figure = "recall"', 'figure = "luck"', BadValueError, "figure must be"),
        ("seeds = 2", "seeds = 1", BadValueError, "2 or more"),
        ("[published.recall]", "[published.luck]", BadValueError, "mend 'luck'"),
        ("2 = 0.0", "3 = 0.0", BadValueError, "'3' is no value"),
    ],
)
def test_a_plan_that_cannot_be_used_is_refused_before_anything_is_trained(
    files, trained, old, new, error, words
):
    assert old in PLAN
    with pytest.raises(error, match=words):
        carry_out(files, plan=PLAN.replace(old, new, 1))
    assert trained.made == []


def test_a_plan_that_is_not_there_is_named(files):
    with pytest.raises(MissingFileError, match=r"none\.toml"):
        run_experiment(files / "a.toml", [], files / "out", files / "none.toml")


def test_what_decides_the_tiles_cannot_be_varied(files):
    (files / "a.toml").write_text(
        'name = "made"\ntask = "tiles"\n[archive]\nname = "mini-mias"\nfolder = "none"\n'
    )
    plan = PLAN.replace('"loss.positive_weight" = [2, 4.5]', '"recipe.name" = ["8", "9"]')
    plan = plan.split("[published")[0]
    with pytest.raises(BadValueError, match="decides which tiles there are"):
        carry_out(files, plan=plan)


def test_values_are_named_alike_as_numbers_of_either_kind():
    assert [word_of(v) for v in (2, 2.0, 4.5, True, "raw")] == ["2", "2", "4.5", "true", "raw"]


@pytest.mark.parametrize("name", ["weight", "scaling"])
def test_the_experiments_of_the_paper_that_come_with_the_source_can_be_read(name, tmp_path, tiles):
    configs = Path(__file__).parents[2] / "configs"
    text = (configs / "experiment-base.toml").read_text(encoding="utf-8")
    (tmp_path / "a.toml").write_text(
        text.split("[archive]")[0].replace("task =", f'tiles = "{tiles}"\ntask =')
    )
    plan = configs / f"experiment-{name}.toml"
    made = make_experiment(tmp_path / "a.toml", [], tmp_path / "out", plan)
    assert made.settings.seeds == 3
    assert len(made.runs) == 3
    assert len(made.claims) >= 5
