"""Pictures of an epoch: kernels on one scale, the worst tiles first."""

import numpy as np
import pytest

from mammoscope.training.epoch_view import (
    GAP_PX,
    KERNEL_PX,
    EpochView,
    kernels_picture,
    worst_places,
    worst_sheet,
)


def make_view(**changes):
    values = {
        "kernels": np.zeros((4, 3, 3), np.float32),
        "scores": np.array([0.1, 0.9]),
        "truth": np.array([True, True]),
        "worst_pixels": np.zeros((1, 20, 20), np.uint8),
        "worst_titles": ("MASS, score 0.10",),
    }
    return EpochView(**{**values, **changes})


def test_the_worst_tiles_come_first_and_right_ones_do_not_come():
    scores = np.array([0.9, 0.2, 0.6, 0.01, 0.5])
    truth = np.array([False, False, False, True, True])
    # Wrong by 0.9, 0.2, 0.6, 0.99 and 0.5: at one half a tile counts as wrong.
    assert worst_places(scores, truth).tolist() == [3, 0, 2, 4]
    assert worst_places(scores, truth, most=2).tolist() == [3, 0]


def test_tiles_that_are_equally_wrong_keep_their_order():
    assert worst_places(np.ones(5), np.zeros(5, bool)).tolist() == [0, 1, 2, 3, 4]


def test_kernels_share_one_scale_with_zero_in_the_middle():
    kernels = np.zeros((2, 3, 3), np.float32)
    kernels[0, 0, 0], kernels[1, 0, 0], kernels[1, 2, 2] = 2.0, -2.0, 1.0
    picture = kernels_picture(kernels)
    cell = KERNEL_PX // 3
    assert picture.shape == (KERNEL_PX, 2 * KERNEL_PX + GAP_PX)
    assert picture[0, 0] == 255
    assert picture[cell, cell] == 128
    second = KERNEL_PX + GAP_PX
    assert picture[0, second] == 1
    assert picture[-1, -1] == round(128 + 63.5)
    assert (picture[:, KERNEL_PX:second] == 255).all()


def test_kernels_of_nothing_but_zeros_or_with_no_number_can_be_drawn():
    assert (kernels_picture(np.zeros((1, 3, 3), np.float32)) == 128).all()
    assert kernels_picture(np.full((1, 3, 3), np.nan, np.float32)).max() == 128


def test_nine_kernels_take_two_rows():
    rows, columns = kernels_picture(np.zeros((9, 3, 3), np.float32)).shape
    assert rows == 2 * KERNEL_PX + GAP_PX
    assert columns == 8 * (KERNEL_PX + GAP_PX) - GAP_PX


def test_a_sheet_shows_each_tile_above_its_title():
    view = make_view(
        worst_pixels=np.full((2, 30, 30), 77, np.uint8), worst_titles=("NORMAL 0.99", "a " * 99)
    )
    sheet = worst_sheet(view)
    assert (sheet[:150, :150] == 77).all()
    assert sheet[150:, :150].min() < 128
    assert (sheet[:, 150 : 150 + GAP_PX] == 255).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kernels": np.zeros((4, 1, 3, 3), np.float32)}, "kernels must be"),
        ({"truth": np.array([True])}, "scores"),
        ({"worst_titles": ()}, "as many titles"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        make_view(**changes)
