from collections import Counter

import numpy as np
import pytest
from scipy.ndimage import label

from mammoscope.core.errors import BadValueError
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, ViewPosition
from mammoscope.simulate.grains import TYPES, draw_grains
from mammoscope.simulate.lesions import DRAWN, LesionPlan, draw_lesion, draw_look
from mammoscope.simulate.masses import LEAST, draw_mass, ended

SPACING_MM = 0.1


def looks(kind, pathology, count=300):
    rng = np.random.default_rng(0)
    return [draw_look(kind, pathology, rng) for _ in range(count)]


def is_one_part(mask):
    return label(mask, np.ones((3, 3)))[1] == 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", DRAWN)
def test_mask_is_one_part_and_holds_all_that_is_added(kind, seed):
    rng = np.random.default_rng(seed)
    pathology = (Pathology.BENIGN, Pathology.MALIGNANT)[seed % 2]
    added, mask = draw_lesion(draw_look(kind, pathology, rng), SPACING_MM, 0.3, rng)
    assert added.dtype == np.float32
    assert added.shape == mask.shape
    assert (added >= 0).all()
    assert not added[~mask].any()
    assert is_one_part(mask)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", DRAWN)
def test_lesion_can_be_seen_and_ends_within_its_window(kind, seed):
    rng = np.random.default_rng(seed)
    added, _ = draw_lesion(draw_look(kind, Pathology.MALIGNANT, rng), SPACING_MM, 0.3, rng)
    assert added.max() > 2 * LEAST
    rim = np.concatenate([added[0], added[-1], added[:, 0], added[:, -1]])
    assert not rim.any()


@pytest.mark.parametrize("calc_type", sorted(TYPES))
@pytest.mark.parametrize("spread", ["CLUSTERED", "LINEAR", "SEGMENTAL", "REGIONAL"])
def test_every_type_and_distribution_of_calcification_is_drawn_as_one_region(calc_type, spread):
    rng = np.random.default_rng(3)
    added, mask = draw_grains(TYPES[calc_type], spread, (16.0, 0.1, 0.5), rng)
    assert added.max() > 0.02
    assert not added[~mask].any()
    assert is_one_part(mask)


def test_punctate_grains_are_as_small_as_their_type_says():
    rng = np.random.default_rng(3)
    added, _ = draw_grains(TYPES["PUNCTATE"], "REGIONAL", (30.0, 0.05, 0.0), rng)
    parts, count = label(added > 0.5 * added.max())
    areas = np.bincount(parts.ravel())[1:] * 0.05**2
    assert count >= 4
    assert np.median(2 * np.sqrt(areas / np.pi)) < 0.45


@pytest.mark.parametrize("margins", ["CIRCUMSCRIBED", "OBSCURED", "ILL_DEFINED", "MICROLOBULATED"])
def test_mass_without_rays_is_about_as_long_as_asked(margins):
    rng = np.random.default_rng(8)
    added, _ = draw_mass("ROUND", margins, 18.0, SPACING_MM, rng)
    seen = np.argwhere(added > 0.3 * added.max())
    assert np.ptp(seen, axis=0).max() * SPACING_MM == pytest.approx(18, abs=3)


def test_spiculated_mass_reaches_further_than_a_circumscribed_one():
    reach = {}
    for margins in ("CIRCUMSCRIBED", "SPICULATED"):
        _, mask = draw_mass("ROUND", margins, 14.0, SPACING_MM, np.random.default_rng(8))
        reach[margins] = np.ptp(np.argwhere(mask), axis=0).max() * SPACING_MM
    assert reach["SPICULATED"] > reach["CIRCUMSCRIBED"] + 4


def test_ill_defined_margin_falls_off_over_more_ground_than_a_circumscribed_one():
    width = {}
    for margins in ("CIRCUMSCRIBED", "ILL_DEFINED"):
        added, _ = draw_mass("ROUND", margins, 20.0, SPACING_MM, np.random.default_rng(8))
        line = added[len(added) // 2] / added.max()
        width[margins] = ((line > 0.1) & (line < 0.5)).sum()
    assert width["ILL_DEFINED"] > 2 * width["CIRCUMSCRIBED"]


def test_what_lies_apart_from_the_largest_part_is_cut_from_lesion_and_mask():
    added = np.zeros((60, 60), np.float32)
    added[10:30, 10:30] = 0.1
    added[50, 50] = 0.1
    cut, mask = ended(added, 2.0)
    assert mask[10:30, 10:30].all()
    assert not mask[50, 50]
    assert cut[50, 50] == 0
    assert cut[20, 20] == pytest.approx(0.1 - LEAST)


def test_benign_masses_are_rather_circumscribed_and_malignant_ones_spiculated():
    benign = Counter(look.margins for look in looks(FindingKind.MASS, Pathology.BENIGN))
    malignant = Counter(look.margins for look in looks(FindingKind.MASS, Pathology.MALIGNANT))
    assert benign.most_common(1)[0][0] == "CIRCUMSCRIBED"
    assert malignant.most_common(1)[0][0] == "SPICULATED"
    assert "SPICULATED" not in benign


def test_words_of_calcifications_and_masses_are_never_mixed():
    for look in looks(FindingKind.CALCIFICATION, Pathology.MALIGNANT, 50):
        assert look.calc_type
        assert look.calc_distribution
        assert (look.shape, look.margins) == ("", "")
    for look in looks(FindingKind.MASS, Pathology.BENIGN, 50):
        assert look.shape
        assert look.margins
        assert (look.calc_type, look.calc_distribution) == ("", "")


def test_masses_measure_5_to_35_mm():
    sizes = [look.size_mm for look in looks(FindingKind.MASS, Pathology.MALIGNANT)]
    assert min(sizes) >= 5
    assert max(sizes) <= 35
    assert 10 < np.median(sizes) < 16


def test_subtle_lesions_are_fainter_than_plain_ones():
    rng = np.random.default_rng(0)
    by_subtlety = {}
    for look in looks(FindingKind.MASS, Pathology.BENIGN, 120):
        if look.shape == "OVAL":
            peak = draw_lesion(look, 0.3, 0.0, rng)[0].max()
            by_subtlety.setdefault(look.subtlety, []).append(peak)
    assert np.mean(by_subtlety[5]) > 1.3 * np.mean(by_subtlety[2])


def test_kind_that_cannot_be_made_is_refused():
    with pytest.raises(BadValueError, match="OTHER cannot be made"):
        LesionPlan(FindingKind.OTHER, Pathology.BENIGN, Laterality.LEFT)


@pytest.mark.parametrize("views", [(), (ViewPosition.ML,)])
def test_view_that_is_not_made_is_refused(views):
    with pytest.raises(BadValueError, match="CC and MLO"):
        LesionPlan(FindingKind.MASS, Pathology.BENIGN, Laterality.LEFT, views)
