"""Intersection over union of every form, by hand."""

from math import isnan, pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import jaccard_score

from mammoscope.core.geometry import Box, Circle, MaskFile, Outline
from mammoscope.evaluation.overlap import best_overlaps, mask_iou, overlap_figures, roi_iou

SHAPE = (100, 100)
SQUARE = Box(10, 10, 20, 20)


def test_boxes_by_hand():
    # Moved by half a side: 200 shared of 600.
    assert roi_iou(SQUARE, Box(20, 10, 20, 20), SHAPE) == pytest.approx(1 / 3)
    assert roi_iou(SQUARE, Box(50, 50, 5, 5), SHAPE) == 0.0


def test_an_outline_of_a_box_is_the_box():
    corners = Outline(np.array([[10, 10], [10, 29], [29, 29], [29, 10]], np.float32))
    assert roi_iou(corners, SQUARE, SHAPE) == 1.0


def test_a_circle_fills_a_quarter_pi_of_its_box():
    circle = Circle(50, 50, 40)
    assert roi_iou(circle, circle.box, SHAPE) == pytest.approx(pi / 4, abs=0.01)


def test_a_mask_in_a_file_is_opened(tmp_path):
    pixels = np.zeros(SHAPE, np.uint8)
    pixels[10:30, 10:20] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    assert roi_iou(MaskFile(tmp_path / "mask.png"), SQUARE, SHAPE) == 0.5


def test_areas_outside_the_scan_cover_nothing():
    assert roi_iou(Circle(-50, -50, 5), Circle(-50, -50, 5), SHAPE) == 0.0


@given(st.integers(0, 1000))
def test_masks_are_scikit_learns(seed):
    first, second = np.random.default_rng(seed).random((2, 8, 9)) < 0.4
    assert mask_iou(first, second) == pytest.approx(jaccard_score(first.ravel(), second.ravel()))
    assert mask_iou(first, second) == mask_iou(second, first)


def test_two_empty_masks_have_no_overlap_to_speak_of():
    empty = np.zeros((3, 3), bool)
    assert isnan(mask_iou(empty, empty))
    assert mask_iou(empty, ~empty) == 0.0


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        mask_iou(np.zeros((2, 2), bool), np.zeros((2, 3), bool))
    with pytest.raises(ValueError, match="threshold"):
        mask_iou(np.zeros((2, 2)), np.zeros((2, 2), bool))


def test_no_mark_covers_two_findings():
    near = Box(10, 10, 20, 25)
    # One mark lies on both findings; it goes to the one that it covers better.
    assert best_overlaps([near, SQUARE], [SQUARE], SHAPE).tolist() == [0.0, 1.0]
    assert best_overlaps([near, SQUARE], [SQUARE, near], SHAPE).tolist() == [1.0, 1.0]
    # The second best mark is left for the other.
    both = best_overlaps([near, SQUARE], [SQUARE, Box(10, 10, 20, 15)], SHAPE)
    assert both.tolist() == pytest.approx([0.6, 1.0])


def test_without_marks_or_findings_nothing_is_covered():
    assert best_overlaps([SQUARE], [], SHAPE).tolist() == [0.0]
    assert best_overlaps([], [SQUARE], SHAPE).tolist() == []


def test_figures_are_means_and_shares():
    figures = overlap_figures([0.0, 0.2, 0.5, 0.9], ["a", "a", "b", "c"], resamples=100)
    assert figures["mean_iou"].value == pytest.approx(0.4)
    assert figures["share_iou_0.2"].value == 0.75
    assert figures["share_iou_0.5"].value == 0.5
    assert (figures["mean_iou"].n, figures["mean_iou"].n_patients) == (4, 3)
    assert figures["mean_iou"].low <= 0.4 <= figures["mean_iou"].high


@pytest.mark.parametrize("wrong", [[0.1, np.nan], [0.1, 1.1], [0.1]])
def test_overlaps_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match=r"patient|lies in"):
        overlap_figures(wrong, ["a", "b"])
