"""Optimisers: whose weights move, how fast, and which shrink."""

import pytest
import torch
from torch import nn

from mammoscope.training.optimisers import OptimiserKind, OptimiserSettings, make_optimiser


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 2, 3)
        self.bn1 = nn.BatchNorm2d(2)
        self.fc1 = nn.Linear(2, 2)
        self.logits = nn.Linear(2, 2)


def made(network, kind, **settings):
    return make_optimiser(network, OptimiserSettings(kind=OptimiserKind(kind), **settings))


def group_of(optimiser, weight):
    (found,) = [g for g in optimiser.param_groups if any(p is weight for p in g["params"])]
    return found


@pytest.mark.parametrize("kind", list(OptimiserKind))
def test_every_weight_that_is_trained_is_in_one_group_and_no_other(kind):
    network = Net()
    network.conv1.requires_grad_(requires_grad=False)
    optimiser = made(network, kind)
    held = [id(p) for g in optimiser.param_groups for p in g["params"]]
    assert sorted(held) == sorted(id(p) for p in network.parameters() if p.requires_grad)


def test_features_learn_more_slowly_where_asked():
    network = Net()
    optimiser = made(network, "adamw", learning_rate=0.1, features_factor=0.2)
    assert group_of(optimiser, network.conv1.weight)["lr"] == pytest.approx(0.02)
    assert group_of(optimiser, network.fc1.weight)["lr"] == pytest.approx(0.1)
    assert group_of(optimiser, network.logits.bias)["lr"] == pytest.approx(0.1)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_kernels_shrink_and_biases_and_norms_do_not(kind):
    network = Net()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimiser = made(network, kind, learning_rate=0.1, weight_decay=0.5, momentum=0.0)
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    optimiser.step()
    for name, weight in network.named_parameters():
        expected = before[name] * (0.95 if weight.ndim > 1 else 1.0)
        torch.testing.assert_close(weight.detach(), expected)


def test_the_first_step_of_adam_is_the_learning_rate():
    # Its first step is rate * g / (|g| + epsilon), whatever the gradient's size.
    weight = nn.Linear(1, 1, bias=False)
    nn.init.ones_(weight.weight)
    optimiser = made(weight, "adam", learning_rate=0.01)
    weight.weight.grad = torch.full((1, 1), 123.0)
    optimiser.step()
    assert weight.weight.item() == pytest.approx(0.99, abs=1e-6)


def test_momentum_is_nesterov_s_by_hand():
    weight = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(weight.weight)
    optimiser = made(weight, "sgd", learning_rate=0.1, momentum=0.5)
    weight.weight.grad = torch.ones(1, 1)
    optimiser.step()
    # v = 1; step = .1 * (1 + .5 * 1).
    assert weight.weight.item() == pytest.approx(-0.15)


@pytest.mark.parametrize(
    "numbers",
    [{"learning_rate": 0}, {"momentum": 1}, {"features_factor": 0}, {"weight_decay": 0.1}],
)
def test_numbers_that_make_no_sense_are_refused(numbers):
    with pytest.raises(ValueError, match=next(iter(numbers))):
        OptimiserSettings(**numbers)
