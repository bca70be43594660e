"""A sweep: trials that learn from each other, go on after a kill, and may fail alone."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mammoscope.core.errors import (
    BadValueError,
    CollapseError,
    MissingDecoderError,
    MissingFileError,
    TrainingError,
    UnknownKeyError,
)
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import SpacingSource
from mammoscope.tiles.store import write_tiles
from mammoscope.tiles.tile import Tile
from mammoscope.training import sweep as sweep_module
from mammoscope.training.seeds import train_seeds
from mammoscope.training.sweep import run_sweep
from mammoscope.training.sweep_record import FILE, TABLE
from mammoscope.training.sweep_study import JOURNAL

TEXT = 'name = "made"\ntask = "tiles"\ntiles = "set"\nepochs = 6\n'
PLAN = """
[sweep]
trials = 6
seed = 3
pruner = "none"
[search]
"optimiser.learning_rate" = {low = 1e-4, high = 1e-1, log = true}
batch_size = {low = 8, high = 32, step = 8}
loss.kind = {choices = ["cross-entropy", "focal"]}
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.toml").write_text(TEXT)
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


class Trainer:
    """Stands in for training: the AUC falls with the distance of the learning rate from 0.01."""

    def __init__(self):
        self.made = []
        self.events = {}

    def __call__(self, settings, folder, *, on_epoch):
        rate = settings.optimiser.learning_rate
        self.made.append((folder.name, rate, settings.batch_size, str(settings.loss.kind)))
        event = self.events.get(len(self.made))
        path = folder / "run" / "history.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = json.loads(path.read_text()) if path.exists() else []
        best = 1 - abs(np.log10(rate) + 2) / 4
        for epoch in range(len(rows) + 1, settings.epochs + 1):
            if isinstance(event, BaseException) and epoch == 4:
                raise event
            rows.append({"epoch": epoch, "val_auc": best - 0.5 / epoch, "val_cross_entropy": 1.0})
            path.write_text(json.dumps(rows))
            (folder / "run" / "checkpoint.safetensors").write_bytes(b"")
            on_epoch(rows)

    def last_value(self, rate, epochs=6):
        return 1 - abs(np.log10(rate) + 2) / 4 - 0.5 / epochs


@pytest.fixture
def trainer(monkeypatch):
    made = Trainer()
    monkeypatch.setattr(sweep_module, "train_settings", made)
    return made


def search(files, out="out", plan=PLAN, sets=()):
    (files / "plan.toml").write_text(plan)
    path = run_sweep(files / "a.toml", list(sets), files / out, files / "plan.toml")
    assert path == files / out / FILE
    return json.loads(path.read_text())


def test_every_trial_is_a_run_with_its_options_and_the_best_one_is_named(files, trainer, capfd):
    record = search(files)
    assert [name for name, *_ in trainer.made] == [f"trial-{n}" for n in range(1, 7)]
    assert {kind for *_, kind in trainer.made} == {"cross-entropy", "focal"}
    assert {size for _, _, size, _ in trainer.made} <= {8, 16, 24, 32}
    rates = [rate for _, rate, _, _ in trainer.made]
    assert min(rates) >= 1e-4
    assert max(rates) <= 1e-1
    values = [trial["value"] for trial in record["trials"]]
    assert values == pytest.approx([trainer.last_value(rate) for rate in rates])
    assert record["best"] == int(np.argmax(values)) + 1
    assert record["trials"][0]["options"]["optimiser.learning_rate"] == rates[0]
    assert [trial["epochs"] for trial in record["trials"]] == [6] * 6
    table = pl.read_parquet(files / "out" / TABLE)
    assert table["value"].to_list() == values
    assert table["optimiser.learning_rate"].to_list() == rates
    # Optuna has said nothing, and what ended keeps no checkpoint.
    assert capfd.readouterr() == ("", "")
    assert list((files / "out").rglob("checkpoint.safetensors")) == []


@pytest.mark.parametrize("at", [1, 4, 6])
def test_a_sweep_that_was_killed_goes_on_to_the_same_trials(files, trainer, at):
    whole = search(files, "whole")
    done = list(trainer.made)
    trainer.made.clear()
    # As a kill does it, this leaves a trial that is neither done nor failed.
    trainer.events = {at: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        search(files, "cut")
    trainer.events = {}
    # A process that is killed while it writes leaves half a line and a lock.
    with (files / "cut" / JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code":9,"wor')
    (files / "cut" / f"{JOURNAL}.lock").symlink_to(files / "cut" / JOURNAL)
    cut = search(files, "cut")
    assert trainer.made == done[:at] + done[at - 1 :]
    for one, other in zip(whole["trials"], cut["trials"], strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_a_sweep_that_is_done_trains_nothing_and_more_trials_add_to_it(files, trainer):
    first = search(files)
    assert len(trainer.made) == 6
    assert search(files) == first
    assert len(trainer.made) == 6
    more = search(files, plan=PLAN.replace("trials = 6", "trials = 8"))
    assert len(trainer.made) == 8
    assert more["trials"][:6] == first["trials"]


@pytest.mark.parametrize(
    ("change", "sets"),
    [(("seed = 3", "seed = 4"), ()), (("1e-4", "1e-3"), ()), (("", ""), ("epochs=5",))],
)
def test_another_search_in_the_same_folder_is_refused(files, trainer, change, sets):
    search(files)
    with pytest.raises(BadValueError, match="holds a sweep with other settings"):
        search(files, plan=PLAN.replace(*change), sets=sets)


def test_a_trial_that_fails_is_named_and_the_others_go_on(files, trainer, caplog):
    trainer.events = {2: CollapseError("every prediction was negative.")}
    record = search(files)
    second = record["trials"][1]
    assert (second["state"], second["value"]) == ("failed", None)
    assert second["why"] == "every prediction was negative."
    assert second["epochs"] == 3
    assert [t["state"] for t in record["trials"]].count("done") == 5
    assert "trial-2 failed: every prediction was negative." in caplog.text


def test_options_that_do_not_fit_each_other_fail_their_trial_alone(files, trainer):
    plan = PLAN + '"optimiser.weight_decay" = {low = 0.1, high = 0.2}\n'
    plan += '"optimiser.kind" = {choices = ["adamw", "adam"]}\n'
    (files / "a.toml").write_text(TEXT + 'optimiser.kind = "adamw"\n')
    record = search(files, plan=plan)
    failed = [trial for trial in record["trials"] if trial["state"] == "failed"]
    assert 0 < len(failed) < 6
    assert all(trial["options"]["optimiser.kind"] == "adam" for trial in failed)
    assert "weight_decay is for adamw and sgd" in failed[0]["why"]


def test_when_every_trial_fails_the_reason_is_told(files, trainer):
    trainer.events = {n: CollapseError("one class.") for n in range(1, 7)}
    with pytest.raises(TrainingError, match=r"Every trial failed, the last one so: one class\."):
        search(files)


def test_a_full_disk_ends_the_sweep_at_once(files, trainer):
    error = TrainingError("no room.")
    error.__cause__ = OSError(28, "No space left on device")
    trainer.events = {2: error}
    with pytest.raises(TrainingError, match="no room"):
        search(files)
    assert len(trainer.made) == 2


def test_a_trial_below_the_median_is_stopped_early_and_says_at_which_epoch(files, trainer):
    record = search(
        files, plan=PLAN.replace('"none"', '"median"').replace("trials = 6", "trials = 14")
    )
    stopped = [trial for trial in record["trials"] if trial["state"] == "stopped early"]
    assert stopped
    assert record["trials"].index(stopped[0]) >= 4
    for trial in stopped:
        # By hand: at its last epoch it was worse than the median of the trials before it.
        before = record["trials"][: trial["number"] - 1]
        at = trial["epochs"]
        others = [
            dict(map(tuple, t["curve"]))[at]
            for t in before
            if t["epochs"] >= at and t["state"] == "done"
        ]
        assert 2 < at < 6
        assert trial["curve"][-1][1] < np.median(others)
        assert trial["value"] is None


def test_losses_are_minimised_unless_the_file_says_otherwise(files, trainer):
    for metric, given, wanted in (
        ("cross_entropy", "", "minimize"),
        ("auc", "", "maximize"),
        ("auc", 'direction = "minimize"', "minimize"),
    ):
        plan = PLAN.replace("trials = 6", f'trials = 1\nmetric = "{metric}"\n{given}')
        assert search(files, f"{metric}-{len(given)}", plan)["direction"] == wanted


def test_without_optuna_the_extra_is_named(files, trainer, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDecoderError, match=r"pip install 'mammoscope\[train\]'"):
        search(files)


@pytest.mark.parametrize(
    ("plan", "error", "said"),
    [
        (PLAN + "[more]\n", UnknownKeyError, "no table 'more'"),
        (PLAN.replace("seed = 3", "sed = 3"), UnknownKeyError, "no key 'sed'; known are: seed"),
        (PLAN.replace('"none"', '"best"'), BadValueError, "one of median, halving, none"),
        (PLAN.replace("seed = 3", 'metric = "val_auc"'), BadValueError, "metric must be"),
        (PLAN.replace("batch_size", "batch_siz"), UnknownKeyError, "names 'batch_siz'"),
        ("[sweep]\n", BadValueError, "names no option"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_before_anything_is_trained(
    files, trainer, plan, error, said
):
    with pytest.raises(error, match=said):
        search(files, plan=plan)
    assert trainer.made == []


def test_a_missing_plan_and_another_task_are_told(files, trainer):
    with pytest.raises(MissingFileError, match=r"docs/training/sweep\.md shows one"):
        run_sweep(files / "a.toml", [], files / "out", files / "none.toml")
    (files / "a.toml").write_text('name = "made"\narchive = {name = "cbis-ddsm", folder = "."}\n')
    with pytest.raises(BadValueError, match='a sweep needs task = "tiles"'):
        search(files)


def test_several_processes_are_refused(files, monkeypatch):
    from mammoscope.training.distributed import Team
    from mammoscope.training.launch import Place

    team = Team(Place(rank=0, size=2, local_rank=0, address="", port=0))
    monkeypatch.setattr(sweep_module, "joined", lambda: nullcontext(team))
    with pytest.raises(BadValueError, match="runs in one process"):
        search(files)


def write_set(folder):
    """Write thirty patients with a tile each; the brighter ones have a mass."""
    rng = np.random.default_rng(0)
    made, split_of = [], {}
    for number in range(30):
        split_of[f"p{number}"] = ("train", "train", "train", "validation", "test")[number // 2 % 5]
        sick = number % 2 == 1
        scan = Scan(
            scan_id=f"s{number}",
            archive="made",
            path=Path("s.png"),
            patient_id=f"p{number}",
            exam_id=f"e{number}",
            spacing_mm=(0.2, 0.2),
            spacing_source=SpacingSource.ARCHIVE,
        )
        pixels = rng.normal(140 if sick else 90, 10, (16, 16)).clip(0, 255).astype(np.uint8)
        label = "MALIGNANT_mass" if sick else "NORMAL"
        box = Box(0, 0, 16, 16)
        made.append(Tile(pixels=pixels, scan=scan, finding_id=None, box=box, label=label))
    write_tiles(folder, made, split_of, {"recipe": "9", "seed": 0, "split": "d"})


REAL = """
name = "made"
task = "tiles"
tiles = "{tiles}"
architecture = "tilenet-s"
device = "cpu"
on_alarm = "tell"
epochs = 2
batch_size = 6
"""


@pytest.mark.slow
def test_real_trials_and_real_seeds_give_figures_of_the_validation_and_the_test(tmp_path):
    write_set(tmp_path / "set")
    (tmp_path / "a.toml").write_text(REAL.format(tiles=tmp_path / "set"))
    plan = '[sweep]\ntrials = 2\n[search]\n"optimiser.learning_rate" = {low = 1e-3, high = 1e-2}\n'
    record = search(tmp_path, plan=plan)
    for trial in record["trials"]:
        folder = tmp_path / "out" / f"trial-{trial['number']}"
        rows = json.loads((folder / "run" / "history.json").read_text())
        assert trial["curve"] == [[epoch, row["val_auc"]] for epoch, row in enumerate(rows, 1)]
        assert trial["value"] == rows[-1]["val_auc"]
        told = json.loads((folder / "run" / "settings.json").read_text())
        assert told["optimiser"]["learning_rate"] == next(iter(trial["options"].values()))
    path = train_seeds(tmp_path / "a.toml", [], tmp_path / "seeds", 2)
    first = path.read_bytes()
    figures = {one["name"]: one for one in json.loads(first)["figures"]}
    for seed in (1, 2):
        told = json.loads((tmp_path / "seeds" / f"seed-{seed}" / "evaluation.json").read_text())
        assert figures["test tiles auc"]["values"][seed - 1] == told["tiles"]["auc"]["value"]
    # Seeds matter, and what is done is not done again.
    assert len(set(figures["validation cross_entropy"]["values"])) == 2
    assert train_seeds(tmp_path / "a.toml", [], tmp_path / "seeds", 2).read_bytes() == first
