"""1.0.0.35 is the paper's network: counts and sizes from the method facts, section 3.1."""

import pytest
import torch
from torch import nn

from mammoscope.models import zoo
from mammoscope.models.paper import build_1_0_0_35, l2_terms


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
    kinds = list(network.features)
    assert count(m for m in kinds if isinstance(m, nn.Conv2d)) == 1_771_008
    assert count(m for m in kinds if isinstance(m, nn.BatchNorm2d)) == 2_496
    assert count([network.fc1]) == 26_216_448
    assert count([network.fc2]) == 4_196_352
    assert count([network.bn_fc1, network.bn_fc2]) == 8_192
    assert count([network.logits]) == 4_098
    moving = sum(b.numel() for n, b in network.named_buffers() if "running" in n)
    assert 32_198_594 + moving == 32_209_282


def test_maps_have_the_published_sizes(network):
    x, sizes = torch.zeros(1, 1, 299, 299), []
    network.eval()
    with torch.no_grad():
        for layer in network.features:
            x = layer(x)
            if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)) and (
                not sizes or sizes[-1] != x.shape[-1]
            ):
                sizes.append(x.shape[-1])
    assert sizes == [150, 75, 38, 19, 10, 5]


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
    convolutional = [m for m in network.features if isinstance(m, nn.BatchNorm2d)]
    # PyTorch's momentum is the share of the new value, TensorFlow's that of the old one.
    assert {(m.momentum, m.eps) for m in convolutional} == {(0.01, 1.001e-5)}
    assert {(m.momentum, m.eps) for m in (network.bn_fc1, network.bn_fc2)} == {(0.1, 1e-8)}


def test_a_tenth_of_each_pooled_map_and_half_of_the_rest_is_dropped(network):
    pooled = [m.p for m in network.features if isinstance(m, nn.Dropout)]
    assert pooled == [0.1] * 5
    network.train()
    network.features.eval()
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
    first = network.features[0].weight
    assert first.abs().max() <= 0.1
    assert first.std().item() == pytest.approx(0.05 * 0.88, rel=0.15)
    assert network.fc1.weight.std().item() == pytest.approx((2 / 12800) ** 0.5, rel=0.01)
    assert network.logits.weight.std().item() == pytest.approx((1 / 2048) ** 0.5, rel=0.05)


def test_the_penalty_is_half_the_squares_of_kernels(network):
    by_hand = sum(
        0.5 * 1e-5 * m.weight.double().square().sum()
        for m in network.features
        if isinstance(m, nn.Conv2d)
    ) + sum(0.5 * 2.5e-3 * m.weight.double().square().sum() for m in (network.fc1, network.fc2))
    assert l2_terms(network).item() == pytest.approx(by_hand.item(), rel=1e-5)
