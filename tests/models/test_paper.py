"""1.0.0.35 is the paper's network: counts and sizes from the method facts, section 3.1."""

import pytest
import torch
from torch import nn

from mammoscope.models import zoo
from mammoscope.models.layers import DenseDropout, PoolDropout
from mammoscope.models.paper import build_1_0_0_35
from mammoscope.models.penalty import l2_penalty


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_1_0_0_35()


def count(modules):
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.mark.parametrize(
    ("classes", "trainable"), [(2, 32_198_594), (3, 32_200_643), (5, 32_204_741)]
)
def test_trainable_parameters_are_those_published(classes, trainable):
    # Weights without memory: they are only counted.
    with torch.device("meta"):
        made = zoo.build("1.0.0.35", classes)
    assert sum(p.numel() for p in made.parameters()) == trainable


def test_parts_have_the_published_counts(network):
    kinds = list(network.children())
    assert count(m for m in kinds if isinstance(m, nn.Conv2d)) == 1_771_008
    assert count(m for m in kinds if isinstance(m, nn.BatchNorm2d)) == 2_496
    assert count([network.fc1]) == 26_216_448
    assert count([network.fc2]) == 4_196_352
    assert count([network.bn_fc1, network.bn_fc2]) == 8_192
    assert count([network.logits]) == 4_098
    moving = sum(b.numel() for n, b in network.named_buffers() if "running" in n)
    assert 32_198_594 + moving == 32_209_282


PUBLISHED = {
    "conv1": (32, 150),
    "conv1_1": (32, 150),
    "conv1_2": (32, 150),
    "pool1": (32, 75),
    "conv2_1": (64, 75),
    "conv2_2": (64, 75),
    "pool2": (64, 38),
    "conv3_1": (128, 38),
    "conv3_2": (128, 38),
    "pool3": (128, 19),
    "conv4": (256, 19),
    "pool4": (256, 10),
    "conv5": (512, 10),
    "pool5": (512, 5),
}


def test_maps_have_the_published_sizes():
    with torch.device("meta"):
        network = build_1_0_0_35().eval()
        found = {}
        for name in PUBLISHED:
            network.get_submodule(name).register_forward_hook(
                lambda _, __, answer, name=name: found.update({name: answer.shape[1:]})
            )
        network(torch.zeros(1, 1, 299, 299))
    assert found == {name: (c, side, side) for name, (c, side) in PUBLISHED.items()}


def test_every_parameter_gets_a_gradient(network):
    network.train()
    network.zero_grad()
    network(torch.rand(2, 1, 299, 299)).square().sum().backward()
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters() if p.ndim > 1
    )


def test_evaluation_draws_nothing(network):
    network.eval()
    tiles = torch.rand(2, 1, 299, 299)
    with torch.inference_mode():
        assert torch.equal(network(tiles), network(tiles))
        # Each tile is read for itself, whatever else is in the batch.
        torch.testing.assert_close(network(tiles[:1]), network(tiles)[:1])


def test_a_seed_fixes_the_weights(network):
    torch.manual_seed(0)
    again = build_1_0_0_35()
    assert all(
        torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True)
    )


def test_batch_norm_has_the_papers_numbers(network):
    convolutional = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    # PyTorch's momentum is the share of the new value, TensorFlow's that of the old one.
    assert {(m.momentum, m.eps) for m in convolutional} == {(0.01, 1.001e-5)}
    assert {(m.momentum, m.eps) for m in (network.bn_fc1, network.bn_fc2)} == {(0.1, 1e-8)}


def test_a_tenth_of_each_pooled_map_and_half_of_the_rest_is_dropped(network):
    assert [m.p for m in network.modules() if isinstance(m, PoolDropout)] == [0.1] * 5
    assert [m.p for m in network.modules() if isinstance(m, DenseDropout)] == [0.5] * 3
    network.train()
    for module in network.modules():
        if isinstance(module, (PoolDropout, nn.BatchNorm2d)):
            module.eval()
    seen = []
    handle = network.fc1.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        network(torch.rand(2, 1, 299, 299))
        network.eval()
        network(torch.rand(2, 1, 299, 299))
    handle.remove()
    dropped, whole = ((x == 0).double().mean().item() for x in seen)
    assert dropped == pytest.approx(0.5 + whole / 2, abs=0.02)


def test_weights_are_cut_at_two_deviations(network):
    first = network.conv1.weight
    assert first.abs().max() <= 0.1
    assert first.std().item() == pytest.approx(0.05 * 0.88, rel=0.15)
    assert network.fc1.weight.std().item() == pytest.approx((2 / 12800) ** 0.5, rel=0.01)
    assert network.logits.weight.std().item() == pytest.approx((1 / 2048) ** 0.5, rel=0.05)


def test_the_penalty_is_half_the_squares_of_kernels(network):
    by_hand = sum(
        0.5 * 1e-5 * m.weight.double().square().sum()
        for m in network.modules()
        if isinstance(m, nn.Conv2d)
    ) + sum(0.5 * 2.5e-3 * m.weight.double().square().sum() for m in (network.fc1, network.fc2))
    assert l2_penalty(network, 1e-5, 2.5e-3).item() == pytest.approx(by_hand.item(), rel=1e-5)
