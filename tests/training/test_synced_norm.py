"""Batch norm over the shares of several processes is that of the whole batch."""

import threading
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from mammoscope.training import synced_norm
from mammoscope.training.synced_norm import SyncedNorm, sync_norms


class Shares:
    """Stands in for processes by threads: `all_reduce` waits for all and adds their tensors."""

    def __init__(self, count):
        self._barrier = threading.Barrier(count, timeout=30)
        self._given = {}

    def all_reduce(self, values):
        self._given[threading.get_ident()] = values.detach().clone()
        self._barrier.wait()
        total = sum(self._given[key] for key in sorted(self._given))
        self._barrier.wait()
        values.copy_(total)


def over_shares(monkeypatch, network, parts, weights):
    """Pass each part through a copy of a network in a thread; gives copies, answers, gradients."""
    shares = Shares(len(parts))
    monkeypatch.setattr(synced_norm.dist, "all_reduce", shares.all_reduce)
    copies = [sync_norms(deepcopy(network)) for _ in parts]
    answers, inputs = [None] * len(parts), [part.clone().requires_grad_() for part in parts]

    def work(place):
        answers[place] = copies[place](inputs[place])
        (answers[place] * weights[place]).sum().backward()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return copies, torch.cat(answers), torch.cat([one.grad for one in inputs])


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize(
    ("norm", "shape"), [(nn.BatchNorm2d, (7, 3, 4, 5)), (nn.BatchNorm1d, (7, 3))]
)
def test_answers_gradients_and_statistics_are_those_of_the_whole_batch(
    monkeypatch, norm, shape, momentum
):
    torch.manual_seed(0)
    plain = norm(3, momentum=momentum)
    nn.init.normal_(plain.weight)
    network = nn.Sequential(plain)
    whole = torch.randn(shape) * 3 + 40
    weight = torch.randn(shape)
    # Shares of 2, 4 and 1.
    cuts = (slice(0, 2), slice(2, 6), slice(6, 7))
    copies, answers, gradients = over_shares(
        monkeypatch, network, [whole[c] for c in cuts], [weight[c] for c in cuts]
    )
    given = whole.clone().requires_grad_()
    expected = network(given)
    (expected * weight).sum().backward()
    torch.testing.assert_close(answers, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradients, given.grad, rtol=1e-3, atol=1e-5)
    for name in ("weight", "bias"):
        total = sum(getattr(copy[0], name).grad for copy in copies)
        torch.testing.assert_close(total, getattr(plain, name).grad, rtol=1e-4, atol=1e-4)
    for copy in copies:
        torch.testing.assert_close(copy[0].running_mean, plain.running_mean)
        torch.testing.assert_close(copy[0].running_var, plain.running_var)
        assert int(copy[0].num_batches_tracked) == 1


def test_in_evaluation_nothing_is_asked_of_the_others():
    plain = nn.BatchNorm2d(3).eval()
    plain.running_mean.normal_()
    values = torch.randn(2, 3, 4, 4)
    assert torch.equal(SyncedNorm.of(plain)(values), plain(values))


def test_a_network_keeps_its_weights_names_and_statistics_and_frozen_norms_stay_so():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4, affine=False))
    )
    network[1].eval()
    before = dict(network.state_dict(keep_vars=True))
    synced = sync_norms(network)
    after = synced.state_dict(keep_vars=True)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert isinstance(synced[1], SyncedNorm)
    assert isinstance(synced[2][0], SyncedNorm)
    assert not synced[1].training
    assert synced[2][0].training


def test_half_precision_comes_out_as_it_went_in_with_statistics_of_full_precision(monkeypatch):
    monkeypatch.setattr(synced_norm.dist, "all_reduce", lambda _values: None)
    norm = SyncedNorm.of(nn.BatchNorm1d(2))
    values = torch.tensor(np.arange(512).reshape(256, 2), dtype=torch.bfloat16)
    answer = norm(values)
    assert answer.dtype == torch.bfloat16
    # Sums of 256 numbers in bfloat16 would be off by far more.
    expected = 0.1 * values.float().mean(dim=0)
    torch.testing.assert_close(norm.running_mean, expected, rtol=1e-5, atol=0)
