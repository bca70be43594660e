"""Changes of a batch: exact where they can be, right where they are resampled."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from mammoscope.training.augment import AugmentSettings, Draws, apply, draw

OFF = {"flip_horizontal": 0.0, "flip_vertical": 0.0}
SIDE = 40


def some_tiles(count=3, side=SIDE, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((count, 1, side, side), np.float32))


def smooth_tile(side=SIDE):
    y, x = np.mgrid[0:side, 0:side] / side
    tile = 0.3 + 0.2 * np.sin(5 * x) * np.cos(4 * y) + 0.2 * x
    return torch.from_numpy(tile.astype(np.float32))[None, None]


def changed(images, seed=0, **settings):
    rng = np.random.default_rng(seed)
    draws = draw(AugmentSettings(**{**OFF, **settings}), len(images), images.shape[-1], rng)
    return apply(images, draws)


def drawn(**parts):
    still = torch.zeros(1, dtype=torch.bool)
    return Draws(**{"horizontal": still, "vertical": still, **parts})


def moved(angle=0.0, x=0.0, y=0.0, size=1.0):
    cosine, sine = np.cos(np.deg2rad(angle)) / size, np.sin(np.deg2rad(angle)) / size
    matrix = [[cosine, -sine, x], [sine, cosine, y]]
    return drawn(affine=torch.tensor([matrix], dtype=torch.float32))


def test_what_is_switched_off_leaves_every_bit():
    images = some_tiles()
    assert torch.equal(changed(images), images)


def test_flips_are_those_of_numpy_and_not_shifted():
    images = some_tiles(2)
    flags = torch.tensor([True, False])
    found = apply(images, Draws(horizontal=flags, vertical=~flags))
    np.testing.assert_array_equal(found[0, 0], np.fliplr(images[0, 0]))
    np.testing.assert_array_equal(found[1, 0], np.flipud(images[1, 0]))


def test_quarter_turns_are_those_of_numpy():
    images = some_tiles(4)
    kept = images.clone()
    found = apply(
        images,
        Draws(horizontal=torch.zeros(4) > 0, vertical=torch.zeros(4) > 0, turns=torch.arange(4)),
    )
    for count in range(4):
        np.testing.assert_array_equal(found[count, 0], np.rot90(images[count, 0], count))
    assert torch.equal(images, kept), "the batch that was given must stay as it is"


@given(seed=st.integers(0, 2**32 - 1), side=st.integers(1, 9))
def test_flips_and_turns_only_move_pixels(seed, side):
    images = some_tiles(4, side, seed % 1000)
    found = changed(images, seed, flip_horizontal=0.5, flip_vertical=0.5, quarter_turns=True)
    for before, after in zip(images, found, strict=True):
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)


def test_about_half_of_the_tiles_are_mirrored_each_way_apart_from_the_other():
    draws = draw(AugmentSettings(), 4000, 8, np.random.default_rng(1))
    both = (draws.horizontal & draws.vertical).double().mean()
    assert draws.horizontal.double().mean() == pytest.approx(0.5, abs=0.04)
    assert draws.vertical.double().mean() == pytest.approx(0.5, abs=0.04)
    assert both == pytest.approx(0.25, abs=0.04)


def test_the_same_generator_gives_the_same_batch_and_another_another():
    images = some_tiles()
    every = {
        "flip_horizontal": 0.5,
        "quarter_turns": True,
        "rotate_degrees": 20,
        "scale": 0.2,
        "shift": 0.1,
        "elastic_px": 1,
        "contrast": 0.3,
        "gain": 0.2,
        "brightness": 0.1,
        "blur_px": 1,
        "noise": 0.05,
    }
    assert torch.equal(changed(images, 3, **every), changed(images, 3, **every))
    assert not torch.equal(changed(images, 3, **every), changed(images, 4, **every))


def test_switching_one_part_on_leaves_the_others_as_they_were_drawn():
    few = draw(AugmentSettings(gain=0.3), 5, 8, np.random.default_rng(2))
    more = draw(AugmentSettings(gain=0.3, rotate_degrees=9), 5, 8, np.random.default_rng(2))
    assert torch.equal(few.gain, more.gain)
    assert torch.equal(few.horizontal, more.horizontal)


def test_a_free_turn_by_90_degrees_is_a_quarter_turn():
    image = some_tiles(1)
    for angle, count in ((90, 1), (180, 2), (-90, 3)):
        np.testing.assert_allclose(
            apply(image, moved(angle))[0, 0], np.rot90(image[0, 0], count), atol=1e-4
        )


def test_a_shift_by_whole_pixels_moves_them():
    image = some_tiles(1)
    # 3 pixels of 40 are 6/40 of a side of 2: what is shown comes from 3 pixels further right.
    found = apply(image, moved(x=2 * 3 / SIDE))
    np.testing.assert_allclose(found[0, 0, :, :-3], image[0, 0, :, 3:], atol=1e-5)


def test_twice_the_size_shows_the_middle_half():
    image = smooth_tile()
    found = apply(image, moved(size=2.0))
    inner = image[0, 0, 10:30, 10:30]
    shown = found[0, 0].reshape(20, 2, 20, 2).mean(dim=(1, 3))
    np.testing.assert_allclose(shown, inner, atol=0.01)


def test_beyond_the_edge_a_tile_goes_on_as_its_mirror_image():
    image = some_tiles(1)
    found = apply(image, moved(x=2 * 4 / SIDE))
    np.testing.assert_allclose(found[0, 0, :, -4:], image[0, 0, :, -4:].flip(-1), atol=1e-5)


def test_nothing_turns_black_at_the_corners():
    image = torch.full((8, 1, SIDE, SIDE), 0.7)
    found = changed(image, rotate_degrees=180, scale=0.5, shift=0.3, elastic_px=2)
    torch.testing.assert_close(found, image)


def test_a_turn_and_its_opposite_leave_the_middle():
    image = smooth_tile()
    back = apply(apply(image, moved(25)), moved(-25))
    middle = slice(12, 28)
    np.testing.assert_allclose(back[0, 0, middle, middle], image[0, 0, middle, middle], atol=0.01)


def test_an_elastic_shift_of_one_everywhere_is_a_shift():
    image = some_tiles(1)
    shift = torch.zeros(1, 2, 6, 6)
    shift[:, 0] = 2
    found = apply(image, drawn(elastic=shift))
    np.testing.assert_allclose(found[0, 0, :, :-2], image[0, 0, :, 2:], atol=1e-5)


def test_greys_change_by_contrast_then_gain_then_brightness():
    image = torch.tensor([[0.2, 0.4], [0.6, 0.4]]).reshape(1, 1, 2, 2)
    found = apply(
        image,
        drawn(
            contrast=torch.tensor([2.0]), gain=torch.tensor([0.5]), brightness=torch.tensor([0.1])
        ),
    )
    # The mean is .4: contrast gives 0, .4, .8, .4; then halves and a tenth.
    expected = torch.tensor([[0.1, 0.3], [0.5, 0.3]]).reshape(1, 1, 2, 2)
    torch.testing.assert_close(found, expected)


def test_greys_stay_between_black_and_white():
    found = changed(some_tiles(20), contrast=2, gain=1, brightness=0.5, noise=0.5)
    assert found.min() == 0.0
    assert found.max() == 1.0


def test_a_blur_is_the_gaussian_of_scipy():
    images = some_tiles(2)
    found = apply(images, drawn(blur_px=torch.tensor([1.5, 0.8])))
    for image, blurred, deviation in zip(images, found, (1.5, 0.8), strict=True):
        # torch's "reflect" is scipy's "mirror"; 5 is the reach of the wider one, 3 deviations.
        expected = ndimage.gaussian_filter(image[0].double(), deviation, mode="mirror", radius=5)
        np.testing.assert_allclose(blurred[0], expected, atol=1e-5)


def test_noise_has_the_deviation_drawn_and_no_mean():
    image = torch.full((1, 1, 200, 200), 0.5)
    found = apply(image, drawn(noise=torch.tensor([0.05]), noise_seed=7)) - image
    assert found.std() == pytest.approx(0.05, rel=0.03)
    assert abs(found.mean()) < 0.001


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("flip_vertical", 1.5),
        ("scale", 2),
        ("shift", -0.1),
        ("rotate_degrees", 200),
        ("noise", -1),
        ("elastic_px", -1),
    ],
)
def test_ranges_that_make_no_sense_are_refused(key, value):
    with pytest.raises(ValueError, match=key):
        AugmentSettings(**{key: value})
