import numpy as np
import pytest

from mammoscope.core.vocabulary import ViewPosition
from mammoscope.simulate.outline import draw_shape, grid_of, silhouette
from mammoscope.simulate.strands import Curves, branched, draw, draw_lines, walk


def a_straight_line():
    along = np.arange(5, 35, 0.12, dtype=np.float32)
    points = np.stack([np.full_like(along, 20.0), along], axis=-1)[None]
    return Curves(points, np.ones(points.shape[:2], np.float32))


def test_lone_line_has_height_1_and_its_width():
    drawn = draw(a_straight_line(), 1.4, (200, 200), 0.2)
    across = drawn[:, 100]
    assert across.argmax() == 100
    assert across.max() == pytest.approx(1, abs=0.08)
    assert (across > across.max() / 2).sum() * 0.2 == pytest.approx(1.4, abs=0.25)


def test_line_outside_the_grid_is_left_out():
    line = a_straight_line()
    assert not draw(Curves(line.points + 100, line.strength), 1.4, (200, 200), 0.2).any()


def test_walk_without_drift_is_straight():
    path = walk(np.array([[10.0, 5.0]]), np.array([0.0]), 12.0, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(path[0, :, 0], 10, atol=1e-4)
    assert path[0, -1, 1] == pytest.approx(17, abs=0.1)


def test_branches_begin_on_their_curves():
    rng = np.random.default_rng(0)
    curves = walk(np.zeros((6, 2)), np.zeros(6), 20.0, 0.1, rng)
    twigs = branched(curves, rng, 1.0)
    assert twigs.shape == (6, 3)
    for curve, twig in zip(curves, twigs, strict=True):
        assert np.hypot(*(curve - twig[:2]).T).min() < 1e-4


def test_lines_are_thinner_where_glands_hide_them():
    rng = np.random.default_rng(2)
    shape = silhouette(draw_shape(rng), ViewPosition.CC, rng)
    size = grid_of(shape.film_mm, 0.2)
    fat, glands = (
        draw_lines(shape, np.full(size, level, np.float32), 2, np.random.default_rng(3))
        for level in (0, 1)
    )
    assert fat.max() <= 0.13 + 1e-6
    assert fat.min() >= 0
    assert 0.3 * fat.sum() < glands.sum() < 0.6 * fat.sum()
