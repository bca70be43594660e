"""RSNA's challenge: made folders in the published layout."""

import pytest

from mammoscope.archives.rsna import is_here, read
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, ViewPosition

HEADING = (
    "site_id,patient_id,image_id,laterality,view,age,cancer,biopsy,invasive,BIRADS,implant,density,"
    "machine_id,difficult_negative_case"
)
# As published: numbers with and without a decimal point, empty where unknown.
FREE = "2,10006,462822612,L,CC,61.0,0,0,0,1.0,0,,29,False"
UNKNOWN = "2,10006,1459541791,L,MLO,61.0,0,0,0,,0,,29,False"
CANCER = "1,99999,111111111,R,CC,55,1,1,1,0.0,0,C,21,False"
CANCER_TOO = "1,99999,222222222,R,MLO,55,1,1,1,0.0,0,C,21,False"
ALL = (FREE, UNKNOWN, CANCER, CANCER_TOO)


@pytest.fixture
def make(tmp_path):
    def made(*rows, ending=".dcm", files=True):
        (tmp_path / "train.csv").write_text("\n".join((HEADING, *rows)) + "\n")
        for row in rows if files else ():
            patient, image = row.split(",")[1:3]
            path = tmp_path / "train_images" / patient / f"{image}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return tmp_path

    return made


def test_patients_exams_and_scans_are_those_of_the_table(make):
    archive = read(make(*ALL))

    assert archive.problems == ()
    assert archive.patients() == ("10006", "99999")
    assert [len(exam.scans) for exam in archive.exams()] == [2, 2]


def test_cancer_is_a_malignant_finding_without_kind_and_place(make):
    scan = next(s for s in read(make(*ALL)).scans() if s.scan_id == "99999/111111111")
    (finding,) = scan.findings

    assert (scan.laterality, scan.view) == (Laterality.RIGHT, ViewPosition.CC)
    assert (finding.kind, finding.roi) == (FindingKind.OTHER, None)
    assert finding.pathology is Pathology.MALIGNANT
    assert finding.descriptors == ("invasive",)
    assert scan.breast_density == "C"


@pytest.mark.parametrize(
    ("rating", "findings"), [("", None), ("0", None), ("2.0", None), ("1", ()), ("1.0", ())]
)
def test_no_cancer_is_neither_benign_nor_free_of_findings_unless_rated_negative(
    make, rating, findings
):
    (scan,) = read(make(f"2,1,2,L,CC,61,0,1,0,{rating},0,,29,False")).scans()

    assert scan.findings == findings
    assert scan.pathology is None
    assert bool(scan.normal_ground) is (findings == ())


def test_a_view_without_a_name_here_is_none_and_kept_as_written(make):
    (scan,) = read(make("2,1,2,L,AT,61,0,0,0,,0,,29,False")).scans()
    assert scan.view is None
    assert scan.facts["view"] == "AT"


def test_the_tables_other_words_are_facts(make):
    scan = read(make(CANCER)).scans()[0]
    assert dict(scan.facts) == {
        "site_id": "1",
        "age": "55",
        "biopsy": "1",
        "implant": "0",
        "machine_id": "21",
        "difficult_negative_case": "False",
        "assessment": "0",
        "view": "CC",
    }


def test_pictures_made_from_the_files_are_taken_and_the_files_win(make):
    folder = make(FREE, ending=".png")
    (scan,) = read(folder).scans()
    assert scan.path.suffix == ".png"

    make(FREE)
    (scan,) = read(folder).scans()
    assert scan.path.suffix == ".dcm"


def test_files_and_rows_without_each_other_are_told_of(make):
    folder = make(*ALL)
    (folder / "train_images/10006/462822612.dcm").rename(folder / "train_images/10006/1.dcm")
    assert [p.what for p in read(folder).problems] == [
        "1 of the 4 files it names are not here: 10006/462822612",
        "1 files are here of which it says nothing: 10006/1",
    ]


def test_a_breast_whose_rows_disagree_on_cancer_is_told_of(make):
    (problem,) = read(make(CANCER, CANCER_TOO.replace(",1,1,1,", ",0,1,0,"))).problems
    assert problem.what == "breast 99999/R has cancer in some rows and not in others"


def test_a_second_row_for_a_scan_is_told_of(make):
    (problem,) = read(make(FREE, FREE)).problems
    assert problem.what == "a second row for 10006/462822612"


@pytest.mark.parametrize(
    "row",
    [
        "2,1,2,L,CC,61,maybe,0,0,,0,,29,False",
        "2,1,2,B,CC,61,0,0,0,,0,,29,False",
        "2,../..,2,L,CC,61,0,0,0,,0,,29,False",
        "2,1,2,L,CC,61,0,0,0,7,0,,29,False",
        "2,1,2,L,CC,61",
        '2,1,2,L,"CC,61,0,0,0,,0,,29,False\n2,1,3,L,"CC,61,0,0,0,,0,,29,False',
    ],
)
def test_a_damaged_row_stops_every_use_of_the_scans(make, row):
    folder = make(FREE)
    (folder / "train.csv").write_text(f"{HEADING}\n{FREE}\n{row}\n")
    try:
        archive = read(folder)
    except AnnotationError as error:
        refused = str(error)
    else:
        with pytest.raises(AnnotationError) as caught:
            archive.scans()
        refused = str(caught.value)
    assert refused.startswith(f"{folder / 'train.csv'}, line 3: ")


def test_other_folders_are_not_taken_for_it(make, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    assert is_here(make(FREE))
    assert not is_here(other)
    with pytest.raises(LayoutError, match=r"expected train\.csv"):
        read(other)


def test_a_folder_without_any_scan_is_refused(make):
    with pytest.raises(MissingFileError, match="none of the scans"):
        read(make(FREE, files=False))


def test_what_the_system_hides_beside_a_scan_is_not_seen(make):
    folder = make(*ALL)
    scan = next((folder / "train_images").glob("*/*"))
    scan.with_name(f"._{scan.name}").write_bytes(b"\0\5\x16\7")
    assert read(folder).problems == ()
