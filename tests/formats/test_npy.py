"""Arrays from .npy files: mapped, never unpickled, and what damage is told."""

import numpy as np
import pytest

from mammoscope.core.errors import (
    CorruptFileError,
    FormatError,
    MissingFileError,
    UnknownFormatError,
)
from mammoscope.formats.npy import map_npy


def test_an_array_is_mapped_and_read_only(tmp_path):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.save(tmp_path / "a.npy", array)
    read = map_npy(tmp_path / "a.npy")
    assert isinstance(read, np.memmap)
    assert not read.flags.writeable
    assert np.array_equal(read, array)


def test_python_objects_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UnknownFormatError, match=r"Python objects.*run any program"):
        map_npy(tmp_path / "a.npy")


def test_a_file_cut_short_is_told(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((100, 100)))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CorruptFileError, match="damaged or cut short"):
        map_npy(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_damaged_text_is_told(tmp_path, order):
    path = tmp_path / "a.npy"
    np.save(path, np.array(["NORMAL", "\U0010ffff"], dtype=f"{order}U6"))
    assert map_npy(path).tolist() == ["NORMAL", "\U0010ffff"]
    damaged = bytearray(path.read_bytes())
    damaged[-24 if order == ">" else -21] = 0x7F
    path.write_bytes(damaged)
    with pytest.raises(CorruptFileError, match="none of Unicode's"):
        map_npy(path)


def test_another_kind_of_file_and_a_missing_one_are_told(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(UnknownFormatError, match="unpack"):
        map_npy(tmp_path / "a.npy")
    with pytest.raises(MissingFileError):
        map_npy(tmp_path / "b.npy")


def test_mutated_headings_end_in_a_result_or_in_one_of_our_errors(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 4), dtype=np.uint16))
    whole = path.read_bytes()
    generator = np.random.default_rng(3)
    told = 0
    for _ in range(800):
        damaged = bytearray(whole)
        for place in generator.integers(0, 100, generator.integers(1, 4)):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            map_npy(path)
        except FormatError:
            told += 1
    assert told > 250
