"""The training loop: it learns, resumes exactly, and stops what cannot come to anything."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from mammoscope.core.errors import CollapseError, NotFiniteError, TrainingError, WeightsError
from mammoscope.training.checkpoint import BEST_FILE, FILE
from mammoscope.training.interrupts import Interrupts
from mammoscope.training.loop import Counts, Plan, StepResult, Stop, fit
from mammoscope.training.watch import Watch


@dataclass
class Signs:
    """Tells positive from negative numbers; the batch depends on epoch and step alone."""

    stop_at: tuple[int, int] | None = None
    flat: bool = False
    seen: list = field(default_factory=list)
    steps_per_epoch: int = 7

    def batch(self, epoch, step):
        if self.stop_at == (epoch, step):
            raise KeyboardInterrupt
        self.seen.append((epoch, step))
        x = np.random.default_rng((epoch, step)).normal(size=(16, 4)).astype(np.float32)
        return torch.from_numpy(x)

    def result(self, network, batch):
        truth = torch.zeros(len(batch), dtype=bool) if self.flat else batch[:, 0] > 0
        logits = network(batch)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth.float())
        return StepResult(
            loss=loss,
            parts={"same": loss.item()},
            counts=Counts.of(logits > 0, truth),
            size=len(batch),
        )

    def validate(self, network):
        return {"weight": float(network[0].weight.detach().abs().sum())}


def make_network():
    torch.manual_seed(0)
    # Dropout draws from torch's random state, so that a resumed run must restore it.
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))


def run(folder, task, epochs=3, rate=0.05, network=None, digest="d", **plan):
    network = network or make_network()
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    settings = {"epochs": epochs, "rate": lambda step: 1 / (1 + step / 10), "checkpoint_every": 4}
    torch.manual_seed(1)
    history = fit(network, task, optimiser, Plan(**(settings | plan)), folder, digest=digest)
    return network, history


def same_weights(one, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_training_learns(tmp_path):
    _, history = run(tmp_path, Signs(), epochs=6)
    assert len(history) == 6
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert history[-1]["accuracy"] > 0.85
    assert history[-1]["val_weight"] > 0


@pytest.mark.parametrize("stop_at", [(0, 5), (1, 0), (1, 6), (2, 3)])
def test_a_run_that_was_killed_goes_on_to_the_very_same_weights(tmp_path, stop_at):
    whole, history = run(tmp_path / "whole", Signs())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Signs(stop_at=stop_at))
    task = Signs()
    resumed, rows = run(tmp_path / "cut", task)
    assert all(
        torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True)
    )
    assert len(task.seen) < 21
    timed = ("per_second",)
    plain = [{k: v for k, v in row.items() if k not in timed} for row in history]
    assert [{k: v for k, v in row.items() if k not in timed} for row in rows] == plain


def test_a_finished_run_is_not_trained_again(tmp_path):
    first, _ = run(tmp_path, Signs())
    task = Signs()
    again, _ = run(tmp_path, task)
    assert task.seen == []
    assert torch.equal(first[0].weight, again[0].weight)


def test_other_settings_refuse_the_checkpoint(tmp_path):
    run(tmp_path, Signs())
    with pytest.raises(WeightsError, match="other settings"):
        run(tmp_path, Signs(), digest="other")


def test_a_damaged_checkpoint_is_named(tmp_path):
    run(tmp_path, Signs())
    (tmp_path / FILE).write_bytes(b"nonsense")
    with pytest.raises(
        WeightsError, match=r"checkpoint\.safetensors: the checkpoint cannot be read"
    ):
        run(tmp_path, Signs())


def test_one_class_predictions_stop_the_run_within_two_epochs(tmp_path):
    network = make_network()
    with torch.no_grad():
        network[2].weight.zero_()
        network[2].bias.fill_(-20.0)
    task = Signs(flat=True)
    with pytest.raises(CollapseError, match=r"last 2 epochs was negative"):
        run(tmp_path, task, epochs=10, network=network)
    assert max(epoch for epoch, _ in task.seen) == 1


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    network = make_network()
    with torch.no_grad():
        network[0].weight[0, 0] = float("nan")
    with pytest.raises(NotFiniteError, match="step 0"):
        run(tmp_path, Signs(), network=network)


def test_counts_add_up():
    predicted = torch.tensor([True, True, False, False, True])
    truth = torch.tensor([True, False, True, False, False])
    assert Counts.of(predicted, truth) == Counts(1, 2, 1, 1)


def test_history_and_events_are_written_and_the_bar_moves(tmp_path):
    moved = []

    @contextmanager
    def show(total, title):
        moved.append((total, title))
        yield moved.append

    network = make_network()
    optimiser = torch.optim.Adam(network.parameters())
    fit(
        network,
        Signs(),
        optimiser,
        Plan(epochs=1, rate=lambda _: 1.0),
        tmp_path / "r",
        digest="d",
        show=show,
    )
    assert moved[0] == (7, "r")
    assert len(moved) == 8
    assert "accuracy" in moved[1]
    assert "recall" in moved[1]
    assert len(json.loads((tmp_path / "r" / "history.json").read_text())) == 1
    assert list((tmp_path / "r" / "tensorboard").glob("events*"))


@dataclass
class Interrupted(Signs):
    """Ctrl-C is pressed while a batch is made."""

    press_at: tuple[int, int] = (1, 2)

    def batch(self, epoch, step):
        if (epoch, step) == self.press_at:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        return super().batch(epoch, step)


def test_ctrl_c_ends_the_step_and_leaves_a_checkpoint_to_go_on_from(tmp_path, caplog):
    whole, _ = run(tmp_path / "whole", Signs())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Interrupted())
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("interrupted after step 10 of 21; the checkpoint in ")
    task = Signs()
    resumed, _ = run(tmp_path / "cut", task)
    # Seven steps of the first epoch and three of the second were done.
    assert task.seen[0] == (1, 3)
    assert same_weights(whole, resumed)


def test_a_second_ctrl_c_breaks_off_at_once():
    def press():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)

    with Interrupts() as interrupts:
        press()
        assert interrupts.noted
        with pytest.raises(KeyboardInterrupt):
            press()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_is_left_to_who_handles_it_already():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(True))
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        assert seen == [True]
        assert not interrupts.noted
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_run_in_another_thread_leaves_signals_alone(tmp_path):
    failed = []

    def train():
        try:
            run(tmp_path, Signs(), epochs=1)
        except BaseException as error:  # noqa: BLE001 told in the thread that waits
            failed.append(error)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert failed == []


PROGRAM = """
import sys, time
import numpy as np, torch
from pathlib import Path
from torch import nn
from mammoscope.training.interrupts import Interrupts
from mammoscope.training.loop import Counts, Plan, StepResult, fit

torch.set_num_threads(1)

class Signs:
    steps_per_epoch = 7
    def batch(self, epoch, step):
        print(epoch, step, flush=True)
        if len(sys.argv) > 2 and (epoch, step) == (1, 6):
            time.sleep(60)
        x = np.random.default_rng((epoch, step)).normal(size=(16, 4)).astype(np.float32)
        return torch.from_numpy(x)
    def result(self, network, batch):
        truth = batch[:, 0] > 0
        logits = network(batch)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth.float())
        return StepResult(loss=loss, parts={}, counts=Counts.of(logits > 0, truth), size=16)
    def validate(self, network):
        return {}

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))
optimiser = torch.optim.Adam(network.parameters(), lr=0.05)
plan = Plan(epochs=3, rate=lambda step: 1 / (1 + step / 10), checkpoint_every=4)
torch.manual_seed(1)
fit(network, Signs(), optimiser, plan, Path(sys.argv[1]), digest="d")
print(*(value.hex() for p in network.parameters() for value in p.flatten().tolist()))
"""


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_process_killed_in_the_middle_of_an_epoch_goes_on_to_the_same_weights(tmp_path):
    killed = start(tmp_path / "cut", "wait")
    for line in killed.stdout:
        if line == "1 6\n":
            killed.kill()
            break
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    resumed = start(tmp_path / "cut")
    said = resumed.communicate()[0].splitlines()
    # Twelve steps are in the checkpoint, so the next is the sixth of the second epoch.
    assert said[0] == "1 5"
    whole, _ = run(tmp_path / "whole", Signs())
    weights = [value.hex() for p in whole.parameters() for value in p.flatten().tolist()]
    assert said[-1].split() == weights


def full_disk(monkeypatch, after):
    """Let so many checkpoints be written, and then no more."""
    from mammoscope.training import checkpoint

    write, written = checkpoint.write_atomic, []

    def write_or_fail(path, data):
        if path.name in (FILE, BEST_FILE):
            written.append(path)
            if len(written) > after:
                raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(checkpoint, "write_atomic", write_or_fail)


def test_a_full_disk_keeps_the_last_checkpoint_and_says_so(tmp_path, monkeypatch):
    whole, _ = run(tmp_path / "whole", Signs())
    with monkeypatch.context() as patch:
        full_disk(patch, after=2)
        with pytest.raises(TrainingError) as caught:
            run(tmp_path / "cut", Signs())
    # Checkpoints are written after steps 4, 7 (the epoch's end), 8 and so on.
    assert str(caught.value) == (
        f"{tmp_path / 'cut' / FILE}: the checkpoint of step 8 could not be written (No space left "
        "on device); the last whole one is still there, so the same command goes on from it once "
        "there is room."
    )
    task = Signs()
    resumed, _ = run(tmp_path / "cut", task)
    assert task.seen[0] == (1, 0)
    assert same_weights(whole, resumed)


def test_a_disk_that_is_full_from_the_start_says_that_nothing_is_kept(tmp_path, monkeypatch):
    full_disk(monkeypatch, after=0)
    with pytest.raises(TrainingError, match=r"step 4 .*the same command begins again once there"):
        run(tmp_path, Signs())


@dataclass
class Judged(Signs):
    """Its validation figures are given."""

    figures: tuple[float, ...] = ()
    name: str = "auc"
    weights: list = field(default_factory=list)

    def validate(self, network):
        self.weights.append({k: v.clone() for k, v in network.state_dict().items()})
        return {self.name: self.figures[len(self.weights) - 1]}


def test_a_run_stops_when_nothing_got_better_and_keeps_the_best_weights(tmp_path):
    task = Judged(figures=(0.5, 0.7, 0.6, 0.7, 0.9))
    stop = Stop(figure="auc", patience=2)
    network, history = run(tmp_path, task, epochs=5, stop=stop)
    # Epoch 2 is the best; 3 and 4 are not better, so 5 is not trained.
    assert len(history) == 4
    assert all(torch.equal(v, task.weights[1][k]) for k, v in network.state_dict().items())
    # The same command again does not go on.
    again = Judged(figures=(1.0,))
    network, _ = run(tmp_path, again, epochs=5, stop=stop)
    assert again.seen == []
    assert all(torch.equal(v, task.weights[1][k]) for k, v in network.state_dict().items())


def test_a_cross_entropy_is_better_when_it_is_smaller(tmp_path):
    task = Judged(figures=(0.5, 0.4, 0.6, 0.7), name="cross_entropy")
    stop = Stop(figure="cross_entropy", patience=2)
    network, history = run(tmp_path, task, epochs=4, stop=stop)
    assert len(history) == 4
    assert torch.equal(network[0].weight, task.weights[1]["0.weight"])


def test_a_run_that_was_killed_remembers_its_best_epoch(tmp_path):
    stop = Stop(figure="auc", patience=3)
    first = Judged(figures=(0.9, 0.5), stop_at=(2, 1))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, first, epochs=4, stop=stop)
    network, history = run(tmp_path, Judged(figures=(0.6, 0.7)), epochs=4, stop=stop)
    assert len(history) == 4
    assert torch.equal(network[0].weight, first.weights[0]["0.weight"])


def test_a_figure_that_is_undefined_is_never_the_best(tmp_path):
    task = Judged(figures=(float("nan"), 0.2, float("nan")))
    network, _ = run(tmp_path, task, stop=Stop(figure="auc", patience=3))
    assert torch.equal(network[0].weight, task.weights[1]["0.weight"])


def test_a_figure_that_the_validation_does_not_have_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"figure 'auc'.*there are: weight"):
        run(tmp_path, Signs(), stop=Stop(figure="auc", patience=1))


@dataclass
class Remembering(Signs):
    """Its batches depend on what it saw in the epoch before."""

    now: torch.Tensor = field(default_factory=lambda: torch.zeros(1))
    latest: torch.Tensor = field(default_factory=lambda: torch.zeros(1))

    def batch(self, epoch, step):
        return super().batch(epoch, step) + self.now

    def result(self, network, batch):
        self.latest = self.latest + float(batch.mean())
        return super().result(network, batch)

    def state(self):
        return {"now": self.now, "latest": self.latest}

    def restore(self, state):
        self.now, self.latest = state["now"].clone(), state["latest"].clone()

    def end_epoch(self):
        self.now = self.latest.clone()


@pytest.mark.parametrize("stop_at", [(1, 0), (1, 6), (2, 3)])
def test_what_a_task_remembers_survives_a_kill(tmp_path, stop_at):
    whole, _ = run(tmp_path / "whole", Remembering())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Remembering(stop_at=stop_at))
    resumed, _ = run(tmp_path / "cut", Remembering())
    assert same_weights(whole, resumed)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    run(tmp_path, Signs())
    other = nn.Sequential(nn.Linear(4, 9), nn.Dropout(0.3), nn.Linear(9, 1))
    with pytest.raises(WeightsError, match=r"checkpoint\.safetensors: .*of another network"):
        run(tmp_path, Signs(), network=other)


def test_looking_at_the_loss_seldom_changes_nothing_but_when_it_is_told(tmp_path):
    often, rows = run(tmp_path / "often", Signs())
    seldom, others = run(tmp_path / "seldom", Signs(), read_every=5)
    assert same_weights(often, seldom)
    for row, other in zip(rows, others, strict=True):
        assert {**row, "per_second": 0} == {**other, "per_second": 0}


def test_a_loss_that_is_no_number_is_found_before_a_checkpoint_holds_it(tmp_path):
    @dataclass
    class Breaks(Signs):
        def batch(self, epoch, step):
            batch = super().batch(epoch, step)
            return batch * float("nan") if (epoch, step) == (0, 5) else batch

    with pytest.raises(NotFiniteError, match="step 5"):
        run(tmp_path, Breaks(), read_every=50)
    task = Signs()
    run(tmp_path, task)
    assert task.seen[0] == (0, 4)


def test_an_alarm_that_is_only_told_does_not_end_the_run(tmp_path, caplog):
    network = make_network()
    with torch.no_grad():
        network[2].weight.zero_()
        network[2].bias.fill_(-20.0)
    tell = Watch(on_alarm="tell")
    _, history = run(tmp_path, Signs(flat=True), epochs=4, network=network, watch=tell)
    assert len(history) == 4
    assert "was negative" in caplog.text


def test_clipped_gradients_are_no_longer_than_the_limit(tmp_path):
    network = make_network()
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    before = torch.cat([p.detach().flatten() for p in network.parameters()])
    task = Signs(steps_per_epoch=1)
    plan = Plan(epochs=1, rate=lambda _: 1.0, clip_norm=0.01)
    fit(network, task, optimiser, plan, tmp_path, digest="d")
    after = torch.cat([p.detach().flatten() for p in network.parameters()])
    assert float((after - before).norm()) == pytest.approx(0.01, rel=1e-3)


def test_bfloat16_is_used_in_the_network_and_weights_stay_in_float32(tmp_path):
    kinds = []
    network = make_network()
    network[0].register_forward_hook(lambda _m, _i, out: kinds.append(out.dtype))
    run(tmp_path, Signs(), epochs=1, network=network, autocast=torch.bfloat16)
    assert set(kinds) == {torch.bfloat16}
    assert network[0].weight.dtype == torch.float32
