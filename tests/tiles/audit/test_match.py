"""Matching points: planted twins are among the candidates, with the pose that they have."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mammoscope.tiles.audit.hashes import SIDE
from mammoscope.tiles.audit.match import (
    MIDDLE,
    PARTNERS,
    _nearest,
    _pairs,
    index_points,
    join,
    match_points,
)
from mammoscope.tiles.audit.points import FORMS, describe, turned


def scenes(count, seed):
    noise = np.random.default_rng(seed).normal(size=(count, 100, 100))
    return (6 * gaussian_filter(noise, (0, 1.5, 1.5))).astype(np.float32)


def candidates(there, sought):
    there_points = describe(there, np.arange(len(there)), sought=False)
    sought_points = describe(sought, np.arange(len(sought)) + len(there), sought=True)
    index = index_points(there_points, np.random.default_rng(0))
    return match_points(index, sought_points)


@pytest.mark.parametrize("form", range(8))
def test_a_turned_and_shifted_twin_is_found_with_its_form_and_place(form):
    scene = scenes(20, 5)
    there = scene[:, :SIDE, :SIDE]
    shifted = scene[3:4, 12 : 12 + SIDE, 7 : 7 + SIDE]
    found = candidates(there, turned(shifted, np.array([form], np.int8)))
    (row,) = np.flatnonzero((found.second == 3) & (found.votes > 2))
    # What was done to the shifted view is undone, and its middle lies 12 down and 7 right.
    assert np.array_equal(FORMS[found.form[row]] @ FORMS[form], np.eye(2))
    assert found.middle[row] == pytest.approx([MIDDLE + 12, MIDDLE + 7], abs=2)
    assert found.size[row] == pytest.approx(1, abs=0.12)
    assert found.first[row] == 20


def test_pictures_without_twins_are_hardly_ever_candidates():
    scene = scenes(80, 6)[:, :SIDE, :SIDE]
    found = candidates(scene[:40], scene[40:])
    assert len(found) < 5


def test_cells_find_nearly_all_that_a_full_comparison_finds():
    scene = scenes(60, 7)
    there = describe(scene[:, :SIDE, :SIDE], np.arange(60), sought=False)
    sought = describe(scene[:10, 6 : 6 + SIDE, 6 : 6 + SIDE], np.arange(10), sought=True)
    index = index_points(there, np.random.default_rng(0))
    words = sought.words @ index.basis
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    mine, theirs, _ = _pairs(index, words)
    full = set(zip(*np.nonzero(words @ index.points.words.T > 0.95), strict=True))
    assert len(full) > 50
    assert len(full - set(zip(mine, theirs, strict=True))) < 0.05 * len(full)


def test_of_many_twins_a_few_are_named():
    there = np.repeat(scenes(1, 8)[:, :SIDE, :SIDE], 30, axis=0)
    found = candidates(there, there[:2])
    assert np.bincount(found.first)[30:].tolist() == [PARTNERS, PARTNERS]


def test_nearest_cells_come_in_order_of_likeness():
    cells = np.eye(4, dtype=np.float32)
    assert _nearest(np.array([[0.1, 0.7, 0.2, 0.4]], np.float32), cells, 3).tolist() == [[1, 3, 2]]


def test_candidates_are_put_together_in_order():
    found = candidates(scenes(9, 5)[:, :SIDE, :SIDE], scenes(9, 5)[:2, :SIDE, :SIDE])
    both = join([found, found])
    assert len(both) == 2 * len(found) > 0
    assert np.array_equal(both.first[: len(found)], found.first)
