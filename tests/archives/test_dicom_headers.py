"""Headers below a folder: which files are looked at, and that many processes say what one says."""

import sys
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from mammoscope.archives import dicom_headers
from mammoscope.archives.dicom_headers import files_below, headers_of
from mammoscope.core.records import Problem


def put(path, number):
    header = Dataset()
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    header.SOPInstanceUID = f"1.2.3.{number}"
    header.Modality, header.PatientID = "MG", f"P{number}"
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)
    return path


def test_files_are_listed_in_the_order_of_their_paths(tmp_path):
    names = ["b/2", "a/10.dcm", "a/c/x.IMA", "1"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    files, problems = files_below(tmp_path)
    assert files == sorted(tmp_path / name for name in names)
    assert problems == []


def test_what_comes_with_scans_is_passed_over(tmp_path):
    for name in (".hidden", "DICOMDIR", "Thumbs.db", "a.CSV", "b.pdf", "AUTORUN.INF", "LICENSE"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "1").write_bytes(b"")

    assert files_below(tmp_path) == ([], [])


def test_a_link_that_stays_in_the_folder_is_followed(tmp_path):
    (tmp_path / "1").write_bytes(b"")
    (tmp_path / "2").symlink_to(tmp_path / "1")
    assert files_below(tmp_path) == ([tmp_path / "1", tmp_path / "2"], [])


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/dev/null", "leads out"),
        ("../elsewhere", "leads out"),
        ("nothing", "no plain file"),
        ("link", "no plain file"),
    ],
)
def test_links_that_lead_out_or_nowhere_are_told_of(tmp_path, target, words):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(target)
    files, (problem,) = files_below(tmp_path / "in")

    assert files == []
    assert words in problem.what


def test_a_folder_that_is_itself_reached_by_a_link_is_read(tmp_path):
    put(tmp_path / "real" / "1", 1)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert files_below(tmp_path / "link") == ([tmp_path / "link" / "1"], [])


def test_several_processes_say_what_one_says_in_the_same_order(tmp_path, monkeypatch):
    files = [put(tmp_path / str(number), number) for number in range(7)]
    (tmp_path / "8").write_text("no scan")
    files.append(tmp_path / "8")
    alone = list(headers_of(files))
    monkeypatch.setattr(dicom_headers, "MANY", 1)
    monkeypatch.setattr(dicom_headers, "BATCH", 2)
    main = sys.modules["__main__"]

    assert list(headers_of(files)) == alone
    assert sys.modules["__main__"] is main
    assert [facts.patient_id for _, facts in alone[:-1]] == [f"P{n}" for n in range(7)]
    assert isinstance(alone[-1][1], Problem)


def test_a_file_that_vanished_is_a_problem():
    ((_, found),) = headers_of([Path("/nowhere/1")])
    assert isinstance(found, Problem)
    assert "no such file" in found.what
