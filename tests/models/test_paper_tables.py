"""The paper's other networks: sizes of maps, joins and sums that method facts 3.2 and 3.3 tell."""

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
        ("1.0.0.30", "cat1", (64, 150)),
        ("1.0.1.32", "cat1", (64, 150)),
        # 9600 values.
        ("1.0.1.32", "pool5", (384, 5)),
        ("1.0.2.02", "cat2", (128, 75)),
        ("1.0.3.02", "cat1", (128, 150)),
        ("1.0.3.02", "cat2", (192, 75)),
        # 3 x 3 x 512 = 4608.
        ("1.0.3.02", "pool6", (512, 3)),
        ("1.0.3.04", "pool0", (64, 74)),
        ("1.0.3.04", "cat1", (128, 74)),
        ("1.0.3.04", "cat2", (256, 37)),
        ("1.0.3.04", "pool2.1", (256, 19)),
        ("1.0.3.04", "pool3", (256, 10)),
        # 9600 values again.
        ("1.0.3.04", "pool4", (384, 5)),
        ("1.0.4.01", "cat1", (96, 150)),
        ("1.0.4.01", "pool6", (512, 3)),
        ("1.0.5.01", "pool6", (512, 3)),
        ("1.0.5.01", "fc1", (512, 1)),
        ("1.2.0.01", "cat1", (64, 150)),
        ("1.2.0.01", "cat2", (128, 75)),
        ("0.0.2.06b", "1.1", (64, 149)),
        ("0.0.2.06b", "cat3", (192, 38)),
        # 9600 values.
        ("0.0.2.06b", "pool5", (384, 5)),
        ("1.3.0.03n", "cat2", (224, 75)),
        ("1.3.1.01n", "1", (32, 149)),
        ("1.3.1.01n", "cat2", (128, 75)),
        ("1.4.0.01", "1", (32, 297)),
        ("1.4.0.01", "pool1", (32, 148)),
        ("1.4.0.01", "cat2", (128, 148)),
        # 4 x 4 x 384 = 6144.
        ("1.4.0.01", "pool6", (384, 4)),
        ("1.4.1.04", "cat1", (64, 150)),
    ],
)
def test_a_map_has_the_published_size(name, layer, expected):
    assert shapes(name)[layer] == expected


@pytest.mark.parametrize(
    ("name", "pools", "dense"),
    [
        ("1.0.0.1", 0.2, 0.5),
        ("1.0.0.24", 0.2, 0.5),
        ("1.1.2.06", 0, 0.7),
        ("1.0.1.32", 0.25, 0.7),
        ("1.0.1.44a", 0.2, 0.6),
        ("1.0.2.06", 0.2, 0.5),
        ("1.0.3.02", 0.2, 0.5),
        ("1.0.4.01", 0.1, 0.5),
    ],
)
def test_dropouts_are_the_published_ones(name, pools, dense):
    with torch.device("meta"):
        plan = zoo.build(name).plan
    assert (plan.pool_dropout, plan.dense_dropout) == (pools, dense)


def test_the_side_branch_of_1_0_2_starts_where_the_facts_say():
    with torch.device("meta"):
        plans = [zoo.build(name).plan for name in ("1.0.2.02", "1.0.2.06")]
    starts = [next(layer.of for layer in plan.layers if layer.name == "1.3") for plan in plans]
    assert starts == ["1", "1.1"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0.0.2.06b", {"1.4": "1.2", "2.2": "2.0", "3.2": "3.0"}),
        ("1.0.1.40", {"2.2": "2.1", "3.2": "3.1", "4.1": "4"}),
        ("1.3.1.01n", {"1.2": "1", "1.3": "1", "2.3": "pool1", "3.2": "3.1", "4.1": "4"}),
        ("1.3.0.03n", {}),
    ],
)
def test_what_is_added_is_what_the_facts_name(name, expected):
    with torch.device("meta"):
        layers = zoo.build(name).plan.layers
    assert {x.name: x.add for x in layers if getattr(x, "add", None)} == expected
