"""Alarms of a run in its progress line."""

from contextlib import contextmanager

import torch
from torch import nn

from mammoscope.training.loop import Counts, Plan, StepResult, fit
from mammoscope.training.watch import Watch


class Never:
    """Seven batches an epoch in which nothing is positive."""

    steps_per_epoch = 7

    def batch(self, _epoch, _step):
        return torch.ones(4, 1)

    def result(self, network, batch):
        logits, truth = network(batch)[:, 0], torch.zeros(4, dtype=torch.bool)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth.float())
        return StepResult(loss=loss, parts={}, counts=Counts.of(logits > 0, truth), size=4)

    def validate(self, _network):
        return {}


def test_an_alarm_shows_in_the_progress_line_of_the_steps_after_it(tmp_path):
    lines = []

    @contextmanager
    def show(_total, _title):
        yield lines.append

    # It never answers otherwise than "no".
    network = nn.Linear(1, 1)
    with torch.no_grad():
        network.bias.fill_(-50)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.0)
    plan = Plan(epochs=3, rate=lambda _step: 1.0, watch=Watch(on_alarm="tell"))
    fit(network, Never(), optimiser, plan, tmp_path, digest="d", show=show)
    assert len(lines) == 21
    # Two epochs of one class are an alarm; it shows from the first step of the third.
    assert not any("alarm" in line for line in lines[:14])
    assert all("alarm: every prediction" in line for line in lines[14:])
