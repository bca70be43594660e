"""Occlusion maps worked by hand."""

import numpy as np
import pytest

from mammoscope.read.occlusion import occlusion_map

PART = (slice(4, 12), slice(0, 8))


def test_each_patch_loses_what_it_holds():
    image = np.zeros((16, 16), np.float32)
    image[4:8, 0:4] = 3.0
    image[8:12, 4:8] = 1.0
    lost = occlusion_map(image, np.zeros_like(image), PART, 4, lambda x: float(x.sum()))
    # 48 of 64 lie in the first patch, 16 in the last.
    assert lost.tolist() == [[0.75, 0.0], [0.0, 0.25]]


def test_a_patch_that_holds_the_score_down_is_negative():
    image = np.ones((16, 16), np.float32)
    image[4:8, 0:4] = -1.0
    lost = occlusion_map(image, np.zeros_like(image), PART, 4, lambda x: float(x.sum()))
    # 240 ones and 16 of minus one make 224; without the patch it is 240.
    assert lost[0, 0] == pytest.approx(-16 / 224)


def test_the_image_is_left_as_it_was_and_the_last_patch_may_be_smaller():
    image = np.ones((16, 16), np.float32)
    lost = occlusion_map(
        image, np.zeros_like(image), (slice(0, 16), slice(0, 10)), 8, lambda x: float(x.sum())
    )
    assert lost.shape == (2, 2)
    assert lost[0].tolist() == [64 / 256, 16 / 256]
    assert (image == 1).all()


def test_without_a_score_nothing_is_lost():
    image = np.ones((16, 16), np.float32)
    assert not occlusion_map(image, image, PART, 4, lambda _: 0.0).any()


@pytest.mark.parametrize(
    ("part", "patch", "words"),
    [
        ((slice(0, 17), slice(0, 4)), 4, "reaches out"),
        ((slice(4, 4), slice(0, 4)), 4, "empty"),
        (PART, 0, "a side of 0"),
    ],
)
def test_impossible_patches_are_refused(part, patch, words):
    image = np.ones((16, 16), np.float32)
    with pytest.raises(ValueError, match=words):
        occlusion_map(image, image, part, patch, lambda _: 1.0)
