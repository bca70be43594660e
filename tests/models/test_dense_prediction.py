"""3.9.4.01: an answer for every pixel, and the script's dead convolution."""

import pytest
import torch
from torch import nn

from mammoscope.models import dense_prediction
from mammoscope.models.dense_prediction import UNUSED


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return dense_prediction.build(1).eval()


def test_it_has_the_published_number_of_parameters(network):
    assert sum(p.numel() for p in network.parameters()) == 11_502_625


def test_the_unused_convolution_changes_nothing_and_is_held(network):
    scan = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        before = network(scan)
    again = dense_prediction.build(1).eval()
    again.load_state_dict(network.state_dict())
    with torch.inference_mode():
        again.conv5_1.weight.zero_()
        again.bn5_1.bias.fill_(7)
        assert torch.equal(again(scan), before)
    held = {n.partition(".")[0] for n, p in network.named_parameters() if not p.requires_grad}
    assert held == set(UNUSED)


@pytest.mark.parametrize("sides", [(64, 64), (96, 160)])
def test_every_pixel_has_an_answer(network, sides):
    with torch.inference_mode():
        assert network(torch.rand(2, 1, *sides)).shape == (2, 1, *sides)


def test_answers_come_in_squares_of_two_pixels(network):
    """The last resize doubles the answer of half the size by repeating it."""
    with torch.inference_mode():
        answer = network(torch.rand(1, 1, 64, 96))[0, 0]
    squares = answer.reshape(32, 2, 48, 2)
    assert (squares == squares[:, :1, :, :1]).all()
    assert len(answer.unique()) > 100


def test_answers_are_logits_not_shares(network):
    """Its script put a sigmoid behind them and took another one in the loss."""
    with torch.inference_mode():
        answer = network(torch.rand(1, 1, 64, 64))
    assert answer.min() < 0 or answer.max() > 1


def test_the_transposed_convolution_of_step_1_keeps_places_where_they_are():
    """TensorFlow's SAME for an even kernel takes one place before and two behind."""
    transpose = nn.ConvTranspose2d(1, 1, 4, padding=1, bias=False)
    nn.init.zeros_(transpose.weight)
    with torch.no_grad():
        transpose.weight[0, 0, 1, 1] = 1
    x = torch.arange(36.0).reshape(1, 1, 6, 6)
    assert torch.equal(transpose(x)[:, :, :-1, :-1], x)
