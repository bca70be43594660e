"""Boxes and circles: answers by hand, and what must hold for any of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.geometry import Box, Circle, Outline, bounding_box, suppress

PLACE = st.integers(-50, 50)
SIDE = st.integers(1, 40)
BOXES = st.builds(Box, PLACE, PLACE, SIDE, SIDE)


def covered(box: Box) -> np.ndarray:
    """The pixels of an integer box, one by one: the slow way to measure overlaps."""
    grid = np.zeros((200, 200), dtype=bool)
    grid[box.top + 60 : box.bottom + 60, box.left + 60 : box.right + 60] = True
    return grid


def test_a_box_knows_its_edges_and_centre():
    box = Box(2, 3, 4, 10)
    assert (box.bottom, box.right) == (6, 13)
    assert box.centre == (4, 8)


@pytest.mark.parametrize(("height", "width"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_a_box_without_area_is_refused(height, width):
    with pytest.raises(ValueError, match="positive height and width"):
        Box(0, 0, height, width)


@pytest.mark.parametrize("radius", [0, -1, float("nan")])
def test_a_circle_without_area_is_refused(radius):
    with pytest.raises(ValueError, match="positive radius"):
        Circle(0, 0, radius)


def test_a_grown_box_keeps_its_centre():
    grown = Box(2, 3, 4, 10).grown(1, 2)
    assert grown == Box(1, 1, 6, 14)
    assert grown.centre == Box(2, 3, 4, 10).centre


def test_a_scaled_box_lies_where_its_corners_go():
    assert Box(2, 3, 4, 10).scaled(0.5, 2) == Box(1, 6, 2, 20)


def test_the_border_of_a_box_belongs_to_it():
    box = Box(0, 0, 2, 3)
    assert box.holds(0, 0)
    assert box.holds(2, 3)
    assert not box.holds(2.01, 1)
    assert not box.holds(1, -0.01)


def test_a_circle_holds_its_border_and_not_its_corners():
    circle = Circle(10, 20, 5)
    assert circle.centre == (10, 20)
    assert circle.holds(13, 24)  # 3, 4, 5
    assert not circle.holds(14, 24)
    assert not circle.holds(5, 15)  # a corner of its box


def test_the_box_of_a_circle_touches_it_on_all_sides():
    assert bounding_box(Circle(10, 20, 5)) == Box(5, 15, 10, 10)


def test_the_box_of_a_box_is_itself():
    assert bounding_box(Box(1, 2, 3, 4)) == Box(1, 2, 3, 4)


def test_iou_of_boxes_that_share_a_third():
    # 2 x 2 boxes shifted by one column: 2 shared of 6 covered.
    assert Box(0, 0, 2, 2).iou(Box(0, 1, 2, 2)) == pytest.approx(2 / 6)


def test_boxes_that_only_touch_share_nothing():
    assert Box(0, 0, 2, 2).iou(Box(0, 2, 2, 2)) == 0
    assert Box(0, 0, 2, 2).iou(Box(2, 0, 2, 2)) == 0


@given(BOXES, BOXES)
def test_iou_is_what_counting_pixels_gives(one, other):
    both, either = covered(one) & covered(other), covered(one) | covered(other)
    assert one.iou(other) == pytest.approx(both.sum() / either.sum())


@given(BOXES, BOXES)
def test_iou_does_not_depend_on_the_order(one, other):
    assert one.iou(other) == other.iou(one)


@given(BOXES, st.sampled_from([0.25, 0.5, 2.0, 4.0]), st.sampled_from([0.125, 1.0, 8.0]))
def test_scaling_back_gives_the_same_box(box, rows, columns):
    assert box.scaled(rows, columns).scaled(1 / rows, 1 / columns) == box


def test_suppression_keeps_the_best_of_each_heap():
    heap = [Box(0, 0, 10, 10), Box(0, 1, 10, 10), Box(50, 50, 10, 10)]
    assert suppress(heap, [0.5, 0.9, 0.1], most_iou=0.3) == [1, 2]


def test_suppression_keeps_boxes_that_overlap_less_than_asked():
    pair = [Box(0, 0, 2, 2), Box(0, 1, 2, 2)]  # iou 1/3
    assert suppress(pair, [0.5, 0.9], most_iou=0.34) == [1, 0]
    assert suppress(pair, [0.5, 0.9], most_iou=0.33) == [1]


def test_suppression_of_nothing_is_nothing():
    assert suppress([], [], most_iou=0.5) == []


def test_equal_scores_keep_the_first_box():
    assert suppress([Box(0, 0, 2, 2), Box(0, 0, 2, 2)], [0.5, 0.5], most_iou=0.5) == [0]


@given(st.lists(st.tuples(BOXES, st.floats(0, 1)), max_size=12), st.floats(0, 1))
def test_no_two_kept_boxes_overlap_too_much(scored, most_iou):
    boxes, scores = [b for b, _ in scored], [s for _, s in scored]
    kept = suppress(boxes, scores, most_iou)
    assert [scores[i] for i in kept] == sorted((scores[i] for i in kept), reverse=True)
    for place, index in enumerate(kept):
        assert all(boxes[index].iou(boxes[other]) <= most_iou for other in kept[:place])
    # A box that went had to give way to a kept one.
    for index in set(range(len(boxes))) - set(kept):
        assert any(boxes[index].iou(boxes[other]) > most_iou for other in kept)


def test_an_outline_is_boxed_with_the_pixels_it_runs_through():
    outline = Outline(np.array([[2, 5], [4, 5], [4, 9]]))
    assert outline.box == Box(2, 5, 3, 5)
    assert bounding_box(outline) == outline.box


def test_outlines_are_equal_by_their_points_and_cores():
    one, two = Outline([(0, 0), (1, 1)]), Outline([(0, 0), (1, 1)])
    assert one == two
    assert hash(one) == hash(two)
    assert repr(one) == repr(two)
    assert one != Outline([(0, 0), (1, 2)])
    assert one != Outline([(0, 0), (1, 1)], cores=(two,))
    assert one != "outline"


def test_an_outline_cannot_be_changed_through_its_points():
    given_points = np.zeros((3, 2), np.float32)
    outline = Outline(given_points)
    given_points[0] = 7
    assert outline.points[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        outline.points[0] = 1


@pytest.mark.parametrize("points", [[], [1, 2], [[1, 2, 3]]])
def test_an_outline_without_points_is_refused(points):
    with pytest.raises(ValueError, match="points of shape"):
        Outline(points)
