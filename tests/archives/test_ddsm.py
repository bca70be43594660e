"""DDSM's trees: what a case becomes, what is told of faults, and a made archive of real streams."""

import gzip
import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mammoscope.archives import ddsm
from mammoscope.archives.ddsm_case import patient_of
from mammoscope.archives.look import Look
from mammoscope.archives.pictures import pixel_digest
from mammoscope.core.errors import LayoutError, MissingFileError
from mammoscope.core.geometry import Box
from mammoscope.core.vocabulary import (
    FindingKind,
    Intent,
    Laterality,
    Pathology,
    SpacingSource,
    ViewPosition,
)
from mammoscope.formats.ics import VIEWS, Ics, IcsView, format_ics
from mammoscope.formats.ics_date import read_dates
from mammoscope.formats.ljpeg import decode_ljpeg
from mammoscope.formats.ljpeg_encode import encode_ljpeg
from mammoscope.formats.masks import mask_of

OVERLAY = """TOTAL_ABNORMALITIES 1
ABNORMALITY 1 
LESION_TYPE MASS SHAPE OVAL MARGINS SPICULATED
ASSESSMENT 4 
SUBTLETY 3 
PATHOLOGY MALIGNANT
TOTAL_OUTLINES 1 
BOUNDARY
20 10  2 2 4 4 6 6 0 0 #
"""  # noqa: W291  (blanks at line ends are the archive's)
STUDY, SCANNED = read_dates("21 6 1995", "25 5 1999", orders_mixed=False)
ROWS, COLUMNS = 60, 40


def heading(name, overlays=(), **changes):
    films = tuple(
        IcsView(
            name=view,
            lines=ROWS,
            pixels_per_line=COLUMNS,
            bits=12,
            resolution_um=43.5,
            overlay=view in overlays,
        )
        for view in VIEWS
    )
    ics = Ics(
        filename=f"{name}-1".replace("_", "-"),
        study_date=STUDY,
        age=57,
        film_type="REGULAR",
        density=3,
        scan_date=SCANNED,
        digitizer="HOWTEK 43.5",
        views=films,
    )
    return format_ics(replace(ics, **changes))


def image(seed):
    return np.random.default_rng(seed).integers(0, 4096, (ROWS, COLUMNS)).astype(np.uint16)


@pytest.fixture
def make_case(tmp_path):
    """Make a case as the archive has it, and return its folder; images are empty unless asked."""

    def make(volume="cancer_06", name="A_9002", overlays=("LEFT_CC",), *, pixels=False, **changes):
        kind = volume.rpartition("_")[0]
        folder = tmp_path / "cases" / f"{kind}s" / volume / f"case{name[2:]}"
        folder.mkdir(parents=True, exist_ok=True)
        text = heading(name, overlays, **changes)
        (folder / f"{name.replace('_', '-')}-1.ics").write_text(text)
        for number, view in enumerate(VIEWS):
            data = encode_ljpeg(image(number)) if pixels else b""
            (folder / f"{name}_1.{view}.LJPEG").write_bytes(data)
        for view in overlays:
            (folder / f"{name}_1.{view}.OVERLAY").write_text(OVERLAY)
        return folder

    return make


def by_view(archive):
    return {scan.scan_id.rpartition("A_9002_")[2]: scan for scan in archive.scans()}


def told(archive):
    return [(problem.where.rpartition("/")[2], problem.what) for problem in archive.problems]


def test_a_case_becomes_an_exam_of_four_scans_with_its_facts(make_case):
    archive = ddsm.read(make_case())
    (exam,) = archive.exams()
    assert (exam.exam_id, len(exam.scans)) == ("cancer_06/A_9002", 4)
    scan = by_view(archive)["RIGHT_MLO"]
    assert (scan.laterality, scan.view) == (Laterality.RIGHT, ViewPosition.MLO)
    assert (scan.spacing_mm, scan.spacing_source) == ((0.0435, 0.0435), SpacingSource.ARCHIVE)
    assert (scan.intent, scan.breast_density) == (Intent.FILM, "3")
    assert scan.patient_id == "ddsm-cancer_06-A_9002"
    assert scan.path.name == "A_9002_1.RIGHT_MLO.LJPEG"
    assert scan.facts == {
        "volume": "cancer_06",
        "kind": "cancer",
        "site": "A",
        "scanner": "HOWTEK 43.5",
        "film_type": "REGULAR",
        "age": "57",
        "bits": "12",
        "film_rows": "60",
        "film_columns": "40",
        "study_date": "1995-06-21",
        "study_date_text": "21 6 1995",
        "study_date_order": "proven",
        "scan_date": "1999-05-25",
        "scan_date_text": "25 5 1999",
        "scan_date_order": "proven",
    }
    assert archive.problems == ()


def test_an_outline_becomes_a_finding_on_its_scan(make_case):
    (finding,) = by_view(ddsm.read(make_case()))["LEFT_CC"].findings
    assert (finding.kind, finding.pathology) == (FindingKind.MASS, Pathology.MALIGNANT)
    assert finding.roi.box == Box(10, 20, 3, 3)


def test_a_view_without_outlines_is_not_called_free_of_findings(make_case):
    for volume in ("cancer_06", "benign_02", "benign_without_callback_01"):
        scan = by_view(ddsm.read(make_case(volume)))["RIGHT_CC"]
        assert (scan.findings, scan.normal_ground) == (None, None)


def test_only_volumes_of_normal_exams_hold_normal_scans(make_case):
    scan = by_view(ddsm.read(make_case("normal_01", overlays=())))["RIGHT_CC"]
    assert scan.findings == ()
    assert scan.normal_ground == "DDSM: volume of normal exams (normal_01)"


def test_a_normal_view_whose_outlines_are_missing_is_not_called_normal(make_case):
    folder = make_case("normal_01")
    (folder / "A_9002_1.LEFT_CC.OVERLAY").unlink()
    archive = ddsm.read(folder)
    assert by_view(archive)["LEFT_CC"].findings is None
    assert told(archive) == [
        ("A-9002-1.ics", "it says OVERLAY for LEFT_CC, and the file of outlines is not here")
    ]


def test_an_outline_in_a_normal_volume_is_told(make_case):
    archive = ddsm.read(make_case("normal_01"))
    assert len(by_view(archive)["LEFT_CC"].findings) == 1
    assert "an outline in a volume of normal exams" in told(archive)[0][1]


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_a_case_a_volume_a_kind_and_a_whole_tree_are_read_alike(make_case, levels):
    folder = make_case()
    whole = ddsm.read(folder)
    for _ in range(levels):
        folder = folder.parent
    assert ddsm.is_here(folder)
    assert ddsm.read(folder).records == whole.records


def test_packed_files_are_read_as_the_others(make_case):
    folder = make_case(pixels=True)
    plain = ddsm.read(folder)
    digests = [ddsm.look(scan).digest for scan in plain.records]
    for path in [*folder.glob("*.LJPEG"), *folder.glob("*.OVERLAY")]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    packed = ddsm.read(folder)
    assert [scan.findings for scan in packed.records] == [scan.findings for scan in plain.records]
    assert [ddsm.look(scan).digest for scan in packed.records] == digests
    assert packed.problems == ()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"density": 0}, "DENSITY is 0, expected 1 to 4"),
        ({"age": None}, "PATIENT_AGE has no value"),
        (
            {"study_date": read_dates("5 11 92", None, orders_mixed=False)[0]},
            "DATE_OF_STUDY has a year of two digits: '5 11 92'",
        ),
        ({"filename": "A-9003-1"}, "it calls itself 'A-9003-1', the heading of another case"),
    ],
)
def test_what_is_odd_in_a_heading_is_told(make_case, changes, what):
    archive = ddsm.read(make_case(**changes))
    assert told(archive) == [("A-9002-1.ics", what)]
    assert len(archive.records) == 4


def test_a_density_of_nought_is_none(make_case):
    assert by_view(ddsm.read(make_case(density=0)))["LEFT_CC"].breast_density is None


def test_the_heading_of_another_case_is_not_used(make_case):
    scan = by_view(ddsm.read(make_case(filename="A-9003-1")))["LEFT_CC"]
    assert (scan.spacing_mm, scan.facts.get("age")) == (None, None)


def test_dates_of_the_mixed_volume_that_can_be_read_both_ways_are_left_open(make_case):
    study = read_dates("6 3 1996", None, orders_mixed=False)[0]
    facts = by_view(ddsm.read(make_case("cancer_15", study_date=study)))["LEFT_CC"].facts
    assert "study_date" not in facts
    assert (facts["study_date_text"], facts["study_date_order"]) == ("6 3 1996", "ambiguous")
    facts = by_view(ddsm.read(make_case("cancer_05", study_date=study)))["LEFT_CC"].facts
    assert (facts["study_date"], facts["study_date_order"]) == ("1996-03-06", "assumed")


def test_a_case_without_its_heading_keeps_its_views_and_findings(make_case):
    folder = make_case()
    (folder / "A-9002-1.ics").unlink()
    archive = ddsm.read(folder)
    scan = by_view(archive)["LEFT_CC"]
    assert (scan.spacing_mm, scan.spacing_source, len(scan.findings)) == (None, None, 1)
    assert told(archive) == [("case9002", "no .ics file of case A_9002")]


def test_a_damaged_heading_is_told_and_not_used(make_case):
    folder = make_case()
    path = folder / "A-9002-1.ics"
    path.write_text(path.read_text().replace("LINES 60", "LINES 6o", 1))
    archive = ddsm.read(folder)
    assert by_view(archive)["RIGHT_CC"].spacing_mm is None
    assert "the line of LEFT_CC is not LINES" in told(archive)[0][1]


def test_a_damaged_overlay_leaves_its_scan_without_a_claim(make_case):
    folder = make_case()
    (folder / "A_9002_1.LEFT_CC.OVERLAY").write_text(OVERLAY.replace("#", ""))
    archive = ddsm.read(folder)
    assert by_view(archive)["LEFT_CC"].findings is None
    assert "cut short" in told(archive)[0][1]


def test_missing_images_and_outlines_without_an_image_are_told(make_case):
    folder = make_case()
    for view in ("LEFT_CC", "RIGHT_CC"):
        (folder / f"A_9002_1.{view}.LJPEG").unlink()
    archive = ddsm.read(folder)
    assert len(archive.records) == 2
    assert told(archive) == [
        ("A_9002_1.LEFT_CC.OVERLAY", "its image is not here"),
        ("A-9002-1.ics", "no image of LEFT_CC, RIGHT_CC of this case"),
    ]


def test_a_flag_that_is_wrong_is_told_and_the_file_is_believed(make_case):
    folder = make_case(overlays=())
    (folder / "A_9002_1.LEFT_CC.OVERLAY").write_text(OVERLAY)
    archive = ddsm.read(folder)
    assert len(by_view(archive)["LEFT_CC"].findings) == 1
    assert told(archive) == [
        ("A-9002-1.ics", "it says NON_OVERLAY for LEFT_CC, and the file of outlines is here")
    ]


def test_an_outline_that_leaves_the_film_is_told_and_kept(make_case):
    folder = make_case()
    path = folder / "A_9002_1.LEFT_CC.OVERLAY"
    path.write_text(OVERLAY.replace("20 10 ", "39 10 "))
    archive = ddsm.read(folder)
    (finding,) = by_view(archive)["LEFT_CC"].findings
    assert "leaves the image by 2 pixels" in told(archive)[0][1]
    assert mask_of(finding.roi, (ROWS, COLUMNS)).sum() == 3


def test_strays_and_numbers_in_two_volumes_are_told(make_case):
    make_case("benign_05", overlays=())
    folder = make_case()
    (folder / "A_9002_1.LEFT_CC.LJPEG.1").write_bytes(b"")
    archive = ddsm.read(folder.parents[2])
    assert len(archive.exams()) == 2
    assert told(archive) == [
        ("A_9002_1.LEFT_CC.LJPEG.1", "a decoded image that the archive's program left behind"),
        ("A_9002", "the case number A_9002 stands in 2 volumes"),
    ]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "mdb001.pgm").write_bytes(b"")
    assert not ddsm.is_here(tmp_path)
    with pytest.raises(LayoutError, match=r"A-1234-1\.ics"):
        ddsm.read(tmp_path)


def test_small_views_alone_are_not_the_archive(tmp_path):
    (tmp_path / "TAPE_A_9002_1.COMB.16_PGM").write_bytes(b"")
    assert not ddsm.is_here(tmp_path)
    (tmp_path / "A-9002-1.ics").write_text("")
    assert ddsm.is_here(tmp_path)


def test_a_folder_that_may_not_be_listed_is_told_and_the_others_are_read(make_case, monkeypatch):
    shut = make_case("benign_05", name="A_9003", overlays=())
    archive_folder = make_case().parents[2]
    listed = os.scandir

    def refuse(path):
        if str(path) == str(shut):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    archive = ddsm.read(archive_folder)
    assert len(archive.records) == 4
    assert told(archive) == [("case9003", "the folder cannot be listed (Permission denied)")]


def test_a_missing_folder_holds_nothing(tmp_path):
    assert not ddsm.is_here(tmp_path / "nothing")


def test_cases_without_any_image_are_refused(make_case):
    folder = make_case()
    for path in folder.glob("*.LJPEG"):
        path.unlink()
    with pytest.raises(MissingFileError, match="none of their images"):
        ddsm.read(folder)


def test_a_sound_film_is_looked_at_without_a_problem(make_case):
    looks = [ddsm.look(scan) for scan in ddsm.read(make_case(pixels=True)).records]
    assert [seen.problems for seen in looks] == [()] * 4
    assert len({seen.digest for seen in looks}) == 4


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[: len(data) // 2], "rows"),
        (lambda data: b"", ""),
        (lambda data: b"P5" + data[2:], ""),
    ],
)
def test_a_damaged_film_is_told_with_its_name(make_case, damage, what):
    scan = by_view(ddsm.read(make_case(pixels=True)))["LEFT_CC"]
    scan.path.write_bytes(damage(scan.path.read_bytes()))
    (problem,) = ddsm.look(scan).problems
    assert problem.where == str(scan.path)
    assert what in problem.what


def test_a_film_of_another_size_than_its_heading_is_told(make_case):
    scan = by_view(ddsm.read(make_case(pixels=True)))["LEFT_CC"]
    scan.path.write_bytes(encode_ljpeg(image(0)[:-3]))
    assert len(ddsm.look(scan).problems) == 1


def test_values_over_the_bits_of_the_heading_are_told(make_case):
    scan = by_view(ddsm.read(make_case(pixels=True)))["LEFT_CC"]
    brighter = image(0)
    brighter[3, 4] = 4096
    scan.path.write_bytes(encode_ljpeg(brighter))
    (problem,) = ddsm.look(scan).problems
    assert problem.what == "a pixel is 4096, more than 12 bits hold"


def test_without_a_heading_outlines_are_compared_with_the_image_itself(make_case):
    folder = make_case(pixels=True)
    (folder / "A-9002-1.ics").unlink()
    path = folder / "A_9002_1.LEFT_CC.OVERLAY"
    path.write_text(OVERLAY.replace("20 10 ", "39 10 "))
    (problem,) = ddsm.look(by_view(ddsm.read(folder))["LEFT_CC"]).problems
    assert "leaves the image by 2 pixels" in problem.what


def test_a_film_that_is_there_twice_is_found(make_case):
    folder = make_case(pixels=True)
    shutil.copy(folder / "A_9002_1.LEFT_CC.LJPEG", folder / "A_9002_1.RIGHT_CC.LJPEG")
    (problem,) = ddsm.read(folder).check(workers=1)
    assert "RIGHT_CC" in problem.where


@pytest.mark.parametrize(
    ("volume", "name", "patient"),
    [
        ("benign_01", "B_3091", "P_00824"),
        # CBIS-DDSM knows numbers alone, so a number of two volumes has one id.
        ("benign_05", "A_1500", "P_01264"),
        ("cancer_08", "A_1500", "P_01264"),
        (None, "B_3091", "P_00824"),
        ("normal_01", "A_0002", "ddsm-normal_01-A_0002"),
        (None, "A_0002", "ddsm-A_0002"),
    ],
)
def test_a_patient_whom_cbis_ddsm_shows_again_has_its_id(volume, name, patient):
    assert patient_of(volume, name) == patient


@pytest.fixture(scope="module")
def minicase(shared_data):
    return shared_data / "ddsm/ljpeg/minicase"


@pytest.mark.real
def test_every_film_of_the_made_archive_has_the_pixels_of_its_index(minicase):
    scans = {scan.path.name: scan for scan in ddsm.read(minicase).records}
    films = json.loads((minicase / "index.json").read_text())
    assert len(scans) == len(films) == 20
    for film in films:
        scan = scans[film["path"].rpartition("/")[2]]
        assert scan.facts["scanner"] == film["digitizer"]
        rows, columns = int(scan.facts["film_rows"]), int(scan.facts["film_columns"])
        image = decode_ljpeg(scan.path.read_bytes(), rows, columns)
        assert image.shape == (film["rows"], film["cols"])
        digest = hashlib.sha256(image.astype(">u2").tobytes()).hexdigest()
        assert digest == film["pixels_sha256"]
        assert ddsm.look(scan).problems == ()


@pytest.mark.real
def test_the_made_archive_tells_what_is_odd_in_it_and_nothing_else(minicase):
    archive = ddsm.read(minicase)
    assert (len(archive.exams()), len(archive.findings())) == (5, 10)
    said = [(where, what) for where, what in told(archive) if not where.endswith(".npy")]
    assert said == [
        ("D-9003-1.ics", "PATIENT_AGE has no value"),
        ("B-9005-1.ics", "DATE_DIGITIZED may be day month or month day: '4 5 1999'"),
        ("C-9004-1.ics", "DATE_OF_STUDY has a year of two digits: '5 11 92'"),
    ]
    assert [len(scan.findings or ()) for scan in archive.records].count(2) == 2


@pytest.mark.real
def test_the_cut_genuine_film_is_told_with_the_rows_that_are_there(shared_data):
    (scan,) = ddsm.read(shared_data / "ddsm/genuine/ljpeg").records
    (problem,) = ddsm.look(scan).problems
    assert "175 of 4334 rows" in problem.what


def test_a_volume_that_is_a_link_is_read_as_any_other(make_case, tmp_path):
    volume = make_case().parent
    elsewhere = tmp_path / "disk"
    volume.rename(elsewhere)
    volume.symlink_to(elsewhere)
    for folder in (tmp_path / "cases", volume, volume / "case9002"):
        assert ddsm.is_here(folder)
        archive = ddsm.read(folder)
        assert [exam.exam_id for exam in archive.exams()] == ["cancer_06/A_9002"]
        assert archive.problems == ()


@pytest.mark.parametrize("to", [".", "..", "/", "../../benigns"])
def test_links_that_go_round_are_told_and_nothing_is_read_twice(make_case, tmp_path, to):
    make_case("benign_05", name="A_9003", overlays=())
    folder = make_case()
    (folder.parent / "round").symlink_to(to)
    archive = ddsm.read(tmp_path / "cases")
    assert len(archive.records) == 8
    assert told(archive) == [
        ("round", "a link to a folder that is read already, or that this one lies in")
    ]


def test_a_folder_given_by_dots_is_named_as_it_is(make_case):
    folder = make_case()
    (exam,) = ddsm.read(folder / "..").exams()
    assert exam.exam_id == "cancer_06/A_9002"


def test_a_date_of_a_case_that_lies_alone_may_be_of_the_mixed_volume(make_case, tmp_path):
    study = read_dates("6 3 1996", None, orders_mixed=False)[0]
    orders = {}
    for name in ("A_9002", "B_9002", "C_9002", "D_9002"):
        alone = make_case(name=name, study_date=study).rename(tmp_path / name)
        orders[name[0]] = ddsm.read(alone).records[0].facts["study_date_order"]
    assert orders == {"A": "assumed", "B": "ambiguous", "C": "ambiguous", "D": "assumed"}


def test_a_film_without_a_heading_is_laid_out_higher_than_wide(make_case):
    folder = make_case(pixels=True)
    path = folder / "A_9002_1.LEFT_CC.LJPEG"
    known = ddsm.look(by_view(ddsm.read(folder))["LEFT_CC"]).digest
    (folder / "A-9002-1.ics").unlink()
    smooth = np.add.outer(np.arange(ROWS), np.arange(COLUMNS)).astype(np.uint16)
    for exchanged in (False, True):
        path.write_bytes(encode_ljpeg(smooth, header_rows_columns_exchanged=exchanged))
        seen = ddsm.look(by_view(ddsm.read(folder))["LEFT_CC"])
        assert seen == Look(digest=pixel_digest(smooth))
        assert seen.digest != known
