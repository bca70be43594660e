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
    basis_of,
    index_points,
    join,
    match_points,
    narrowed,
)
from mammoscope.tiles.audit.points import FORMS, describe, turned


def scenes(count, seed):
    noise = np.random.default_rng(seed).normal(size=(count, 100, 100))
    return (6 * gaussian_filter(noise, (0, 1.5, 1.5))).astype(np.float32)


def candidates(there, sought):
    index = indexed(there, np.zeros(len(there), np.intp))
    sought_points = describe(sought, np.arange(len(sought)) + len(there), sought=True)
    return match_points(index, narrowed(sought_points, index.basis))


def indexed(there, groups):
    points = describe(there, np.arange(len(there)), sought=False)
    basis = basis_of(points, np.random.default_rng(0))
    return index_points(
        narrowed(points, basis), groups[points.picture], basis, np.random.default_rng(0)
    )


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
    index = indexed(scene[:, :SIDE, :SIDE], np.zeros(60, np.intp))
    sought = describe(scene[:10, 6 : 6 + SIDE, 6 : 6 + SIDE], np.arange(10), sought=True)
    words = sought.words @ index.basis
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    mine, theirs, _ = _pairs(index, words, above=-1)
    full = set(zip(*np.nonzero(words @ index.points.words.T > 0.95), strict=True))
    assert len(full) > 50
    assert len(full - set(zip(mine, theirs, strict=True))) < 0.05 * len(full)


def test_comparing_in_blocks_finds_the_same_pairs(monkeypatch):
    there = np.repeat(scenes(6, 4)[:, :SIDE, :SIDE], 9, axis=0)
    index = indexed(there, np.zeros(len(there), np.intp))
    words = narrowed(describe(there[::9], np.arange(6), sought=True), index.basis).words
    whole = _pairs(index, words, above=-1)
    monkeypatch.setattr("mammoscope.tiles.audit.match.LARGEST", 50)
    blocks = _pairs(index, words, above=-1)
    assert len(whole[0]) > 100
    # Products of other shapes round otherwise: equally alike pairs may change places.
    assert np.allclose(np.sort(whole[2]), np.sort(blocks[2]), atol=1e-5)
    assert np.array_equal(np.bincount(whole[0]), np.bincount(blocks[0]))


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


def test_only_pictures_of_groups_above_are_compared():
    there = np.repeat(scenes(1, 8)[:, :SIDE, :SIDE], 9, axis=0)
    index = indexed(there, np.arange(9) % 3)
    sought = narrowed(describe(there[:1], np.array([9]), sought=True), index.basis)
    assert {p % 3 for p in match_points(index, sought, above=0).second.tolist()} == {1, 2}
    assert {p % 3 for p in match_points(index, sought, above=1).second.tolist()} == {2}
    assert len(match_points(index, sought, above=2)) == 0
