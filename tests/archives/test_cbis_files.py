"""Finding CBIS-DDSM's files by folders, UIDs, metadata.csv and headers."""

from pathlib import Path

import pytest
from pydicom.dataset import FileDataset, FileMetaDataset

from mammoscope.archives import cbis_files
from mammoscope.archives.cbis_files import Sorted, list_files, sort_files
from mammoscope.archives.cbis_tables import Series

ONE = Series("Mass", "Training", "P_90001_LEFT_CC")
TITLES = "Series UID,Collection,Subject ID,Study UID,Number of Images,File Location"


def dicom(path: Path, patient_id: str = "", rows: int = 6) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.PatientID = patient_id
    file.SeriesDescription = "full mammogram images"
    file.Rows, file.Columns, file.BitsAllocated = rows, 4, 16
    file.PixelData = b"\0" * rows * 8
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)
    return path


def sorted_in(folder: Path) -> Sorted:
    return sort_files(folder, list_files(folder), {})


@pytest.mark.parametrize("location", [".\\CBIS-DDSM\\1.2\\1.3", "./CBIS-DDSM/1.2/1.3"])
def test_metadata_tells_what_lies_in_a_folder_by_its_location(tmp_path: Path, location: str):
    path = dicom(tmp_path / "CBIS-DDSM" / "1.2" / "1.3" / "1-1.dcm")
    line = f"9.9,CBIS-DDSM,{ONE},1.2,1,{location}"
    (tmp_path / "metadata.csv").write_text(f"{TITLES}\n{line}\n")

    assert sorted_in(tmp_path) == Sorted(files={ONE: (path,)}, problems=())


def test_metadata_tells_what_lies_in_a_folder_by_its_uid(tmp_path: Path):
    path = dicom(tmp_path / "1.3" / "1-1.dcm")
    (tmp_path / "metadata.csv").write_text(f"{TITLES}\n1.3,CBIS-DDSM,{ONE},1.2,1,elsewhere\n")

    assert sorted_in(tmp_path) == Sorted(files={ONE: (path,)}, problems=())


def test_a_series_that_lacks_files_is_told(tmp_path: Path):
    dicom(tmp_path / "1.3" / "1-1.dcm")
    (tmp_path / "metadata.csv").write_text(f"{TITLES}\n1.3,CBIS-DDSM,{ONE},1.2,2,x\n")

    (problem,) = sorted_in(tmp_path).problems
    assert problem.what == f"1 of the 2 files of {ONE} are here"


def test_a_folder_s_name_goes_before_what_is_said_of_its_uid(tmp_path: Path):
    path = dicom(tmp_path / str(ONE) / "1.2" / "1.3" / "1-1.dcm")
    other = Series("Calc", "Test", "P_90002_LEFT_CC")

    assert sort_files(tmp_path, list_files(tmp_path), {"1.3": other}).files == {ONE: (path,)}


def test_metadata_of_another_collection_tells_nothing(tmp_path: Path):
    path = dicom(tmp_path / "1.3" / "1-1.dcm", str(ONE))
    (tmp_path / "metadata.csv").write_text(f"{TITLES}\n1.3,CMMD,{ONE}_7,1.2,2,x\n")

    assert sorted_in(tmp_path) == Sorted(files={ONE: (path,)}, problems=())


@pytest.mark.parametrize(
    "text", ["", "nothing\n", f"{TITLES}\n1.3\n", '"', "\0\n\0", "a,b\n1,2,3\n"]
)
def test_a_damaged_metadata_does_no_harm(tmp_path: Path, text: str):
    path = dicom(tmp_path / "1.3" / "1-1.dcm", str(ONE))
    (tmp_path / "metadata.csv").write_text(text)

    assert sorted_in(tmp_path).files == {ONE: (path,)}


def test_no_header_is_read_where_the_folder_s_name_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    dicom(tmp_path / str(ONE) / "1.2" / "1.3" / "1-1.dcm")

    def refuse(*_: object) -> None:
        pytest.fail("a header was read")

    monkeypatch.setattr(cbis_files, "read_head", refuse)
    assert list(sorted_in(tmp_path).files) == [ONE]


def test_what_the_system_hides_beside_a_scan_is_not_seen(tmp_path: Path):
    path = dicom(tmp_path / str(ONE) / "1.2" / "1-1.dcm")
    dicom(path.with_name("._1-1.dcm"))
    dicom(tmp_path / ".Trash" / str(ONE) / "1-1.dcm")

    assert sorted_in(tmp_path) == Sorted(files={ONE: (path,)}, problems=())
