"""A running average of weights."""

import pytest
import torch
from torch import nn

from mammoscope.training.average import AverageSettings, RunningAverage, make_average


def network(value):
    made = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    with torch.no_grad():
        for tensor in made.state_dict().values():
            tensor.fill_(value)
    return made


def test_each_step_takes_in_its_share_by_hand():
    average = RunningAverage(network(0.0), decay=0.5)
    expected, stays = 0.0, [1 / 10, 2 / 11, 3 / 12, 4 / 13]
    for share in stays:
        average.update(network(1.0))
        expected = share * expected + (1 - share)
        assert average.weights()["0.weight"].item() == pytest.approx(expected, rel=1e-6)


def test_after_the_first_steps_the_decay_stays():
    average = RunningAverage(network(0.0), decay=0.2)
    for _ in range(50):
        average.update(network(1.0))
    average.update(network(11.0))
    assert average.weights()["0.weight"].item() == pytest.approx(0.2 * 1 + 0.8 * 11, rel=1e-5)


def test_statistics_of_batch_norm_are_averaged_and_counters_taken():
    average = RunningAverage(network(0.0), decay=0.9)
    average.update(network(3.0))
    weights = average.weights()
    assert weights["1.running_mean"].item() == pytest.approx(2.7, rel=1e-6)
    assert weights["1.num_batches_tracked"].item() == 3


def test_the_network_is_left_alone():
    made = network(1.0)
    average = RunningAverage(made, decay=0.9)
    average.update(network(5.0))
    assert made[0].weight.item() == 1.0


def test_a_restored_average_goes_on_as_if_nothing_had_happened():
    one, other = RunningAverage(network(0.0), 0.9), RunningAverage(network(7.0), 0.9)
    for value in (1.0, 2.0):
        one.update(network(value))
    other.restore({key: value.clone() for key, value in one.state().items()})
    for average in (one, other):
        average.update(network(4.0))
    for name, value in one.weights().items():
        assert torch.equal(value, other.weights()[name])


def test_a_decay_of_nothing_switches_it_off():
    assert make_average(network(0.0), AverageSettings()) is None
    assert make_average(network(0.0), AverageSettings(decay=0.9)) is not None


def test_a_decay_of_one_is_refused():
    with pytest.raises(ValueError, match="decay"):
        AverageSettings(decay=1.0)
