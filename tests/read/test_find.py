"""Files to exams: what belongs together, in which order, and what is passed over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from mammoscope.core.errors import MissingFileError
from mammoscope.core.vocabulary import Laterality, ViewPosition
from mammoscope.read.find import find_exams

Writer = Callable[..., Path]


@pytest.fixture
def write_dicom(tmp_path: Path) -> Writer:
    """Write a header without pixels: exams are found without them."""

    def write(name: str, **tags: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.2")
        meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
        header.Modality = "MG"
        for keyword, value in tags.items():
            setattr(header, keyword, value)
        header.save_as(path, enforce_file_format=True)
        return path

    return write


def write_png(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
    return path


def file_names(files: tuple[Path, ...]) -> list[str]:
    return [path.name for path in files]


def test_files_of_one_study_are_one_exam_wherever_they_lie(tmp_path: Path, write_dicom: Writer):
    write_dicom("a/1.dcm", StudyInstanceUID="1.1", PatientID="p", ImageLaterality="R")
    write_dicom("b/2.dcm", StudyInstanceUID="1.1", PatientID="p", ImageLaterality="L")
    write_dicom("b/3.dcm", StudyInstanceUID="1.2", PatientID="p", ImageLaterality="L")
    exams, failures = find_exams([tmp_path])

    assert [(e.exam_id, e.patient_id, file_names(e.files)) for e in exams] == [
        ("1.1", "p", ["1.dcm", "2.dcm"]),
        ("1.2", "p", ["3.dcm"]),
    ]
    assert failures == {}


def test_scans_of_a_cbis_patient_are_joined_and_told(tmp_path: Path, write_dicom: Writer):
    for number, view in enumerate(("LEFT_MLO", "LEFT_CC", "RIGHT_MLO", "RIGHT_CC")):
        write_dicom(
            f"{number}.dcm",
            PatientID=f"Mass-Test_P_00820_{view}",
            StudyInstanceUID=f"1.{number}",
        )
    write_dicom("other.dcm", PatientID="Mass-Test_P_00001_LEFT_CC", StudyInstanceUID="2.1")
    exams, _ = find_exams([tmp_path])

    assert [(e.exam_id, file_names(e.files)) for e in exams] == [
        ("P_00820", ["3.dcm", "1.dcm", "2.dcm", "0.dcm"]),
        ("P_00001", ["other.dcm"]),
    ]
    assert len(exams[0].warnings) == 1
    assert "study of its own" in exams[0].warnings[0]
    assert exams[1].warnings == ()


def test_another_patient_whose_id_begins_like_one_of_cbis_is_not_joined(
    tmp_path: Path, write_dicom: Writer
):
    write_dicom("1.dcm", PatientID="P_1", StudyInstanceUID="1.1")
    write_dicom("2.dcm", PatientID="P_1", StudyInstanceUID="1.2")

    assert len(find_exams([tmp_path])[0]) == 2


def test_files_without_a_study_belong_to_their_patient(tmp_path: Path, write_dicom: Writer):
    write_dicom("1.dcm", PatientID="p")
    write_dicom("2.dcm", PatientID="q")
    write_dicom("3.dcm", PatientID="p")

    exams, _ = find_exams([tmp_path])
    assert [(e.exam_id, file_names(e.files)) for e in exams] == [
        ("p", ["1.dcm", "3.dcm"]),
        ("q", ["2.dcm"]),
    ]


def test_pictures_belong_to_the_exam_of_their_folder(tmp_path: Path):
    for name in ("one/lcc.png", "one/rcc.png", "two/a.png"):
        write_png(tmp_path / name)
    exams, _ = find_exams([tmp_path])

    assert [(e.exam_id, e.patient_id, file_names(e.files)) for e in exams] == [
        ("one", None, ["rcc.png", "lcc.png"]),
        ("two", None, ["a.png"]),
    ]


def test_folders_of_one_name_are_exams_with_names_of_their_own(tmp_path: Path):
    for name in ("a/films/1.png", "b/films/1.png"):
        write_png(tmp_path / name)
    exams, _ = find_exams([tmp_path])

    assert [exam.exam_id for exam in exams] == ["films", "films-2"]


def test_files_stand_in_hanging_order_and_the_others_behind(tmp_path: Path):
    for name in ("lmlo", "zz", "lcc", "r_ml", "rmlo", "rcc"):
        write_png(tmp_path / f"{name}.png")
    (exam,) = find_exams([tmp_path])[0]

    assert file_names(exam.files) == [
        f"{name}.png" for name in ("rcc", "lcc", "rmlo", "lmlo", "r_ml", "zz")
    ]


def test_what_the_user_says_is_passed_on(tmp_path: Path):
    path = write_png(tmp_path / "a.png")
    (exam,) = find_exams(
        [path], spacing_um=200.0, laterality=Laterality.LEFT, view=ViewPosition.CC
    )[0]

    assert exam.spacing_um == 200.0
    assert exam.laterality is Laterality.LEFT
    assert exam.view is ViewPosition.CC


def test_hidden_and_other_files_are_passed_over(tmp_path: Path):
    write_png(tmp_path / "scan.png")
    for name in (
        ".hidden.png",
        "._scan.png",
        "DICOMDIR",
        "Thumbs.db",
        "notes.txt",
        "labels.CSV",
        ".git/a.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no scan")
    exams, failures = find_exams([tmp_path])

    assert [file_names(e.files) for e in exams] == [["scan.png"]]
    assert failures == {}


def test_a_file_that_was_named_is_never_passed_over(tmp_path: Path):
    notes = tmp_path / "notes.txt"
    notes.write_text("no scan")
    exams, failures = find_exams([notes])

    assert exams == []
    assert list(failures) == [str(notes)]


def test_unreadable_files_are_told_and_the_rest_is_done(tmp_path: Path):
    write_png(tmp_path / "b.png")
    (tmp_path / "a.dcm").write_text("a letter")
    (tmp_path / "c.dcm").touch()
    exams, failures = find_exams([tmp_path])

    assert [file_names(e.files) for e in exams] == [["b.png"]]
    assert sorted(failures) == [str(tmp_path / "a.dcm"), str(tmp_path / "c.dcm")]
    assert "not a DICOM file" in failures[str(tmp_path / "a.dcm")]
    assert "empty" in failures[str(tmp_path / "c.dcm")]


def test_a_file_named_twice_is_read_once(tmp_path: Path):
    path = write_png(tmp_path / "a.png")
    (exam,) = find_exams([path, tmp_path, str(path)])[0]

    assert file_names(exam.files) == ["a.png"]


@pytest.mark.parametrize("content", [None, "notes.txt", ".hidden/a.png"])
def test_a_folder_without_scans_is_an_error(tmp_path: Path, content: str | None):
    if content:
        write_png(tmp_path / "x.png").rename(tmp_path / "x")
        (tmp_path / content).parent.mkdir(exist_ok=True)
        (tmp_path / "x").rename(tmp_path / content)
    with pytest.raises(MissingFileError, match=rf"{tmp_path.name}.*no file of a scan.*give"):
        find_exams(iter([tmp_path]))


def test_a_missing_path_is_named(tmp_path: Path):
    with pytest.raises(MissingFileError, match="gone: there is no such file or folder"):
        find_exams([write_png(tmp_path / "a.png"), tmp_path / "gone"])


def test_a_link_that_leads_round_in_a_circle_is_told(tmp_path: Path):
    write_png(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "b.png")
    exams, failures = find_exams([tmp_path])

    assert [file_names(exam.files) for exam in exams] == [["a.png"]]
    assert list(failures) == [str(tmp_path / "b.png")]


def test_two_patients_in_one_study_are_two_exams(tmp_path: Path, write_dicom: Writer):
    for number, patient in enumerate(("anna", "berta", "anna")):
        write_dicom(f"{number}.dcm", StudyInstanceUID="1.1", PatientID=patient)
    exams, _ = find_exams([tmp_path])
    assert [(e.patient_id, file_names(e.files)) for e in exams] == [
        ("anna", ["0.dcm", "2.dcm"]),
        ("berta", ["1.dcm"]),
    ]
    assert len({e.exam_id for e in exams}) == 2


def test_another_patient_in_the_same_folder_is_told(tmp_path: Path, write_dicom: Writer):
    write_dicom("1.dcm", StudyInstanceUID="1.1", PatientID="anna")
    write_dicom("2.dcm", StudyInstanceUID="1.2", PatientID="berta")
    exams, _ = find_exams([tmp_path])
    assert [e.warnings for e in exams] == [
        (f"scans of another patient ({name}) lie in the same folder; they are read as an exam of "
         "their own",)
        for name in ("berta", "anna")
    ]  # fmt: skip


def test_a_folder_of_many_patients_is_an_archive_and_needs_no_note(
    tmp_path: Path, write_dicom: Writer
):
    for number in range(3):
        write_dicom(f"{number}.dcm", StudyInstanceUID=f"1.{number}", PatientID=f"p{number}")
    exams, _ = find_exams([tmp_path])
    assert [e.warnings for e in exams] == [(), (), ()]
