"""Reduced Inception v4: the sizes of method facts 3.5, and the paper's own words."""

import pytest
import torch

from mammoscope.models import zoo
from mammoscope.models.paper_plan import Cat


def joined(name):
    """Channels and sides after each joining of branches."""
    with torch.device("meta"):
        network = zoo.build(name).eval()
        x = torch.zeros(1, 1, 299, 299)
        kept, found = {"input": x}, {}
        for layer in network.plan.layers:
            x = kept[layer.name] = network._run(layer, x, kept)
            if isinstance(layer, Cat):
                found[layer.name] = (x.shape[1], x.shape[2])
    return found, tuple(x.shape[1:])


def test_the_scripts_blocks_have_the_published_sizes():
    found, last = joined("inception_v4.05")
    assert found == {
        "stem1": (96, 73),
        "stem2": (128, 71),
        "stem3": (256, 35),
        **{f"a{i}": (240, 35) for i in (1, 2, 3)},
        "reduce_a": (560, 17),
        **{f"b{i}": (608, 17) for i in (1, 2, 3, 4)},
        "reduce_b": (896, 8),
        **{f"c{i}": (768, 8) for i in (1, 2)},
    }
    assert last == (768, 1, 1)


def test_the_papers_blocks_are_half_of_inception_v4():
    # Szegedy, Ioffe and Vanhoucke, arXiv:1602.07261v2, figure 9: 384 channels at 35, 1,024 at 17
    # and 1,536 at 8, in 4, 7 and 3 blocks.
    found, last = joined("inception_v4.paper")
    assert found["stem3"] == found["a1"] == found["a4"] == (384 // 2, 35)
    assert found["reduce_a"] == found["b1"] == found["b7"] == (1024 // 2, 17)
    assert found["reduce_b"] == found["c1"] == found["c3"] == (1536 // 2, 8)
    assert len(found) == 3 + 4 + 7 + 3 + 2
    assert last == (768, 8, 8)


@pytest.mark.parametrize(
    ("name", "widths"),
    [("inception_v4.05", []), ("inception_v4.paper", [(768 * 64, 1024), (1024, 512)])],
)
def test_what_stands_before_the_output_is_a_pool_or_two_dense_layers(name, widths):
    with torch.device("meta"):
        network = zoo.build(name)
    dense = [getattr(network, f"fc{i}", None) for i in (1, 2)]
    assert [(layer.in_features, layer.out_features) for layer in dense if layer] == widths
