"""Stored pixels to a network's input: one road, and what it makes of grey levels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mammoscope.core.errors import ContractError
from mammoscope.models.facts import VALUE_RANGES
from mammoscope.scans.greys import as_stored
from mammoscope.training.tile_input import (
    network_input,
    spacing_of,
    spacing_range,
    tile_spec,
    with_contrast,
)

LEVELS = torch.tensor([[[0, 51], [104, 255]]], dtype=torch.uint8)


@pytest.mark.parametrize(
    ("scaling", "by_hand"),
    [
        ("raw", [0, 51, 104, 255]),
        ("unit", [0, 0.2, 104 / 255, 1]),
        ("centred", [-104.1353 / 255, -53.1353 / 255, -0.1353 / 255, 150.8647 / 255]),
    ],
)
def test_scalings_by_hand(scaling, by_hand):
    images = network_input(LEVELS, tile_spec(scaling, 0.1))
    assert images.shape == (1, 1, 2, 2)
    assert images.dtype == torch.float32
    np.testing.assert_allclose(images.flatten(), by_hand, rtol=1e-6, atol=1e-7)


def contrast_as_tensorflow(levels, factor):
    """What tf.image.adjust_contrast does with uint8, step by step in double precision."""
    shares = levels / 255
    moved = (shares - shares.mean()) * factor + shares.mean()
    scaled = moved * 255.5
    return np.clip(np.trunc(scaled), 0, 255)


@given(
    levels=arrays(np.uint8, (7, 5)),
    factor=st.sampled_from([0.5, 1.0, 1.1, 1.5, 1.8, 2.0]),
)
def test_contrast_is_that_of_tensorflow_on_whole_grey_levels(levels, factor):
    got = with_contrast(torch.from_numpy(levels)[None, None].float(), factor)[0, 0].numpy()
    expected = contrast_as_tensorflow(levels.astype(np.float64), factor)
    # Where a level falls on a whole number, single precision may take the one below.
    scaled = ((levels - levels.mean()) * factor + levels.mean()) * (255.5 / 255)
    on_an_edge = np.abs(scaled - np.round(scaled)) < 1e-3
    assert np.all((got == expected) | (on_an_edge & (np.abs(got - expected) <= 1)))
    assert set(np.unique(got)) <= set(range(256))


def test_contrast_by_hand_is_cut_off_and_not_rounded():
    # The mean is 100: 50 goes to 25, 150 to 175, 101 to 101.5 (cut to 101), 99 to 98.5 (to 98).
    levels = torch.tensor([[[[50.0, 150.0], [101.0, 99.0]]]])
    assert with_contrast(levels, 1.5).flatten().tolist() == [25, 175, 101, 98]


def test_contrast_of_a_tile_does_not_depend_on_its_neighbours():
    pixels = torch.randint(0, 256, (5, 9, 9), dtype=torch.uint8)
    spec = tile_spec("unit", 0.1, contrast=1.4)
    alone = torch.cat([network_input(one[None], spec) for one in pixels])
    assert torch.equal(network_input(pixels, spec), alone)


@pytest.mark.parametrize("scaling", VALUE_RANGES)
@pytest.mark.parametrize("contrast", [1.0, 1.3])
def test_tiles_and_whole_scans_are_scaled_alike(scaling, contrast):
    spec = tile_spec(scaling, 0.1, contrast)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
    image = pixels.astype(np.float32)
    grey = as_stored(image, np.ones_like(image, dtype=bool), spec.grey_numbers)
    low, high = spec.value_range
    tile = network_input(torch.from_numpy(pixels)[None], spec)[0, 0].numpy()
    np.testing.assert_allclose(tile, low + grey * (high - low), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("scaling", VALUE_RANGES)
def test_augmentation_sees_grey_levels_from_0_to_1_whatever_the_scaling(scaling):
    seen = []

    def change(images):
        seen.append((float(images.min()), float(images.max())))
        return 1 - images

    images = network_input(LEVELS, tile_spec(scaling, 0.1), change)
    assert seen == [(0.0, 1.0)]
    mirrored = network_input(255 - LEVELS, tile_spec(scaling, 0.1))
    torch.testing.assert_close(images, mirrored)


def test_a_contract_with_another_grey_rule_is_refused():
    spec = replace(tile_spec("unit", 0.1), grey_rule="breast-percentiles")
    with pytest.raises(ContractError, match=r"'breast-percentiles'.*trained on tiles"):
        network_input(LEVELS, spec)


def test_the_spacing_of_tiles_is_the_median_of_both_ways(tile_set):
    # A box of 10 rows at 0.2 mm and 20 columns at 0.1 mm, in 12 x 12 pixels.
    tiles = tile_set()
    assert spacing_of(tiles) == pytest.approx(2 / 12)
    assert spacing_range(tiles) == pytest.approx((2 / 12, 2 / 12))


def test_nothing_is_guessed_where_tiles_do_not_know_their_spacing(tile_set):
    tiles = tile_set(spacing=None)
    assert spacing_of(tiles) is None
    assert spacing_range(tiles) is None
