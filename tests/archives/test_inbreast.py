"""INbreast: made folders in the published layout."""

import plistlib

import numpy as np
import pytest

from mammoscope.archives.inbreast import is_here, read
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
from mammoscope.core.geometry import Outline
from mammoscope.core.vocabulary import FindingKind, Laterality, SpacingSource, ViewPosition

HEADING = "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads"
# File name, patient's hash, side, view in the name, view in the table, month, density, BI-RADS.
ROWS = (
    ("20586908", "6c613a14b80a8591", "R", "CC", "CC", "200801", "2", "1"),
    ("20586934", "6c613a14b80a8591", "L", "ML", "MLO", "200801", "2", "5"),
    ("20586960", "6c613a14b80a8591", "L", "CC", "CC", "200902", "", "4a"),
    ("20587054", "b6a4f750c6df4f90", "R", "ML", "MLO", "200902", "4", "2"),
)
SQUARE = ["(100.5, 20.0)", "(140, 20)", "(140.25, 60)", "(100, 60)"]


def outlines(path, *rois):
    """Write outlines as OsiriX does: name and points of each."""
    found = [{"Name": n, "NumberOfPoints": len(p), "Point_px": p, "Type": 15} for n, p in rois]
    image = {"ImageIndex": 0, "NumberOfROIs": len(found), "ROIs": found}
    path.write_bytes(plistlib.dumps({"Images": [image]}))


@pytest.fixture
def make(tmp_path):
    def made(rows=ROWS, extra=""):
        folder = tmp_path / "INbreast Release 1.0"
        (folder / "AllDICOMs").mkdir(parents=True)
        (folder / "AllXML").mkdir()
        lines = [HEADING]
        for name, patient, side, in_name, view, month, density, assessment in rows:
            file = f"{name}_{patient}_MG_{side}_{in_name}_ANON.dcm"
            (folder / "AllDICOMs" / file).write_bytes(b"")
            lines.append(
                f"removed;removed;{side};{view};{month};{name};{density or '     '};{assessment}"
            )
        (folder / "INbreast.csv").write_text("\n".join(lines) + "\n" + extra)
        outlines(folder / "AllXML/20586934.xml", ("Mass", SQUARE), ("Spiculated Region", SQUARE))
        outlines(folder / "AllXML/20586960.xml", ("Calcification", ["(7.9, 3.2)"]))
        outlines(folder / "AllXML/20587054.xml", ("Calcifications", SQUARE), ("Unnamed", []))
        return tmp_path

    return made


def by_id(archive):
    return {scan.scan_id: scan for scan in archive.scans()}


def test_the_whole_is_read_without_a_problem(make):
    archive = read(make())

    assert archive.problems == ()
    assert sorted(by_id(archive)) == [row[0] for row in ROWS]
    assert archive.patients() == ("6c613a14b80a8591", "b6a4f750c6df4f90")


def test_the_patient_is_the_hash_in_the_name_and_the_exam_is_the_month(make):
    exams = read(make()).exams()

    assert [(e.exam_id, [s.scan_id for s in e.scans]) for e in exams] == [
        ("6c613a14b80a8591/200801", ["20586908", "20586934"]),
        ("6c613a14b80a8591/200902", ["20586960"]),
        ("b6a4f750c6df4f90/200902", ["20587054"]),
    ]


def test_ml_is_the_mediolateral_oblique_view_and_a_pixel_is_70_micrometres(make):
    scan = by_id(read(make()))["20586934"]

    assert (scan.laterality, scan.view) == (Laterality.LEFT, ViewPosition.MLO)
    assert (scan.spacing_mm, scan.spacing_source) == ((0.07, 0.07), SpacingSource.ARCHIVE)
    assert scan.breast_density == "2"


def test_an_assessment_is_never_a_pathology(make):
    scan = by_id(read(make()))["20586960"]

    assert scan.facts["assessment"] == "4a"
    assert scan.pathology is None
    assert scan.breast_density is None


def test_outlines_are_findings_with_row_before_column(make):
    mass, spiculated = by_id(read(make()))["20586934"].findings

    assert mass.kind is FindingKind.MASS
    assert mass.roi == Outline(np.array([[20, 100.5], [20, 140], [60, 140.25], [60, 100]]))
    assert (spiculated.kind, spiculated.descriptors) == (FindingKind.OTHER, ("Spiculated Region",))


def test_a_single_calcification_is_an_outline_of_one_point(make):
    (point,) = by_id(read(make()))["20586960"].findings
    assert point.kind is FindingKind.CALCIFICATION
    assert point.roi == Outline(np.array([[3.2, 7.9]]))


def test_an_outline_without_points_is_a_finding_without_a_place(make):
    many, unnamed = by_id(read(make()))["20587054"].findings
    assert many.kind is FindingKind.CALCIFICATION
    assert (unnamed.kind, unnamed.roi) == (FindingKind.OTHER, None)


def test_only_birads_1_without_outlines_is_free_of_findings(make):
    folder = make()
    (folder / "INbreast Release 1.0/AllXML/20587054.xml").unlink()
    archive = read(folder)
    scans = by_id(archive)

    assert scans["20586908"].findings == ()
    assert "BI-RADS 1" in scans["20586908"].normal_ground
    assert scans["20587054"].findings is None
    (problem,) = archive.problems
    assert "20587054 has BI-RADS 2 and no list of outlines" in problem.what


def test_files_and_rows_without_each_other_are_told_of(make):
    folder = make(extra="removed;removed;L;CC;200801;99999999;1;1\n")
    place = folder / "INbreast Release 1.0"
    (place / "AllDICOMs/11111111_aa_MG_L_CC_ANON.dcm").write_bytes(b"")
    (place / "AllDICOMs/picture.dcm").write_bytes(b"")
    whats = [problem.what for problem in read(folder).problems]

    assert whats == [
        "1 files are no scans by their names, or there twice: picture.dcm",
        "1 of the 5 files it names are not here: 99999999",
        "1 files are here of which it says nothing: 11111111",
    ]


def test_a_table_that_contradicts_a_files_name_is_told_of(make):
    folder = make()
    place = folder / "INbreast Release 1.0/AllDICOMs"
    (place / "20586908_6c613a14b80a8591_MG_R_CC_ANON.dcm").rename(
        place / "20586908_6c613a14b80a8591_MG_L_CC_ANON.dcm"
    )
    (problem,) = read(folder).problems
    assert problem.what.startswith("it says R CC, the file's name 20586908_")


@pytest.mark.parametrize(
    "row",
    [
        "removed;removed;L;CC;200801;99999999;1;7",
        "removed;removed;B;CC;200801;99999999;1;1",
        "removed;removed;L;CC;200801;99999999",
    ],
)
def test_a_damaged_row_stops_every_use_of_the_scans(make, row):
    archive = read(make(extra=row + "\n"))

    assert archive.problems[0].where.endswith("INbreast.csv, line 6")
    with pytest.raises(AnnotationError, match="line 6"):
        archive.scans()


def test_damaged_outlines_stop_every_use_of_the_scans(make):
    folder = make()
    path = folder / "INbreast Release 1.0/AllXML/20586934.xml"
    path.write_bytes(path.read_bytes()[:300])
    archive = read(folder)

    assert [p.where for p in archive.problems] == [str(path)]
    with pytest.raises(AnnotationError, match=r"20586934\.xml"):
        archive.scans()


def test_lines_below_the_scans_that_name_no_file_are_passed_over(make):
    assert read(make(extra=";;;;;;;\n;;;;sum;;;4\n")).problems == ()


def test_other_folders_are_not_taken_for_it(make, tmp_path_factory):
    folder = make()
    assert is_here(folder)
    assert is_here(folder / "INbreast Release 1.0")

    other = tmp_path_factory.mktemp("other")
    assert not is_here(other)
    with pytest.raises(LayoutError, match=r"expected INbreast\.csv or INbreast\.xls"):
        read(other)


def test_a_folder_without_any_scan_is_refused(make):
    folder = make()
    for path in (folder / "INbreast Release 1.0/AllDICOMs").iterdir():
        path.unlink()
    with pytest.raises(MissingFileError, match="none of the scans"):
        read(folder)


def test_what_the_system_hides_beside_a_list_of_outlines_is_not_seen(make):
    folder = make()
    (plain,) = folder.rglob("20586934.xml")
    plain.with_name("._20586934.xml").write_bytes(b"\0\5\x16\7")
    archive = read(folder)
    assert (archive.damage, archive.problems) == ("", ())
