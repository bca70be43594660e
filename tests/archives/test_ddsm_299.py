"""DDSM at 299 pixels: spacing, people, what is said of findings, and the real counts."""

import csv
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mammoscope.archives.ddsm_299 import COLUMNS, is_here, look, read
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
from mammoscope.core.geometry import Box
from mammoscope.core.vocabulary import (
    Assessment,
    FindingKind,
    Laterality,
    Pathology,
    SpacingSource,
    ViewPosition,
)

ROW = {
    **dict.fromkeys(COLUMNS, ""),
    "file": "cancer/A_1234_1.LEFT_CC.webp",
    "case_class": "cancer",
    "case": "A_1234_1",
    "side": "LEFT",
    "view": "CC",
    "volume": "cancer_07",
    "digitizer": "HOWTEK 43.5",
    "density": "2.0",
    "age": "71.0",
    "date_of_study": "25 10 1994",
    "lines": "5980.0",
    "pixels_per_line": "2990.0",
    "bits": "12.0",
    "resolution_um": "43.5",
    "overlay": "1",
    "lesions": "MASS SHAPE OVAL MARGINS OBSCURED",
    "pathologies": "MALIGNANT",
    "assessments": "4",
    "subtleties": "3",
    "boxes_x0y0x1y1_299": "[[10.5, 20.0, 30.5, 60.0]]",
    "truncated_rows": "0",
}
EMPTY = dict.fromkeys(
    ("lesions", "pathologies", "assessments", "subtleties", "boxes_x0y0x1y1_299"), ""
)
RIGHT = {"file": "cancer/A_1234_1.RIGHT_CC.webp", "side": "RIGHT"}


@pytest.fixture
def make_ddsm(tmp_path):
    """Make a folder of the archive; each argument changes the row above."""

    def make(*changes, pictures=True):
        rows = [{**ROW, **change} for change in changes]
        with (tmp_path / "index.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ROW)
            writer.writeheader()
            writer.writerows(rows)
        for row in rows if pictures else ():
            path = tmp_path / row["file"]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
        return tmp_path

    return make


@pytest.fixture(scope="module")
def real(shared_data):
    return read(shared_data / "ddsm-299")


def told(archive):
    return " | ".join(f"{p.where} {p.what}" for p in archive.problems)


def test_a_row_becomes_a_scan_with_its_facts(make_ddsm):
    (scan,) = read(make_ddsm({})).scans()
    assert (scan.scan_id, scan.exam_id) == ("cancer_07/A_1234_LEFT_CC", "cancer_07/A_1234")
    assert scan.patient_id == "ddsm-cancer_07-A_1234"
    assert (scan.laterality, scan.view) == (Laterality.LEFT, ViewPosition.CC)
    assert scan.breast_density == "2"
    assert dict(scan.facts) == {
        "kind": "cancer",
        "volume": "cancer_07",
        "site": "A",
        "scanner": "HOWTEK 43.5",
        "film_rows": "5980",
        "film_columns": "2990",
        "bits": "12",
        "resolution_um": "43.5",
        "age": "71",
        "study_date_text": "25 10 1994",
    }


def test_spacing_is_of_the_squashed_grid(make_ddsm):
    (scan,) = read(make_ddsm({})).scans()
    # 5980 rows and 2990 columns of 0.0435 mm became 299 of each.
    assert scan.spacing_mm == pytest.approx((0.87, 0.435))
    assert scan.spacing_source is SpacingSource.ARCHIVE


def test_without_the_size_of_the_film_there_is_no_spacing(make_ddsm):
    archive = read(make_ddsm({"lines": "", "pixels_per_line": "", "resolution_um": ""}))
    assert archive.scans()[0].spacing_mm is None
    assert "1 scans without the size of their film" in told(archive)


def test_a_box_becomes_a_finding(make_ddsm):
    (finding,) = read(make_ddsm({})).findings()
    assert finding.roi == Box(top=20, left=10.5, height=40, width=20)
    assert (finding.kind, finding.pathology) == (FindingKind.MASS, Pathology.MALIGNANT)
    assert (finding.assessment, finding.subtlety) == (Assessment.SUSPICIOUS, 3)
    assert finding.descriptors == ("MASS SHAPE OVAL MARGINS OBSCURED", "MALIGNANT")


def test_several_lesions_keep_their_own_words(make_ddsm):
    archive = read(
        make_ddsm(
            {
                "lesions": "CALCIFICATION TYPE AMORPHOUS DISTRIBUTION CLUSTERED+MASS SHAPE OVAL "
                "MARGINS N/A ; MASS SHAPE ARCHITECTURAL_DISTORTION MARGINS N/A",
                "pathologies": "UNPROVEN|BENIGN_WITHOUT_CALLBACK",
                "assessments": "4|0",
                "subtleties": "0|5",
                "boxes_x0y0x1y1_299": "[[1, 2, 3, 4], [5, 6, 7, 8]]",
            }
        )
    )
    first, second = archive.findings()
    assert (first.kind, second.kind) == (
        FindingKind.CALCIFICATION,
        FindingKind.ARCHITECTURAL_DISTORTION,
    )
    assert (first.pathology, second.pathology) == (None, Pathology.BENIGN)
    assert (first.subtlety, second.subtlety) == (None, 5)
    assert first.descriptors[1:] == ("MASS SHAPE OVAL MARGINS N/A", "UNPROVEN")
    assert second.assessment is Assessment.INCOMPLETE


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("FOCAL_ASYMMETRIC_DENSITY", FindingKind.ASYMMETRY),
        ("IRREGULAR-ARCHITECTURAL_DISTORTION", FindingKind.MASS),
    ],
)
def test_the_shape_of_a_mass_may_make_it_another_kind(make_ddsm, shape, kind):
    (finding,) = read(make_ddsm({"lesions": f"MASS SHAPE {shape} MARGINS N/A"})).findings()
    assert finding.kind is kind


def test_only_normal_cases_are_free_of_findings_and_the_others_say_nothing(make_ddsm):
    changes = [
        {
            **EMPTY,
            "case_class": kind,
            "volume": f"{kind}_01",
            "case": f"B_300{i}_1",
            "file": f"x/{i}.webp",
        }
        for i, kind in enumerate(("normal", "benign", "benign_without_callback", "cancer"))
    ]
    scans = {scan.facts["kind"]: scan for scan in read(make_ddsm(*changes)).scans()}
    assert scans["normal"].findings == ()
    assert scans["normal"].normal_ground == "DDSM: volume of normal exams (normal_01)"
    for kind in ("benign", "benign_without_callback", "cancer"):
        assert scans[kind].findings is None
        assert scans[kind].normal_ground is None


def test_a_case_that_cbis_knows_has_the_patient_of_cbis_on_all_films(make_ddsm):
    archive = read(
        make_ddsm(
            {"cbis_ids": "Calc-Training_P_00530_LEFT_CC|Mass-Training_P_00530_LEFT_CC"}, RIGHT
        )
    )
    assert archive.patients() == ("P_00530",)
    assert len(archive.scans()) == 2


def test_one_case_of_several_cbis_patients_is_told(make_ddsm):
    ids = "Mass-Training_P_00007_LEFT_CC|Calc-Training_P_00002_LEFT_CC"
    archive = read(make_ddsm({"cbis_ids": ids}))
    assert archive.patients() == ("P_00002",)
    assert "P_00002, P_00007 are one person, DDSM's cancer_07/A_1234" in told(archive)


@pytest.mark.parametrize(
    "change",
    [
        {"pathologies": "MALIGNANT|BENIGN"},
        {"pathologies": "CANCER"},
        {"boxes_x0y0x1y1_299": "[[1, 2, 3]]"},
        {"boxes_x0y0x1y1_299": "[[30, 2, 10, 4]]"},
        {"boxes_x0y0x1y1_299": "[["},
        {"boxes_x0y0x1y1_299": "[" * 60_000},
        {"density": "inf"},
        {"density": "5.0"},
        {"density": "2.5"},
        {"lesions": "MASS"},
        {"lines": "many"},
        {"lines": "nan"},
        {"case": "1234"},
        {"case_class": "normal"},
        {"side": "BOTH"},
        {"file": "../outside.webp"},
        {"cbis_ids": "P_00530"},
        {"truncated_rows": ""},
    ],
)
def test_a_damaged_row_stops_the_use_of_the_scans(make_ddsm, change):
    archive = read(make_ddsm(change, RIGHT))
    assert "line 2" in told(archive)
    with pytest.raises(AnnotationError, match=r"index\.csv, line 2: .* get the table again"):
        archive.scans()


def test_rows_lost_in_decoding_are_told(make_ddsm):
    assert "the last 12 rows of A_1234_1.LEFT_CC.webp" in told(
        read(make_ddsm({"truncated_rows": "12"}))
    )


def test_contradictions_are_told(make_ddsm):
    archive = read(
        make_ddsm(
            {"volume": "benign_01", "boxes_x0y0x1y1_299": "[[10, 20, 299.2, 60]]"},
            {"volume": "benign_01"},
        )
    )
    seen = told(archive)
    assert "benign_01/A_1234 is listed as cancer, against its volume" in seen
    assert "the box of benign_01/A_1234_LEFT_CC_1 leaves the picture" in seen
    assert "a second row for" in seen
    assert "1 scans of 1 cases; the whole set has 3600 of 900" in seen


def test_missing_pictures_are_told_and_no_picture_at_all_is_an_error(make_ddsm):
    folder = make_ddsm({}, RIGHT)
    (folder / RIGHT["file"]).unlink()
    archive = read(folder)
    assert len(archive.scans()) == 1
    assert "RIGHT_CC.webp the picture is missing" in told(archive)
    (folder / ROW["file"]).unlink()
    with pytest.raises(MissingFileError, match="none of the pictures"):
        read(folder)


def test_another_folder_is_refused(tmp_path):
    assert not is_here(tmp_path)
    assert not is_here(tmp_path / "absent")
    with pytest.raises(LayoutError, match=r"index\.csv"):
        read(tmp_path)


def test_a_picture_of_another_size_and_a_damaged_one_are_told(make_ddsm):
    archive = read(make_ddsm({}))
    (scan,) = archive.scans()
    (problem,) = look(scan).problems
    assert "webp" in problem.where
    Image.fromarray(np.zeros((299, 300), dtype=np.uint8)).save(scan.path, lossless=True)
    (problem,) = look(scan).problems
    assert "299 x 300 pixels, not 299 x 299" in problem.what


def test_a_sound_picture_has_a_digest_and_no_problem(make_ddsm):
    (scan,) = read(make_ddsm({})).scans()
    Image.fromarray(np.full((299, 299), 7, dtype=np.uint8)).save(scan.path, lossless=True)
    seen = look(scan)
    assert seen.problems == ()
    assert seen.digest is not None


@pytest.mark.real
def test_the_real_archive_has_its_counts(real):
    scans = real.scans()
    assert (len(scans), len(real.exams()), len(real.patients())) == (3600, 900, 900)
    assert Counter(scan.facts["kind"] for scan in scans) == {
        "normal": 1600,
        "cancer": 1200,
        "benign": 640,
        "benign_without_callback": 160,
    }
    assert len(real.findings()) == 743
    assert sum(scan.findings is not None for scan in scans) == 1600 + 640
    assert sum("cbis_ids" in scan.facts for scan in scans) == 828


@pytest.mark.real
def test_the_real_archives_oddities_are_told(real):
    assert [problem.what for problem in real.problems] == [
        "the box of cancer_03/A_1064_LEFT_CC_1 leaves the picture",
        "156 scans without the size of their film, so without spacing",
        "benign_01/B_3186 is listed as benign_without_callback, against its volume",
    ]


@pytest.mark.real
def test_the_people_are_those_of_the_table_of_matches(real, shared_data):
    matched = {}
    with (shared_data / "cbis-ddsm" / "ddsm-join.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            case = f"{row['ddsm_volume']}/{row['ddsm_film'][:6]}"
            matched.setdefault(case, set()).add(row["cbis_scan"].split("_")[2])
    for scan in real.scans():
        known = sorted(matched.get(scan.exam_id, ()))
        if known:
            assert scan.patient_id == f"P_{known[0]}"
        else:
            assert scan.patient_id.startswith("ddsm-")


@pytest.mark.real
def test_the_real_pictures_can_be_read(real):
    for scan in real.scans()[::300]:
        assert look(scan).problems == ()
