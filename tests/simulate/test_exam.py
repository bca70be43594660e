from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from mammoscope.core.errors import BadValueError
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, ViewPosition
from mammoscope.simulate.exam import LesionPlan, enlarged, make_exam, overlap
from mammoscope.simulate.lesions import DRAWN
from mammoscope.simulate.outline import GRID_MM

SPACING_MM = 0.4
PLANS = (
    LesionPlan(FindingKind.MASS, Pathology.MALIGNANT, Laterality.LEFT),
    LesionPlan(FindingKind.CALCIFICATION, Pathology.MALIGNANT, Laterality.RIGHT),
    LesionPlan(FindingKind.MASS, Pathology.BENIGN, Laterality.RIGHT, (ViewPosition.CC,)),
)


@cache
def an_exam(seed=0, density=None, lesions=()):
    rng = np.random.default_rng(seed)
    return make_exam(rng, spacing_mm=SPACING_MM, breast_density=density, lesions=lesions)


@pytest.fixture(scope="module")
def exam():
    return an_exam(1, 2, PLANS)


def middle(mask):
    return np.argwhere(mask).mean(axis=0)


def test_scans_come_in_the_order_of_hanging(exam):
    assert [(scan.laterality, scan.view) for scan in exam.scans] == [
        ("R", "CC"),
        ("L", "CC"),
        ("R", "MLO"),
        ("L", "MLO"),
    ]


def test_arrays_have_their_types_and_one_shape(exam):
    for scan in exam.scans:
        assert scan.density.dtype == np.float32
        assert scan.breast.dtype == bool
        assert scan.density.shape == scan.breast.shape
        assert all(lesion.mask.shape == scan.density.shape for lesion in scan.lesions)
        assert scan.density.min() >= 0
        assert scan.density.max() <= 1
        assert not scan.density[~scan.breast].any()


def test_left_breast_stands_on_the_left_border_and_right_breast_on_the_right(exam):
    for scan in exam.scans:
        columns = scan.breast.sum(axis=0)
        wall, far = (0, -1) if scan.laterality is Laterality.LEFT else (-1, 0)
        assert columns[wall] > 0.25 * len(scan.breast)
        assert columns[far] == 0
        nearer = scan.nipple_px[1] > scan.breast.shape[1] / 2
        assert nearer == (scan.laterality is Laterality.LEFT)


def test_nipple_is_where_the_breast_reaches_furthest(exam):
    for scan in exam.scans:
        used = np.flatnonzero(scan.breast.any(axis=0))
        tip = used[-1] if scan.laterality is Laterality.LEFT else used[0]
        assert abs(tip - scan.nipple_px[1]) * SPACING_MM < 8
        row = np.flatnonzero(scan.breast[:, tip]).mean()
        assert abs(row - scan.nipple_px[0]) * SPACING_MM < 6


def test_lesions_lie_on_the_views_that_were_asked_for(exam):
    kinds = [[lesion.pathology for lesion in scan.lesions] for scan in exam.scans]
    malignant, benign = Pathology.MALIGNANT, Pathology.BENIGN
    assert kinds == [[malignant, benign], [malignant], [malignant], [malignant]]


def test_lesion_is_the_same_on_both_views(exam):
    first, second = exam.scans[1].lesions[0], exam.scans[3].lesions[0]
    assert (first.shape, first.margins, first.subtlety) == (
        second.shape,
        second.margins,
        second.subtlety,
    )


@pytest.mark.parametrize("seed", range(3))
def test_lesion_is_as_far_from_the_nipple_on_both_views(seed):
    scans = an_exam(seed, None, PLANS[:1]).scans
    far = [
        float(np.hypot(*(middle(scan.lesions[0].mask) - scan.nipple_px))) * SPACING_MM
        for scan in (scans[1], scans[3])
    ]
    assert far[0] == pytest.approx(far[1], abs=4)


def test_masks_of_every_kind_lie_in_the_breast_as_one_part():
    plans = tuple(LesionPlan(kind, Pathology.MALIGNANT, Laterality.RIGHT) for kind in DRAWN)
    scans = an_exam(7, None, plans).scans
    masks = [(scan, lesion.mask) for scan in scans for lesion in scan.lesions]
    assert len(masks) == 2 * len(DRAWN)
    for scan, mask in masks:
        assert mask.any()
        assert not (mask & ~scan.breast).any()
        assert label(mask, np.ones((3, 3)))[1] == 1


def test_lesion_makes_its_mask_denser_and_changes_nothing_else():
    plain, diseased = an_exam(1, 2), an_exam(1, 2, PLANS)
    for before, after in zip(plain.scans, diseased.scans, strict=True):
        inside = np.zeros(before.density.shape, bool)
        for lesion in after.lesions:
            inside |= lesion.mask
            grown = after.density[lesion.mask] - before.density[lesion.mask]
            assert grown.min() >= 0
            assert grown.max() > 0.03
        np.testing.assert_array_equal(after.density[~inside], before.density[~inside])


def test_lesions_of_one_breast_do_not_lie_on_each_other():
    side = Laterality.LEFT
    plans = (LesionPlan(FindingKind.MASS, Pathology.BENIGN, side, (ViewPosition.CC,)),) * 2
    first, second = an_exam(0, None, plans).scans[1].lesions
    assert not (first.mask & second.mask).any()


def test_same_seed_gives_the_same_bits():
    again = an_exam.__wrapped__(1, 2, PLANS)
    for first, second in zip(an_exam(1, 2, PLANS).scans, again.scans, strict=True):
        np.testing.assert_array_equal(first.density, second.density)
        for one, two in zip(first.lesions, second.lesions, strict=True):
            np.testing.assert_array_equal(one.mask, two.mask)


def test_other_seed_gives_another_exam():
    first, second = (an_exam(seed, None, PLANS[:1]).scans[0].density for seed in (0, 1))
    assert first.shape != second.shape or not np.array_equal(first, second)


def test_spacing_changes_the_pixels_and_not_the_breast():
    fine, coarse = (
        make_exam(np.random.default_rng(2), spacing_mm=spacing, breast_density=3).scans[2]
        for spacing in (0.2, 0.4)
    )
    areas = [scan.breast.sum() * scan.spacing_mm**2 for scan in (fine, coarse)]
    assert areas[0] == pytest.approx(areas[1], rel=0.01)
    rows, columns = (n // 2 * 2 for n in fine.density.shape)
    halved = fine.density[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
    both = tuple(slice(min(a, b)) for a, b in zip(halved.shape, coarse.density.shape, strict=True))
    assert np.abs(halved[both] - coarse.density[both]).mean() < 0.01


def test_density_and_age_are_drawn_within_their_ranges():
    for seed in range(3):
        exam = an_exam(seed, None, PLANS[:1])
        assert exam.breast_density in (1, 2, 3, 4)
        assert 35 <= exam.age <= 88


@pytest.mark.parametrize("spacing", [0.0, 0.01, 2.0, float("nan")])
def test_spacing_out_of_range_is_refused(spacing):
    with pytest.raises(BadValueError, match="spacings from"):
        make_exam(np.random.default_rng(0), spacing_mm=spacing)


@pytest.mark.parametrize("density", [0, 5, -1])
def test_density_out_of_range_is_refused(density):
    with pytest.raises(BadValueError, match="BI-RADS density"):
        an_exam(0, density)


def test_more_lesions_than_a_breast_holds_are_refused():
    plans = (LesionPlan(FindingKind.ASYMMETRY, Pathology.BENIGN, Laterality.LEFT),) * 60
    with pytest.raises(BadValueError, match="ask for fewer"):
        an_exam(0, None, plans)


def test_enlarged_map_keeps_a_straight_slope_where_it_was():
    ramp = np.tile(np.arange(60, dtype=np.float32) * GRID_MM, (40, 1))
    plain = enlarged(ramp, (100, 200), 0.05, mirrored=False)
    inner = slice(20, 180)
    np.testing.assert_allclose(plain[50, inner], np.arange(200)[inner] * 0.05, atol=2e-3)


def test_mirrored_map_is_the_mirrored_plain_one():
    map_ = np.random.default_rng(0).random((40, 60), dtype=np.float32)
    plain = enlarged(map_, (100, 200), 0.05, mirrored=False)
    turned = enlarged(map_, (100, 200), 0.05, mirrored=True)
    np.testing.assert_allclose(turned, plain[:, ::-1], atol=1e-5)


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(-12, 12), st.integers(-12, 12)),
)
def test_overlap_cuts_both_to_the_places_that_they_share(whole, part, at):
    here, there = overlap(whole, part, at)
    numbers = np.full(whole, -1)
    piece = np.arange(part[0] * part[1]).reshape(part)
    numbers[here] = piece[there]
    for row in range(whole[0]):
        for column in range(whole[1]):
            r, c = row - at[0], column - at[1]
            inside = 0 <= r < part[0] and 0 <= c < part[1]
            assert numbers[row, column] == (piece[r, c] if inside else -1)
