"""Headers by hand: what is passed over, what is read late, what is refused."""

import pytest

from mammoscope.core.errors import CorruptFileError, ScanError, UnknownFormatError
from mammoscope.formats.jpeg_markers import read_stream

SOF = bytes.fromhex("ffc3000b 08 0002 0003 01 01 11 00")
DHT = bytes.fromhex("ffc40015 00 0101" + "00" * 14 + "0001")
SOS = bytes.fromhex("ffda0008 01 01 00 07 00 00")
DATA = b"\x12\xff\x00\x34"
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def stream(*parts):
    return b"".join((SOI, *parts))


def test_a_plain_stream_is_taken_apart():
    found = read_stream(stream(SOF, DHT, SOS, DATA, EOI))
    assert (found.precision, found.rows, found.columns, found.components) == (8, 2, 3, 1)
    assert found.archive_header
    (scan,) = found.scans
    assert (scan.places, scan.predictor, scan.point_transform) == ((0,), 7, 0)
    assert scan.segments == (DATA,)
    assert scan.tables[0].values == (0, 1)


@pytest.mark.parametrize(
    "parts",
    [
        (b"\xff\xe0\x00\x04ab", SOF, DHT, SOS, DATA, EOI),
        (SOF, b"\xff\xfe\x00\x02", DHT, SOS, DATA, EOI),
        (DHT, SOF, SOS, DATA, EOI),
        (SOF, DHT, b"\xff\xdd\x00\x04\x00\x00", SOS, DATA, EOI),
    ],
)
def test_headers_that_the_archives_program_does_not_write_are_told(parts):
    found = read_stream(stream(*parts))
    assert not found.archive_header
    assert found.scans[0].segments == (DATA,)


def test_bytes_that_fill_up_before_a_marker_and_behind_the_end_are_passed_over():
    found = read_stream(stream(SOF, DHT, b"\xff\xff", SOS, DATA, b"\xff", EOI, b"more"))
    assert found.scans[0].segments == (DATA,)


@pytest.mark.parametrize("end", [b"", b"\xff", EOI])
def test_the_end_marker_may_be_missing(end):
    segment = read_stream(stream(SOF, DHT, SOS, DATA, end)).scans[0].segments[0]
    assert segment.rstrip(b"\xff") == DATA


def test_the_number_of_lines_may_come_behind_the_data():
    late = SOF.replace(b"\x00\x02\x00\x03", b"\x00\x00\x00\x03")
    assert read_stream(stream(late, DHT, SOS, DATA, b"\xff\xdc\x00\x04\x00\x05", EOI)).rows == 5
    with pytest.raises(CorruptFileError, match="number of lines"):
        read_stream(stream(late, DHT, SOS, DATA, EOI))


def test_data_are_cut_at_restarts():
    parts = (SOF, b"\xff\xdd\x00\x04\x00\x03", DHT, SOS, b"\x01", b"\xff\xd0", b"\x02", EOI)
    found = read_stream(stream(*parts))
    assert found.scans[0].segments == (b"\x01", b"\x02")
    assert found.scans[0].restart_interval == 3
    assert found.archive_header


TWO = bytes.fromhex("ffc3000e 08 0002 0003 02 01 11 00 02 11 00")


@pytest.mark.parametrize(
    ("parts", "error", "reason"),
    [
        ((SOF, DHT), CorruptFileError, "within the header"),
        ((SOF, DHT, EOI), CorruptFileError, "no coded image"),
        ((DHT, EOI), CorruptFileError, "frame header is missing"),
        ((SOF, SOF, DHT, SOS, DATA, EOI), CorruptFileError, "two frame headers"),
        ((SOF, b"x", DHT), CorruptFileError, "byte 78 at"),
        ((SOF, SOI, DHT), CorruptFileError, "marker FFD8"),
        ((SOF, DHT, SOS, DATA, b"\xff\xd3", DATA, EOI), CorruptFileError, "marker FFD3"),
        ((SOF, DHT, SOS, DATA, b"\xff\x17", DATA, EOI), CorruptFileError, "marker FF17"),
        ((SOF[:-1],), CorruptFileError, "within the header"),
        ((b"\xff\xc3\x00\x08" + SOF[4:10],), CorruptFileError, "wrong length"),
        ((SOF.replace(b"\x08\x00\x02", b"\x01\x00\x02"),), CorruptFileError, "1 bits a sample"),
        ((SOF.replace(b"\x00\x03\x01", b"\x00\x00\x01"),), CorruptFileError, "0 columns"),
        ((TWO.replace(b"\x02\x11\x00", b"\x01\x11\x00"),), CorruptFileError, "one number"),
        ((TWO.replace(b"\x02\x11\x00", b"\x02\x21\x00"),), UnknownFormatError, "differ in size"),
        ((TWO, DHT, SOS, DATA, EOI), CorruptFileError, "component is missing"),
        ((SOF, DHT, SOS, DATA, SOS, DATA, EOI), CorruptFileError, "there twice"),
        ((SOF, SOS, DATA, EOI), CorruptFileError, "Huffman table is missing"),
        ((SOF, DHT[:-2], SOS), CorruptFileError, "Huffman table|marker"),
        ((b"\xff\xdd\x00\x03\x00",), CorruptFileError, "restart interval"),
        ((b"\xff\xdc\x00\x04\x00\x00",), CorruptFileError, "number of lines"),
        ((SOF, DHT, b"\xff\xda\x00\x07\x01\x01\x00\x07\x00"), CorruptFileError, "scan header"),
        ((SOF, DHT, SOS.replace(b"\x01\x01", b"\x01\x09")), CorruptFileError, "names a component"),
        ((SOF, DHT, SOS[:-1] + b"\x08"), CorruptFileError, "8 bits down by 8"),
        ((SOF.replace(b"\xff\xc3", b"\xff\xc9"),), UnknownFormatError, "SOF9"),
        (
            (SOF.replace(b"\x00\x02\x00\x03", b"\xff\xff\xff\xff"), DHT, SOS, DATA, EOI),
            ScanError,
            "65535 x 65535",
        ),
    ],
)
def test_faulty_headers_are_refused_by_reason(parts, error, reason):
    with pytest.raises(error, match=reason):
        read_stream(stream(*parts))
