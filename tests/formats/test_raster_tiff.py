"""TIFF files whose strips or numbers are damaged: never filled up, never slow."""

import io
import struct
import time

import numpy as np
import pytest
import tifffile

from mammoscope.core.errors import CorruptFileError, MammoscopeError, ScanError
from mammoscope.formats.raster import read_raster

IMAGE = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)


def make_tiff(**options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, IMAGE, **options)
    return stream.getvalue()


def with_tag(data: bytes, name: str, value: int, at: int = 0) -> bytes:
    """Write another number into a tag, or into the list that it points to."""
    changed = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        tag = tiff.pages.first.tags[name]
        form = "<" + {"SHORT": "H", "LONG": "I", "LONG8": "Q"}[tag.dtype.name]
        struct.pack_into(form, changed, tag.valueoffset + at * struct.calcsize(form), value)
    return bytes(changed)


def read(tmp_path, data: bytes):
    (tmp_path / "scan.tif").write_bytes(data)
    return read_raster(tmp_path / "scan.tif")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
def test_every_strip_is_read(tmp_path, compression):
    data = make_tiff(compression=compression, rowsperstrip=7)
    assert np.array_equal(read(tmp_path, data), IMAGE)


@pytest.mark.parametrize("tag", ["StripOffsets", "StripByteCounts"])
@pytest.mark.parametrize("value", [0, 60_000])
def test_a_strip_that_is_missing_is_not_filled_up(tmp_path, tag, value):
    data = with_tag(make_tiff(compression="zlib", rowsperstrip=7), tag, value, at=2)
    with pytest.raises(CorruptFileError, match="5 of 6 strips are there"):
        read(tmp_path, data)


def test_a_strip_that_is_short_is_not_filled_up(tmp_path):
    data = with_tag(make_tiff(rowsperstrip=7), "StripByteCounts", 100, at=2)
    with pytest.raises(CorruptFileError, match="of 2400 bytes of pixels are there"):
        read(tmp_path, data)


def test_more_rows_than_strips_are_refused(tmp_path):
    data = with_tag(make_tiff(compression="zlib", rowsperstrip=7), "ImageLength", 400)
    with pytest.raises(CorruptFileError, match="6 of 58 strips"):
        read(tmp_path, data)


@pytest.mark.parametrize("tag", ["ImageLength", "ImageWidth", "RowsPerStrip", "SamplesPerPixel"])
@pytest.mark.parametrize("value", [0, 1, 3, 5, 30_000, 65_535])
@pytest.mark.parametrize("compression", [None, "zlib", "zstd"])
def test_damaged_numbers_are_refused_or_harmless_and_quick(tmp_path, tag, value, compression):
    data = with_tag(make_tiff(compression=compression, rowsperstrip=7), tag, value)
    begun = time.perf_counter()
    try:
        found = read(tmp_path, data)
    except MammoscopeError:
        found = IMAGE
    # Fewer rows or columns than were written cannot be told from a smaller image.
    assert found.size <= IMAGE.size
    assert time.perf_counter() - begun < 1


def test_a_tiff_larger_than_any_mammogram_is_refused(tmp_path):
    data = with_tag(with_tag(make_tiff(), "ImageLength", 60_000), "ImageWidth", 60_000)
    with pytest.raises(ScanError, match="60000 x 60000 pixels are more than any mammogram has"):
        read(tmp_path, data)


def test_a_tiff_of_many_channels_is_refused(tmp_path):
    stream = io.BytesIO()
    tifffile.imwrite(
        stream, np.zeros((8, 9, 7), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    with pytest.raises(ScanError, match="7 channels"):
        read(tmp_path, stream.getvalue())


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000"])
def test_a_strip_larger_than_its_place_is_refused_before_it_is_decoded(tmp_path, compression):
    grey = (IMAGE // 8).astype(np.uint8)
    stream = io.BytesIO()
    tifffile.imwrite(stream, grey, compression=compression)
    data = stream.getvalue()
    assert read(tmp_path, data).shape == grey.shape
    form = ">HH" if compression == "jpeg" else ">II"
    old = struct.pack(form, *(grey.shape if compression == "jpeg" else grey.shape[::-1]))
    assert old in data
    begun = time.perf_counter()
    with pytest.raises(CorruptFileError, match=r"a strip of \(60000, 60000\)"):
        read(tmp_path, data.replace(old, struct.pack(form, 60_000, 60_000), 1))
    assert time.perf_counter() - begun < 1


def test_a_tiff_of_a_compression_that_no_scanner_writes_is_refused(tmp_path):
    with pytest.raises(ScanError, match=r"34933.*is not read here; save the mammogram"):
        read(tmp_path, make_tiff(compression="png"))
