"""Laying pictures over each other: known poses are found again, and others are not alike."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from mammoscope.tiles.audit.align import fit
from mammoscope.tiles.audit.hashes import SIDE, STEPS
from mammoscope.tiles.audit.match import MIDDLE, Candidates

SCENE = 6 * gaussian_filter(np.random.default_rng(2).normal(size=(200, 200)), 1.5)


def view(top, left, size=1.0):
    """Cut 64 x 64 pixels out of the scene, each `size` of its pixels wide."""
    cut = affine_transform(SCENE, [size, size], (top, left), (SIDE, SIDE), order=3)
    return np.clip(cut * STEPS, -127, 127).astype(np.int8)


def pair(size=1.0, middle=(MIDDLE, MIDDLE), form=0):
    return Candidates(
        first=np.array([0], np.int32),
        second=np.array([1], np.int32),
        form=np.array([form], np.int8),
        size=np.array([size], np.float32),
        middle=np.array([middle], np.float32),
        votes=np.array([2]),
    )


@pytest.mark.parametrize(("down", "right"), [(0, 0), (9.3, -12.7), (20, 8)])
def test_a_shift_known_to_two_pixels_is_found_exactly(down, right):
    textures = np.stack([view(60, 60), view(60 + down, 60 + right)])
    fits = fit(textures, pair(middle=(MIDDLE - down + 1.5, MIDDLE - right - 1.5)))
    shared = (1 - abs(down) / SIDE) * (1 - abs(right) / SIDE)
    assert fits.likeness[0] > 0.97
    assert fits.shared[0] == pytest.approx([shared, shared], abs=0.03)
    assert fits.size[0] == pytest.approx([1, 1], abs=0.01)


@pytest.mark.parametrize("size", [0.8, 1.25])
def test_a_size_known_to_six_percent_is_found_exactly(size):
    corner = 60 + MIDDLE * (1 - 1 / size)
    textures = np.stack([view(60, 60), view(corner, corner, 1 / size)])
    fits = fit(textures, pair(size=size * 1.06))
    assert fits.likeness[0] > 0.95
    assert fits.size[0] == pytest.approx([size, size], abs=0.01)


def test_two_other_places_are_not_alike():
    fits = fit(np.stack([view(0, 0), view(120, 120)]), pair())
    assert abs(fits.likeness[0]) < 0.4
    assert fits.told[0] > 0.3


def test_two_edges_without_texture_tell_nothing():
    edge = np.zeros((2, SIDE, SIDE), np.int8)
    edge[:, :, 30:] = 90
    assert fit(edge, pair()).told[0] < 0.05


def test_no_candidates_give_no_fits():
    none = pair()
    empty = Candidates(**{name: getattr(none, name)[:0] for name in Candidates.__slots__})
    assert len(fit(np.zeros((2, SIDE, SIDE), np.int8), empty).likeness) == 0
