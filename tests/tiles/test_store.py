"""Tile sets on disk."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import (
    ArchiveError,
    BadValueError,
    CorruptFileError,
    FormatError,
    MissingFileError,
)
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import SpacingSource, Split
from mammoscope.tiles import store
from mammoscope.tiles.store import (
    INDEX,
    PROVENANCE,
    VERSION,
    load_tiles,
    write_shards,
    write_tiles,
)
from mammoscope.tiles.tile import Origin, Tile

SPLIT = {"p0": Split.TRAIN, "p1": Split.VALIDATION, "p2": Split.TEST}
ORIGIN = {"recipe": "9", "seed": 5}
FILES = [INDEX, "pixels-0000.npy", "pixels-0001.npy", PROVENANCE]


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(store, "SHARD_TILES", 4)


def make_tiles(count=6):
    rng = np.random.default_rng(0)
    for number in range(count):
        scan = Scan(
            scan_id=f"s{number}",
            archive="made",
            path=Path("s.png"),
            patient_id=f"p{number // 2}",
            exam_id=f"e{number // 2}",
            spacing_mm=(0.2, 0.1) if number else None,
            spacing_source=SpacingSource.ARCHIVE if number else None,
        )
        yield Tile(
            pixels=rng.integers(0, 255, (8, 8), dtype=np.uint8),
            scan=scan,
            finding_id=None if number % 2 else f"f{number}",
            box=Box(number, 2 * number, 4, 4),
            label="NORMAL" if number % 2 else "BENIGN_mass",
            origin=Origin.NORMAL if number % 2 else Origin.LESION,
        )


@pytest.fixture
def folder(tmp_path):
    write_tiles(tmp_path / "set", make_tiles(), SPLIT, ORIGIN)
    return tmp_path / "set"


def test_tiles_come_back_as_they_were_written(folder):
    back = load_tiles(folder)
    tiles = list(make_tiles())
    np.testing.assert_array_equal(back.pixels(range(6)), [tile.pixels for tile in tiles])
    assert back.table.row(3, named=True) == {
        "patient_id": "p1",
        "exam_id": "e1",
        "scan_id": "s3",
        "finding_id": None,
        "archive": "made",
        "scanner": None,
        "laterality": None,
        "view": None,
        "breast_density": None,
        "pathology": None,
        "origin": "normal",
        "lesion_share": None,
        "top": 3.0,
        "left": 6.0,
        "height": 4.0,
        "width": 4.0,
        # The tile has 8 x 8 pixels of a box of 4 x 4 of the scan's.
        "spacing_row_mm": 0.1,
        "spacing_column_mm": 0.05,
        "spacing_source": "archive",
        "label": "NORMAL",
        "split": "validation",
        "recipe": "9",
        "seed": 5,
    }
    assert back.table["finding_id"].to_list() == ["f0", None, "f2", None, "f4", None]
    assert back.table["spacing_row_mm"][0] is None
    assert back.provenance["recipe"] == "9"
    assert "6 tiles" in back._repr_html_()


def test_pixels_stay_on_disk_in_shards(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    shards = load_tiles(folder).shards
    assert [len(shard) for shard in shards] == [4, 2]
    assert all(isinstance(shard, np.memmap) and not shard.flags.writeable for shard in shards)


@given(positions=st.lists(st.integers(0, 5), max_size=12))
def test_any_tiles_are_copied_in_the_order_asked_for(tmp_path_factory, positions):
    folder = tmp_path_factory.mktemp("sets") / "set"
    write_tiles(folder, make_tiles(), SPLIT, ORIGIN)
    expected = np.array([tile.pixels for tile in make_tiles()])[np.asarray(positions, dtype=int)]
    np.testing.assert_array_equal(load_tiles(folder).pixels(positions), expected)


@pytest.mark.parametrize("position", [-1, 6])
def test_a_tile_that_is_not_there_is_refused(folder, position):
    with pytest.raises(IndexError, match="from 0 to 5"):
        load_tiles(folder).pixels([0, position])


def test_no_patient_lies_in_two_splits(folder):
    back = load_tiles(folder)
    assert back.table.group_by("patient_id").n_unique()["split"].to_list() == [1, 1, 1]
    assert back.rows_of(Split.VALIDATION).tolist() == [2, 3]


def test_the_same_tiles_give_the_same_bytes(folder, tmp_path):
    write_tiles(tmp_path / "again", make_tiles(), SPLIT, ORIGIN)
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_a_fault_while_writing_leaves_nothing_behind(tmp_path):
    def faulty():
        yield from make_tiles(5)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_tiles(tmp_path / "set", faulty(), SPLIT, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_a_set_without_tiles_is_not_written(tmp_path):
    with pytest.raises(ArchiveError, match="No scan gave a tile"):
        write_tiles(tmp_path / "set", [], SPLIT, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_an_older_set_is_never_overwritten(folder):
    with pytest.raises(BadValueError, match="set: is there already"):
        write_tiles(folder, make_tiles(), SPLIT, ORIGIN)


@pytest.mark.parametrize("name", FILES)
def test_a_part_that_is_missing_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(MissingFileError, match=f"{name} is missing"):
        load_tiles(folder)


@pytest.mark.parametrize("name", FILES[:-1])
def test_one_changed_bit_anywhere_is_told(folder, name):
    path = folder / name
    written = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(written), 30):
        changed = bytearray(written)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(FormatError, match=name):
            load_tiles(folder).verify()


def test_a_whole_set_passes(folder):
    load_tiles(folder).verify()


@pytest.mark.parametrize("name", FILES)
def test_a_part_cut_short_is_told(folder, name):
    path = folder / name
    written = path.read_bytes()
    for length in (0, 1, len(written) // 2, len(written) - 2):
        path.write_bytes(written[:length])
        with pytest.raises(CorruptFileError, match=name):
            load_tiles(folder)


NAMES_NO_SET = ["[]", "{}", '"files": 3', '"files": {"../x": "0", "b": "1"}', '"files": {"b": {}}']


@pytest.mark.parametrize("text", NAMES_NO_SET)
def test_a_provenance_that_names_no_tile_set_is_told(folder, text):
    (folder / PROVENANCE).write_text(f'{{"schema": "{VERSION}", {text}}}' if ":" in text else text)
    with pytest.raises(CorruptFileError, match=PROVENANCE):
        load_tiles(folder)


def test_an_index_that_does_not_fit_the_pixels_is_told(folder):
    pl.read_parquet(folder / INDEX).head(5).write_parquet(folder / INDEX)
    provenance = json.loads((folder / PROVENANCE).read_text())
    provenance["files"][INDEX]["sha256"] = store.digest_of(folder / INDEX)
    (folder / PROVENANCE).write_text(json.dumps(provenance))
    with pytest.raises(CorruptFileError, match="6 tiles of pixels and 5 rows"):
        load_tiles(folder)


@pytest.mark.parametrize("version", [None, "mammoscope.tiles/1", "mammoscope.tiles/3"])
def test_a_set_of_another_version_is_refused_by_name(folder, version):
    provenance = json.loads((folder / PROVENANCE).read_text())
    (folder / PROVENANCE).write_text(json.dumps({**provenance, "schema": version}))
    with pytest.raises(CorruptFileError, match=f"of version {version!r}.*reads '{VERSION}'"):
        load_tiles(folder)


def test_what_an_older_set_lacks_is_told(folder):
    provenance = json.loads((folder / PROVENANCE).read_text())
    older = {**provenance, "schema": "mammoscope.tiles/1"}
    (folder / PROVENANCE).write_text(json.dumps(older))
    with pytest.raises(CorruptFileError, match="without the column spacing_source"):
        load_tiles(folder)


def test_shards_of_two_sizes_are_told(folder):
    name = "pixels-0001.npy"
    np.save(folder / name, np.zeros((2, 9, 9), np.uint8))
    provenance = json.loads((folder / PROVENANCE).read_text())
    provenance["files"][name]["bytes"] = (folder / name).stat().st_size
    (folder / PROVENANCE).write_text(json.dumps(provenance))
    with pytest.raises(CorruptFileError, match="differ in the tiles' size"):
        load_tiles(folder)


def test_shards_are_as_numpy_writes_them(folder, tmp_path):
    shard = load_tiles(folder).shards[1]
    np.save(tmp_path / "numpys.npy", shard)
    assert (tmp_path / "numpys.npy").read_bytes() == (folder / "pixels-0001.npy").read_bytes()


@pytest.mark.parametrize("sizes", [[1] * 9, [9], [3, 5, 1], [4, 4, 1], [0, 9]])
def test_blocks_of_any_size_fill_the_same_shards(tmp_path, sizes):
    tiles = np.arange(9, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    cuts = np.cumsum(sizes)[:-1]
    files = write_shards(tmp_path, iter(np.split(tiles, cuts)))
    assert list(files) == [f"pixels-{n:04d}.npy" for n in range(3)]
    back = np.concatenate([np.load(tmp_path / name) for name in files])
    np.testing.assert_array_equal(back, tiles)


def test_tiles_are_frozen_records():
    tile = next(make_tiles(1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        tile.label = "NORMAL"
