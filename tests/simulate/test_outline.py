from dataclasses import replace

import numpy as np
import pytest

from mammoscope.core.vocabulary import ViewPosition
from mammoscope.simulate.outline import (
    Silhouette,
    breast_mask,
    depth_below_skin,
    draw_shape,
    grid_of,
    muscle_cover,
    silhouette,
    vary,
)


def a_silhouette(view, seed=0):
    rng = np.random.default_rng(seed)
    return silhouette(draw_shape(rng), view, rng)


def a_half_disc(radius_mm=40.0):
    angle = np.linspace(-np.pi / 2, np.pi / 2, 721)
    skin = np.stack([60 + radius_mm * np.sin(angle), radius_mm * np.cos(angle)], axis=1)
    return Silhouette((120.0, 80.0), skin.astype(np.float32), (60.0, radius_mm), None)


def test_depth_below_a_half_disc_is_its_radius_less_the_way_from_its_middle():
    depth = depth_below_skin(a_half_disc(), 0.4)
    assert depth[150, 25] == pytest.approx(30, abs=0.6)
    assert depth[150, 50] == pytest.approx(20, abs=0.6)
    assert depth[150, 150] == pytest.approx(-20, abs=0.6)


def test_mask_of_a_half_disc_has_its_area():
    mask = breast_mask(a_half_disc(), (600, 400), 0.2)
    assert mask.sum() * 0.2**2 == pytest.approx(np.pi * 40**2 / 2, rel=0.01)


def test_mask_and_depth_agree_on_where_the_breast_is():
    shape = a_silhouette(ViewPosition.MLO)
    depth = depth_below_skin(shape, 0.4)
    mask = breast_mask(shape, depth.shape, 0.4)
    assert mask[depth > 1].all()
    assert not mask[depth < -1].any()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("view", [ViewPosition.CC, ViewPosition.MLO])
def test_breast_stands_on_the_chest_wall_and_leaves_air_before_the_nipple(view, seed):
    shape = a_silhouette(view, seed)
    mask = breast_mask(shape, grid_of(shape.film_mm, 0.5), 0.5)
    assert mask[:, 0].mean() > 0.3
    assert not mask[:, -1].any()
    assert not mask[-1].any()
    row, column = (round(v / 0.5) for v in shape.nipple)
    assert mask[row, column - 2]
    assert 0.12 < mask.mean() < 0.75


@pytest.mark.parametrize("seed", range(8))
def test_muscle_is_a_corner_of_mlo_views_that_narrows_downwards(seed):
    cover = muscle_cover(a_silhouette(ViewPosition.MLO, seed), 0.5)
    width = (cover > 0.5).sum(axis=1)
    assert width[0] > 30
    assert (np.diff(width) <= 0).all()
    assert width[-1] == 0


def test_belly_below_the_fold_makes_the_breast_longer_on_mlo_views_only():
    built = draw_shape(np.random.default_rng(2))
    for view, longer in ((ViewPosition.MLO, True), (ViewPosition.CC, False)):
        lengths = []
        for fold_mm in (0.0, 10.0):
            shape = silhouette(replace(built, fold_mm=fold_mm), view, np.random.default_rng(3))
            lengths.append(int(breast_mask(shape, grid_of(shape.film_mm, 0.5), 0.5)[:, 0].sum()))
        assert (lengths[1] > lengths[0] + 20) == longer


def test_nipple_of_a_drooping_breast_lies_lower():
    built = draw_shape(np.random.default_rng(2))
    rows = [
        silhouette(
            replace(built, droop=droop, pointed=1.0), ViewPosition.MLO, np.random.default_rng(3)
        ).nipple[0]
        for droop in (-0.4, 1.0)
    ]
    assert rows[1] > rows[0] + 4


def test_cc_views_have_no_muscle():
    assert not muscle_cover(a_silhouette(ViewPosition.CC), 0.5).any()


def test_other_breast_is_alike_but_not_equal():
    rng = np.random.default_rng(4)
    shape = draw_shape(rng)
    other = vary(shape, rng)
    assert other != shape
    assert other.depth_mm == pytest.approx(shape.depth_mm, rel=0.12)


def test_same_seed_gives_the_same_outline():
    first, second = (a_silhouette(ViewPosition.MLO, 9) for _ in range(2))
    np.testing.assert_array_equal(first.skin, second.skin)
