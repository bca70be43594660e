"""Shards of tar files."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from mammoscope.core.errors import CorruptFileError, LayoutError
from mammoscope.tiles.exchange import webdataset
from mammoscope.tiles.exchange.trade import Format, Source, export_tiles, import_tiles


@pytest.fixture
def out(make_set, tmp_path):
    export_tiles(make_set(), tmp_path / "out", Format.WEBDATASET)
    return tmp_path / "out"


def write_tar(path, files):
    with tarfile.open(path, "w") as shard:
        for name, data in files.items():
            head = tarfile.TarInfo(name)
            head.size = len(data)
            shard.addfile(head, io.BytesIO(data))


def jpeg(level):
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8), level, np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def test_a_sample_is_a_picture_its_class_and_its_row(out, make_set):
    with tarfile.open(out / "train-000000.tar") as shard:
        names = shard.getnames()
        files = {name: shard.extractfile(name).read() for name in names[:3]}
    assert names[:3] == ["000000002.png", "000000002.cls", "000000002.json"]
    assert files["000000002.cls"] == b"2"
    told = json.loads(files["000000002.json"])
    assert (told["label"], told["patient_id"], told["split"]) == ("BENIGN_mass", "p1", "train")
    with Image.open(io.BytesIO(files["000000002.png"])) as picture:
        assert np.array_equal(np.asarray(picture), make_set("again").pixels([2])[0])


def test_headers_say_nothing_of_owner_or_time(out):
    with tarfile.open(out / "train-000000.tar") as shard:
        heads = {(m.uid, m.gid, m.uname, m.gname, m.mtime, m.mode) for m in shard}
    assert heads == {(0, 0, "", "", 0, 0o644)}


def test_shards_are_bounded_by_tiles_and_by_bytes(make_set, tmp_path, monkeypatch):
    tiles = make_set()
    monkeypatch.setattr(webdataset, "SHARD_TILES", 4)
    export_tiles(tiles, tmp_path / "four", Format.WEBDATASET)
    monkeypatch.setattr(webdataset, "SHARD_BYTES", 1)
    export_tiles(tiles, tmp_path / "one", Format.WEBDATASET)
    # Six tiles to train, four test, two validation.
    assert len(list((tmp_path / "four").glob("train-*.tar"))) == 2
    assert len(list((tmp_path / "one").glob("*.tar"))) == 12
    for name in ("four", "one"):
        source = Source(folder=tmp_path / name, kind=Format.WEBDATASET)
        back = import_tiles(source, tmp_path / f"{name} back")
        assert back.provenance["files"] == tiles.provenance["files"]


def test_shards_of_others_are_read_with_their_own_words(tmp_path):
    told = {"case": "p1", "diagnosis": "cancer", "phase": "val", "note": "x"}
    files = {"a/1.jpg": jpeg(7), "a/1.json": json.dumps(told).encode(), "a/1.txt": b"."}
    write_tar(tmp_path / "shard-000.tar", files)
    made = import_tiles(Source(folder=tmp_path, kind=Format.WEBDATASET), tmp_path / "set")
    assert made.table.select("patient_id", "label", "split").row(0) == (
        "p1",
        "cancer",
        "validation",
    )
    assert made.pixels([0])[0, 0, 0] == 7


def test_a_shard_cut_short_is_refused(out):
    path = out / "train-000000.tar"
    path.write_bytes(path.read_bytes()[:1700])
    with pytest.raises(CorruptFileError, match=r"train-000000.tar"):
        [list(stream) for stream in webdataset.streams_in(out, {})]


def test_a_shard_cut_between_two_samples_is_refused(out):
    path = out / "train-000000.tar"
    with tarfile.open(path) as shard:
        cut = next(head.offset for head in shard if head.name == "000000003.png")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CorruptFileError, match="its end is missing"):
        [list(stream) for stream in webdataset.streams_in(out, {})]


def test_a_sample_without_its_row_is_refused(tmp_path):
    write_tar(tmp_path / "s-0.tar", {"1.png": b"x"})
    with pytest.raises(CorruptFileError, match=r"s-0.tar, 1: expected one picture and one .json"):
        list(webdataset.streams_in(tmp_path, {})[0])


def test_a_file_far_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "LARGEST_JSON", 5)
    write_tar(tmp_path / "s-0.tar", {"1.json": b"123456"})
    with pytest.raises(CorruptFileError, match="6 bytes are more than any tile has"):
        list(webdataset.streams_in(tmp_path, {})[0])


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(LayoutError, match=r"holds no shards such as train-000000.tar"):
        webdataset.streams_in(tmp_path, {})
