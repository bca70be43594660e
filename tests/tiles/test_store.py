"""Tile sets on disk."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.tiles.recipe9 import Tile
from mammoscope.tiles.store import INDEX, PIXELS, load_tiles, write_tiles


def make_tiles(count=6):
    rng = np.random.default_rng(0)
    for number in range(count):
        scan = Scan(
            scan_id=f"s{number}",
            archive="made",
            path=Path("s.png"),
            patient_id=f"p{number // 2}",
            exam_id="e",
        )
        yield Tile(
            pixels=rng.integers(0, 255, (8, 8), dtype=np.uint8),
            scan=scan,
            finding_id=None if number % 2 else f"f{number}",
            box=Box(number, 2 * number, 8, 8),
            label="NORMAL" if number % 2 else "BENIGN_mass",
        )


SPLIT = {"p0": "train", "p1": "validation", "p2": "test"}


def test_tiles_come_back_as_they_were_written(tmp_path):
    write_tiles(tmp_path / "set", make_tiles(), SPLIT, {"recipe": "9"})
    back = load_tiles(tmp_path / "set")
    for position, tile in enumerate(make_tiles()):
        np.testing.assert_array_equal(back.pixels[position], tile.pixels)
        row = back.table.row(position, named=True)
        assert (row["scan_id"], row["finding_id"], row["label"]) == (
            tile.scan.scan_id,
            tile.finding_id,
            tile.label,
        )
        assert (row["top"], row["left"]) == (tile.box.top, tile.box.left)
    assert back.provenance["recipe"] == "9"
    assert isinstance(back.pixels, np.memmap)
    assert "6 tiles" in back._repr_html_()


def test_no_patient_lies_in_two_splits(tmp_path):
    write_tiles(tmp_path / "set", make_tiles(), SPLIT, {})
    back = load_tiles(tmp_path / "set")
    assert back.table.group_by("patient_id").n_unique()["split"].to_list() == [1, 1, 1]
    assert back.rows_of("validation").tolist() == [2, 3]


def test_a_fault_while_writing_leaves_nothing_behind(tmp_path):
    def faulty():
        yield from make_tiles(3)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_tiles(tmp_path / "set", faulty(), SPLIT, {})
    assert list(tmp_path.iterdir()) == []


def test_an_older_set_is_never_overwritten(tmp_path):
    write_tiles(tmp_path / "set", make_tiles(), SPLIT, {})
    with pytest.raises(FileExistsError, match="set is there already"):
        write_tiles(tmp_path / "set", make_tiles(), SPLIT, {})


def test_damage_is_told(tmp_path):
    folder = tmp_path / "set"
    write_tiles(folder, make_tiles(), SPLIT, {})
    np.save(folder / PIXELS, np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(CorruptFileError, match="2 tiles of pixels and 6 rows"):
        load_tiles(folder)
    (folder / INDEX).write_bytes(b"nonsense")
    with pytest.raises(CorruptFileError, match="damaged"):
        load_tiles(folder)
    (folder / INDEX).unlink()
    with pytest.raises(MissingFileError, match=r"index\.parquet is missing"):
        load_tiles(folder)


def test_tiles_are_frozen_records():
    tile = next(make_tiles(1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        tile.label = "NORMAL"
