"""VGG-16 "lite": the sizes of method facts 3.4, and what the paper's own words would give."""

import pytest
import torch
from torch import nn

from mammoscope.models import zoo
from mammoscope.models.layers import DenseDropout, PoolDropout


def on_meta(name):
    with torch.device("meta"):
        return zoo.build(name).eval()


def sides(network):
    found = []
    for name, module in network.named_children():
        if name.startswith(("conv", "pool")):
            module.register_forward_hook(lambda _, __, answer: found.append(answer.shape[2]))
    with torch.device("meta"):
        network(torch.zeros(1, 1, 299, 299))
    return [side for i, side in enumerate(found) if i == 0 or side != found[i - 1]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Without a step of 2 the last maps are 10 x 10; the count of 123 million bears it out.
        ("vgg_16", [297, 149, 75, 38, 19, 10]),
        ("vgg_16.2", [150, 75, 38, 19, 10, 5]),
        ("vgg_16.3.01", [150, 75, 38, 19, 10, 5]),
        ("vgg_16.3", [150, 75, 38, 19, 10, 5]),
        ("vgg_16.paper", [150, 75, 38, 19, 10, 5]),
    ],
)
def test_maps_shrink_as_the_facts_tell(name, expected):
    assert sides(on_meta(name)) == expected


@pytest.mark.parametrize(("name", "convolutions"), [("vgg_16.3", 12), ("vgg_16.paper", 13)])
def test_the_code_has_one_convolution_fewer_than_the_paper(name, convolutions):
    network = on_meta(name)
    assert sum(isinstance(m, nn.Conv2d) for m in network.modules()) == convolutions


def test_the_papers_count_is_vgg_16_reckoned_by_hand():
    # Thirteen convolutions of VGG-16 on one grey channel have 14,714,688 - 2 * 9 * 64 parameters
    # (torchvision's features); two more a filter for the norms, then 12800 -> 1024 -> 512 -> 2.
    filters = 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512
    dense = (12800 + 3) * 1024 + (1024 + 3) * 512 + (512 + 1) * 2
    expected = 14_714_688 - 2 * 9 * 64 + 2 * filters + dense
    assert sum(p.numel() for p in on_meta("vgg_16.paper").parameters()) == expected


def test_pooled_maps_keep_all_and_half_is_dropped_around_dense_layers():
    network = on_meta("vgg_16.3")
    assert {m.p for m in network.modules() if isinstance(m, PoolDropout)} == {0.0}
    assert [m.p for m in network.modules() if isinstance(m, DenseDropout)] == [0.5] * 3


def test_names_are_those_of_the_scripts_scopes():
    names = dict(on_meta("vgg_16.3").named_children()).keys()
    assert {"conv_1_1", "bn_1_1", "conv_5_3", "bn_5_3", "fc1", "bn_fc2", "logits"} <= names
