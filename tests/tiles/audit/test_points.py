"""Points and their descriptions: the same for all eight mirrored and turned forms."""

import numpy as np
import pytest

from mammoscope.tiles.audit.hashes import SIDE, blurred
from mammoscope.tiles.audit.points import FORMS, POINTS, describe, find_points, textured, turned

TEXTURE = 3 * blurred(np.random.default_rng(1).normal(size=(1, SIDE, SIDE)).astype(np.float32), 1.5)
MIDDLE = (SIDE - 1) / 2


@pytest.mark.parametrize("form", range(8))
def test_a_form_moves_pixels_as_its_matrix_moves_places(form):
    image = np.zeros((1, SIDE, SIDE), np.float32)
    image[0, 10, 50] = 1
    row, column = FORMS[form] @ (np.array([10, 50]) - MIDDLE) + MIDDLE
    after = turned(image, np.array([form], np.int8))
    assert after[0, int(row), int(column)] == 1


@pytest.mark.parametrize("form", range(8))
def test_points_of_a_turned_texture_are_the_turned_points(form):
    _, points = find_points(TEXTURE)
    _, after = find_points(turned(TEXTURE, np.array([form], np.int8)))
    moved = (points - MIDDLE) @ FORMS[form].T.astype(float) + MIDDLE
    assert {tuple(place) for place in moved} == {tuple(place) for place in after.astype(float)}


@pytest.mark.parametrize("form", range(8))
def test_descriptions_of_a_turned_texture_are_the_same(form):
    one = describe(TEXTURE, np.array([0]), sought=False)
    other = describe(turned(TEXTURE, np.array([form], np.int8)), np.array([1]), sought=False)
    best = (one.words @ other.words.T).max(axis=1)
    assert len(one.words) == POINTS
    assert best.min() > 0.999


def test_what_is_sought_is_described_in_all_sizes_and_in_doubtful_forms_twice():
    once = describe(TEXTURE, np.array([7]), sought=False)
    sought = describe(TEXTURE, np.array([7]), sought=True)
    assert 5 * len(once.words) < len(sought.words) < 10 * len(once.words)
    assert set(sought.picture.tolist()) == {7}
    assert np.allclose(np.linalg.norm(sought.words, axis=1), 1, atol=1e-5)


def test_a_flat_texture_has_no_points():
    flat = np.zeros((1, SIDE, SIDE), np.float32)
    assert len(describe(flat, np.array([0]), sought=True).words) == 0


def test_a_straight_edge_is_no_texture_and_a_corner_is():
    image = np.zeros((2, SIDE, SIDE), np.float32)
    image[0, :, 32:] = 1
    image[1, 32:, 32:] = 1
    edge, corner = textured(blurred(image, 1.0))
    assert edge[32, 32] < 0.01
    assert corner[32, 32] > 0.2
