"""Digests and textures: what must not change them, and what must."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.errors import CorruptFileError
from mammoscope.tiles.audit.hashes import (
    SIDE,
    STEPS,
    beside_bare_film,
    digest,
    full_scale,
    hash_pictures,
    shrink,
    texture_of,
)

RNG = np.random.default_rng(4)
PICTURE = np.kron(RNG.integers(20, 220, (30, 30)), np.ones((5, 5))).astype(np.uint8)


def texture(image):
    return texture_of(shrink(image))


def test_shrinking_takes_the_mean_of_what_each_pixel_covers():
    image = RNG.integers(0, 256, (128, 192)).astype(np.uint8)
    plain = image.reshape(64, 2, 64, 3).mean(axis=(1, 3))
    assert np.allclose(shrink(image), plain, atol=1e-3)


@given(st.integers(2, 1300), st.integers(2, 1300))
@settings(deadline=None)
def test_a_picture_of_one_grey_level_shrinks_to_that_level_whatever_its_size(rows, columns):
    small = shrink(np.full((rows, columns), 77, np.uint8))
    assert small.shape == (SIDE, SIDE)
    assert np.allclose(small, 77, atol=1e-3)


def test_brightness_and_contrast_leave_the_texture_as_it_is():
    other = (PICTURE.astype(np.uint16) * 3 + 500).astype(np.uint16)
    assert np.allclose(texture(PICTURE), texture(other), atol=1e-3)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_texture_of_a_mirrored_picture_is_the_mirrored_texture(axis):
    assert np.allclose(texture(np.flip(PICTURE, axis)), np.flip(texture(PICTURE), axis), atol=1e-4)


def test_a_film_edge_does_not_flatten_the_tissue_beside_it():
    tissue = PICTURE // 8 + 100
    edged = np.hstack([np.zeros((150, 30), np.uint8), tissue[:, 30:]])
    far = slice(30, None)
    plain, beside = texture(tissue)[:, far], texture(edged)[:, far]
    assert beside.std() > 0.7 * plain.std()


def test_digests_tell_apart_pixels_sizes_and_types():
    image = np.zeros((4, 6), np.uint8)
    others = [image.copy(), image.reshape(6, 4), image.astype(np.uint16), image[:, :3]]
    others[0][0, 0] = 1
    assert len({digest(image), *map(digest, others)}) == 5


def test_a_digest_is_that_of_what_is_seen_not_of_how_it_lies_in_memory():
    assert digest(PICTURE[:, ::2]) == digest(PICTURE[:, ::2].copy())


def test_blank_pictures_are_marked_and_others_keep_their_texture():
    pictures = [np.full((9, 9), 5, np.uint8), PICTURE]
    hashes = hash_pictures(2, pictures.__getitem__)
    assert hashes.blank.tolist() == [True, False]
    assert hashes.shapes.tolist() == [[9, 9], [150, 150]]
    assert (
        np.abs(hashes.textures[1] / STEPS - texture(PICTURE).clip(-3.97, 3.97)).max()
        <= 0.51 / STEPS
    )


def test_what_reading_raises_is_raised():
    def read(position):
        raise CorruptFileError("a.png: damaged; get it again.")

    with pytest.raises(CorruptFileError, match=r"a\.png"):
        hash_pictures(3, read)


def film(breast_columns, letters=False):
    """Make a film of 128 x 128: a breast on the left, black film with two letters on the right."""
    image = RNG.integers(0, 3, (128, 128))
    image[:, :breast_columns] = 90 + RNG.integers(0, 60, (128, breast_columns))
    if letters:
        for left in (90, 104):
            image[20:36, left : left + 8] = 240
    return image.astype(np.uint8)


def bare(image):
    return beside_bare_film(shrink(image), full_scale(image))


def test_letters_on_bare_film_count_as_bare_and_the_breast_does_not():
    # Two pixels of the film to one of the texture; within five of black film nothing counts.
    found = bare(film(60, letters=True))
    assert found[:, 30:].all()
    assert not found[:, :25].any()


def test_tissue_alone_is_never_bare_film_however_dark():
    assert not bare(film(128)).any()
    assert not bare(film(128) // 4).any()


def test_dust_on_black_film_is_bare():
    image = RNG.integers(0, 3, (128, 128)).astype(np.uint8)
    image[40, 40] = image[90, 70] = 60
    assert bare(image).all()


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_bare_film_is_found_in_16_bits_however_many_are_used(bits):
    eight = film(60, letters=True)
    deep = eight.astype(np.uint16) << (bits - 8)
    assert (bare(deep) == bare(eight)).mean() > 0.99


def test_bare_film_is_kept_with_the_textures():
    image = film(60, letters=True)
    hashes = hash_pictures(1, lambda position: image)
    assert np.array_equal(np.unpackbits(hashes.bare[0], axis=-1).astype(bool), bare(image))


def test_a_white_plaque_with_dark_letters_is_an_island_on_bare_film():
    image = film(60)
    image[40:80, 90:110] = 230
    image[50:56, 96:104] = 20
    found = bare(image)
    assert found[:, 30:].all()
    assert not found[:, :25].any()


def plaque():
    """Make black film with a white plaque of 0.127 of its area, and four letters on that."""
    image = RNG.integers(0, 3, (128, 128))
    image[30:82, 30:70] = 230
    for top in (36, 60):
        image[top : top + 10, 36:44] = image[top : top + 10, 54:62] = 20
    return image.astype(np.uint8)


def test_a_plaque_of_more_than_an_eighth_of_the_picture_lies_on_film_too():
    assert bare(plaque()).all()


def test_a_plaque_that_the_border_cuts_lies_on_film_too():
    assert bare(plaque()[34:, :96]).all()


def fading():
    """Make black film with tissue that fades out over 40 pixels, as a breast does."""
    rows, columns = np.indices((128, 128)) - 50
    shade = np.clip(1 - np.hypot(rows, columns) / 45, 0, 1)
    return (RNG.integers(0, 3, (128, 128)) + shade * 180).astype(np.uint8)


def test_tissue_that_fades_out_is_tissue_however_much_film_is_bare():
    image = fading()
    # More than an eighth of the picture and less than a half, as a plaque is.
    assert 0.15 < (image > 16).mean() < 0.45
    assert not bare(image)[20:30, 20:30].any()


def test_a_breast_that_a_films_edge_cuts_is_tissue():
    image = film(50)
    assert not bare(image)[:, :18].any()


def test_lines_too_thin_to_have_an_inside_raise_nothing():
    image = np.zeros((64, 64), np.uint8)
    image[::7] = image[:, :1] = 200
    assert bare(image).any()


@given(
    st.lists(st.tuples(*(st.integers(0, 49),) * 4, st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, 255),
)
def test_small_tiles_of_any_plates_on_film_are_taken_without_a_warning(plates, film_level):
    image = np.full((50, 50), film_level, np.uint8)
    for top, left, bottom, right, level in plates:
        image[min(top, bottom) : max(top, bottom) + 1, min(left, right) : max(left, right) + 1] = (
            level
        )
    hashes = hash_pictures(1, lambda _position: image)
    assert hashes.blank[0] == (image.min() == image.max())
