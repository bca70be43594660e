"""Networks with sums: which layers are added, and map sizes of method facts 3.3."""

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
