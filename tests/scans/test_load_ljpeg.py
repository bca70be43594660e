"""Films of DDSM as files: read with the .ics beside them, or without."""

import gzip

import numpy as np
import pytest

from mammoscope.core.errors import CorruptFileError, ScanError
from mammoscope.core.vocabulary import Intent, Laterality, SpacingSource, ViewPosition
from mammoscope.formats.ljpeg_encode import encode_ljpeg
from mammoscope.read.find import find_exams
from mammoscope.scans.load import read_file_facts, read_scan

ICS = """
ics_version 1.0
filename A-1234-1
DATE_OF_STUDY 21 6 1995
PATIENT_AGE 37
FILM
FILM_TYPE REGULAR
DENSITY 3
DATE_DIGITIZED 14 5 1999
DIGITIZER HOWTEK 43.5
SEQUENCE
LEFT_CC LINES 420 PIXELS_PER_LINE 310 BITS_PER_PIXEL 12 RESOLUTION 43.5 NON_OVERLAY
LEFT_MLO LINES 420 PIXELS_PER_LINE 310 BITS_PER_PIXEL 12 RESOLUTION 43.5 NON_OVERLAY
RIGHT_CC LINES 420 PIXELS_PER_LINE 310 BITS_PER_PIXEL 12 RESOLUTION 43.5 NON_OVERLAY
RIGHT_MLO LINES 420 PIXELS_PER_LINE 310 BITS_PER_PIXEL 12 RESOLUTION 43.5 NON_OVERLAY
"""


@pytest.fixture
def film():
    """A smooth picture of 12 bits with noise, as no random samples would be."""
    rows, columns = np.mgrid[:420, :310]
    noise = np.random.default_rng(1).integers(0, 9, (420, 310))
    return (rows * 4 + columns * 3 + noise).astype(np.uint16)


@pytest.fixture
def case(tmp_path, film):
    """A case of one film with its .ics."""
    folder = tmp_path / "case1234"
    folder.mkdir()
    (folder / "A-1234-1.ics").write_text(ICS)
    (folder / "A_1234_1.LEFT_CC.LJPEG").write_bytes(encode_ljpeg(film))
    return folder


def test_a_film_is_read_with_what_its_ics_knows(case, film):
    scan = read_scan(case / "A_1234_1.LEFT_CC.LJPEG")
    assert np.array_equal(scan.image, film)
    assert scan.spacing_mm == pytest.approx((0.0435, 0.0435))
    assert scan.spacing_source is SpacingSource.ARCHIVE
    assert (scan.laterality, scan.view) == (Laterality.LEFT, ViewPosition.CC)
    assert scan.intent is Intent.FILM
    assert scan.facts["scanner"] == "HOWTEK 43.5"
    assert scan.warnings == ()


def test_a_film_whose_header_has_rows_and_columns_exchanged_is_laid_out_by_the_ics(case, film):
    path = case / "A_1234_1.LEFT_CC.LJPEG"
    path.write_bytes(encode_ljpeg(film, header_rows_columns_exchanged=True))
    assert np.array_equal(read_scan(path).image, film)


def test_a_film_packed_with_gzip_is_the_same(case, film):
    packed = case / "A_1234_1.LEFT_MLO.LJPEG.gz"
    packed.write_bytes(gzip.compress(encode_ljpeg(film)))
    scan = read_scan(packed)
    assert np.array_equal(scan.image, film)
    assert scan.view is ViewPosition.MLO


def test_without_its_ics_a_film_has_no_spacing_and_says_what_is_not_known(tmp_path, film):
    path = tmp_path / "A_1234_1.LEFT_CC.LJPEG"
    path.write_bytes(encode_ljpeg(film))
    scan = read_scan(path)
    assert scan.spacing_mm is None
    assert "no .ics file" in scan.warnings[0]


def test_a_film_that_is_cut_off_is_refused_by_name(case, film):
    path = case / "A_1234_1.LEFT_CC.LJPEG"
    path.write_bytes(encode_ljpeg(film)[:60_000])
    with pytest.raises(CorruptFileError, match=r"A_1234_1\.LEFT_CC\.LJPEG: .*of 420 rows"):
        read_scan(path)


def test_the_name_of_a_film_tells_side_and_view_without_its_pixels(case):
    facts = read_file_facts(case / "A_1234_1.LEFT_CC.LJPEG")
    assert (facts.laterality, facts.view) == (Laterality.LEFT, ViewPosition.CC)


def test_a_case_folder_is_one_exam_and_its_texts_are_no_scans(case, film):
    (case / "A_1234_1.RIGHT_MLO.LJPEG").write_bytes(encode_ljpeg(film))
    (case / "A_1234_1.RIGHT_MLO.OVERLAY").write_text("TOTAL_ABNORMALITIES 0\n")
    (case / "TAPE_A_1234_1.COMB.16_PGM").write_bytes(b"P5")
    exams, failures = find_exams([case])
    assert failures == {}
    assert [len(exam.files) for exam in exams] == [2]
    assert exams[0].exam_id == "case1234"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "is not used"),
        (ICS.replace("A-1234-1", "A-1235-1"), "calls itself 'A-1235-1'"),
        (ICS.replace("LEFT_CC", "NOTHING"), "does not tell of this view"),
    ],
)
def test_a_heading_that_does_not_tell_of_the_film_is_not_used(case, film, text, said):
    path = case / "A_1234_1.LEFT_CC.LJPEG"
    path.write_bytes(encode_ljpeg(film, header_rows_columns_exchanged=True))
    (case / "A-1234-1.ics").write_text(text)
    scan = read_scan(path)
    assert np.array_equal(scan.image, film)
    assert scan.spacing_mm is None
    (warning,) = scan.warnings
    assert said in warning
    assert "the size of a pixel is not known" in warning


def test_a_film_of_another_name_is_not_turned_but_warned_of(tmp_path, film):
    path = tmp_path / "film.ljpeg"
    path.write_bytes(encode_ljpeg(film, header_rows_columns_exchanged=True))
    scan = read_scan(path)
    assert scan.image.shape == film.shape[::-1]
    assert "nor whether rows and columns are exchanged" in scan.warnings[0]


def test_a_film_that_was_written_anew_by_the_standard_is_the_same(case, film):
    path = case / "A_1234_1.LEFT_CC.LJPEG"
    path.write_bytes(encode_ljpeg(film, convention="t81"))
    assert np.array_equal(read_scan(path).image, film)


@pytest.mark.parametrize("length", [16, 60_000])
def test_a_frame_header_behind_other_segments_is_found(case, film, length):
    path = case / "A_1234_1.LEFT_CC.LJPEG"
    stream = encode_ljpeg(film)
    segment = b"\xff\xe1" + length.to_bytes(2, "big") + bytes(length - 2)
    path.write_bytes(stream[:2] + segment + stream[2:])
    assert np.array_equal(read_scan(path).image, film)


def test_a_packed_film_needs_no_second_ending(case, film):
    path = case / "A_1234_1.LEFT_CC.LJPEG"
    path.write_bytes(gzip.compress(encode_ljpeg(film)))
    assert np.array_equal(read_scan(path).image, film)


@pytest.mark.parametrize("read", [read_scan, read_file_facts])
def test_the_small_view_of_a_case_is_no_scan(case, read):
    path = case / "TAPE_A_1234_1.COMB.16_PGM"
    path.write_bytes(b"P5\n400 400\n65535\n\n" + bytes(320_000))
    with pytest.raises(ScanError, match="small view"):
        read(path)
