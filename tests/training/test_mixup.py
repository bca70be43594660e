"""Mixup keeps the sums of labels and of greys."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.training.mixup import MixupSettings, mix


@given(st.integers(0, 1000), st.floats(0.1, 4))
def test_tiles_and_labels_are_mixed_by_the_same_share(seed, alpha):
    # A tile's grey is its class, so a mixed tile must show its own mixed label.
    truth = torch.tensor([0, 1, 1, 0, 1])
    images = truth.float()[:, None, None, None].expand(5, 1, 2, 2)
    mixed, shares = mix(images, truth, 2, MixupSettings(alpha=alpha), np.random.default_rng(seed))
    torch.testing.assert_close(mixed[:, 0, 0, 0], shares[:, 1])
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(5))
    assert shares[:, 1].sum().item() == pytest.approx(3, abs=1e-5)


def test_soft_labels_are_mixed_too():
    soft = torch.tensor([[1.0, 0.0], [0.25, 0.75]])
    _, shares = mix(
        torch.zeros(2, 1, 1, 1), soft, 2, MixupSettings(alpha=1), np.random.default_rng(0)
    )
    torch.testing.assert_close(shares.sum(dim=0), soft.sum(dim=0))


def test_switched_off_it_gives_back_what_it_got():
    images, truth = torch.rand(2, 1, 3, 3), torch.tensor([0, 1])
    found = mix(images, truth, 2, MixupSettings(), np.random.default_rng(0))
    assert found[0] is images
    assert found[1] is truth


def test_a_negative_alpha_is_refused():
    with pytest.raises(ValueError, match="alpha"):
        MixupSettings(alpha=-1)
