"""The weight penalty: which kernels, and how much."""

import pytest
import torch
from torch import nn

from mammoscope.models import zoo
from mammoscope.models.penalty import kernel_groups, l2_penalty


class Small(nn.Module):
    """Every kind of parameter, with known values."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
        self.fc1 = nn.Linear(2, 3)
        self.fc2 = nn.Conv2d(3, 1, 1)
        self.logits = nn.Linear(1, 2)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.fill_(1.0)
            self.features[0].weight.fill_(2.0)


def test_the_penalty_is_the_sum_worked_by_hand():
    # Convolutions: 2 kernels of 2, sum of squares 8; dense: 6 + 3 ones, the second a convolution
    # in a dense layer's place. Half of 8 * .1 and of 9 * .01.
    penalty = l2_penalty(Small(), 0.1, 0.01)
    assert penalty.item() == pytest.approx(0.4 + 0.045)
    assert penalty.shape == ()


def test_a_strength_of_nothing_leaves_its_kernels_alone():
    network = Small()
    assert l2_penalty(network, 0.0, 0.0).item() == 0
    l2_penalty(network, 0.0, 2.0).backward()
    # The slope of s * w^2 / 2 is s * w.
    assert torch.equal(network.fc1.weight.grad, torch.full((3, 2), 2.0))
    assert network.features[0].weight.grad is None


def test_biases_norms_and_the_output_layer_go_free():
    network = Small()
    l2_penalty(network, 1.0, 1.0).backward()
    held = {name for name, p in network.named_parameters() if p.grad is not None}
    assert held == {"features.0.weight", "fc1.weight", "fc2.weight"}


def test_the_papers_network_has_nine_and_two():
    with torch.device("meta"):
        kernels = kernel_groups(zoo.build("1.0.0.35"))
    assert (len(kernels.convolutions), len(kernels.dense)) == (9, 2)
    # Kernels alone, so 1,771,008 less the biases of the convolutions (method facts 3.1).
    assert sum(w.numel() for w in kernels.convolutions) == 1_771_008 - 1_248
    assert sum(w.numel() for w in kernels.dense) == 12800 * 2048 + 2048 * 2048


def test_a_negative_strength_is_refused():
    with pytest.raises(ValueError, match="0 or more"):
        l2_penalty(Small(), -1e-5, 0.0)
