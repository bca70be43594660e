"""The training loop: it learns, resumes exactly, and stops what cannot come to anything."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from mammoscope.core.errors import CollapseError, NotFiniteError, WeightsError
from mammoscope.training.checkpoint import FILE
from mammoscope.training.guard import check_collapse, validation_warning
from mammoscope.training.loop import Counts, Plan, StepResult, fit


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


def run(folder, task, epochs=3, rate=0.05, network=None, digest="d"):
    network = network or make_network()
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    plan = Plan(epochs=epochs, rate=lambda step: 1 / (1 + step / 10), checkpoint_every=4)
    torch.manual_seed(1)
    history = fit(network, task, optimiser, plan, folder, digest=digest)
    return network, history


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


def test_collapse_is_told_only_from_two_whole_epochs():
    check_collapse([{"predicted_share": 0.0}])
    check_collapse([{"predicted_share": 0.0}, {"predicted_share": 0.01}])
    check_collapse([{"predicted_share": 0.0}, {"predicted_share": 1.0}])
    with pytest.raises(CollapseError, match="positive"):
        check_collapse(
            [{"predicted_share": 0.3}, {"predicted_share": 1.0}, {"predicted_share": 1.0}]
        )


def test_one_class_validation_is_told_after_two_epochs():
    none, some, every = ({"val_predicted_share": share} for share in (0.0, 0.3, 1.0))
    assert validation_warning([none]) is None
    assert validation_warning([none, some]) is None
    assert validation_warning([{}, {}]) is None
    assert "one class" in validation_warning([some, none, none])
    assert "always guessing" in validation_warning([every, every])


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
