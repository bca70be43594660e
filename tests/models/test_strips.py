"""Large scans in strips: how far the network looks, and equality with one pass."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mammoscope.core.contract import OutputSpec
from mammoscope.models import strips, whole_scan, zoo
from mammoscope.models.strips import LEAST_CORE_PX, REACHES, Reach, answer_in_strips
from mammoscope.models.weights import load_model
from mammoscope.models.whole_scan import answer
from mammoscope.scans.prepare import Prepared

OUTPUT = OutputSpec(targets=("lesion", "malignant"), activation="sigmoid", stride_px=8)


class Small(nn.Module):
    """Two strided layers and one more: a place of 4 pixels is reached from at most 9 pixels off."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.first = nn.Conv2d(1, 3, 3, stride=2, padding=1)
        self.second = nn.Conv2d(3, 3, 3, stride=2, padding=1)
        self.third = nn.Conv2d(3, 2, 3, padding=1)
        self.most_seen = 0

    def forward(self, x):
        self.most_seen = max(self.most_seen, x.numel())
        return self.third(torch.relu(self.second(torch.relu(self.first(x)))))


SMALL = Reach(halo_px=12, multiple_px=4)


@pytest.mark.parametrize(
    ("name", "grey", "far"),
    # A grey just above what a network subtracts, so that it sees something small and positive.
    [
        ("lite0-dense", 0.4490001, 457),
        ("lite0-local", 0.4490001, 544),
        ("tilenet-dense", 0.5000001, 276),
    ],
)
def test_the_network_looks_as_far_as_the_halo_and_no_farther(name, grey, far):
    # With equal positive weights no ReLU hides a path, and in double precision none vanishes.
    network = zoo.build(name).double().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.fill_(1 / module.weight[0].numel())
                if module.bias is not None:
                    module.bias.zero_()
    known = REACHES[name]
    step = known.multiple_px
    first = 20 * step
    x = torch.full((1, 1, 2 * first + step, step), grey, dtype=torch.float64)
    x.requires_grad_()
    places = network(x)[..., first // 8 : (first + step) // 8, :]
    places.sum().backward()
    rows = np.flatnonzero(x.grad[0, 0].abs().sum(1).numpy())
    reach = max(first - rows[0], rows[-1] - (first + step - 1))
    assert reach == far
    assert reach <= known.halo_px < reach + step


def test_strips_of_the_network_from_scratch_are_one_pass():
    torch.manual_seed(6)
    network = zoo.build("tilenet-dense")
    torch.nn.init.normal_(network.lesion.weight, std=1.0)
    x = torch.rand((1, 1, 1600, 64), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        network.train()(x)
        network.eval()
        whole = network(x)
        known = REACHES["tilenet-dense"]
        parts = answer_in_strips(network, x, 8, known, most_px=64 * 900)
        seamed = answer_in_strips(network, x, 8, Reach(halo_px=32, multiple_px=32), 64 * 400)
    assert float((torch.sigmoid(parts) - torch.sigmoid(whole)).abs().max()) <= 1e-5
    assert float((torch.sigmoid(seamed) - torch.sigmoid(whole)).abs().max()) > 1e-3


@pytest.mark.parametrize("name", REACHES)
def test_every_network_of_known_reach_is_divided(monkeypatch, name):
    network = zoo.build(name).eval()
    asked = []

    def note(_network, _image, stride_px, reach):
        asked.append((stride_px, reach))

    monkeypatch.setattr(whole_scan, "MOST_PX", 64 * 64 - 1)
    monkeypatch.setattr(whole_scan, "answer_in_strips", note)
    whole_scan._logits(network, torch.zeros((1, 1, 64, 64)), 8)
    assert asked == [(8, REACHES[name])]


def test_strips_of_the_shipped_kind_of_network_are_one_pass():
    # Fresh weights hardly let anything through from afar, and a seam would not be seen.
    network = load_model("default").network
    reach = REACHES[network.architecture]
    x = torch.rand((1, 1, 1600, 64), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        whole = network(x)
        parts = answer_in_strips(network, x, 8, reach, most_px=64 * 1400)
        seamed = answer_in_strips(network, x, 8, Reach(halo_px=32, multiple_px=32), 64 * 400)
    assert float((torch.sigmoid(parts) - torch.sigmoid(whole)).abs().max()) <= 1e-5
    # The same with too little round each strip shows, so that the comparison can fail.
    assert float((torch.sigmoid(seamed) - torch.sigmoid(whole)).abs().max()) > 1e-3


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 200),
    columns=st.integers(1, 200),
    most=st.integers(1, 600_000),
)
def test_parts_of_any_image_are_one_pass_and_no_part_is_too_large(rows, columns, most):
    x = torch.rand((1, 1, 4 * rows, 4 * columns), generator=torch.Generator().manual_seed(rows))
    network = Small().eval()
    with torch.inference_mode():
        parts = answer_in_strips(network, x, 4, SMALL, most_px=most)
        assert network.most_seen <= max(most, (LEAST_CORE_PX + 2 * SMALL.halo_px) ** 2)
        whole = network(x)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-5)


def test_a_scan_too_large_for_one_pass_is_answered_in_strips(monkeypatch):
    network = load_model("default").network
    shape = (1600, 64)
    prepared = Prepared(
        image=np.random.default_rng(0).random(shape, dtype=np.float32),
        breast=np.ones(shape, np.bool_),
        spacing_mm=0.3,
        origin_px=(0, 0),
        grid_px=shape,
        mirrored=False,
        scan_spacing_mm=(0.3, 0.3),
    )
    whole = answer(network, OUTPUT, prepared)
    seen = []
    network.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[2]))
    monkeypatch.setattr(whole_scan, "MOST_PX", 64 * 1400)
    monkeypatch.setattr(strips.answer_in_strips, "__defaults__", (64 * 1400,))
    parts = answer(network, OUTPUT, prepared)
    assert len(seen) > 1
    assert max(seen) <= 1400
    np.testing.assert_allclose(parts.lesion, whole.lesion, rtol=0, atol=1e-5)
    np.testing.assert_allclose(parts.malignancy, whole.malignancy, rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", [None, "3.9.4.01"])
def test_a_network_of_unknown_reach_is_never_divided(monkeypatch, architecture):
    network = Small().eval()
    network.architecture = architecture
    seen = []
    network.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape)))
    monkeypatch.setattr(whole_scan, "MOST_PX", 1)
    whole_scan._logits(network, torch.zeros((1, 1, 64, 64)), 4)
    assert seen == [(1, 1, 64, 64)]
