"""CBIS-DDSM's known defects on made trees: films listed twice, masks and crops mixed up."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from mammoscope.core.vocabulary import (
    FindingKind,
    Pathology,
    Split,
)
from mammoscope.formats.masks import mask_of

local = SimpleNamespace(**run_path(str(Path(__file__).with_name("cbis_tree.py"))))
BOX, ONE, SHAPE, Tree = local.BOX, local.ONE, local.SHAPE, local.Tree
grey, mask, write_dicom = local.grey, local.mask, local.write_dicom
looked, odd, place_of, whats = local.looked, local.odd, local.place_of, local.whats


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


# A film in two tables


def test_a_film_among_masses_and_calcifications_is_one_scan_with_all_its_findings(tree: Tree):
    same = grey(seed=7)
    for name in ("Mass-Training_P_90001_LEFT_CC", "Calc-Training_P_90001_LEFT_CC"):
        tree.scan(name, same)
        tree.marks(name)
        tree.row(name)
    archive = tree.read()

    (scan,) = archive.scans()
    assert [f.kind for f in archive.findings()] == [FindingKind.MASS, FindingKind.CALCIFICATION]
    assert [f.finding_id[-6:] for f in archive.findings()] == ["mass_1", "calc_1"]
    assert "Mass-Training" in str(scan.path)
    assert "Calc-Training" in scan.facts["second_file"]
    assert scan.split is Split.TRAIN
    assert odd(archive) == []
    assert looked(archive) == ""


def test_two_films_under_one_name_are_told(tree: Tree):
    for seed, name in enumerate(("Mass-Training_P_90001_LEFT_CC", "Calc-Training_P_90001_LEFT_CC")):
        tree.scan(name, grey(seed=seed))
        tree.marks(name)
        tree.row(name)

    assert "not the same pixels" in looked(tree.read())


def test_the_second_film_stands_in_where_the_first_is_missing(tree: Tree):
    tree.whole("Calc-Training_P_90001_LEFT_CC")
    tree.row("Mass-Training_P_90001_LEFT_CC")
    tree.whole("Mass-Training_P_90002_LEFT_CC")
    archive = tree.read()

    scan = archive.records[0]
    assert "Calc-Training" in str(scan.path)
    assert len(scan.findings or ()) == 2
    assert "the scan Mass-Training_P_90001_LEFT_CC is not here" in whats(odd(archive))


def test_the_second_film_stands_in_where_the_first_is_damaged(tree: Tree):
    for name in ("Mass-Training_P_90001_LEFT_CC", "Calc-Training_P_90001_LEFT_CC"):
        path = tree.scan(name)
        tree.marks(name)
        tree.row(name)
        if name.startswith("Mass"):
            path.write_bytes(b"no DICOM")
    archive = tree.read()

    assert "Calc-Training" in str(archive.records[0].path)
    assert "Mass-Training" in archive.records[0].facts["second_file"]
    assert "Mass-Training" in looked(archive)


def test_a_scan_in_both_parts_is_a_test_scan_and_its_patient_is_told(tree: Tree):
    tree.whole("Calc-Training_P_90001_LEFT_CC")
    tree.whole("Calc-Training_P_90001_LEFT_MLO")
    tree.whole("Mass-Test_P_90001_LEFT_CC")
    tree.whole("Mass-Test_P_90002_LEFT_CC")
    archive = tree.read()

    assert {scan.scan_id: scan.split for scan in archive.scans()} == {
        "P_90001_LEFT_CC": Split.TEST,
        "P_90001_LEFT_MLO": Split.TRAIN,
        "P_90002_LEFT_CC": Split.TEST,
    }
    said = whats(odd(archive))
    assert "1 patient in both the training and the test part, with 1 of the 2 test scans" in said
    assert "1 scan in both parts: P_90001_LEFT_CC" in said
    marked = [s.scan_id for s in archive.scans() if s.facts.get("patient_in_both_parts") == "yes"]
    assert marked == ["P_90001_LEFT_CC", "P_90001_LEFT_MLO"]


def test_one_table_s_two_parts_keep_both_findings_of_one_number(tree: Tree):
    tree.whole("Mass-Training_P_90001_LEFT_CC")
    tree.whole("Mass-Test_P_90001_LEFT_CC", pathology="BENIGN")

    ids = [finding.finding_id for finding in tree.read().findings()]
    assert ids == ["P_90001_LEFT_CC_mass_1", "P_90001_LEFT_CC_mass_1_test"]


# Defects that the archive is known for


def test_a_mask_that_the_table_calls_a_crop_is_used_and_told(tree: Tree):
    tree.scan(ONE)
    drawn, crop = tree.marks(ONE, mask_first=True)
    tree.row(ONE)
    archive = tree.read()

    assert place_of(archive.records[0]).path == drawn
    (problem,) = odd(archive)
    assert f"mask and crop of {ONE}_1 are exchanged: {crop.name} is the crop" in problem.what


def test_a_mask_of_another_size_and_the_same_aspect_is_used_and_told(tree: Tree):
    tree.scan(ONE)
    drawn, _ = tree.marks(ONE, drawn=mask((30, 20), (slice(10, 16), slice(5, 9))))
    tree.row(ONE)
    archive = tree.read()

    # Every pixel of the small mask stands for 2 x 2 of the scan: rows 20 to 31, columns 10 to 17.
    assert (mask_of(place_of(archive.records[0]), SHAPE) == (mask() > 0)).all()
    (problem,) = odd(archive)
    assert problem.where == str(drawn)
    assert "30 x 20 pixels and its scan 60 x 40, the same shape in another size" in problem.what
    assert looked(archive) == ""


def test_a_mask_of_another_aspect_is_told_and_its_finding_kept_without_a_place(tree: Tree):
    tree.scan(ONE)
    tree.marks(ONE, drawn=mask((30, 30)))
    tree.row(ONE)
    archive = tree.read()

    (finding,) = archive.findings()
    assert finding.roi is None
    assert finding.pathology is Pathology.MALIGNANT
    assert "another shape" in whats(odd(archive))


def test_a_missing_mask_is_told_and_its_crop_never_taken_for_it(tree: Tree):
    tree.scan(ONE)
    drawn, crop = tree.marks(ONE)
    drawn.unlink()
    tree.row(ONE)
    archive = tree.read()

    assert archive.findings()[0].roi is None
    assert f"no mask for {ONE}_1 (files: {crop.name})" in whats(odd(archive))


def test_an_abnormality_without_files_is_told_by_name(tree: Tree):
    tree.whole(ONE)
    tree.row(ONE, 2)
    archive = tree.read()

    assert [finding.roi is None for finding in archive.findings()] == [False, True]
    assert whats(odd(archive)).endswith(f"line 4: mask and crop of {ONE}_2 are not here")


def test_a_missing_scan_is_told_by_name(tree: Tree):
    tree.whole(ONE)
    tree.row("Mass-Training_P_90002_RIGHT_MLO")

    archive = tree.read()
    assert len(archive.records) == 1
    assert "the scan Mass-Training_P_90002_RIGHT_MLO is not here" in whats(odd(archive))


def test_a_table_of_which_nothing_was_fetched_is_told_once(tree: Tree):
    tree.whole(ONE)
    for patient in range(90002, 90012):
        tree.row(f"Calc-Test_P_{patient}_LEFT_CC")

    (problem,) = odd(tree.read())
    assert problem.what == "none of the 10 scans that it names is here"


def test_files_of_which_no_table_tells_are_left_out_and_told(tree: Tree):
    tree.whole(ONE)
    tree.scan("Mass-Training_P_90009_LEFT_CC")
    tree.scan("Mass-Training_P_90010_LEFT_CC")
    tree.scan("Mass-Test_P_90011_LEFT_CC")
    archive = tree.read()

    assert [scan.scan_id for scan in archive.records] == ["P_90001_LEFT_CC"]
    # One problem a table: a torn one would make a thousand.
    assert [problem.what for problem in odd(archive)] == [
        "no table has a row for Mass-Test_P_90011_LEFT_CC",
        "no table has a row for Mass-Training_P_90009_LEFT_CC, Mass-Training_P_90010_LEFT_CC",
    ]


def test_a_file_whose_header_names_another_scan_is_left_out_and_told(tree: Tree):
    tree.whole(ONE)
    tree.row("Mass-Training_P_90002_LEFT_CC")
    place = tree.place("Mass-Training_P_90002_LEFT_CC", "full mammogram images")
    write_dicom(place / "000000.dcm", grey(), "Mass-Training_P_90003_LEFT_CC")
    archive = tree.read()

    assert [scan.scan_id for scan in archive.records] == ["P_90001_LEFT_CC"]
    assert "its header says Mass-Training_P_90003_LEFT_CC" in whats(odd(archive))


def test_a_mask_whose_header_names_another_abnormality_is_left_out_and_told(tree: Tree):
    tree.whole(ONE, 2)
    drawn = place_of(tree.read().records[0]).path
    write_dicom(drawn, mask(), f"{ONE}_2", "ROI mask images")
    archive = tree.read()

    assert [finding.roi is None for finding in archive.findings()] == [True, False]
    assert f"{drawn}: its header says {ONE}_2, its folder {ONE}_1" in whats(odd(archive))


def test_a_foreign_dicom_file_is_left_out_and_told(tree: Tree):
    tree.whole(ONE)
    stray = write_dicom(tree.folder / "other" / "ct.dcm", grey(), "somebody")

    archive = tree.read()
    assert whats(odd(archive)).startswith(f"{stray}: neither its folder nor its header")


def test_a_further_file_beside_a_scan_does_not_take_its_place(tree: Tree):
    tree.whole(ONE)
    path = tree.read().records[0].path
    further = write_dicom(path.parent.parent / "1.7" / "000000.dcm", mask((90, 90)), ONE)
    archive = tree.read()

    assert archive.records[0].path == path
    assert f"{further}: a further file beside the scan {ONE}" in whats(odd(archive))
