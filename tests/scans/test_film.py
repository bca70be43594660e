"""Strips at the frame and white patches: made films with known ones, and real films."""

import numpy as np
import pytest

from mammoscope.core.geometry import Box
from mammoscope.scans.film import Margins, find_borders, find_white_patches


@pytest.fixture
def film():
    """A dim film with noise and a bright breast that fades towards its edge, chest wall left."""
    generator = np.random.default_rng(4)
    rows, columns = np.mgrid[:300, :200]
    far = np.hypot((rows - 150) / 110, columns / 120)
    image = 30 + 150 * np.clip(1 - far, 0, 1) + generator.normal(0, 2, (300, 200))
    return np.clip(image, 1, 255).astype(np.uint8)


def test_a_film_without_strips_has_none(film):
    assert find_borders(film) == Margins(0, 0, 0, 0)
    assert find_white_patches(film) == ()


def test_bright_strips_are_found_at_every_side(film):
    film[:, :7], film[:, -5:], film[:4], film[-9:] = 255, 250, 252, 255
    assert find_borders(film) == Margins(top=4, bottom=9, left=7, right=5)


def test_wide_strips_at_the_sides_do_not_hide_one_above(film):
    film[:, :45], film[:, -45:], film[:4] = 255, 255, 255
    assert find_borders(film) == Margins(top=4, bottom=0, left=45, right=45)


def test_padding_is_found_and_a_bright_strip_inside_it(film):
    film[:, -30:-20] = 255
    film[:, -20:] = 0
    assert find_borders(film).right == 30


def test_of_a_strip_aslant_the_widest_end_counts(film):
    for row in range(300):
        film[row, : 4 + row // 60] = 255
    # It is 4 to 8 pixels wide; where less than three tenths of a line is left it has petered out.
    assert 7 <= find_borders(film).left <= 8


def test_a_bright_breast_at_the_frame_is_no_strip(film):
    rows, columns = np.mgrid[:300, :200]
    breast = np.hypot((rows - 150) / 150, columns / 160)
    bright = np.clip(255 * (1.4 - breast), 0, 255).astype(np.uint8)
    assert find_borders(bright) == Margins(0, 0, 0, 0)


def test_an_image_of_one_level_has_no_strips():
    assert find_borders(np.full((20, 30), 7, dtype=np.uint16)) == Margins(0, 0, 0, 0)
    assert find_white_patches(np.full((20, 30), 7, dtype=np.uint16)) == ()


def test_scale_and_type_do_not_matter(film):
    film[:, :7] = 255
    assert find_borders(film.astype(np.float32) / 255) == find_borders(film)
    assert find_borders(film.astype(np.uint16) * 257) == find_borders(film)


def test_white_blocks_are_found_with_their_boxes(film):
    film[20:50, 140:180] = 255
    film[250:280, 100:160] = 255
    assert find_white_patches(film) == (Box(20, 140, 30, 40), Box(250, 100, 30, 60))


def test_a_block_aslant_is_found(film):
    rows, columns = np.mgrid[:300, :200]
    film[np.abs(rows - 40) + np.abs(columns - 160) <= 20] = 255
    assert find_white_patches(film) == (Box(20, 140, 41, 41),)


def test_saturated_tissue_that_fades_is_no_patch(film):
    rows, columns = np.mgrid[:300, :200]
    glow = np.clip(400 - 2.0 * np.hypot(rows - 150, columns - 100), 0, 255)
    assert find_white_patches(np.maximum(film, glow.astype(np.uint8))) == ()


def test_strips_and_thin_lines_are_no_patches(film):
    film[:, :7] = 255
    film[100:103, 50:150] = 255
    assert find_white_patches(film) == ()


def test_an_array_that_is_no_image_is_refused():
    with pytest.raises(ValueError, match="two dimensions"):
        find_borders(np.zeros((2, 3, 4)))


@pytest.mark.real
def test_the_padding_of_mini_mias_is_found(shared_data):
    from mammoscope.formats.raster import read_raster

    scans = shared_data / "mini-mias" / "scans"
    # mdb253 is a film of 2,600 x 4,320 pixels, so 650 of the 1,024 columns show it.
    margins = find_borders(read_raster(scans / "mdb253.png"))
    assert margins.left == pytest.approx(187, abs=3)
    assert margins.right == pytest.approx(187, abs=3)
    # mdb132 has a white strip inside its padding, a fifth of the picture wide.
    assert find_borders(read_raster(scans / "mdb132.png")).right > 200
