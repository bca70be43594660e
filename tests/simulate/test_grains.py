import numpy as np
import pytest

from mammoscope.simulate.grains import TYPES, GrainType, draw_grains


def a_group(kind, distribution="CLUSTERED", seed=3):
    return draw_grains(kind, distribution, (10.0, 0.05, 0.3), np.random.default_rng(seed))


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_pixel_that_a_group_brightens_lies_in_its_region(name):
    added, region = a_group(TYPES[name])
    assert added.max() > 0.02
    assert added.max() <= TYPES[name].density
    assert not added[~region].any()


def test_small_grains_are_fainter_than_large_ones_of_the_same_stuff():
    peaks = [
        a_group(GrainType((size, size), (12, 12), 0.3, "disc"))[0].max() for size in (0.15, 0.8)
    ]
    assert peaks[0] < 0.8 * peaks[1]


def test_grain_is_brightest_in_its_middle():
    added, _ = a_group(GrainType((1.0, 1.0), (1, 1), 0.3, "disc"))
    row, column = (round(float(at.mean())) for at in np.nonzero(added > 0))
    inside = added[row - 10 : row + 11, column]
    assert inside[10] > 1.1 * inside[2]
    assert inside[10] > 1.1 * inside[18]


def test_eggshell_is_darker_inside_than_on_its_wall():
    added, _ = a_group(GrainType((2.0, 2.0), (1, 1), 0.3, "ring"))
    row, column = (round(float(at.mean())) for at in np.nonzero(added > 0))
    assert added[row, column] < 0.7 * added.max()


def test_same_seed_gives_the_same_grains():
    first, second = (a_group(TYPES["PLEOMORPHIC"])[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
