"""Plain stacks: map sizes that method facts 3.2 and 3.3 tell."""

import pytest
import torch

from mammoscope.models import zoo


def shapes(name):
    """Give channels and rows after each layer."""
    with torch.device("meta"):
        network = zoo.build(name).eval()
        x = torch.zeros(1, 1, 299, 299)
        kept, found = {"input": x}, {}
        for layer in network.plan.layers:
            x = kept[layer.name] = network._run(layer, x, kept)
            found[layer.name] = tuple(x.shape[1:3])
    return found


@pytest.mark.parametrize(
    ("name", "layer", "expected"),
    [
        # Six pools after a step of 2, the last convolution behind them.
        ("DDSM_2", "7", (512, 3)),
        ("1.0.0.2", "1", (32, 149)),
        ("1.0.0.2", "pool5", (128, 3)),
        ("1.0.0.1", "pool5", (512, 5)),
        ("1.1.0.01", "1.1", (32, 147)),
        ("1.1.1.01", "1", (32, 149)),
        ("1.1.2.06", "1", (32, 297)),
        ("1.1.2.06", "pool1", (32, 148)),
        # 4 x 4 x 512 = 8192.
        ("1.1.2.06", "pool6", (512, 4)),
    ],
)
def test_a_map_has_the_published_size(name, layer, expected):
    assert shapes(name)[layer] == expected


@pytest.mark.parametrize(
    ("name", "pools", "dense"),
    [("1.0.0.1", 0.2, 0.5), ("1.0.0.24", 0.2, 0.5), ("1.1.2.06", 0, 0.7)],
)
def test_dropouts_are_the_published_ones(name, pools, dense):
    with torch.device("meta"):
        plan = zoo.build(name).plan
    assert (plan.pool_dropout, plan.dense_dropout) == (pools, dense)
