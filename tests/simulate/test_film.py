import numpy as np
import pytest

from mammoscope.core.errors import UnknownNameError
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology
from mammoscope.simulate.exam import LesionPlan, make_exam
from mammoscope.simulate.film import (
    BASE_AND_FOG,
    LARGEST_OD,
    SCANNERS,
    grey_levels,
    mias_mask,
    optical_density,
    to_digital,
    to_film,
    to_mias,
)
from mammoscope.simulate.marks import lettering


@pytest.fixture(scope="module")
def exam():
    plan = LesionPlan(FindingKind.MASS, Pathology.MALIGNANT, Laterality.LEFT)
    rng = np.random.default_rng(4)
    return make_exam(rng, spacing_mm=0.3, breast_density=2, lesions=(plan,))


@pytest.fixture
def rng():
    return np.random.default_rng(9)


def test_film_is_black_in_air_and_ever_lighter_behind_denser_tissue():
    od = optical_density(np.linspace(0, 1, 101, dtype=np.float32))
    assert (np.diff(od) < 0).all()
    assert od[0] > 3.5
    assert od[0] < LARGEST_OD
    assert od[-1] > BASE_AND_FOG


def test_contrast_is_greatest_between_fat_and_glands():
    od = optical_density(np.linspace(0, 1, 101, dtype=np.float32))
    steepest = np.argmax(-np.diff(od)) / 100
    assert 0.05 < steepest < 0.6


@pytest.mark.parametrize(
    ("scanner", "od", "grey"),
    [
        # The examples of formats.md section 4 for the lines of the DDSM web pages, turned round.
        ("dba", 0.05634, 55722),
        ("howtek-mgh", 1.89764, 2000),
        ("howtek-ismd", 1.98492, 2000),
        ("lumisys", 2.07827, 2000),
    ],
)
def test_grey_levels_are_those_of_the_scanners_line(scanner, od, grey):
    got = grey_levels(np.array([od], np.float32), SCANNERS[scanner])
    assert got[0] == pytest.approx(grey, rel=3e-4)


def test_greys_stay_within_the_scanners_bits():
    od = np.array([-1.0, 9.0], np.float32)
    assert grey_levels(od, SCANNERS["dba"]).tolist() == [65535, 4]
    assert grey_levels(od, SCANNERS["howtek-mgh"]).tolist() == [4095, 0]
    assert grey_levels(od, SCANNERS["lumisys"]).tolist() == [4095, 61]


@pytest.mark.parametrize("scanner", sorted(SCANNERS))
def test_every_scanner_gives_a_film_whose_breast_is_brighter_than_its_air(exam, scanner, rng):
    scan = exam.scans[3]
    film = to_film(scan, scanner, rng)
    assert film.dtype == np.uint16
    assert film.shape == scan.density.shape
    assert film.max() < 2 ** SCANNERS[scanner].bits
    assert np.median(film[scan.breast]) > 2 * np.median(film[~scan.breast])


def test_lesion_is_brighter_on_film_than_the_same_place_without_it(exam, rng):
    scan = exam.scans[1]
    mask = scan.lesions[0].mask
    plain = make_exam(np.random.default_rng(4), spacing_mm=0.3, breast_density=2).scans[1]
    with_lesion = optical_density(scan.density)[mask].mean()
    assert with_lesion < optical_density(plain.density)[mask].mean() - 0.02


def test_film_has_grain(exam, rng):
    scan = exam.scans[1]
    film = to_film(scan, "lumisys", rng).astype(float)
    clean = grey_levels(optical_density(scan.density), SCANNERS["lumisys"]).astype(float)
    deep = scan.density > 0.25
    assert 1 < np.median(np.abs(film - clean)[deep]) < 60


def test_marks_leave_nearly_all_of_the_breast_alone(exam, rng):
    scan = exam.scans[0]
    film = to_film(scan, "lumisys", rng).astype(float)
    clean = grey_levels(optical_density(scan.density), SCANNERS["lumisys"]).astype(float)
    assert (np.abs(film - clean)[scan.breast] > 400).mean() < 0.06


def test_same_seed_gives_the_same_film(exam):
    first, second = (to_film(exam.scans[0], "dba", np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_unknown_scanner_is_refused_with_the_nearest_names(exam, rng):
    with pytest.raises(UnknownNameError, match=r"no scanner called 'howtek'.*howtek-"):
        to_film(exam.scans[0], "howtek", rng)


def test_digital_mammogram_is_12_bit_and_black_where_air_is(exam, rng):
    scan = exam.scans[2]
    image = to_digital(scan, rng)
    assert image.dtype == np.uint16
    assert image.max() <= 4095
    assert not image[~scan.breast].any()
    assert image[scan.breast].min() > 0


def test_mias_picture_is_1024_square_with_the_film_in_its_middle(exam, rng):
    scan = exam.scans[3]
    picture = to_mias(scan, rng)
    assert picture.dtype == np.uint8
    assert picture.shape == (1024, 1024)
    breast = mias_mask(scan, scan.breast)
    assert picture[breast].mean() > 60
    columns = round(scan.breast.shape[1] * 0.3 / 0.2)
    assert not picture[:, : (1024 - columns) // 2 - 1].any()


def test_mask_on_a_mias_picture_covers_the_same_ground(exam):
    scan = exam.scans[3]
    mask = scan.lesions[0].mask
    ground = mias_mask(scan, mask).sum() * 0.2**2
    assert ground == pytest.approx(mask.sum() * 0.3**2, rel=0.2)


def test_letters_stand_upright_and_cover_what_they_should():
    letters = lettering("LCC", 40, 0.0)
    assert letters.max() == 1
    assert letters.shape[1] > letters.shape[0]
    assert 0.1 < letters.mean() < 0.6


def test_lead_marker_is_bright_in_the_air_of_the_far_corner(exam):
    scan = exam.scans[1]
    film = to_film(scan, "howtek-mgh", np.random.default_rng(2))
    rows, columns = film.shape
    corner = film[4 : rows // 2, columns // 2 : -12][
        ~scan.breast[4 : rows // 2, columns // 2 : -12]
    ]
    assert (corner > 2200).sum() > 50
