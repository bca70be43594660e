"""TensorFlow's padding, against its rule written out place by place; dropouts and first weights."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mammoscope.models.layers import (
    AveragePool,
    DenseDropout,
    MaxPool,
    PoolDropout,
    SameConv2d,
    conv_norm,
    dense_norm,
    draw_weights,
    same_padding,
    set_dropout,
)


def windows(side, size, step, padding):
    """Places that each window covers along one side, by the text of TensorFlow's documentation."""
    if padding == "valid":
        return [range(first, first + size) for first in range(0, side - size + 1, step)]
    count = math.ceil(side / step)
    total = max(size - (side % step or step), 0)
    starts = [number * step - total // 2 for number in range(count)]
    return [range(start, start + size) for start in starts]


def slow_pool(image, size, step, padding, reduce):
    """Reduce what of each window lies on the image."""
    rows, columns = image.shape
    return np.array(
        [
            [
                reduce(
                    [image[r, c] for r in down if 0 <= r < rows for c in across if 0 <= c < columns]
                )
                for across in windows(columns, size, step, padding)
            ]
            for down in windows(rows, size, step, padding)
        ]
    )


@pytest.mark.parametrize(
    ("side", "kernel", "step", "expected"),
    [
        (299, 3, 2, (1, 1)),
        (150, 3, 2, (0, 1)),
        (288, 3, 2, (0, 1)),
        (75, 2, 2, (0, 1)),
        (150, 2, 2, (0, 0)),
        (10, 3, 3, (1, 1)),
        (35, 2, 1, (0, 1)),
        (17, 7, 1, (3, 3)),
        (299, 7, 2, (3, 3)),
    ],
)
def test_padding_is_what_the_method_facts_tell(side, kernel, step, expected):
    assert same_padding(side, kernel, step) == expected


SIDES = st.integers(4, 13)
PICTURES = st.tuples(SIDES, SIDES, st.integers(0, 2**16))
POOLS = st.tuples(st.integers(1, 4), st.integers(1, 3), st.sampled_from(["same", "valid"]))


def picture(rows, columns, seed):
    # Below zero, so that a padding of zeros would win every maximum.
    return np.random.default_rng(seed).normal(-5, 1, (rows, columns))


@given(PICTURES, POOLS)
def test_a_maximum_is_that_of_the_places_inside(drawn, pool):
    image, (size, step, padding) = picture(*drawn), pool
    found = MaxPool(size, step, padding)(torch.from_numpy(image)[None, None])
    np.testing.assert_array_equal(found[0, 0], slow_pool(image, size, step, padding, max))


@given(PICTURES, POOLS)
def test_a_mean_counts_the_places_inside_only(drawn, pool):
    image, (size, step, padding) = picture(*drawn), pool
    found = AveragePool(size, step, padding)(torch.from_numpy(image)[None, None])
    expected = slow_pool(image, size, step, padding, np.mean)
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-12)


@given(PICTURES, st.tuples(st.integers(1, 5), st.integers(1, 5)), st.integers(1, 3))
def test_a_convolution_adds_up_the_places_inside(drawn, kernel, step):
    image = picture(*drawn)
    layer = SameConv2d(1, 1, kernel, step, bias=False).double()
    weights = layer.weight.detach().numpy()[0, 0]
    rows, columns = image.shape
    expected = [
        [
            sum(
                weights[i, j] * image[r, c]
                for i, r in enumerate(down)
                if 0 <= r < rows
                for j, c in enumerate(across)
                if 0 <= c < columns
            )
            for across in windows(columns, kernel[1], step, "same")
        ]
        for down in windows(rows, kernel[0], step, "same")
    ]
    with torch.no_grad():
        found = layer(torch.from_numpy(image)[None, None])[0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_a_dilated_convolution_keeps_the_size_and_the_middle():
    layer = SameConv2d(1, 1, 3, dilation=2, bias=False)
    with torch.no_grad():
        layer.weight.zero_()[0, 0, 1, 1] = 1
        x = torch.rand(1, 1, 8, 9)
        assert torch.equal(layer(x), x)


def test_norms_have_tensorflows_numbers():
    # Momentum .99 and .9 there; the fused kernel raises the epsilon of 1e-8.
    assert (conv_norm(4).momentum, conv_norm(4).eps) == (0.01, 1.001e-5)
    assert (dense_norm(4).momentum, dense_norm(4).eps) == (0.1, 1e-8)


class Drawn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 64, 3)
        self.fc1 = nn.Linear(800, 400)
        self.logits = nn.Linear(400, 300)


def test_weights_are_those_of_the_scripts():
    torch.manual_seed(0)
    network = Drawn()
    draw_weights(network)
    # A normal cut at two deviations keeps .88 of its deviation; only dense layers make up for it.
    assert network.conv.weight.abs().max() <= 0.1
    # Drawn again, not put at the cut: as many lie near it as a normal so cut has there, 1.25 %.
    near = (network.conv.weight.abs() > 0.095).double().mean().item()
    assert near == pytest.approx(0.0125, abs=0.005)
    assert network.conv.weight.std().item() == pytest.approx(0.05 * 0.8796, rel=0.03)
    assert network.fc1.weight.std().item() == pytest.approx((2 / 800) ** 0.5, rel=0.02)
    assert network.logits.weight.std().item() == pytest.approx((1 / 400) ** 0.5, rel=0.02)
    assert all(not m.bias.any() for m in (network.conv, network.fc1, network.logits))


def test_a_share_reaches_every_dropout_of_its_kind_alone():
    network = nn.Sequential(PoolDropout(0.1), nn.Sequential(PoolDropout(0.1)), DenseDropout(0.5))
    assert set_dropout(network, PoolDropout, 0.3) == 2
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.3, 0.3, 0.5]
    assert set_dropout(nn.Sequential(), DenseDropout, 0.3) == 0


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(ValueError, match="from 0 to below 1"):
        set_dropout(nn.Sequential(DenseDropout(0.5)), DenseDropout, share)
