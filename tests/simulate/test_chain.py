"""Outlines of masks: closed chain codes that enclose the mask again, pixel for pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from mammoscope.formats.chain_code import digits_along
from mammoscope.formats.masks import mask_of
from mammoscope.simulate.chain import one_region, outline_of

EIGHT = np.ones((3, 3), bool)
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)).filter(
    np.any
)


def drawn(*rows):
    return np.array([[cell == "#" for cell in row] for row in rows])


def test_a_square_of_four_pixels_is_gone_round_clockwise():
    outline = outline_of(drawn("....", ".##.", ".##.", "...."))
    assert outline.points.tolist() == [[1, 1], [1, 2], [2, 2], [2, 1], [1, 1]]
    assert digits_along(outline.points).tolist() == [2, 4, 6, 0]


def test_a_single_pixel_is_an_outline_of_one_point():
    assert outline_of(drawn("..", ".#")).points.tolist() == [[1, 1]]


def test_a_line_is_gone_along_and_back():
    assert outline_of(drawn("###")).points.tolist() == [[0, 0], [0, 1], [0, 2], [0, 1], [0, 0]]


def test_an_empty_region_has_no_outline():
    with pytest.raises(ValueError, match="empty region"):
        outline_of(np.zeros((3, 3), bool))


def test_a_hole_is_filled():
    region = one_region(drawn(".###.", ".#.#.", ".###."))
    assert np.array_equal(region, drawn(".###.", ".###.", ".###."))


def test_parts_of_a_cluster_are_joined_by_what_a_line_round_them_encloses():
    mask = np.zeros((9, 9), bool)
    for row, column in ((0, 0), (0, 8), (8, 0), (8, 8)):
        mask[row, column] = True
    assert one_region(mask).all()


def test_a_crumb_beside_a_large_part_is_left_out():
    mask = np.zeros((20, 30), bool)
    mask[5:15, 5:15] = True
    mask[0, 29] = True
    assert one_region(mask)[0, 29] == np.False_
    assert one_region(mask).sum() == 100


def test_an_outline_meets_its_start_only_at_its_end_where_the_topmost_pixel_is_a_bridge():
    # Gone round from its topmost pixel, this region would meet that pixel twice.
    outline = outline_of(drawn("...#...", "..#.#..", ".##.##."))
    passes = (outline.points == outline.points[0]).all(axis=1)
    assert np.flatnonzero(passes).tolist() == [0, len(outline.points) - 1]


@given(MASKS)
def test_an_outline_encloses_its_region_exactly(mask):
    region = one_region(mask)
    assert np.array_equal(mask_of(outline_of(region), region.shape), region)


@given(MASKS)
def test_an_outline_goes_from_neighbour_to_neighbour_and_closes(mask):
    points = outline_of(one_region(mask)).points
    assert (points[0] == points[-1]).all()
    assert (np.abs(np.diff(points, axis=0)).max(axis=1, initial=1) == 1).all()


@given(MASKS)
def test_a_region_is_one_part_without_holes_and_holds_most_of_its_mask(mask):
    region = one_region(mask)
    assert ndimage.label(region, EIGHT)[1] == 1
    assert np.array_equal(ndimage.binary_fill_holes(region), region)
    assert (region & mask).sum() >= 0.9 * mask.sum()


@given(st.integers(2, 40), st.integers(2, 40))
def test_points_on_one_slanting_line_become_one_region(rows, columns):
    mask = np.zeros((rows, columns), bool)
    for step in range(0, min(rows, columns), 2):
        mask[step, step] = True
    assert ndimage.label(one_region(mask), EIGHT)[1] == 1
