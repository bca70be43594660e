"""How places stand out of their surroundings, by hand and against a plain computation."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from mammoscope.models.local_contrast import LEAST_SPREAD, MOST, OUTSIDE, Surroundings, stand_out

NEAR = Surroundings(cell_px=8, square=5)


def picture(rows=256, columns=192, seed=0):
    return np.random.default_rng(seed).uniform(0.2, 0.8, (rows, columns)).astype(np.float32)


def stood_out(image, surroundings=NEAR):
    return stand_out(torch.from_numpy(image)[None, None], surroundings)[0, 0].numpy()


def test_an_even_ground_does_not_stand_out():
    assert np.abs(stood_out(np.full((128, 128), 0.4, np.float32))).max() < 1e-4


def test_it_is_the_distance_from_the_weighted_mean_in_weighted_deviations():
    image = picture()
    # Cells of 8 pixels, two averages over 5 x 5 of them: a kernel over cells by hand.
    cells = image.reshape(32, 8, 24, 8)
    kernel = np.convolve(np.ones(5) / 5, np.ones(5) / 5)
    mean, square = (
        ndimage.convolve(part.mean(axis=(1, 3)), np.outer(kernel, kernel))
        for part in (cells, cells**2)
    )
    spread = np.sqrt(square - mean**2) + LEAST_SPREAD
    # Four pixels about the corner where four cells meet see the cells' average.
    row, column = 16, 12
    place = np.s_[row * 8 - 1 : row * 8 + 1, column * 8 - 1 : column * 8 + 1]
    meeting = np.s_[row - 1 : row + 1, column - 1 : column + 1]
    expected = (image[place].mean() - mean[meeting].mean()) / spread[meeting].mean()
    assert stood_out(image)[place].mean() == pytest.approx(expected, abs=2e-2)


@pytest.mark.parametrize(("gain", "shift"), [(0.5, 0.1), (0.9, -0.1), (1.0, 0.15)])
def test_gain_and_shift_of_the_greys_change_little(gain, shift):
    image = picture()
    changed = stood_out(gain * image + shift)
    assert np.corrcoef(changed.ravel(), stood_out(image).ravel())[0, 1] > 0.999
    # The least spread takes from a fainter picture what it takes for noise.
    assert np.ptp(changed) == pytest.approx(np.ptp(stood_out(image)), rel=0.2)


def test_black_outside_the_breast_does_not_change_what_is_inside():
    wide = picture(256, 256)
    narrow = wide.copy()
    narrow[:, 128:] = 0
    inside, whole = stood_out(narrow), stood_out(wide)
    assert (inside[:, 128:] == OUTSIDE).all()
    # Next to the edge the mean is one of half as many places, and never one of black ones.
    assert np.abs(inside[:, :128] - whole[:, :128]).max() < 0.3
    np.testing.assert_allclose(inside[:, :64], whole[:, :64], atol=1e-5)


def test_a_bright_spot_is_bounded_and_all_is_finite():
    image = np.zeros((128, 128), np.float32)
    image[:, :64] = 0.3
    image[60, 20] = 1.0
    found = stood_out(image)
    assert np.isfinite(found).all()
    assert found[60, 20] == MOST
    assert np.abs(found).max() <= MOST
