"""Tile sets at URLs."""

from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.errors import BadValueError, CorruptFileError, MissingFileError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.tiles.remote import cache_folder, holds, is_remote, local_path, publish, upload
from mammoscope.tiles.store import PROVENANCE, load_tiles, write_tiles
from mammoscope.tiles.tile import NORMAL, Tile

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    scan = Scan(scan_id="s", archive="made", path=Path("s"), patient_id="p", exam_id="e")
    tile = Tile(
        pixels=np.arange(64, dtype=np.uint8).reshape(8, 8),
        scan=scan,
        finding_id=None,
        box=Box(0, 0, 8, 8),
        label=NORMAL,
    )
    write_tiles(tmp_path / "set", [tile], {"p": "train"}, {"recipe": "9", "seed": 0})
    return tmp_path / "set"


@pytest.fixture
def memory():
    """An empty file system in memory."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_a_set_in_memory_comes_back_as_it_was(folder, memory):
    publish(folder, "memory://bucket/set", PROVENANCE)
    back = load_tiles("memory://bucket/set")
    np.testing.assert_array_equal(back.pixels([0]), load_tiles(folder).pixels([0]))
    back.verify()


def test_a_set_is_fetched_once(folder, memory):
    publish(folder, "memory://bucket/set", PROVENANCE)
    load_tiles("memory://bucket/set")
    for name in ("index.parquet", "pixels-0000.npy"):
        memory.rm_file(f"/bucket/set/{name}")
    assert len(load_tiles("memory://bucket/set")) == 1


def test_a_set_that_changed_there_is_fetched_again(folder, memory):
    publish(folder, "memory://bucket/set", PROVENANCE)
    load_tiles("memory://bucket/set")
    text = (folder / PROVENANCE).read_text().replace('"recipe": "9"', '"recipe": "8"')
    memory.pipe_file(f"/bucket/set/{PROVENANCE}", text.encode())
    assert load_tiles("memory://bucket/set").provenance["recipe"] == "8"


def test_reports_come_along(folder, memory):
    (folder / "build.json").write_text("{}")
    publish(folder, "memory://bucket/set", PROVENANCE)
    assert (load_tiles("memory://bucket/set").folder / "build.json").read_text() == "{}"


def test_a_file_url_is_a_folder_of_this_machine(folder):
    assert load_tiles(f"file://{folder}").folder == folder
    assert local_path("file:///a%20b/c") == Path("/a b/c")
    assert not is_remote(f"file://{folder}")
    assert not is_remote(folder)


def test_provenance_goes_up_last(folder, memory, monkeypatch):
    sent = []
    monkeypatch.setattr(memory, "put_file", lambda _from, to: sent.append(to.rpartition("/")[2]))
    publish(folder, "memory://bucket/set", PROVENANCE)
    assert sent[-1] == PROVENANCE
    assert len(sent) == 3


def test_holds_tells_whether_a_file_is_there(folder, memory):
    assert not holds("memory://bucket/set", PROVENANCE)
    publish(folder, "memory://bucket/set", PROVENANCE)
    assert holds("memory://bucket/set", PROVENANCE)


def test_a_url_without_a_set_is_told(memory):
    with pytest.raises(MissingFileError, match="memory://nothing: no whole tile set"):
        load_tiles("memory://nothing")


def test_a_shard_that_is_missing_there_is_told(folder, memory):
    publish(folder, "memory://bucket/set", PROVENANCE)
    memory.rm_file("/bucket/set/pixels-0000.npy")
    with pytest.raises(MissingFileError, match="pixels-0000"):
        load_tiles("memory://bucket/set")
    assert not cache_folder("memory://bucket/set").exists()


def test_a_shard_that_was_changed_there_is_told_and_not_kept(folder, memory):
    publish(folder, "memory://bucket/set", PROVENANCE)
    data = bytearray(memory.cat_file("/bucket/set/pixels-0000.npy"))
    data[-1] ^= 1
    memory.pipe_file("/bucket/set/pixels-0000.npy", bytes(data))
    with pytest.raises(CorruptFileError, match=r"pixels-0000\.npy: is not as it was written"):
        load_tiles("memory://bucket/set")
    assert not cache_folder("memory://bucket/set").exists()


@pytest.mark.parametrize("text", ["[]", "x", '{"files": {"../../evil": {}}}', '{"files": ["a"]}'])
def test_a_provenance_that_names_no_set_fetches_nothing(memory, text):
    memory.pipe_file(f"/bucket/set/{PROVENANCE}", text.encode())
    with pytest.raises(CorruptFileError, match=PROVENANCE):
        load_tiles("memory://bucket/set")


def test_an_archive_at_a_url_is_refused_by_name():
    with pytest.raises(BadValueError, match="s3://bucket/ddsm: only a folder of this machine"):
        local_path("s3://bucket/ddsm")


def test_a_url_of_no_known_kind_is_told():
    with pytest.raises(BadValueError, match="nosuch://a: this kind of URL cannot be opened"):
        load_tiles("nosuch://a")


def test_one_file_goes_up_beside_a_set(folder, memory, tmp_path):
    publish(folder, "memory://bucket/set", PROVENANCE)
    (tmp_path / "audit.json").write_text("{}")
    upload(tmp_path / "audit.json", "memory://bucket/set")
    assert memory.cat_file("/bucket/set/audit.json") == b"{}"


def test_a_place_that_takes_no_file_is_named(memory, tmp_path, monkeypatch):
    def refuse(_from, _to):
        raise PermissionError("read only")

    monkeypatch.setattr(memory, "put_file", refuse)
    (tmp_path / "audit.json").write_text("{}")
    with pytest.raises(MissingFileError, match=r"set: audit.json cannot be written there \(read"):
        upload(tmp_path / "audit.json", "memory://bucket/set")
