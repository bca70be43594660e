"""VinDr-Mammo: made folders in the published layout."""

import csv

import pytest

from mammoscope.archives.vindr_mammo import is_here, read
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
from mammoscope.core.geometry import Box
from mammoscope.core.vocabulary import (
    Assessment,
    FindingKind,
    Laterality,
    Split,
    ViewPosition,
)

SCAN = {
    "study_id": "b8d273e8601f348d",
    "series_id": "5a5f1a0dd1ab6ec0",
    "image_id": "d8125545210c08e1",
    "laterality": "L",
    "view_position": "CC",
    "height": "3518",
    "width": "2800",
    "breast_birads": "BI-RADS 4",
    "breast_density": "DENSITY C",
    "split": "training",
}
NO_BOX = {
    "finding_categories": "['No Finding']",
    "finding_birads": "",
    **dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), ""),
}
BOX = {
    "finding_categories": "['Mass']",
    "finding_birads": "BI-RADS 4",
    "xmin": "2355.139892578125",
    "ymin": "1731.63",
    "xmax": "2482.98",
    "ymax": "1852.75",
}


def write(path, rows):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def make(tmp_path):
    """Make a folder; each argument is a scan's changes and the boxes on it."""

    def made(*scans, files=True):
        rows = [{**SCAN, **changes} for changes, _ in scans]
        boxes = [{**SCAN, **c, **b} for c, marked in scans for b in (marked or [NO_BOX])]
        write(tmp_path / "breast-level_annotations.csv", rows)
        write(tmp_path / "finding_annotations.csv", boxes)
        for row in rows if files else ():
            path = tmp_path / "images" / row["study_id"] / f"{row['image_id']}.dicom"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return tmp_path

    return made


def test_a_row_becomes_a_scan_with_the_words_of_the_archive(make):
    archive = read(make(({}, [BOX])))
    (scan,) = archive.scans()

    assert archive.problems == ()
    assert (scan.scan_id, scan.patient_id) == ("d8125545210c08e1", "b8d273e8601f348d")
    assert (scan.laterality, scan.view) == (Laterality.LEFT, ViewPosition.CC)
    assert scan.breast_density == "C"
    assert scan.split is Split.TRAIN
    assert scan.facts["assessment"] == "BI-RADS 4"
    assert scan.facts["film_rows"] == "3518"


def test_a_box_is_a_finding_with_an_assessment_and_no_pathology(make):
    (finding,) = read(make(({}, [BOX]))).findings()

    assert finding.kind is FindingKind.MASS
    assert finding.assessment is Assessment.SUSPICIOUS
    assert finding.pathology is None
    left, top, right, bottom = 2355.139892578125, 1731.63, 2482.98, 1852.75
    assert finding.roi == Box(top, left, bottom - top, right - left)


def test_a_box_of_several_categories_is_one_finding_named_after_the_first(make):
    several = {**BOX, "finding_categories": "['Suspicious Calcification', 'Mass']"}
    (finding,) = read(make(({}, [several]))).findings()

    assert finding.kind is FindingKind.MASS
    assert finding.descriptors == ("Suspicious Calcification", "Mass")


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("Focal Asymmetry", FindingKind.ASYMMETRY),
        ("Architectural Distortion", FindingKind.ARCHITECTURAL_DISTORTION),
        ("Nipple Retraction", FindingKind.OTHER),
    ],
)
def test_categories_have_kinds(make, category, kind):
    (finding,) = read(make(({}, [{**BOX, "finding_categories": f"['{category}']"}]))).findings()
    assert finding.kind is kind


def test_a_box_over_the_edge_is_cut_there(make):
    edge = {**BOX, "xmin": "-5.5", "ymin": "-1", "xmax": "2801", "ymax": "20"}
    (finding,) = read(make(({}, [edge]))).findings()
    assert finding.roi == Box(0, 0, 20, 2800)


@pytest.mark.parametrize(
    ("assessment", "free"), [("BI-RADS 1", True), ("BI-RADS 2", False), ("BI-RADS 4", False)]
)
def test_without_a_box_only_birads_1_is_free_of_findings(make, assessment, free):
    (scan,) = read(make(({"breast_birads": assessment}, []))).scans()

    assert scan.findings == (() if free else None)
    assert bool(scan.normal_ground) is free


def test_the_two_tables_are_joined_by_scan(make):
    other = {"image_id": "aa", "laterality": "R", "split": "test"}
    archive = read(make(({}, [BOX, BOX]), (other, [BOX])))

    assert [(s.scan_id, len(s.findings), s.split) for s in archive.scans()] == [
        ("aa", 1, Split.TEST),
        ("d8125545210c08e1", 2, Split.TRAIN),
    ]
    assert len({finding.finding_id for finding in archive.findings()}) == 3


def test_a_box_of_a_scan_that_the_other_table_lacks_is_told_of(make):
    folder = make(({}, [BOX]))
    write(
        folder / "finding_annotations.csv",
        [{**SCAN, **BOX}, {**SCAN, **BOX, "image_id": "bb"}],
    )
    (problem,) = read(folder).problems
    assert problem.what == "breast-level_annotations.csv has no row for bb"
    assert problem.where.endswith("finding_annotations.csv, line 3")


def test_files_and_rows_without_each_other_are_told_of(make):
    folder = make(({}, []), ({"image_id": "aa"}, []))
    (folder / "images" / SCAN["study_id"] / "aa.dicom").rename(
        folder / "images" / SCAN["study_id"] / "cc.dicom"
    )
    assert [p.what for p in read(folder).problems] == [
        "1 of the 2 files it names are not here: aa",
        "1 files are here of which it says nothing: cc",
    ]


def test_a_second_row_for_a_scan_is_told_of(make):
    (problem,) = read(make(({}, []), ({}, []))).problems
    assert problem.what == "a second row for d8125545210c08e1"


@pytest.mark.parametrize(
    ("change", "box"),
    [
        ({"laterality": "LEFT"}, BOX),
        ({"view_position": "XX"}, BOX),
        ({"breast_birads": "BI-RADS 9"}, BOX),
        ({"split": "validation"}, BOX),
        ({"study_id": "../.."}, BOX),
        ({}, {**BOX, "finding_categories": "['Masss']"}),
        ({}, {**BOX, "finding_categories": "Mass"}),
        ({}, {**BOX, "finding_categories": "['Mass', 'No Finding']"}),
        ({}, {**BOX, "xmax": "1"}),
        ({}, {**BOX, "xmin": "nan"}),
        ({}, {**BOX, "xmin": ""}),
        ({}, {**BOX, "finding_birads": "BI-RADS X"}),
    ],
)
def test_a_row_that_cannot_be_understood_stops_every_use_of_the_scans(make, change, box):
    archive = read(make(({"image_id": "ok"}, []), (change, [box])))

    assert archive.problems
    with pytest.raises(AnnotationError, match=r"annotations\.csv, line 3: the row cannot"):
        archive.scans()


def test_other_folders_are_not_taken_for_it(make, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    assert is_here(make(({}, [])))
    assert not is_here(other)
    with pytest.raises(LayoutError, match="give the folder that holds them"):
        read(other)


def test_a_folder_without_any_scan_is_refused(make):
    with pytest.raises(MissingFileError, match="none of the scans"):
        read(make(({}, []), files=False))


def test_a_breast_rated_1_of_which_the_other_table_says_nothing_is_not_called_free(make):
    folder = make(({"breast_birads": "BI-RADS 1"}, None), ({"image_id": "b"}, [BOX]))
    table = folder / "finding_annotations.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if "No Finding" not in line))
    first = next(scan for scan in read(folder).scans() if scan.scan_id == SCAN["image_id"])

    assert (first.findings, first.normal_ground) == (None, None)
