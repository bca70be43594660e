"""Packed files that cannot be trusted."""

import hashlib
import io
import struct
import tarfile
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.archives.fetch_unpack import unpack
from mammoscope.core.errors import CorruptFileError

MIB = 1 << 20


def make_zip(path, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, data in files:
            packed.writestr(name, data)
    return path


def make_tar(path, files):
    with tarfile.open(path, "w:gz") as packed:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_every_member_is_unpacked(tmp_path, make):
    packed = make(tmp_path / "p", [("a.txt", b"one"), ("b/c.txt", b"three")])
    assert unpack(packed, tmp_path / "out", {}, MIB) == {"a.txt": 3, "b/c.txt": 5}
    assert (tmp_path / "out" / "b" / "c.txt").read_bytes() == b"three"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.txt", "b"]


def test_a_tar_of_the_present_folder_loses_its_dot(tmp_path):
    packed = make_tar(tmp_path / "p", [("./mdb001.pgm", b"P5")])
    assert unpack(packed, tmp_path / "out", {}, MIB) == {"mdb001.pgm": 2}


def test_only_the_members_named_are_taken(tmp_path):
    packed = make_zip(tmp_path / "p", [("a", b"one"), ("b", b"two")])
    known = {"a": hashlib.sha256(b"one").hexdigest()}
    assert unpack(packed, tmp_path / "out", known, MIB) == {"a": 3}
    assert not (tmp_path / "out" / "b").exists()


def test_an_older_file_stays_when_the_new_one_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    packed = make_zip(tmp_path / "p", [("a", b"new")])
    with pytest.raises(CorruptFileError, match="not the file that is known"):
        unpack(packed, tmp_path, {"a": "0" * 64}, MIB)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "p"]


def test_a_member_that_is_missing_is_named(tmp_path):
    packed = make_zip(tmp_path / "p", [("a", b"one")])
    with pytest.raises(CorruptFileError, match=r"wdbc\.data is missing"):
        unpack(packed, tmp_path / "out", {"wdbc.data": None}, MIB)


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "C:evil", "a\\..\\evil", "a\nb", "x" * 300, "a//b"]
)
def test_no_path_leaves_the_folder(tmp_path, make, name):
    packed = make(tmp_path / "p", [("good", b"1"), (name, b"2")])
    if make is make_zip and name == "a\\..\\evil":
        assert zipfile.ZipFile(packed).namelist()[1] == name
    with pytest.raises(CorruptFileError, match="leaves the folder"):
        unpack(packed, tmp_path / "out", {}, MIB)
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "p", "w") as packed:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = kind, "/etc/passwd"
        packed.addfile(entry)
    with pytest.raises(CorruptFileError, match="a link or device"):
        unpack(tmp_path / "p", tmp_path / "out", {}, MIB)


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_compression_that_says_how_much_memory_it_takes_is_refused(tmp_path, compression):
    packed = make_zip(tmp_path / "p", [("a", b"one")], compression)
    with pytest.raises(CorruptFileError, match="a compression that archives do not use"):
        unpack(packed, tmp_path / "out", {}, MIB)


def test_a_member_without_a_name_is_refused(tmp_path):
    packed = make_zip(tmp_path / "p", [("a", b"one")])
    data = packed.read_bytes()
    # The name's length and the name, in the local header and in the directory.
    short = data.replace(b"\x01\0\0\0a", b"\0\0\0\0").replace(
        b"\x01\0" + bytes(16) + b"a", bytes(18)
    )
    end = short.rindex(b"PK\5\6")
    start = short.index(b"PK\1\2")
    places = struct.pack("<II", end - start, start)
    packed.write_bytes(short[: end + 12] + places + short[end + 20 :])
    with pytest.raises(CorruptFileError):
        unpack(packed, tmp_path / "out", {}, MIB)


def test_the_same_name_twice_is_refused(tmp_path):
    packed = make_tar(tmp_path / "p", [("a", b"1"), ("a", b"2")])
    with pytest.raises(CorruptFileError, match="twice"):
        unpack(packed, tmp_path / "out", {}, MIB)


def test_a_file_that_is_also_a_folder_is_refused(tmp_path):
    packed = make_tar(tmp_path / "p", [("a", b"1"), ("a/b", b"2")])
    with pytest.raises(CorruptFileError, match="twice"):
        unpack(packed, tmp_path / "out", {}, MIB)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_bomb_is_refused_by_what_it_says(tmp_path, make):
    packed = make(tmp_path / "p", [("a", bytes(2 * MIB))])
    assert packed.stat().st_size < 10_000
    with pytest.raises(CorruptFileError, match="would come out"):
        unpack(packed, tmp_path / "out", {}, MIB)


def test_members_that_are_left_out_count_too(tmp_path):
    packed = make_tar(tmp_path / "p", [("a", bytes(MIB)), ("b", bytes(MIB)), ("c", b"1")])
    with pytest.raises(CorruptFileError, match="would come out"):
        unpack(packed, tmp_path / "out", {"c": None}, MIB)


def test_a_bomb_that_lies_about_its_length_is_refused(tmp_path):
    packed = make_zip(tmp_path / "p", [("a", bytes(2 * MIB))])
    data = packed.read_bytes()
    # The length stands in the local header and in the directory.
    packed.write_bytes(data.replace(struct.pack("<I", 2 * MIB), struct.pack("<I", 10)))
    with pytest.raises(CorruptFileError):
        unpack(packed, tmp_path / "out", {}, MIB)
    assert not list((tmp_path / "out").iterdir())


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(unpack.__globals__, "MOST_MEMBERS", 3)
    packed = make_zip(tmp_path / "p", [(f"{i}", b"") for i in range(4)])
    with pytest.raises(CorruptFileError, match="more than 3 files"):
        unpack(packed, tmp_path / "out", {}, MIB)


def test_a_packed_file_of_nothing_is_refused(tmp_path):
    packed = make_zip(tmp_path / "p", [])
    with pytest.raises(CorruptFileError, match="every file is missing"):
        unpack(packed, tmp_path / "out", {}, MIB)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def test_the_md5_checksums_sent_along_are_compared(tmp_path):
    table = f"Filename,MD5Hash\n1-1.dcm,{md5(b'scan').upper()}\n"
    packed = make_zip(tmp_path / "p", [("1-1.dcm", b"scan"), ("md5hashes.csv", table)])
    assert "1-1.dcm" in unpack(packed, tmp_path / "out", {}, MIB)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"1-1.dcm,{md5(b'else')}", "does not have its MD5"),
        (f"1-2.dcm,{md5(b'scan')}", r"1-2\.dcm is missing"),
        (f"../p,{md5(b'scan')}", "missing"),
    ],
)
def test_a_wrong_md5_checksum_is_told(tmp_path, line, what):
    table = f"Filename,MD5Hash\n{line}\n"
    packed = make_zip(tmp_path / "p", [("1-1.dcm", b"scan"), ("md5hashes.csv", table)])
    with pytest.raises(CorruptFileError, match=what):
        unpack(packed, tmp_path / "out", {}, MIB)
    assert not list((tmp_path / "out").iterdir())


def test_a_checksum_of_gzip_is_looked_at(tmp_path):
    packed = make_tar(tmp_path / "p", [("a", b"one")])
    data = bytearray(packed.read_bytes())
    data[-6] ^= 1
    packed.write_bytes(data)
    with pytest.raises(CorruptFileError, match="CRC check failed"):
        unpack(packed, tmp_path / "out", {}, MIB)


FILES = {"a.dcm": bytes(range(256)) * 20, "b/c.txt": b"three" * 100}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    return folder, [
        make_zip(folder / "z", FILES.items()).read_bytes(),
        make_zip(folder / "s", FILES.items(), zipfile.ZIP_STORED).read_bytes(),
        make_tar(folder / "t", FILES.items()).read_bytes(),
    ]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_packed_file_is_unpacked_rightly_or_refused(seeds, data):
    folder, packed = seeds
    seed = bytearray(data.draw(st.sampled_from(packed)))
    for _ in range(data.draw(st.integers(1, 4))):
        seed[data.draw(st.integers(0, len(seed) - 1))] = data.draw(st.integers(0, 255))
    seed = seed[: data.draw(st.integers(1, len(seed)))] if data.draw(st.booleans()) else seed
    (folder / "p").write_bytes(seed)
    with suppress(CorruptFileError):
        sizes = unpack(folder / "p", folder / "out", {}, MIB)
        assert {name: (folder / "out" / name).read_bytes() for name in sizes} == FILES
