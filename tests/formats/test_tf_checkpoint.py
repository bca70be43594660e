"""Checkpoints that TensorFlow wrote, and their index changed by hand.

`tests/models/tf1/make_checkpoints.py` made the files; what stands in them is known from there.
"""

import shutil
import struct
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

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
from mammoscope.formats.sstable import read_table
from mammoscope.formats.tf_checkpoint import open_checkpoint, read_tensor

HERE = Path(__file__).parent
GENUINE = HERE.parent / "models" / "tf1"
writer = SimpleNamespace(**run_path(str(HERE / "sstable_writer.py")))


def pattern(name, shape):
    """What the script put into a variable: sixteenths, or eighths that are positive."""
    values = (np.arange(np.prod(shape, dtype=int)) * 7 + sum(name.encode()) % 11) % 13
    positive = name.endswith(("gamma", "moving_variance"))
    return ((values + 4) / 8 if positive else (values - 6) / 16).reshape(shape)


@pytest.fixture
def copy(tmp_path):
    """Copy a checkpoint's files into a folder where a test may spoil them."""

    def make(name):
        for file in GENUINE.glob(f"{name}.ckpt*"):
            shutil.copy(file, tmp_path)
        return tmp_path / f"{name}.ckpt"

    return make


def with_table(prefix, change):
    """Write the index again after `change` of its dict; checksums of the blocks are right."""
    index = prefix.with_name(f"{prefix.name}.index")
    entries = dict(read_table(index))
    change(entries)
    index.write_bytes(writer.table(sorted(entries.items()), packing=1))
    return prefix


def test_all_that_tensorflow_wrote_is_read():
    checkpoint = open_checkpoint(GENUINE / "tiny.ckpt")
    assert len(checkpoint.entries) == 79
    assert read_tensor(checkpoint, "Variable") == 56006
    for name in checkpoint.entries:
        values = read_tensor(checkpoint, name)
        if name.endswith(("Adam", "Adam_1")):
            assert not values.any()
        elif "/" in name:
            np.testing.assert_array_equal(values, pattern(name, values.shape))
    assert read_tensor(checkpoint, "conv1.1/kernel").shape == (3, 3, 4, 4)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64", "int32", "int64"])
def test_each_type_of_number_is_read(name):
    values = read_tensor(open_checkpoint(GENUINE / "types.ckpt"), name)
    scale = 0.5 if "float" in name else 1
    assert values.dtype == np.dtype("float32" if name == "bfloat16" else name)
    np.testing.assert_array_equal(values, np.arange(-3, 3).reshape(2, 3) * scale)


def test_single_numbers_and_empty_arrays_keep_their_shape():
    checkpoint = open_checkpoint(GENUINE / "types.ckpt")
    assert read_tensor(checkpoint, "scalar") == 2.5
    assert read_tensor(checkpoint, "scalar").shape == ()
    assert read_tensor(checkpoint, "empty").shape == (0, 4)


@pytest.mark.parametrize(("name", "kind"), [("string", "text"), ("bool", "truth values")])
def test_other_types_are_refused_by_the_variables_name(name, kind):
    checkpoint = open_checkpoint(GENUINE / "types.ckpt")
    with pytest.raises(UnknownFormatError, match=f"types.*{name} holds {kind}"):
        read_tensor(checkpoint, name)


def test_several_data_files_are_read_together():
    checkpoint = open_checkpoint(GENUINE / "shards.ckpt")
    assert [file.name for file in checkpoint.files] == [
        "shards.ckpt.index",
        "shards.ckpt.data-00000-of-00002",
        "shards.ckpt.data-00001-of-00002",
    ]
    assert {checkpoint.entries[name].shard for name in ("on0", "on1")} == {0, 1}
    for name in ("on0", "on1"):
        np.testing.assert_array_equal(read_tensor(checkpoint, name), pattern(name, (5,)))


def test_a_variable_in_slices_is_refused_by_name_and_the_others_are_read():
    checkpoint = open_checkpoint(GENUINE / "slices.ckpt")
    np.testing.assert_array_equal(read_tensor(checkpoint, "whole"), pattern("whole", (3,)))
    with pytest.raises(UnknownFormatError, match=r"fc1/kernel is stored in slices"):
        read_tensor(checkpoint, "fc1/kernel")


@pytest.mark.parametrize("ending", ["", ".index", ".meta", ".data-00000-of-00001"])
def test_any_file_of_a_checkpoint_names_it(ending):
    assert open_checkpoint(GENUINE / f"tiny.ckpt{ending}").prefix == GENUINE / "tiny.ckpt"


def test_an_index_that_is_packed_is_read_as_well(copy):
    prefix = with_table(copy("tiny"), lambda entries: None)
    assert open_checkpoint(prefix).entries == open_checkpoint(GENUINE / "tiny.ckpt").entries


def test_no_changed_byte_of_the_values_goes_unseen(copy):
    prefix = copy("types")
    checkpoint = open_checkpoint(prefix)
    numbers = [n for n in checkpoint.entries if n not in {"bool", "string"}]
    entries = [checkpoint.entries[name] for name in numbers]
    data = checkpoint.files[1].read_bytes()
    for place in range(len(data)):
        spoilt = bytearray(data)
        spoilt[place] ^= 0x40
        checkpoint.files[1].write_bytes(spoilt)
        hit = [e.offset <= place < e.offset + e.size for e in entries]
        for name, is_hit in zip(numbers, hit, strict=True):
            if is_hit:
                with pytest.raises(CorruptFileError, match=rf"data-0.*values of {name} are not"):
                    read_tensor(checkpoint, name)
            else:
                read_tensor(checkpoint, name)


def test_no_changed_byte_of_the_index_gives_other_values_or_a_foreign_error(copy):
    prefix = copy("shards")
    index = open_checkpoint(prefix).files[0]
    data = index.read_bytes()
    for place in range(len(data)):
        for change in (0x01, 0x10):
            spoilt = bytearray(data)
            spoilt[place] ^= change
            index.write_bytes(spoilt)
            try:
                checkpoint = open_checkpoint(prefix)
                values = {name: read_tensor(checkpoint, name) for name in checkpoint.entries}
            except (FormatError, MissingFileError):
                continue
            assert set(values) == {"on0", "on1"}
            for name, array in values.items():
                np.testing.assert_array_equal(array, pattern(name, (5,)))


@pytest.mark.parametrize("kept", [0, 1, 19])
def test_values_that_were_cut_short_are_refused(copy, kept):
    prefix = copy("shards")
    file = open_checkpoint(prefix).files[2]
    file.write_bytes(file.read_bytes()[:kept])
    checkpoint = open_checkpoint(prefix)
    with pytest.raises(CorruptFileError, match=r"data-00001-of-00002: .*values of on1"):
        read_tensor(checkpoint, "on1")


def test_a_data_file_that_was_left_behind_is_named(copy):
    prefix = copy("shards")
    open_checkpoint(prefix).files[2].unlink()
    with pytest.raises(MissingFileError, match=r"data-00001-of-00002.*all its 3 files"):
        open_checkpoint(prefix)


def test_a_checkpoint_of_the_first_form_is_refused_with_the_remedy():
    with pytest.raises(UnknownFormatError, match=r"first form.*V2"):
        open_checkpoint(GENUINE / "first-form.ckpt")


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"model\.ckpt\.index: there is no such file"):
        open_checkpoint(tmp_path / "model.ckpt")
    with pytest.raises(MissingFileError, match="this is a folder"):
        open_checkpoint(tmp_path)


def test_a_name_that_the_checkpoint_does_not_have_is_a_fault_of_the_caller():
    with pytest.raises(KeyError, match="conv9"):
        read_tensor(open_checkpoint(GENUINE / "tiny.ckpt"), "conv9/kernel")


def entry(*, dtype=1, lengths=(3,), shard=0, offset=0, size=12, checksum=0):
    """BundleEntryProto by hand."""
    dims = b"".join(b"\x12" + bytes([len(d)]) + d for d in (b"\x08" + n for n in lengths))
    shape = b"\x12" + writer.varint(len(dims)) + dims
    numbers = ((0x08, dtype), (0x18, shard), (0x20, offset), (0x28, size))
    parts = [bytes([key]) + writer.varint(value) for key, value in numbers]
    return b"".join([*parts, shape, b"\x35", struct.pack("<I", checksum)])


def lengths(*values):
    return tuple(writer.varint(value % 2**64) for value in values)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (entry(lengths=lengths(4)), r"contradicts itself \(12 bytes for the shape \(4,\)\)"),
        (entry(lengths=lengths(3), shard=1), "contradicts itself"),
        (entry(lengths=lengths(3), offset=2**63), "contradicts itself"),
        (entry(lengths=lengths(3), offset=2**40), "cut short"),
        (entry(lengths=lengths(2**40), size=2**42), "cut short"),
        (entry(lengths=lengths(-1)), "has the shape"),
        (entry(lengths=lengths(2**40, 2**40, 0), size=0), "has the shape"),
        (entry(lengths=lengths(*[1] * 33)), "has the shape"),
        (entry(lengths=lengths(3))[:-2], "longer than its message"),
        (b"\x12\x02\x18\x01", "no known shape"),
        (b"\x0a\x01a", "number is expected"),
        (b"\x10\x05", "bytes are expected"),
        (entry(lengths=lengths(3)), "not those of their checksum"),
    ],
)
def test_an_entry_that_cannot_be_true_is_refused(copy, given, fault):
    prefix = with_table(copy("slices"), lambda entries: entries.update({b"bad": given}))
    with pytest.raises(CorruptFileError, match=fault):
        read_tensor(open_checkpoint(prefix), "bad")


@pytest.mark.parametrize(
    ("header", "error", "fault"),
    [
        (None, UnknownFormatError, "no index of a checkpoint"),
        (b"\x08\x01\x10\x01", UnknownFormatError, "big-endian"),
        (b"\x08\x01\x1a\x02\x10\x07", UnknownFormatError, "readers of version 7"),
        (b"", CorruptFileError, "names 0 data files"),
        (b"\x08\xff\xff\xff\x7f", CorruptFileError, "data files"),
        (b"\x08", CorruptFileError, "cut short"),
    ],
)
def test_a_header_that_cannot_be_followed_is_refused(copy, header, error, fault):
    def change(entries):
        del entries[b""]
        if header is not None:
            entries[b""] = header

    prefix = with_table(copy("tiny"), change)
    with pytest.raises(error, match=rf"tiny\.ckpt\.index.*{fault}"):
        open_checkpoint(prefix)


def test_a_name_that_is_no_text_is_damage(copy):
    prefix = with_table(copy("tiny"), lambda entries: entries.update({b"\xff\xfe": b""}))
    with pytest.raises(CorruptFileError, match="index is damaged"):
        open_checkpoint(prefix)


@settings(deadline=None)  # it writes files
@given(data=st.binary(max_size=40))
def test_any_bytes_in_place_of_an_entry_are_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "any-entry"
    folder.mkdir(exist_ok=True)
    (folder / "x.ckpt.index").write_bytes(writer.table([(b"", b"\x08\x01"), (b"v", data)]))
    (folder / "x.ckpt.data-00000-of-00001").write_bytes(bytes(8))
    try:
        values = read_tensor(open_checkpoint(folder / "x.ckpt"), "v")
    except FormatError:
        return
    assert not values.any()
