"""Compressed pixels that are damaged: refused quickly, and never filled up."""

import time
import tracemalloc
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from mammoscope.core.errors import CorruptFileError, ScanError
from mammoscope.formats.dicom_pixels import DECODERS, decode_pixels

FILE = Path("scan.dcm")
rows, columns = np.mgrid[:40, :30]
IMAGE = (rows * 50 + columns * 20 + np.random.default_rng(0).integers(0, 9, (40, 30))).astype(
    np.uint16
)


def encode(syntax: str) -> bytes:
    if syntax.endswith((".57", ".70")):
        return bytes(imagecodecs.jpeg8_encode(IMAGE, lossless=True, bitspersample=12))
    if syntax.endswith((".50", ".51")):
        return bytes(imagecodecs.jpeg8_encode(IMAGE, bitspersample=12))
    if syntax.endswith((".80", ".81")):
        return bytes(imagecodecs.jpegls_encode(IMAGE))
    if syntax.endswith((".90", ".91")):
        return bytes(imagecodecs.jpeg2k_encode(IMAGE, 0, codecformat="j2k", reversible=True))
    return bytes(imagecodecs.htj2k_encode(IMAGE))


def make_header(syntax: str, frame: bytes, shape=IMAGE.shape) -> Dataset:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.Rows, header.Columns = shape
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.PixelRepresentation = 0
    header.PixelData = encapsulate([frame])
    return header


def with_size(syntax: str, frame: bytes, size: int) -> bytes:
    """Make a stream say that it is `size` x `size` pixels large."""
    if frame.startswith(b"\xff\x4f"):
        return frame[:8] + size.to_bytes(4, "big") * 2 + frame[16:]
    old = b"".join(n.to_bytes(2, "big") for n in IMAGE.shape)
    assert old in frame
    return frame.replace(old, size.to_bytes(2, "big") * 2, 1)


@pytest.mark.parametrize("syntax", DECODERS)
def test_a_damaged_size_is_refused_before_memory_and_time_are_taken(syntax):
    header = make_header(syntax, with_size(syntax, encode(syntax), 60_000))
    tracemalloc.start()
    begun = time.perf_counter()
    with pytest.raises(CorruptFileError, match=r"\(60000, 60000\), the header says \(40, 30\)"):
        decode_pixels(FILE, header)
    assert time.perf_counter() - begun < 0.5
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", *DECODERS])
def test_a_header_that_promises_too_much_is_refused(syntax):
    frame = encode(syntax) if syntax in DECODERS else bytes(100)
    with pytest.raises(ScanError, match="60000 x 60000 pixels are more than any mammogram has"):
        decode_pixels(FILE, make_header(syntax, frame, (60_000, 60_000)))


@pytest.mark.parametrize("syntax", DECODERS)
def test_a_stream_without_its_end_is_refused(syntax):
    frame = encode(syntax).rstrip(b"\0")
    assert frame.endswith(b"\xff\xd9")
    with pytest.raises(CorruptFileError, match="end of the compressed image is missing"):
        decode_pixels(FILE, make_header(syntax, frame[: len(frame) // 2]))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"])
def test_lossless_jpeg_with_a_hole_is_refused_though_its_end_is_there(syntax):
    # libjpeg decodes this without an error: the rows behind the hole are made up.
    frame = encode(syntax)
    hole = frame[: len(frame) // 2] + frame[len(frame) // 2 + 60 :]
    assert imagecodecs.jpeg8_decode(hole).shape == IMAGE.shape
    with pytest.raises(CorruptFileError, match=r"scan\.dcm: the pixels are damaged"):
        decode_pixels(FILE, make_header(syntax, hole))


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_compression_named_with_odd_bytes_is_named_readably():
    header = make_header("1.2.840.10008.1.2.4.70", b"\0\0")
    header.file_meta["TransferSyntaxUID"].value = "1.2\x00.9"
    with pytest.raises(Exception, match=r"compressed as 1\.2\\x00\.9 cannot") as told:
        decode_pixels(FILE, header)
    assert str(told.value).isprintable()
