"""The one road from a scan to a network's input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.contract import InputSpec
from mammoscope.core.errors import ScanError, ShapeError, SpacingError, UnknownNameError
from mammoscope.core.geometry import Box
from mammoscope.scans.prepare import prepare, resample

GREYS = {"low": 2.0, "high": 99.5, "middle": 0.5, "bend": 2.5}
SPEC = InputSpec(spacing_mm=0.3, grey_rule="breast-percentiles", grey_numbers=GREYS)


def make_breast(rows=900, columns=600, *, wall="left", dtype=np.uint16):
    """Half an ellipse of tissue on a dark film, brighter towards the chest wall."""
    row, column = np.mgrid[:rows, :columns]
    inside = ((row - rows / 2) / (0.4 * rows)) ** 2 + (column / (0.7 * columns)) ** 2 < 1
    image = np.where(inside, 20000 + 10000 * (1 - column / columns), 500).astype(dtype)
    return image if wall == "left" else image[:, ::-1].copy()


def test_input_is_padded_to_the_contracts_multiple_and_stays_in_its_range():
    prepared = prepare(SPEC, make_breast(), (0.2, 0.2))
    assert all(side % 32 == 0 for side in prepared.image.shape)
    assert prepared.image.min() == 0
    assert 0.9 < prepared.image.max() <= 1
    assert prepared.image.dtype == np.float32


@pytest.mark.parametrize("ends", [(0.0, 255.0), (-0.25, 0.75), (-1.0, 1.0)])
def test_what_is_outside_the_breast_is_black_in_every_value_range(ends):
    low, high = ends
    spec = InputSpec(
        spacing_mm=0.3, grey_rule="breast-percentiles", grey_numbers=GREYS, value_range=ends
    )
    unit, other = (prepare(s, make_breast(), (0.2, 0.2)) for s in (SPEC, spec))
    # Both the air of the film and the rows and columns that fill up to the multiple.
    assert (unit.image[:, -1] == 0).all()
    assert (other.image[:, -1] == np.float32(low)).all()
    assert (other.image[unit.image == 0] == np.float32(low)).all()
    np.testing.assert_allclose(other.image, low + unit.image * (high - low), atol=1e-4)


def test_a_right_breast_becomes_the_mirror_image_of_the_left_one():
    left = prepare(SPEC, make_breast(columns=600), (0.3, 0.3))
    right = prepare(SPEC, make_breast(columns=600, wall="right"), (0.3, 0.3))
    assert not left.mirrored
    assert right.mirrored
    np.testing.assert_allclose(left.image, right.image, atol=1e-4)


@pytest.mark.parametrize("wall", ["left", "right"])
@pytest.mark.parametrize("spacing", [(0.2, 0.2), (0.3, 0.19), (0.05, 0.1)])
def test_a_bright_spot_is_found_where_the_way_back_says(wall, spacing):
    image = make_breast(1200, 800, wall=wall).astype(np.float32)
    column = 150 if wall == "left" else 800 - 151
    image[598:603, column - 2 : column + 3] = 200000
    spec = InputSpec(
        spacing_mm=0.3,
        grey_rule="breast-percentiles",
        grey_numbers={**GREYS, "low": 0.0, "high": 100.0, "bend": 1.0},
    )
    prepared = prepare(spec, image, spacing)
    weights = np.where(prepared.image > 0.3, prepared.image, 0)
    row, col = (float((weights * grid).sum() / weights.sum()) for grid in np.indices(weights.shape))
    back = prepared.point_to_scan(row, col)
    # Half an input pixel, in pixels of the scan.
    assert back == pytest.approx((600, column), abs=0.5 * 0.3 / min(spacing))


@given(
    row=st.floats(-50, 2000), column=st.floats(-50, 2000), wall=st.sampled_from(["left", "right"])
)
@settings(max_examples=50, deadline=None)
def test_there_and_back_is_the_same_point(row, column, wall):
    prepared = PREPARED[wall]
    there = prepared.point_from_scan(row, column)
    assert prepared.point_to_scan(*there) == pytest.approx((row, column), abs=1e-6)


PREPARED = {wall: prepare(SPEC, make_breast(wall=wall), (0.25, 0.2)) for wall in ("left", "right")}


@pytest.mark.parametrize("wall", ["left", "right"])
def test_boxes_keep_their_size_in_millimetres_and_their_place(wall):
    prepared = PREPARED[wall]
    box = Box(100, 120, 40, 60)
    moved = prepared.box_from_scan(box)
    assert (moved.height * 0.3, moved.width * 0.3) == pytest.approx((40 * 0.25, 60 * 0.2))
    back = prepared.box_to_scan(moved)
    assert (back.top, back.left, back.height, back.width) == pytest.approx((100, 120, 40, 60))


@pytest.mark.parametrize("wall", ["left", "right"])
def test_to_grid_lays_the_input_back_where_the_scan_shows_it(wall):
    image = make_breast(wall=wall)
    prepared = prepare(SPEC, image, (0.3, 0.3))
    whole = prepared.to_grid(prepared.breast)
    assert whole.shape == prepared.grid_px == image.shape
    agree = (whole == (image > 10000)).mean()
    assert agree > 0.99


def test_resampling_keeps_the_mean_of_what_it_shows():
    image = np.random.default_rng(1).uniform(0, 1000, (600, 300))
    small = resample(image, (0.05, 0.1), 0.3)
    assert small.shape == (100, 100)
    assert small.mean() == pytest.approx(image.mean(), rel=0.01)


def test_resampling_to_the_same_spacing_changes_nothing():
    image = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(resample(image, (0.3, 0.3), 0.3), image)


def test_a_squashed_picture_and_its_original_give_the_same_input():
    # The picture has every second row: its rows are twice as far apart.
    image = make_breast(1200, 600).astype(np.float32)
    squashed = (image[::2] + image[1::2]) / 2
    whole, half = prepare(SPEC, image, (0.1, 0.2)), prepare(SPEC, squashed, (0.2, 0.2))
    assert whole.image.shape == half.image.shape
    assert np.abs(whole.image - half.image).mean() < 0.01


@pytest.mark.parametrize("spacing", [(0.0, 0.2), (0.2, -1.0), (5.0, 5.0), (float("nan"), 0.2)])
def test_an_impossible_spacing_is_refused(spacing):
    with pytest.raises(SpacingError, match="spacing"):
        prepare(SPEC, make_breast(), spacing)


@pytest.mark.parametrize("spacing", [(0.02, 0.02), (1.5, 1.5)])
def test_a_scan_that_would_be_too_small_or_too_large_is_refused(spacing):
    with pytest.raises(SpacingError, match="the scan would be"):
        prepare(SPEC, make_breast(), spacing)


def test_an_array_that_is_no_scan_is_refused():
    with pytest.raises(ShapeError, match="two dimensions"):
        prepare(SPEC, np.zeros((10, 10, 3)), (0.3, 0.3))
    with pytest.raises(ScanError, match="mammogram"):
        prepare(SPEC, np.zeros((500, 500)), (0.3, 0.3))


def test_an_unknown_grey_rule_is_named():
    spec = InputSpec(spacing_mm=0.3, grey_rule="breast-percentile", grey_numbers={})
    with pytest.raises(UnknownNameError, match="breast-percentiles"):
        prepare(spec, make_breast(), (0.3, 0.3))


@given(gain=st.floats(0.1, 50), shift=st.floats(-1000, 1000))
@settings(max_examples=10, deadline=None)
def test_gain_and_offset_of_the_scanner_do_not_matter(gain, shift):
    image = make_breast(400, 300).astype(np.float32)
    plain = prepare(SPEC, image, (0.3, 0.3))
    other = prepare(SPEC, image * gain + shift, (0.3, 0.3))
    np.testing.assert_allclose(plain.image, other.image, atol=2e-3)
