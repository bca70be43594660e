"""Packed files: the same content packed or not, and what damage does."""

import gzip

import pytest

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.formats.packed import read_packed

CONTENT = bytes(range(256)) * 20


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "film.gz"
    path.write_bytes(gzip.compress(CONTENT))
    return path


def test_a_packed_file_holds_what_was_packed(packed):
    assert read_packed(packed) == CONTENT


def test_a_file_that_is_not_packed_is_read_as_it_is(tmp_path):
    path = tmp_path / "film.gz"
    path.write_bytes(CONTENT)
    assert read_packed(path) == CONTENT


def test_a_packed_file_that_was_cut_is_refused(packed):
    packed.write_bytes(packed.read_bytes()[:-12])
    with pytest.raises(CorruptFileError, match="cut short"):
        read_packed(packed)


def test_a_flipped_bit_in_the_packing_is_refused(packed):
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 16
    packed.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"film\.gz"):
        read_packed(packed)


def test_content_over_the_limit_is_refused_before_it_is_unpacked(packed):
    with pytest.raises(CorruptFileError, match="more than 5119 bytes"):
        read_packed(packed, 5119)
    assert len(read_packed(packed, 5120)) == 5120


def test_a_file_over_the_limit_is_refused(tmp_path):
    path = tmp_path / "film"
    path.write_bytes(CONTENT)
    with pytest.raises(CorruptFileError, match="more than 100 bytes"):
        read_packed(path, 100)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="nothing"):
        read_packed(tmp_path / "nothing")


def test_a_file_that_may_not_be_read_is_named(packed, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(packed), "read_bytes", refuse)
    with pytest.raises(MissingFileError, match=r"film\.gz: .*Permission denied"):
        read_packed(packed)


@pytest.mark.parametrize("asked", ["is_file", "stat"])
def test_a_file_in_a_folder_that_may_not_be_entered_is_named(packed, monkeypatch, asked):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(packed), asked, refuse)
    with pytest.raises(MissingFileError, match=r"film\.gz: .*Permission denied"):
        read_packed(packed)
