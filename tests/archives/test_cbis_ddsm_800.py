"""CBIS-DDSM's masses as squashed pictures: spacing, boxes, what is told, and the real counts."""

import csv
import time
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mammoscope.archives.cbis_ddsm_800 import ASSUMED_UM, read
from mammoscope.archives.open import open_archive
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
from mammoscope.core.geometry import Box, bounding_box
from mammoscope.core.vocabulary import (
    Assessment,
    FindingKind,
    Laterality,
    Pathology,
    SpacingSource,
    Split,
    ViewPosition,
)

SECOND = {"file": "train/00002_LEFT_CC.jpg", "patient_id": "P_00002", "ddsm_case": "other"}


@pytest.fixture(scope="module")
def real(shared_data):
    return open_archive(shared_data / "cbis-ddsm" / "mass-800")


def told(archive):
    return " | ".join(f"{p.where} {p.what}" for p in archive.check())


def test_a_row_becomes_a_scan_with_its_facts(make_cbis):
    (scan,) = read(make_cbis({})).scans()
    assert (scan.scan_id, scan.patient_id) == ("P_00001_LEFT_CC", "P_00001")
    assert (scan.laterality, scan.view) == (Laterality.LEFT, ViewPosition.CC)
    assert (scan.split, scan.breast_density) == (Split.TRAIN, "3")
    assert scan.facts["ddsm_case"] == "cancer_15/B_3085"


def test_the_scanner_is_that_of_the_film_that_the_row_names(make_cbis):
    (scan,) = read(make_cbis({})).scans()
    assert scan.facts["scanner"] == "LUMISYS LASER"
    (other,) = read(make_cbis({"ddsm_case": "cancer_01/A_0001"})).scans()
    assert "scanner" not in other.facts


@pytest.mark.real
def test_the_scanner_of_nine_scans_in_ten_is_known(real):
    scanners = Counter(scan.facts.get("scanner") for scan in real.scans())
    # Counted in the packaged tables: 126 scans are of cases without an .ics file.
    assert scanners == {
        "LUMISYS LASER": 673,
        "HOWTEK 43.5": 371,
        "DBA 21": 55,
        "LUMISYS LASER_DENSOTOMETER": 6,
        None: 126,
    }


def test_spacing_is_of_the_squashed_grid(make_cbis):
    (scan,) = read(make_cbis({})).scans()
    # 4800 rows and 3200 columns of 0.05 mm became 800 of each.
    assert scan.spacing_mm == pytest.approx((0.3, 0.2))
    assert scan.spacing_source is SpacingSource.DDSM_JOIN


def test_unknown_spacing_is_assumed_and_marked_so(make_cbis):
    (scan,) = read(make_cbis({"spacing_um": "", "spacing_from": "unknown"})).scans()
    assert scan.spacing_mm == pytest.approx((6 * 0.0477, 4 * 0.0477))
    assert scan.spacing_source is SpacingSource.ASSUMED


def test_a_box_given_as_left_top_width_height_becomes_a_finding(make_cbis):
    (finding,) = read(make_cbis({})).findings()
    assert finding.roi == Box(top=400, left=70, height=80, width=100)
    assert (finding.kind, finding.pathology) == (FindingKind.MASS, Pathology.MALIGNANT)
    assert (finding.assessment, finding.subtlety) == (Assessment.SUSPICIOUS, 4)
    assert finding.descriptors == ("OVAL", "SPICULATED", "MALIGNANT")


def test_several_boxes_share_out_the_values_of_their_row(make_cbis):
    folder = make_cbis(
        {
            "boxes_xywh_800": "[[1, 2, 3, 4], [5, 6, 7, 8]]",
            "pathologies": "MALIGNANT|BENIGN_WITHOUT_CALLBACK",
            "assessment": "5|2",
            "mass_shape": "OVAL|ROUND",
            "mass_margins": "SPICULATED|",
            "subtlety": "3|5",
        }
    )
    first, second = read(folder).findings()
    assert (first.pathology, first.assessment) == (
        Pathology.MALIGNANT,
        Assessment.HIGHLY_SUGGESTIVE,
    )
    assert (second.pathology, second.subtlety) == (Pathology.BENIGN, 5)
    assert second.descriptors == ("ROUND", "BENIGN_WITHOUT_CALLBACK")


@pytest.mark.parametrize(
    "change",
    [
        {"side": "UPPER"},
        {"view": "XX"},
        {"rows_full": "many"},
        {"rows_full": "0"},
        {"spacing_um": "nan"},
        {"split": ""},
        {"boxes_xywh_800": "[[1, 2, 3]]"},
        {"boxes_xywh_800": "[[1, 2, 0, 4]]"},
        {"boxes_xywh_800": "[[1, 2,"},
        {"boxes_xywh_800": "[[null, 2, 3, 4]]"},
        {"boxes_xywh_800": "[[NaN, 2, 3, 4]]"},
        {"boxes_xywh_800": "5"},
        {"boxes_xywh_800": "[" * 9000},
        {"pathologies": "MALIGNANT|BENIGN"},
        {"pathologies": "NICE"},
        {"assessment": "9"},
        {"file": "../secret.jpg"},
    ],
    ids=str,
)
def test_a_damaged_row_is_named_by_file_and_line(make_cbis, change):
    archive = read(make_cbis(SECOND, change))
    with pytest.raises(AnnotationError, match=r"labels\.csv, line 3.*get the table again"):
        archive.scans()
    assert "labels.csv, line 3" in told(archive)


def test_a_row_cut_short_is_damage(make_cbis):
    folder = make_cbis({}, SECOND)
    table = folder / "labels.csv"
    table.write_bytes(table.read_bytes()[:-40])
    with pytest.raises(AnnotationError, match="line 3"):
        read(folder).scans()


def test_a_missing_picture_is_told_and_left_out(make_cbis):
    folder = make_cbis({}, SECOND)
    (folder / SECOND["file"]).unlink()
    archive = read(folder)
    assert [scan.scan_id for scan in archive.scans()] == ["P_00001_LEFT_CC"]
    assert "00002_LEFT_CC.jpg the picture is missing" in told(archive)


def test_no_picture_at_all_is_an_error(make_cbis):
    with pytest.raises(MissingFileError, match="none of the pictures"):
        read(make_cbis({}, pictures=False))


def test_a_table_without_the_columns_is_an_error_that_names_some(tmp_path):
    (tmp_path / "labels.csv").write_text("name,age\nx,3\n")
    with pytest.raises(LayoutError, match=r"csv, line 1: expected the columns .*patient_id"):
        read(tmp_path)


def test_a_scan_named_twice_is_told_and_counted_once(make_cbis):
    archive = read(make_cbis({}, {"subtlety": "1"}))
    assert [finding.subtlety for finding in archive.findings()] == [4]
    assert "line 3 a second row for P_00001_LEFT_CC" in told(archive)


@pytest.mark.parametrize("box", ["[[-9, 2, 20, 20]]", "[[1, 790, 20, 20]]"])
def test_a_box_that_leaves_the_picture_is_told(make_cbis, box):
    assert "the box of P_00001_LEFT_CC_1 leaves the picture" in told(
        read(make_cbis({"boxes_xywh_800": box}))
    )


def test_a_side_that_contradicts_the_file_s_name_is_told(make_cbis):
    assert "00001_LEFT_CC.jpg does not fit" in told(read(make_cbis({"side": "RIGHT"})))


def test_one_person_under_two_ids_is_told(make_cbis):
    archive = read(make_cbis({}, {**SECOND, "ddsm_case": "cancer_15/B_3085"}))
    assert "P_00001, P_00002 are one person" in told(archive)


def test_damaged_and_wrongly_sized_pictures_are_told_by_the_check_alone(make_cbis):
    folder = make_cbis({}, SECOND)
    Image.fromarray(np.zeros((700, 800), np.uint8)).save(folder / "train/00001_LEFT_CC.jpg")
    archive = read(folder)
    assert len(archive.scans()) == 2
    said = told(archive)
    assert "00001_LEFT_CC.jpg the picture has 700 x 800 pixels" in said
    assert "00002_LEFT_CC.jpg" in said


def test_the_same_pixels_under_two_names_are_told(make_cbis):
    folder = make_cbis({}, SECOND)
    for name in ("train/00001_LEFT_CC.jpg", "train/00002_LEFT_CC.jpg"):
        Image.fromarray(np.eye(800, dtype=np.uint8) * 255).save(folder / name)
    assert "00002_LEFT_CC.jpg the same pixels as P_00001_LEFT_CC" in told(read(folder))


@pytest.mark.real
def test_counts_are_those_of_the_whole_training_part(real):
    assert (len(real.scans()), len(real.patients()), len(real.findings())) == (1231, 691, 1318)
    ids = [scan.scan_id for scan in real.scans()]
    assert ids == sorted(set(ids))
    assert {scan.split for scan in real.scans()} == {Split.TRAIN}
    assert {finding.kind for finding in real.findings()} == {FindingKind.MASS}


@pytest.mark.real
def test_nothing_is_missing_or_contradictory_in_the_shared_part(real):
    assert real.problems == ()


@pytest.mark.real
def test_spacings_are_those_of_the_films_and_the_rest_their_mean(real):
    sources = Counter(scan.spacing_source for scan in real.scans())
    assert sources == {SpacingSource.DDSM_JOIN: 1099, SpacingSource.ASSUMED: 132}
    with (real.folder / "labels.csv").open(newline="") as stream:
        known = Counter(row["spacing_um"] for row in csv.DictReader(stream))
    assert known == {"50.00": 716, "43.50": 328, "42.00": 55, "": 132}
    mean = sum(float(um) * n for um, n in known.items() if um) / 1099
    assert pytest.approx(mean, abs=0.05) == ASSUMED_UM


@pytest.mark.real
def test_boxes_lie_on_the_pictures(real):
    for finding in real.findings():
        box = bounding_box(finding.roi)
        assert box.top >= 0, finding
        assert box.left >= 0, finding
        assert max(box.bottom, box.right) <= 800, finding


@pytest.mark.real
def test_no_ddsm_case_is_two_patients(real):
    pairs = {(s.facts["ddsm_case"], s.patient_id) for s in real.scans() if s.facts["ddsm_case"]}
    assert len({case for case, _ in pairs}) == len(pairs)


@pytest.mark.real
def test_opening_is_fast(real):
    started = time.process_time()
    read(real.folder)
    assert time.process_time() - started < 1


def test_a_name_that_no_file_can_have_is_a_damaged_row(make_cbis):
    folder = make_cbis({}, {"patient_id": "P_00002"})
    table = folder / "labels.csv"
    head, first, second = table.read_text().splitlines()
    table.write_text("\n".join((head, first, second.replace("train/00001", "x" * 300))))
    assert "no file has so long a name" in read(folder).damage


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_table_that_excel_saved_says_the_same(make_cbis, mark, delimiter):
    folder = make_cbis({}, SECOND)
    first = open_archive(folder)
    table = folder / "labels.csv"
    with table.open(newline="") as stream:
        rows = list(csv.reader(stream))
    with table.open("w", newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    table.write_bytes(mark + table.read_bytes())
    assert open_archive(folder).scans() == first.scans()


def test_a_quotation_mark_that_is_never_closed_swallows_no_row(make_cbis):
    folder = make_cbis({"mass_shape": '"OVAL'}, SECOND)
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace('"""OVAL"', '"OVAL'))
    with pytest.raises(AnnotationError, match="line 2"):
        read(folder).scans()
