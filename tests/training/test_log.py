"""A run's log: one row for each figure, also after the run was taken up again."""

import errno
import json
import math
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from mammoscope.core.errors import CorruptFileError
from mammoscope.training import log as module
from mammoscope.training.guard import Alarm
from mammoscope.training.log import RunLog
from mammoscope.training.loop import Counts, Plan, StepResult, fit

ALARM = Alarm("baseline", "accuracy is that of guessing.")


def table(folder):
    return pl.read_parquet(folder / "log.parquet")


def test_figures_are_a_table_of_step_epoch_group_name_and_value(tmp_path):
    with RunLog(tmp_path, steps_per_epoch=100) as log:
        log.scalars(50, "train", {"loss": 0.5, "recall": 0.25})
        log.scalars(100, "validation", {"accuracy": 0.75})
        log.scalars(150, "train", {"loss": 0.375})
        log.save()
    assert table(tmp_path).rows() == [
        (50, 1, "train", "loss", 0.5),
        (50, 1, "train", "recall", 0.25),
        (100, 1, "validation", "accuracy", 0.75),
        (150, 2, "train", "loss", 0.375),
    ]


def test_without_the_length_of_an_epoch_the_epoch_is_missing(tmp_path):
    with RunLog(tmp_path) as log:
        log.scalars(50, "train", {"loss": 0.5})
        log.save()
    assert table(tmp_path)["epoch"].to_list() == [None]


def test_what_was_logged_past_the_resumed_step_is_dropped(tmp_path):
    with RunLog(tmp_path, resumed_at=0) as log:
        for step in (50, 100, 150, 200):
            log.scalars(step, "train", {"loss": float(step)})
        log.alarms(200, [ALARM])
        log.save()
    with RunLog(tmp_path, resumed_at=120) as log:
        log.scalars(150, "train", {"loss": -1.0})
        log.alarms(150, [])
        log.save()
    assert table(tmp_path).select("step", "value").rows() == [(50, 50.0), (100, 100.0), (150, -1.0)]
    assert json.loads((tmp_path / "alarms.json").read_text()) == []


def test_a_run_that_begins_again_keeps_nothing_of_the_one_before(tmp_path):
    for value in (1.0, 2.0):
        with RunLog(tmp_path, resumed_at=0) as log:
            log.scalars(50, "train", {"loss": value})
            log.save()
    assert table(tmp_path)["value"].to_list() == [2.0]


@given(
    logged=st.lists(st.integers(1, 40), max_size=30),
    resumed_at=st.none() | st.integers(0, 40),
    again=st.lists(st.integers(1, 40), max_size=10),
)
def test_no_step_ever_stands_twice(tmp_path_factory, logged, resumed_at, again):
    folder = tmp_path_factory.mktemp("run")
    with RunLog(folder) as log:
        for step in logged:
            log.scalars(step, "train", {"loss": 1.0})
        log.save()
    with RunLog(folder, resumed_at=resumed_at) as log:
        for step in again:
            log.scalars(step, "train", {"loss": 2.0})
        log.save()
    kept = {step for step in logged if resumed_at is None or step <= resumed_at}
    assert table(folder)["step"].to_list() == sorted(kept | set(again))


def test_an_epoch_writes_its_rows_and_the_table(tmp_path):
    with RunLog(tmp_path) as log:
        log.scalars(50, "train", {"loss": 0.5})
        log.history([{"epoch": 1.0, "val_auc": math.nan}])
        assert table(tmp_path).height == 1
    # JSON has no word for what is not a number.
    assert json.loads((tmp_path / "history.json").read_text()) == [{"epoch": 1.0, "val_auc": None}]


def test_alarms_are_kept_with_step_and_epoch(tmp_path):
    with RunLog(tmp_path, steps_per_epoch=10) as log:
        log.alarms(20, [ALARM])
    with RunLog(tmp_path, steps_per_epoch=10, resumed_at=20) as log:
        log.alarms(30, [ALARM])
    rows = json.loads((tmp_path / "alarms.json").read_text())
    assert [(row["step"], row["epoch"], row["kind"]) for row in rows] == [
        (20, 2, "baseline"),
        (30, 3, "baseline"),
    ]


def test_settings_are_written_for_the_page(tmp_path):
    with RunLog(tmp_path) as log:
        log.settings({"optimiser": {"learning_rate": 0.001}, "folder": tmp_path})
    assert json.loads((tmp_path / "settings.json").read_text())["optimiser"] == {
        "learning_rate": 0.001
    }


@pytest.mark.parametrize("name", ["log.parquet", "alarms.json"])
def test_a_damaged_log_is_named_with_what_to_do(tmp_path, name):
    (tmp_path / name).write_bytes(b'[{"step": 1}]')
    with pytest.raises(CorruptFileError, match=rf"{name}: .* cannot be read .* remove it"):
        RunLog(tmp_path)


def test_a_full_disk_keeps_the_table_that_was_there(tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with RunLog(tmp_path) as log:
        log.scalars(50, "train", {"loss": 1.0})
        log.save()
        before = (tmp_path / "log.parquet").read_bytes()
        monkeypatch.setattr(module, "write_atomic", full)
        log.scalars(100, "train", {"loss": 2.0})
        with pytest.raises(OSError, match=r"log\.parquet"):
            log.save()
    assert (tmp_path / "log.parquet").read_bytes() == before


@dataclass
class Coins:
    """A task of 60 steps an epoch, which may be killed."""

    killed_at: tuple[int, int] | None = None
    steps_per_epoch: int = 60

    def batch(self, epoch, step):
        if self.killed_at == (epoch, step):
            raise MemoryError("killed")
        x = np.random.default_rng((epoch, step)).normal(size=(8, 3)).astype(np.float32)
        return torch.from_numpy(x)

    def result(self, network, batch):
        truth = batch[:, 0] > 0
        logits = network(batch)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth.float())
        return StepResult(loss=loss, parts={}, counts=Counts.of(logits > 0, truth), size=len(batch))

    def validate(self, network):
        return {"accuracy": 0.5}


def train(folder, task):
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    plan = Plan(epochs=3, rate=lambda _step: 1.0, checkpoint_every=25)
    fit(network, task, optimiser, plan, folder, digest="d")


def test_a_run_that_was_killed_and_taken_up_logs_what_a_whole_run_logs(tmp_path):
    with torch.random.fork_rng():
        train(tmp_path / "whole", Coins())
        with pytest.raises(MemoryError):
            # Between the log of step 100 and the checkpoint of step 120.
            train(tmp_path / "cut", Coins(killed_at=(1, 50)))
        train(tmp_path / "cut", Coins())
    timed = pl.col("name") != "per_second"
    whole, cut = (table(tmp_path / name).filter(timed) for name in ("whole", "cut"))
    assert cut.equals(whole)
    assert whole.filter(name="loss", group="train")["step"].to_list() == [50, 100, 150]
    accumulator = EventAccumulator(str(tmp_path / "cut" / "tensorboard"))
    accumulator.Reload()
    assert [one.step for one in accumulator.Scalars("train/loss")] == [50, 100, 150]
