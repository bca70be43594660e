"""LevelDB's tables, as TensorFlow writes them and as a plain writer of the tests does."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.errors import (
    CorruptFileError,
    FormatError,
    MissingFileError,
    UnknownFormatError,
)
from mammoscope.formats.sstable import is_table, read_table

HERE = Path(__file__).parent
GENUINE = HERE.parent / "models" / "tf1" / "tiny.ckpt.index"

writer = SimpleNamespace(**run_path(str(HERE / "sstable_writer.py")))

PAIRS = [(f"conv{i}.{k}/kernel".encode(), bytes([i, k]) * i) for i in range(9) for k in range(3)]


def written(folder: Path, data: bytes) -> Path:
    path = folder / "x.index"
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@settings(deadline=None)  # it writes files
@given(
    pairs=st.dictionaries(st.binary(max_size=12), st.binary(max_size=40), max_size=40),
    packing=st.integers(0, 1),
    interval=st.integers(1, 20),
    in_block=st.integers(1, 9),
)
def test_what_was_written_is_read(folder, pairs, packing, interval, in_block):
    ordered = sorted(pairs.items())
    data = writer.table(ordered, packing=packing, interval=interval, in_block=in_block)
    assert list(read_table(written(folder, data)).items()) == ordered


def test_a_table_of_tensorflow_holds_its_names_in_their_order():
    names = list(read_table(GENUINE))
    assert names[:3] == [b"", b"Variable", b"beta1_power"]
    assert names == sorted(names)
    assert len(names) == 80


@pytest.mark.parametrize("packing", [0, 1])
def test_no_changed_byte_gives_other_values_or_a_foreign_error(folder, packing):
    data = writer.table(PAIRS, packing=packing)
    refused = 0
    for place in range(len(data)):
        spoilt = bytearray(data)
        spoilt[place] ^= (0x01, 0x80, 0xFF)[place % 3]
        try:
            read = read_table(written(folder, bytes(spoilt)))
        except FormatError:
            refused += 1
        else:
            assert read == dict(PAIRS)
    # The meta index and the padding of the footer are never used, nor is a key of the index.
    assert refused > 0.85 * len(data)


def test_no_table_cut_short_is_read(folder):
    data = writer.table(PAIRS)
    for size in range(0, len(data), 5):
        with pytest.raises(UnknownFormatError, match="cut short"):
            read_table(written(folder, data[:size]))


def test_a_file_without_a_beginning_is_refused(folder):
    data = writer.table(PAIRS)
    with pytest.raises(CorruptFileError, match=r"x\.index.*damaged"):
        read_table(written(folder, data[100:]))


@pytest.mark.parametrize(
    ("pairs", "fault"),
    [([(b"b", b""), (b"a", b"")], "order"), ([(b"a", b"1"), (b"a", b"2")], "order")],
)
def test_keys_that_do_not_rise_are_refused(folder, pairs, fault):
    with pytest.raises(CorruptFileError, match=fault):
        read_table(written(folder, writer.table(pairs)))


@pytest.mark.parametrize(
    ("contents", "fault"),
    [
        (b"", "too short"),
        (b"\x07\x00\x00\x00", "list of restarts"),
        (b"\x03\x01\x00a" + bytes(4) + b"\x01\x00\x00\x00", "beyond its block"),
        (b"\x00\x09\x00a" + bytes(4) + b"\x01\x00\x00\x00", "beyond its block"),
        (b"\x00\x01\x09a" + bytes(4) + b"\x01\x00\x00\x00", "beyond its block"),
        (b"\xff\xff" + b"\xff" * 9 + b"\x01\x00\x00\x00", "64 bits"),
    ],
)
def test_a_block_that_contradicts_itself_is_refused_though_its_checksum_is_right(
    folder, contents, fault
):
    bad = writer.block(contents)
    place = (b"z", writer.varint(0) + writer.varint(len(contents)))
    index, meta = writer.block(writer.contents([place])), writer.block(writer.contents([]))
    with pytest.raises(CorruptFileError, match=fault):
        read_table(written(folder, writer.finished(bad, index, meta)))


def test_an_index_of_something_else_than_places_is_refused(folder):
    good = writer.block(writer.contents(PAIRS))
    place = (b"z", writer.varint(0) + writer.varint(len(good) - 5) + b"more")
    index, meta = writer.block(writer.contents([place])), writer.block(writer.contents([]))
    with pytest.raises(CorruptFileError, match="places of blocks"):
        read_table(written(folder, writer.finished(good, index, meta)))


def test_a_block_that_would_fill_the_memory_is_refused(folder):
    # Snappy's preamble alone: four gigabytes are to come.
    stored = writer.varint(2**32 - 1) + b"\x00a" + b"\x01"
    bad = stored + writer.checksum(stored).to_bytes(4, "little")
    place = (b"z", writer.varint(0) + writer.varint(len(stored) - 1))
    index, meta = writer.block(writer.contents([place])), writer.block(writer.contents([]))
    with pytest.raises(CorruptFileError, match="unpacks to 4294967295 bytes"):
        read_table(written(folder, writer.finished(bad, index, meta)))


def test_a_block_that_is_no_snappy_is_refused(folder):
    stored = writer.varint(9) + b"\xff\xff\xff" + b"\x01"
    bad = stored + writer.checksum(stored).to_bytes(4, "little")
    place = (b"z", writer.varint(0) + writer.varint(len(stored) - 1))
    index, meta = writer.block(writer.contents([place])), writer.block(writer.contents([]))
    with pytest.raises(CorruptFileError, match="unpacked"):
        read_table(written(folder, writer.finished(bad, index, meta)))


def test_an_unknown_packing_is_refused_by_its_number(folder):
    with pytest.raises(UnknownFormatError, match="number 7"):
        read_table(written(folder, writer.table(PAIRS, packing=7)))


@pytest.mark.parametrize("data", [b"", b"text", b"x" * 500, writer.MAGIC])
def test_other_files_are_no_tables(tmp_path, data):
    path = written(tmp_path, data)
    assert not is_table(path)
    with pytest.raises(UnknownFormatError, match="does not end as"):
        read_table(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.index"):
        read_table(tmp_path / "none.index")
