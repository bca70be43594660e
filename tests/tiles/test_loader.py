"""Batches of tiles, read ahead."""

import threading
from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.tiles import store
from mammoscope.tiles.loader import batches
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import NORMAL, Tile


@pytest.fixture
def tiles(tmp_path, monkeypatch):
    """Ten tiles in shards of four; each is filled with its number."""
    monkeypatch.setattr(store, "SHARD_TILES", 4)
    scan = Scan(scan_id="s", archive="made", path=Path("s"), patient_id="p", exam_id="e")
    made = (
        Tile(
            pixels=np.full((6, 6), number, np.uint8),
            scan=scan,
            finding_id=None,
            box=Box(0, 0, 6, 6),
            label=NORMAL,
        )
        for number in range(10)
    )
    write_tiles(tmp_path / "set", made, {"p": "train"}, {"recipe": "9", "seed": 0})
    return load_tiles(tmp_path / "set")


def test_each_tile_comes_once_with_its_own_pixels(tiles):
    seen = []
    for positions, pixels in batches(tiles, [9, 1, 4, 6, 0], 2, seed=0, epoch=0):
        assert pixels.shape == (len(positions), 6, 6)
        np.testing.assert_array_equal(pixels[:, 3, 3], positions)
        seen.append(positions)
    assert [len(group) for group in seen] == [2, 2, 1]
    assert sorted(np.concatenate(seen)) == [0, 1, 4, 6, 9]


def order(tiles, seed, epoch):
    return [at for group, _ in batches(tiles, range(10), 3, seed=seed, epoch=epoch) for at in group]


def test_seed_and_epoch_draw_the_order(tiles):
    assert order(tiles, 1, 2) == order(tiles, 1, 2)
    assert order(tiles, 1, 2) != order(tiles, 1, 3)
    assert order(tiles, 1, 2) != order(tiles, 2, 2)


def test_no_positions_give_no_batches(tiles):
    assert list(batches(tiles, [], 4, seed=0, epoch=0)) == []


def test_a_batch_of_nothing_is_refused(tiles):
    with pytest.raises(ValueError, match="a tile or more, not 0"):
        batches(tiles, [1], 0, seed=0, epoch=0)


def test_a_fault_in_the_reading_thread_is_raised_where_the_batches_are_used(tiles):
    with pytest.raises(IndexError, match="from 0 to 9"):
        list(batches(tiles, [1, 2, 3, 10], 2, seed=0, epoch=0))


def test_batches_that_are_given_up_leave_no_thread(tiles):
    before = threading.active_count()
    for _ in batches(tiles, range(10), 1, seed=0, epoch=0):
        break
    assert threading.active_count() == before
