"""TFRecord files: checksums by published vectors, an outside writer, and what damage is told."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.errors import (
    CorruptFileError,
    FormatError,
    MissingFileError,
    UnknownFormatError,
)
from mammoscope.formats.tfrecord import (
    index_records,
    masked_crc32c,
    read_records,
    write_records,
)

EVENTS = {
    "te_model_s0.0.02_events.out.tfevents.1521819005.LISAANDERIC": 14,
    "tr_model_s0.0.02_events.out.tfevents.1521803794.LISAANDERIC": 857,
    "pr_curves_demo_events.out.tfevents.1522848386.LISAANDERIC": 46,
}


def data_of(path):
    return [record.data for record in read_records(path)]


def unmasked(value):
    turned = (value - 0xA282EAD8) & 0xFFFFFFFF
    return ((turned >> 17) | (turned << 15)) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        # RFC 3720, B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_checksums_are_those_of_the_standard(data, crc):
    assert unmasked(masked_crc32c(data)) == crc


@given(records=st.lists(st.binary(max_size=300), max_size=8))
@settings(max_examples=50, deadline=None)
def test_what_was_written_is_read_again(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("records") / "a.tfrecords"
    assert write_records(path, records) == len(records)
    assert data_of(path) == records
    assert index_records(path)[:, 1].tolist() == [len(record) for record in records]


def test_an_outside_writer_makes_the_same_bytes(tmp_path):
    writer_module = pytest.importorskip(
        "tensorboard.summary.writer.record_writer", reason="extra `train`"
    )
    records = [b"", b"a", bytes(range(256)) * 40]
    theirs = io.BytesIO()
    writer = writer_module.RecordWriter(theirs)
    for record in records:
        writer.write(record)
    ours = tmp_path / "ours.tfrecords"
    write_records(ours, records)
    assert ours.read_bytes() == theirs.getvalue()


def test_records_carry_their_number_and_place(tmp_path):
    path = tmp_path / "a.tfrecords"
    write_records(path, [b"abc", b"defgh"])
    # 8 + 4 bytes of heading, 3 of data, 4 of checksum.
    assert [(record.number, record.offset) for record in read_records(path)] == [(0, 0), (1, 19)]


def test_an_empty_file_has_no_records(tmp_path):
    path = tmp_path / "a.tfrecords"
    path.write_bytes(b"")
    assert data_of(path) == []
    assert index_records(path).shape == (0, 2)


def test_a_flipped_bit_in_the_data_is_told_with_number_and_place(tmp_path):
    path = tmp_path / "a.tfrecords"
    write_records(path, [b"abc", b"defgh"])
    damaged = bytearray(path.read_bytes())
    damaged[33] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(CorruptFileError, match=r"record 1 at byte 19 .*checksum"):
        data_of(path)
    # The index reads no data, so it cannot know.
    assert len(index_records(path)) == 2


def test_a_file_cut_short_is_told_with_number_and_place(tmp_path):
    path = tmp_path / "a.tfrecords"
    write_records(path, [b"abc", b"defgh"])
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(CorruptFileError, match="record 1 at byte 19 is cut short"):
        index_records(path)


def test_a_promise_of_terabytes_takes_no_memory(tmp_path):
    path = tmp_path / "a.tfrecords"
    length = struct.pack("<Q", 1 << 42)
    path.write_bytes(length + struct.pack("<I", masked_crc32c(length)) + bytes(100))
    with pytest.raises(CorruptFileError, match="cut short"):
        index_records(path)


def test_another_kind_of_file_is_told_apart(tmp_path):
    path = tmp_path / "a.tfrecords"
    path.write_bytes(b"This is a letter, not a file of records.")
    with pytest.raises(CorruptFileError, match="no TFRecord file"):
        data_of(path)


@pytest.mark.parametrize(("head", "kind"), [(b"PK\x03\x04", "zip"), (b"\x1f\x8b\x08", "gzip")])
def test_packed_files_are_to_be_unpacked(tmp_path, head, kind):
    path = tmp_path / "a.tfrecords"
    path.write_bytes(head + bytes(40))
    with pytest.raises(UnknownFormatError, match=f"{kind} file.*unpack"):
        index_records(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(MissingFileError, match="no such file"):
        index_records(tmp_path / "a.tfrecords")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.tfrecords"
    write_records(path, [b"old"])

    def records():
        yield b"new"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_records(path, records())
    assert data_of(path) == [b"old"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.tfrecords"]


def test_mutated_files_end_in_a_result_or_in_one_of_our_errors(tmp_path):
    path = tmp_path / "a.tfrecords"
    write_records(path, [bytes(50), b"x" * 70, b""])
    whole = path.read_bytes()
    whole_records = data_of(path)
    generator = np.random.default_rng(7)
    told = 0
    for _ in range(400):
        damaged = bytearray(whole[: generator.integers(1, len(whole) + 1)])
        for place in generator.integers(0, len(damaged), generator.integers(0, 4)):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read = data_of(path)
        except FormatError:
            told += 1
        else:
            assert read == whole_records[: len(read)]
    assert told > 300


@pytest.mark.real
@pytest.mark.parametrize(("name", "count"), EVENTS.items())
def test_the_authors_own_event_files_are_whole(shared_data, name, count):
    path = shared_data.parent / "reference" / "author" / "tensorboard" / name
    if not path.is_file():
        pytest.skip(f"the author's files are not here ({path})")
    assert len(data_of(path)) == count
