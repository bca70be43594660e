"""Signs of single faults: worked by hand on made breasts."""

import numpy as np
import pytest

from mammoscope.scans.domain_signs import SIGNS, signs_of

GRID_MM = 0.8


def breast(muscle=False):
    """A half-ellipse 160 mm high and 80 mm wide in a frame of 240 x 176 mm, with some texture."""
    row, column = np.mgrid[:300, :220]
    mask = np.hypot((row - 150) / 100, column / 100) < 1
    level = np.where(mask, 0.5, 0.0)
    if muscle:
        level[(row - 50) / 60 + column / 45 < 1] += 0.4
    level[mask] += np.random.default_rng(0).normal(0, 0.03, int(mask.sum()))
    return np.where(mask, level, 0.0).astype(np.float32), mask


def named(level, mask):
    return dict(zip(SIGNS, signs_of(level, level, mask, GRID_MM), strict=True))


def test_every_sign_has_one_name_and_is_a_number():
    found = named(*breast())
    assert len(set(SIGNS)) == len(SIGNS) == len(found)
    assert np.isfinite(list(found.values())).all()


def test_a_breast_that_is_the_same_above_and_below_has_the_same_signs_there():
    found = named(*breast())
    for upper, lower in (
        ("width of the upper tenth", "width of the lower tenth"),
        ("width of the upper quarter", "width of the lower quarter"),
        ("gap above", "gap below"),
    ):
        assert found[upper] == pytest.approx(found[lower], abs=0.2)
    assert found["height of the middle"] == pytest.approx(0.5, abs=0.02)
    # The root of 50 rows of 0.8 mm.
    assert found["gap above"] == pytest.approx(np.sqrt(40), abs=0.1)


def test_half_a_turn_exchanges_what_is_above_and_below():
    level, mask = breast(muscle=True)
    upright, turned = named(level, mask), named(level[::-1], mask[::-1])
    assert upright["upper triangle"] > upright["lower triangle"] + 0.1
    assert turned["lower triangle"] == pytest.approx(upright["upper triangle"], abs=1e-6)
    assert turned["slant of the lower edge"] == pytest.approx(
        upright["slant of the upper edge"], abs=1e-6
    )
    assert upright["slant of the upper edge"] > upright["slant of the lower edge"] + 0.1


@pytest.mark.parametrize(
    ("side", "strip"),
    [
        ("wall", np.s_[:, :20]),
        ("far side", np.s_[:, -20:]),
        ("top", np.s_[:20]),
        ("bottom", np.s_[-20:]),
    ],
)
def test_a_white_strip_is_found_at_its_side_with_its_width(side, strip):
    level, mask = breast()
    name = f"white strip at the {side}"
    assert named(level, mask)[name] == 0
    level[strip] = 1.2
    assert named(level, mask)[name] == pytest.approx(4, abs=1e-6)


def test_a_plain_bright_disk_is_the_plain_area_with_its_size_step_and_rim():
    level, mask = breast()
    row, column = np.mgrid[: level.shape[0], : level.shape[1]]
    level[np.hypot(row - 150, column - 45) < 35] = 1.0
    found, without = named(level, mask), named(*breast())
    area = np.pi * (35 * GRID_MM) ** 2 / 1000
    assert found["plain area"] == pytest.approx(np.sqrt(area), rel=0.15)
    assert found["roundness of the plain area"] > 0.95
    # The area is a little wider than the disk, so the step of 0.5 is seen as less.
    assert 0.3 < found["step at the plain area"] <= 0.5
    assert found["rim of the plain area"] > 0.1
    assert without["plain area"] < found["plain area"] / 2


def test_plain_black_within_the_breast_is_the_root_of_its_share():
    level, mask = breast()
    assert named(level, mask)["black within the breast"] == 0
    row, column = np.mgrid[: level.shape[0], : level.shape[1]]
    level[mask & ((row + column) % 4 == 0)] = 0
    assert named(level, mask)["black within the breast"] == pytest.approx(0.5, abs=0.02)


def test_tissue_of_one_level_has_no_span_and_air_of_one_level_no_spread():
    level, mask = breast()
    assert named(level, mask)["span of the tissue"] == pytest.approx(2 * 1.645 * 0.03, rel=0.1)
    flat = np.where(mask, 0.5, 0).astype(np.float32)
    assert named(flat, mask)["span of the tissue"] == 0
    assert named(flat, mask)["spread of the air"] == 0
