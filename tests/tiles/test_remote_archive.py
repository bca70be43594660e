"""Archives at URLs, copied into the cache."""

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mammoscope.archives.open import open_archive
from mammoscope.archives.splits import Division
from mammoscope.core.errors import BadValueError, CorruptFileError, MissingFileError
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.build import build_tiles
from mammoscope.tiles.remote import cache_folder
from mammoscope.tiles.remote_archive import copied

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
URL = "memory://bucket/films"
FILES = {"Info.txt": b"words", "scans/a.pgm": b"P5 1", "scans/deep/b c.pgm": b"P5 22"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def memory():
    """A file system in memory with three files."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    for name, data in FILES.items():
        system.pipe_file(f"/bucket/films/{name}", data)
    yield system
    system.store.clear()


@pytest.fixture
def gets(memory, monkeypatch):
    """Names of the files that are copied from here on."""
    names = []
    get_file = type(memory).get_file

    def get(self, source, target, **options):
        names.append(source.rpartition("/")[2])
        return get_file(self, source, target, **options)

    monkeypatch.setattr(type(memory), "get_file", get)
    return names


def held(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_copy_holds_the_same_files_and_no_others(memory):
    done = []
    folder = copied(URL, on_done=lambda *counts: done.append(counts))
    assert held(folder) == FILES
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_what_is_there_already_is_not_copied_again(gets):
    copied(URL)
    assert len(gets) == 3
    copied(f"{URL}/")
    copied(URL)
    # The URL with a stroke at its end is another name, with a copy of its own.
    assert len(gets) == 6


def test_a_file_that_changed_is_copied_again_and_one_that_is_gone_is_removed(memory, gets):
    copied(URL)
    gets.clear()
    memory.pipe_file("/bucket/films/Info.txt", b"WORDS")
    memory.rm_file("/bucket/films/scans/deep/b c.pgm")
    folder = copied(URL)
    assert gets == ["Info.txt"]
    assert held(folder) == {"Info.txt": b"WORDS", "scans/a.pgm": b"P5 1"}
    assert not (folder / "scans" / "deep").exists()


def test_a_copy_that_was_cut_short_here_is_made_again(gets):
    folder = copied(URL)
    gets.clear()
    (folder / "scans" / "a.pgm").write_bytes(b"P5")
    assert held(copied(URL)) == FILES
    assert gets == ["a.pgm"]


def test_a_copy_that_was_broken_off_goes_on(memory, gets, monkeypatch):
    counted = []

    def stop(*counts):
        counted.append(counts)
        if len(counted) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copied(URL, on_done=stop)
    # A kill in the middle of a line of the listing, and of a file.
    listing = cache_folder(URL) / "listing.jsonl"
    listing.write_text(listing.read_text()[:-5])
    (cache_folder(URL) / "files" / "scans" / ".x.part").write_bytes(b"half")
    gets.clear()
    assert held(copied(URL)) == FILES
    assert gets == ["a.pgm", "b c.pgm"]


def test_a_file_that_does_not_arrive_whole_is_told_and_not_kept(memory, monkeypatch):
    def half(self, source, target, **_options):
        Path(target).write_bytes(b"P")

    monkeypatch.setattr(type(memory), "get_file", half)
    with pytest.raises(CorruptFileError, match=r"Info\.txt: did not arrive whole"):
        copied(URL)
    assert held(cache_folder(URL) / "files") == {}


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, OSError), (errno.ECONNRESET, MissingFileError)],
    ids=["full disk", "broken line"],
)
def test_a_full_disk_is_told_from_a_broken_line(memory, monkeypatch, number, kind):
    def fail(self, source, target, **_options):
        raise OSError(number, "said the system")

    monkeypatch.setattr(type(memory), "get_file", fail)
    with pytest.raises(kind) as caught:
        copied(URL)
    assert type(caught.value) is kind


def test_a_url_without_files_is_named(memory):
    with pytest.raises(MissingFileError, match="memory://bucket/none: holds no files"):
        copied("memory://bucket/none")


def test_a_kind_of_url_that_nobody_knows_is_refused():
    with pytest.raises(BadValueError, match="this kind of URL cannot be opened"):
        copied("carrier-pigeon://loft/films")


def test_a_name_that_leads_out_of_the_archive_is_refused(memory, monkeypatch, tmp_path):
    listed = {"/bucket/films/../../evil": {"size": 1}}
    monkeypatch.setattr(type(memory), "find", lambda self, root, detail: listed)
    with pytest.raises(CorruptFileError, match="leads out of it"):
        copied(URL)
    assert not list(tmp_path.rglob("evil"))


def test_a_file_where_a_folder_should_be_is_told(memory, monkeypatch):
    listed = {"/bucket/films/a": {"size": 1}, "/bucket/films/a/b": {"size": 1}}
    memory.pipe_file("/bucket/films/a", b"1")
    monkeypatch.setattr(type(memory), "find", lambda self, root, detail: listed)
    with pytest.raises(MissingFileError, match="a/b: cannot be copied"):
        copied(URL)


def test_tiles_of_an_archive_in_memory_are_those_of_the_same_folder(memory, tmp_path):
    folder = tmp_path / "mias"
    (folder / "scans").mkdir(parents=True)
    rows = []
    for number in range(1, 9):
        image = np.zeros((1024, 1024), np.uint8)
        noise = np.random.default_rng(number).normal(120, 15, (1024, 600))
        image[:, :600] = noise.clip(21, 220)
        Image.fromarray(image).save(folder / "scans" / f"mdb{number:03d}.pgm")
        marked = number % 4 == 1
        rows.append(f"mdb{number:03d} G {'CIRC B 300 500 60' if marked else 'NORM'}")
    (folder / "Info.txt").write_text("\n".join(rows) + "\n")
    memory.store.clear()
    memory.put(str(folder), "/bucket/mias", recursive=True)
    sets = []
    for place in (folder, copied("memory://bucket/mias")):
        archive = open_archive("mini-mias", place)
        archive = replace(archive, records=archive.records[:4])
        out = tmp_path / f"set-{len(sets)}"
        division = Division(patients=dict.fromkeys(archive.patients(), Split.TRAIN))
        sets.append(build_tiles(archive, "9", out, division=division, workers=1, audit=False))
    assert sets[0].provenance["files"] == sets[1].provenance["files"]
