from functools import cache

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from mammoscope.core.vocabulary import ViewPosition
from mammoscope.simulate.outline import GRID_MM, draw_shape, silhouette
from mammoscope.simulate.spectrum import spectral_slope
from mammoscope.simulate.tissue import SHARES, make_tissue, power_law, thickness


@cache
def a_tissue(density, view=ViewPosition.CC, seed=3):
    rng = np.random.default_rng(seed)
    return make_tissue(silhouette(draw_shape(rng), view, rng), density, 77, rng)


@pytest.mark.parametrize("beta", [2.0, 3.0, 4.0])
def test_random_field_has_the_slope_it_was_asked_for(beta):
    field = power_law((1024, 1024), 0.2, beta, 1000.0, np.random.default_rng(1))
    frequency = np.hypot(np.fft.fftfreq(1024, 0.2)[:, None], np.fft.rfftfreq(1024, 0.2)[None, :])
    ring = (frequency > 0.1) & (frequency < 1)
    power = np.abs(np.fft.rfft2(field)) ** 2
    slope = np.polyfit(np.log(frequency[ring]), np.log(power[ring]), 1)[0]
    assert -slope == pytest.approx(beta, abs=0.05)


def test_random_field_has_mean_0_and_deviation_1():
    field = power_law((128, 96), 0.4, 3.0, 20.0, np.random.default_rng(1))
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)


def test_thickness_is_nothing_at_the_skin_and_whole_behind_the_round_rim():
    got = thickness(np.array([-3.0, 0.0, 10.0, 30.0, 50.0], np.float32), 30.0)
    np.testing.assert_allclose(got, [0, 0, (1 - (2 / 3) ** 2) ** 0.68, 1, 1], atol=1e-6)


@pytest.mark.parametrize("view", [ViewPosition.CC, ViewPosition.MLO])
def test_slope_inside_the_breast_is_that_of_mammograms(view):
    for density in (1, 2, 3, 4):
        tissue = a_tissue(density, view)
        inside = (tissue.depth > 10) & (tissue.muscle < 0.01)
        assert 2.6 < spectral_slope(tissue.density, inside, GRID_MM) < 3.4


def test_denser_breasts_have_more_glands_and_brighter_tissue():
    tissues = [a_tissue(density) for density in (1, 2, 3, 4)]
    shares = [float((t.glands[t.depth > 0] > 0.5).mean()) for t in tissues]
    greys = [float(t.density[t.depth > 10].mean()) for t in tissues]
    assert shares == sorted(shares)
    assert greys == sorted(greys)
    np.testing.assert_allclose(shares, list(SHARES.values()), atol=0.12)


def test_density_is_0_in_the_air_and_between_0_and_1_in_the_breast():
    tissue = a_tissue(4, ViewPosition.MLO)
    assert not tissue.density[tissue.depth < -1].any()
    assert tissue.density.min() >= 0
    assert tissue.density.max() <= 1
    assert (tissue.density[tissue.depth > 3] > 0.05).all()


def test_muscle_is_brighter_than_the_fat_of_a_fatty_breast():
    tissue = a_tissue(1, ViewPosition.MLO)
    muscle = tissue.density[(tissue.muscle > 0.99) & (tissue.depth > 15)]
    fat = tissue.density[(tissue.muscle < 0.01) & (tissue.depth > 15) & (tissue.glands < 0.05)]
    assert muscle.mean() > fat.mean() + 0.15


def test_fat_below_the_skin_holds_hardly_any_glands():
    tissue = a_tissue(4)
    shallow = (tissue.depth > 1) & (tissue.depth < 5)
    assert tissue.glands[shallow].mean() < 0.08
    assert tissue.glands[tissue.depth > 25].mean() > 0.4


def test_muscle_is_thinner_towards_its_edge():
    tissue = a_tissue(2, ViewPosition.MLO)
    way_mm = distance_transform_edt(tissue.muscle > 0.5) * GRID_MM
    thick = tissue.depth > 15
    near = tissue.density[thick & (way_mm > 3) & (way_mm < 6)]
    assert tissue.density[thick & (way_mm > 14)].mean() > near.mean() + 0.02


def test_two_breasts_of_a_patient_share_their_coarse_pattern():
    rng = np.random.default_rng(5)
    shape = silhouette(draw_shape(rng), ViewPosition.CC, rng)
    right, left, stranger = (
        make_tissue(shape, 3, seed, np.random.default_rng(own)).glands
        for seed, own in ((11, 1), (11, 2), (12, 3))
    )
    inside = right > 0
    assert (
        np.corrcoef(right[inside], left[inside])[0, 1]
        > (np.corrcoef(right[inside], stranger[inside])[0, 1])
    )
    assert not np.array_equal(right, left)


def test_same_seed_gives_the_same_tissue():
    again = a_tissue.__wrapped__(2).density
    np.testing.assert_array_equal(a_tissue(2).density, again)
