"""Statistics of a scan: worked by hand on made breasts."""

import numpy as np
import pytest

from mammoscope.core.errors import ScanError, SpacingError
from mammoscope.scans.domain_statistics import NAMES, statistics_of

SPACING = (0.4, 0.4)


def made(wall="left"):
    """A half-ellipse 160 mm high and 80 mm wide, brighter inside, on a frame of 240 x 180 mm."""
    row, column = np.mgrid[:600, :450]
    radius = np.hypot((row - 300) / 200, column / 200)
    image = np.where(radius < 1, 60 + 120 * np.clip(1.2 - radius, 0, 1), 4)
    image += np.random.default_rng(0).normal(0, 1, image.shape)
    image = np.clip(image, 0, 255).astype(np.uint8)
    return image if wall == "left" else np.ascontiguousarray(image[:, ::-1])


def named(image, spacing=SPACING):
    return dict(zip(NAMES, statistics_of(image, spacing).values, strict=True))


def test_every_statistic_has_one_name_and_is_a_number():
    values = statistics_of(made(), SPACING).values
    assert values.shape == (len(NAMES),) == (len(set(NAMES)),)
    assert np.isfinite(values).all()


def test_sizes_are_those_in_millimetres():
    found = named(made())
    assert np.exp(found["frame height"]) == pytest.approx(240, abs=1)
    assert np.exp(found["frame width"]) == pytest.approx(180, abs=1)
    assert np.exp(found["breast height"]) == pytest.approx(160, abs=4)
    assert np.exp(found["breast width"]) == pytest.approx(80, abs=3)
    assert np.exp(found["breast area"]) == pytest.approx(np.pi / 2 * 80 * 80, rel=0.05)
    assert found["fullness of the outline"] == pytest.approx(1, abs=0.01)


def test_a_spacing_twice_as_large_makes_everything_twice_as_large():
    small, large = named(made()), named(made(), (0.8, 0.8))
    for name in ("frame height", "breast height", "breast width"):
        assert large[name] - small[name] == pytest.approx(np.log(2), abs=0.05)


def test_a_mirrored_scan_has_the_same_statistics_and_the_other_wall():
    left, right = statistics_of(made(), SPACING), statistics_of(made("right"), SPACING)
    assert left.wall_is_left
    assert not right.wall_is_left
    # Resampling drops a rest at the far edge, which is another one in the mirror.
    assert right.values == pytest.approx(left.values, abs=0.12)


def test_a_breast_on_its_side_has_its_wall_at_the_top_or_bottom():
    upright, turned = named(made()), named(np.rot90(made()))
    assert upright["wall side"] > 0.9 > 0.4 > upright["bottom side"]
    assert max(turned["top side"], turned["bottom side"]) > 0.9


def test_clipping_the_brightest_half_is_seen_as_saturation():
    image = made()
    clipped = np.minimum(image, np.percentile(image[image > 30], 50))
    # The statistic is the root of the share, and the smooth made breast has a flat middle itself.
    assert named(clipped)["saturated"] > 0.65
    assert named(clipped)["saturated"] > named(image)["saturated"] + 0.15


def test_air_that_is_bright_is_measured_as_bright():
    # 4 of 255 before, 110 of about 200 after, with a corner that is black.
    assert named(made())["middle of the air"] < 0.05
    lifted = np.where(made() < 30, 110, made())
    lifted[:20, -20:] = 0
    assert named(lifted)["middle of the air"] > 0.4


def test_a_smooth_bright_dome_is_the_smooth_area():
    image = made().astype(np.float32)
    rng = np.random.default_rng(1)
    image += rng.normal(0, 25, image.shape) * (image > 30)
    row, column = np.mgrid[:600, :450]
    dome = np.hypot(row - 300, column - 90) < 75
    image[dome] = 230
    found, without = named(image), named(np.where(dome, 150, image) + rng.normal(0, 25, dome.shape))
    area = np.pi * 30**2 / 1000
    assert found["smooth bright area"] == pytest.approx(area, rel=0.3)
    assert found["roundness of the smooth area"] > 0.9
    assert without["smooth bright area"] < area / 4


def test_a_strip_of_light_box_is_a_bright_frame_of_its_width():
    image = made()
    image[-50:] = 255
    # The root of 20 mm; a pixel of the grid is 0.8 mm.
    assert named(image)["bright frame"] == pytest.approx(np.sqrt(20), abs=0.2)


def test_an_empty_picture_has_no_breast():
    with pytest.raises(ScanError, match="one grey level"):
        statistics_of(np.full((600, 450), 7, np.uint8), SPACING)


def test_an_impossible_spacing_is_refused():
    with pytest.raises(SpacingError, match="not one of a mammogram"):
        statistics_of(made(), (5.0, 5.0))
