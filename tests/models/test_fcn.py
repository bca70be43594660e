"""2.0.0.35: a tile's answer is that of 1.0.0.35, a scan's a grid of such answers."""

import pytest
import torch

from mammoscope.models import fcn, paper
from mammoscope.models.fcn import STRIDE_PX
from mammoscope.models.layers import DenseDropout, PoolDropout


@pytest.fixture(scope="module")
def pair():
    """1.0.0.35 with norms that are not the identity, and its fully convolutional version."""
    torch.manual_seed(3)
    dense = paper.build_1_0_0_35(2)
    for module in dense.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 2.0)
    whole = fcn.build(2)
    whole.take_dense(dense)
    return dense.eval(), whole.eval()


def test_a_tile_is_answered_as_1_0_0_35_does_with_the_same_weights(pair):
    dense, whole = pair
    tiles = torch.rand(2, 1, 299, 299, generator=torch.Generator().manual_seed(1))
    tiles[1] *= 0.3
    with torch.inference_mode():
        expected = dense(tiles)
        torch.testing.assert_close(whole(tiles), expected, rtol=1e-5, atol=1e-5)
    # The two tiles differ, so that equal answers are no accident of dead maps.
    assert (expected[0] - expected[1]).abs().max() > 1e-4


def test_a_whole_scan_gives_a_place_for_every_320_pixels(pair):
    """Method facts 3.6: 1680 x 1162 gives 5 x 3."""
    _, whole = pair
    with torch.inference_mode(), torch.device("meta"):
        grid = fcn.build(2).eval()(torch.rand(1, 1, 1680, 1162))
    assert grid.shape == (1, 2, 5, 3)
    with torch.inference_mode():
        assert whole(torch.rand(1, 1, 640, 330)).shape == (1, 2, 2, 1)


def test_a_place_far_from_the_borders_is_the_answer_for_its_own_window(pair):
    _, whole = pair
    scan = torch.rand(
        1, 1, 3 * STRIDE_PX, 3 * STRIDE_PX, generator=torch.Generator().manual_seed(2)
    )
    # A border of other tissue, wider than the convolutions reach, changes nothing in the middle.
    other = scan.clone()
    other[:, :, :64], other[:, :, :, :64] = 0, 0
    with torch.inference_mode():
        before, after = whole(scan)[0, :, 1, 1], whole(other)[0, :, 1, 1]
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-6)


def test_weights_of_another_number_of_classes_are_refused():
    with torch.device("meta"), pytest.raises(RuntimeError, match="logits"):
        fcn.build(2).take_dense(paper.build_1_0_0_35(5))


def test_it_drops_as_1_0_0_35_does():
    with torch.device("meta"):
        networks = fcn.build(2), paper.build_1_0_0_35(2)
    for kind in (PoolDropout, DenseDropout):
        ours, theirs = (
            [m.p for m in network.modules() if isinstance(m, kind)] for network in networks
        )
        assert ours == theirs
