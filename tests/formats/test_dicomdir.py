"""DICOMDIR: what pydicom writes is read, what is damaged is refused."""

import gc
import warnings

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.fileset import FileSet

from mammoscope.core.errors import (
    CorruptFileError,
    MammoscopeError,
    MissingFileError,
    UnknownFormatError,
)
from mammoscope.formats.dicomdir import read_dicomdir


@pytest.fixture
def directory(write_dicom, tmp_path):
    """A DICOMDIR of two files in two series, as pydicom writes it."""
    with warnings.catch_warnings():
        # It leaves a folder of its own to be cleared away with it, and warns when that is done.
        warnings.simplefilter("ignore", ResourceWarning)
        files = FileSet()
        for number in (1, 2):
            path = write_dicom(
                np.ones((2, 2), np.uint16),
                name=f"{number}.dcm",
                SOPInstanceUID=f"1.2.3.{number}",
                SeriesInstanceUID=f"1.2.4.{number}",
                StudyDate="20200101",
                StudyTime="1010",
                StudyID="1",
                AccessionNumber="1",
                SeriesNumber=number,
                InstanceNumber=1,
                PatientName="A^B",
            )
            header = pydicom.dcmread(path)
            header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
            files.add(header)
        files.write(tmp_path / "disk")
        del files
        gc.collect()
    return tmp_path / "disk" / "DICOMDIR"


def test_the_files_of_a_dicomdir_are_those_that_were_written(directory):
    written = {
        path.relative_to(directory.parent).parts
        for path in directory.parent.rglob("*")
        if path.is_file() and path != directory
    }
    assert len(written) == 2
    assert set(read_dicomdir(directory)) == written


def test_a_path_of_one_part_is_read(directory):
    data = directory.read_bytes()
    start = data.index(b"PT000000\\")
    length = data.index(b"IM000000", start) + 8 - start
    directory.write_bytes(data[:start] + b"ALONE".ljust(length) + data[start + length :])

    assert ("ALONE",) in read_dicomdir(directory)


def test_a_file_that_is_missing_or_of_another_kind_is_refused(tmp_path, write_dicom):
    with pytest.raises(MissingFileError, match="no such file"):
        read_dicomdir(tmp_path / "DICOMDIR")
    (tmp_path / "DICOMDIR").write_text("a list")
    with pytest.raises(UnknownFormatError, match="no DICOMDIR"):
        read_dicomdir(tmp_path / "DICOMDIR")
    with pytest.raises(UnknownFormatError, match="another name"):
        read_dicomdir(write_dicom(np.ones((2, 2), np.uint16)))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_dicomdir_cut_short_is_refused(directory, share):
    data = directory.read_bytes()
    directory.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CorruptFileError, match=r"damaged or cut short.*again or take it away"):
        read_dicomdir(directory)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.floats(0, 0.999), byte=st.integers(0, 255))
def test_a_changed_byte_gives_files_or_one_of_our_errors(directory, where, byte):
    good = directory.with_name("GOOD")
    if not good.exists():
        good.write_bytes(directory.read_bytes())
    data = bytearray(good.read_bytes())
    data[int(where * len(data))] = byte
    directory.write_bytes(data)
    try:
        files = read_dicomdir(directory)
    except MammoscopeError:
        return
    assert all(isinstance(part, str) for parts in files for part in parts)
