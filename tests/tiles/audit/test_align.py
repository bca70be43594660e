"""Laying pictures over each other: known poses are found again, and others are not alike."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from mammoscope.tiles.audit.align import fit
from mammoscope.tiles.audit.hashes import SIDE, STEPS, Hashes
from mammoscope.tiles.audit.match import MIDDLE, Candidates

SCENE = 6 * gaussian_filter(np.random.default_rng(2).normal(size=(200, 200)), 1.5)


def view(top, left, size=1.0):
    """Cut 64 x 64 pixels out of the scene, each `size` of its pixels wide."""
    cut = affine_transform(SCENE, [size, size], (top, left), (SIDE, SIDE), order=3)
    return np.clip(cut * STEPS, -127, 127).astype(np.int8)


def kept(textures, bare=False):
    """Keep textures as an audit does; `bare` tells where there is bare film."""
    film = np.broadcast_to(bare, textures.shape)
    return Hashes(
        digests=(b"",) * len(textures),
        textures=textures,
        bare=np.packbits(film, axis=-1),
        blank=np.zeros(len(textures), bool),
        shapes=np.full((len(textures), 2), SIDE),
    )


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
    fits = fit(kept(textures), pair(middle=(MIDDLE - down + 1.5, MIDDLE - right - 1.5)))
    shared = (1 - abs(down) / SIDE) * (1 - abs(right) / SIDE)
    assert fits.likeness[0] > 0.97
    assert fits.shared[0] == pytest.approx([shared, shared], abs=0.03)
    assert fits.size[0] == pytest.approx([1, 1], abs=0.01)


@pytest.mark.parametrize("size", [0.8, 1.25])
def test_a_size_known_to_six_percent_is_found_exactly(size):
    corner = 60 + MIDDLE * (1 - 1 / size)
    textures = np.stack([view(60, 60), view(corner, corner, 1 / size)])
    fits = fit(kept(textures), pair(size=size * 1.06))
    assert fits.likeness[0] > 0.95
    assert fits.size[0] == pytest.approx([size, size], abs=0.01)


def test_two_other_places_are_not_alike():
    fits = fit(kept(np.stack([view(0, 0), view(120, 120)])), pair())
    assert abs(fits.likeness[0]) < 0.4
    assert fits.told[0] > 0.3


def test_two_edges_without_texture_tell_nothing():
    edge = np.zeros((2, SIDE, SIDE), np.int8)
    edge[:, :, 30:] = 90
    assert fit(kept(edge), pair()).told[0] < 0.05


def test_what_lies_on_bare_film_does_not_count_as_tissue():
    # The same letters on the left of both, other tissue on the right.
    one, two = view(0, 0), view(120, 120)
    two[:, :24] = one[:, :24]
    bare = np.zeros((2, SIDE, SIDE), bool)
    bare[:, :, :28] = True
    fits = fit(kept(np.stack([one, two]), bare), pair())
    plain = fit(kept(np.stack([one, two])), pair())
    assert plain.alike[0] == plain.likeness[0] > fits.alike[0] + 0.1
    assert plain.tissue[0] == plain.told[0]
    assert 0.3 * plain.told[0] < fits.tissue[0] < 0.75 * plain.told[0]


def test_bare_film_is_turned_with_its_picture():
    scene = view(60, 60)
    bare = np.zeros((2, SIDE, SIDE), bool)
    bare[0, :, :32], bare[1, :32] = True, True
    fits = fit(kept(np.stack([scene, scene.T]), bare), pair(form=4))
    other = fit(kept(np.stack([scene, scene.T]), bare[:1]), pair(form=4))
    assert fits.likeness[0] > 0.97
    assert fits.tissue[0] == pytest.approx(fits.told[0] / 2, rel=0.2)
    assert other.tissue[0] < 0.7 * fits.tissue[0]


def test_no_candidates_give_no_fits():
    none = pair()
    empty = Candidates(**{name: getattr(none, name)[:0] for name in Candidates.__slots__})
    assert len(fit(kept(np.zeros((2, SIDE, SIDE), np.int8)), empty).likeness) == 0
