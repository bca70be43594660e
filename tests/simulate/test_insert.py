import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from mammoscope.archives.mini_mias import read
from mammoscope.core.errors import ScanError
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology
from mammoscope.scans.load import load
from mammoscope.simulate.insert import set_lesion
from mammoscope.simulate.lesions import DRAWN, LesionPlan
from mammoscope.simulate.tissue import power_law


def a_plan(kind=FindingKind.MASS, pathology=Pathology.MALIGNANT):
    return LesionPlan(kind, pathology, Laterality.LEFT)


def some_tissue(dtype=np.float32, seed=0):
    """Return tissue of 100 x 80 mm with air on its right, as values of `dtype`."""
    field = power_law((512, 400), 0.2, 3.0, 40.0, np.random.default_rng(seed))
    image = np.clip(0.45 + 0.12 * field, 0.15, 1.0)
    image[:, 330:] = 0
    image[0, 0] = 1.0
    return (image * (1 if np.issubdtype(dtype, np.floating) else 4000)).astype(dtype)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(DRAWN),
    st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.float64]),
    st.integers(0, 2**32),
)
def test_outside_is_unchanged_and_type_and_range_are_kept(kind, dtype, seed):
    image = some_tissue(np.float32) if dtype is np.uint8 else some_tissue(dtype)
    if dtype is np.uint8:
        image = (image * 250).astype(np.uint8)
    before = image.copy()
    rng = np.random.default_rng(seed)
    changed, mask = set_lesion(image, 0.2, (250, 160), a_plan(kind), rng)
    np.testing.assert_array_equal(image, before)
    assert changed.dtype == image.dtype
    assert mask.dtype == bool
    assert mask.any()
    np.testing.assert_array_equal(changed[~mask], before[~mask])
    assert changed.min() >= before.min()
    assert changed.max() <= before.max()


@pytest.mark.parametrize("kind", DRAWN)
def test_lesion_raises_the_grey_inside_its_mask(kind):
    image = some_tissue(np.uint16)
    changed, mask = set_lesion(image, 0.2, (250, 160), a_plan(kind), np.random.default_rng(1))
    grown = changed[mask].astype(float) - image[mask]
    assert grown.min() >= 0
    assert grown.max() > 0.1 * (np.quantile(image[image > 0], 0.98) - np.quantile(image, 0.3))


def test_contrast_follows_the_contrast_of_the_tissue():
    image = some_tissue()
    flat = np.where(image > 0, 0.45 + 0.3 * (image - 0.45), 0).astype(np.float32)
    flat[0, 0] = 1.0
    grown = []
    for tissue in (image, flat):
        rng = np.random.default_rng(1)
        changed, _ = set_lesion(tissue, 0.2, (250, 160), a_plan(FindingKind.ASYMMETRY), rng)
        grown.append(float((changed - tissue).max()))
    assert grown[1] == pytest.approx(0.3 * grown[0], rel=0.25)


def test_noise_of_the_tissue_is_kept():
    rng = np.random.default_rng(3)
    image = some_tissue()
    noise = 0.01 * rng.standard_normal(image.shape).astype(np.float32)
    noisy = np.where(image > 0, np.clip(image + noise, 0, 1), 0).astype(np.float32)
    changed, mask = set_lesion(noisy, 0.2, (250, 160), a_plan(), np.random.default_rng(1))
    fine = [np.abs(np.diff(a, axis=1))[mask[:, 1:]].mean() for a in (noisy, changed)]
    assert fine[1] > 0.9 * fine[0]


def test_same_seed_gives_the_same_lesion():
    image = some_tissue()
    first, second = (
        set_lesion(image, 0.2, (250, 160), a_plan(), np.random.default_rng(5)) for _ in range(2)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_lesion_near_the_skin_does_not_change_the_air():
    image = some_tissue()
    changed, mask = set_lesion(image, 0.2, (250, 318), a_plan(), np.random.default_rng(5))
    assert not mask[:, 336:].any()
    assert not changed[:, 336:].any()


def test_lesion_at_the_border_of_the_image_is_cut_there():
    image = some_tissue()
    changed, mask = set_lesion(image, 0.2, (250, 3), a_plan(), np.random.default_rng(5))
    assert mask[:, 0].any()
    assert changed.shape == image.shape


def test_place_in_the_air_is_refused():
    with pytest.raises(ScanError, match="lies in the air"):
        set_lesion(some_tissue(), 0.2, (250, 390), a_plan(), np.random.default_rng(0))


def test_place_outside_the_image_is_refused():
    with pytest.raises(ScanError, match="lies outside an image"):
        set_lesion(some_tissue(), 0.2, (600, 30), a_plan(), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (np.zeros((50, 50), np.float32), "one grey level"),
        (np.full((50, 50), np.nan, np.float32), "not finite"),
        (np.zeros((5, 50, 50), np.float32), "two-dimensional"),
    ],
)
def test_image_that_shows_no_tissue_is_refused(image, what):
    with pytest.raises(ScanError, match=what):
        set_lesion(image, 0.2, (20, 20), a_plan(), np.random.default_rng(0))


def test_place_where_the_tissue_is_as_bright_as_can_be_is_refused():
    image = some_tissue()
    image[150:350, 60:260] = 1.0
    with pytest.raises(ScanError, match="nearly as bright"):
        set_lesion(image, 0.2, (250, 160), a_plan(), np.random.default_rng(0))


@pytest.mark.real
def test_lesion_is_set_into_a_real_film(shared_data):
    scan = read(shared_data / "mini-mias").scans()[20]
    image = np.asarray(load(scan).image)
    depth = distance_transform_edt(image > 60)
    place = np.unravel_index(np.argmax(depth), depth.shape)
    changed, mask = set_lesion(image, 0.2, place, a_plan(), np.random.default_rng(2))
    np.testing.assert_array_equal(changed[~mask], image[~mask])
    assert changed[mask].mean() > image[mask].mean() + 3
