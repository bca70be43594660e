"""Normal tiles: the grid, the tests and the trims of the author's code."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.records import Scan
from mammoscope.tiles.paper_normals import (
    LIMITS,
    Grid,
    Limits,
    is_usable,
    normal_tiles,
    refused_tiles,
    trim_black,
    trim_film,
)
from mammoscope.tiles.paper_sheet import Sheet
from mammoscope.tiles.tile import Origin

SCAN = Scan(scan_id="s", archive="ddsm", path=Path("s.png"), patient_id="p", exam_id="e")
ANY = Limits(least_mean=0, least_variance=0, most_variance=10**6)


def make_sheet(image):
    return Sheet(image=np.asarray(image, dtype=np.uint8), scan=SCAN)


def tissue(shape, seed=0):
    return np.random.default_rng(seed).normal(120, 15, shape).clip(30, 200).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "usable"),
    [
        (lambda t: t, True),
        (lambda t: np.where(np.arange(t.size).reshape(t.shape) < 99, 225, t), True),
        (lambda t: np.where(np.arange(t.size).reshape(t.shape) < 100, 225, t), False),
        (lambda t: np.where(np.arange(t.size).reshape(t.shape) < 50_001, 20, t), False),
        (lambda t: np.full_like(t, 37), False),
        (lambda t: np.full_like(t, 100), False),
        (lambda t: np.where(np.arange(t.size).reshape(t.shape) % 2, 60, 160), False),
    ],
)
def test_the_notebooks_limits_on_normal_tiles(change, usable):
    tile = np.random.default_rng(0).normal(120, 15, (299, 299)).clip(60, 200)
    assert is_usable(change(tile).astype(np.uint8), LIMITS["mini-mias"]) is usable


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    mean=st.floats(0, 255),
    spread=st.floats(0, 80),
    side=st.integers(20, 320),
)
def test_counts_of_levels_say_what_statistics_of_pixels_say(seed, mean, spread, side):
    tile = np.random.default_rng(seed).normal(mean, spread, (side, side)).clip(0, 255)
    tile = tile.astype(np.uint8)
    limits = LIMITS["dba"]
    slow = (
        (tile >= 225).sum() < 100
        and (tile <= 20).sum() <= 50_000
        and tile.mean() >= limits.least_mean
        and limits.least_variance <= tile.var() <= limits.most_variance
    )
    assert is_usable(tile, limits) is bool(slow)


def test_seven_per_cent_are_cut_off_at_each_side():
    trimmed = trim_film(make_sheet(np.zeros((110, 50))))
    # int(7.7) rows and int(3.5) columns.
    assert trimmed.shape == (96, 44)
    assert trimmed.offset == (7, 3)


def test_black_columns_are_cut_off_where_all_but_ten_pixels_are_black():
    image = np.zeros((40, 9), np.uint8)
    image[:10, 1] = 5  # ten bright pixels: black
    image[:11, 3] = 5
    image[:, 6] = 5
    trimmed = trim_black(make_sheet(image))
    assert (trimmed.shape, trimmed.offset) == ((40, 4), (0, 3))
    assert trim_black(make_sheet(np.zeros((40, 9)))) is None


def test_a_grid_gives_every_whole_tile_with_a_lot_of_its_own():
    grid = Grid(side=299, stride=(200, 200))
    tiles = list(normal_tiles(make_sheet(tissue((700, 520))), grid, ANY, np.random.default_rng(0)))
    # Rows at 0, 200, 400; columns at 0, 200.
    assert [(t.box.top, t.box.left) for t in tiles] == [
        (top, left) for top in (0, 200, 400) for left in (0, 200)
    ]
    assert len({t.lot for t in tiles}) == 6
    assert {(t.label, t.origin, t.finding_id) for t in tiles} == {("NORMAL", Origin.NORMAL, None)}


def test_lots_are_uniform_so_that_the_smallest_are_a_fair_draw():
    grid = Grid(side=299, stride=(60, 60))
    sheet = make_sheet(tissue((1200, 900)))
    lots = [t.lot for t in normal_tiles(sheet, grid, ANY, np.random.default_rng(3))]
    assert len(lots) == 16 * 11
    deciles, _ = np.histogram(lots, bins=10, range=(0, 1))
    # Ten bins of 17.6: beyond 41 by chance once in a million.
    assert ((deciles - 17.6) ** 2 / 17.6).sum() < 41


def test_a_stride_of_two_ends_is_drawn_for_each_scan():
    grid = Grid(side=299, stride=(150, 200))
    sheet = make_sheet(tissue((900, 299)))
    strides = set()
    for seed in range(60):
        tiles = list(normal_tiles(sheet, grid, ANY, np.random.default_rng(seed)))
        strides.add(tiles[1].box.top)
    assert min(strides) >= 150
    assert max(strides) <= 200
    assert len(strides) > 20


def test_untested_tiles_all_stay():
    black = make_sheet(np.zeros((598, 598)))
    grid = Grid(side=598, stride=(598, 598), tested=False)
    assert len(list(normal_tiles(black, grid, LIMITS["dba"], np.random.default_rng(0)))) == 1


def test_one_in_five_refused_tiles_stays_and_no_good_one():
    image = tissue((4000, 299))
    image[2000:] = 0
    grid = Grid(side=299, stride=(20, 20), refused=0.2)
    rng = np.random.default_rng(0)
    tiles = list(refused_tiles(make_sheet(image), grid, LIMITS["lumisys"], rng))
    assert {t.origin for t in tiles} == {Origin.REFUSED}
    # A tile with more than 50,000 dark pixels, 167 rows of it, fails: those from row 1868 on.
    assert min(t.box.top for t in tiles) >= 1868
    failing = len([top for top in range(0, 3702, 20) if top >= 1868])
    assert len(tiles) == pytest.approx(0.2 * failing, abs=4 * (failing * 0.16) ** 0.5)
