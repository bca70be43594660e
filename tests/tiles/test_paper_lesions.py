"""How the paper's recipes cut findings."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.records import Scan
from mammoscope.tiles.paper_lesions import (
    Lesion,
    at_size,
    context_tile,
    every_way,
    every_way_but_parts,
    fuzzy_offset,
    parts,
    three_crops,
    three_crops_printed,
    window_place,
    zoomed,
    zoomed_only,
    zoomed_printed,
)
from mammoscope.tiles.paper_sheet import Mark, Sheet, as_cut

SCAN = Scan(scan_id="s", archive="cbis-ddsm", path=Path("s"), patient_id="p", exam_id="e")
SHEET = Sheet(image=np.full((4000, 3000), 120, np.uint8), scan=SCAN)


def lesion(height=100.0, width=100.0, centre=(2000, 1500)):
    mark = Mark(label="BENIGN_mass", finding_id="f")
    return Lesion(centre=centre, sides=(height, width), mark=mark)


def cut(method, one, seed=0, side=598):
    return list(method(SHEET, one, side, np.random.default_rng(seed)))


def boxes(method, one, seeds=60):
    return [tile.box for seed in range(seeds) for tile in cut(method, one, seed)]


@pytest.mark.parametrize(
    ("method", "size", "count"),
    [
        (three_crops, 100, 3),
        (three_crops, 2000, 3),
        (every_way, 538, 3),
        (every_way, 539, 2),
        (every_way, 598, 2),
        # A lesion of 1000 with margins is 1100: three starts each way at strides of 200.
        (every_way, 1000, 2 + 9),
        (every_way_but_parts, 1000, 2),
        (every_way_but_parts, 538, 3),
        (zoomed, 538, 3),
        (zoomed, 539, 2),
        (zoomed_only, 100, 2),
        (zoomed_printed, 100, 2),
    ],
)
def test_each_way_gives_the_tiles_that_it_should(method, size, count):
    tiles = cut(method, lesion(size, size))
    assert len(tiles) == count
    assert {(t.finding_id, t.label, t.lot) for t in tiles} == {("f", "BENIGN_mass", 0.0)}
    assert all(t.pixels.shape == (299, 299) for t in tiles)


@pytest.mark.parametrize(
    ("method", "size", "room"),
    [
        # A box of int(1.2 x 598) = 717 round a small finding; the last place is left out.
        (three_crops, 100, 717 - 598),
        # At 598 and more 1.05 x 598 = 627, and above that the finding's own side.
        (three_crops, 600, 627 - 598),
        (three_crops, 1500, 1500 - 598),
        # As printed: 1.4 tiles, or 1.1 times the finding.
        (three_crops_printed, 100, 837 - 598),
        (three_crops_printed, 1500, 1650 - 598),
    ],
)
def test_crops_lie_in_a_box_of_the_recipes_size(method, size, room):
    found = boxes(method, lesion(size, size))
    first = 2000 - (room + 598) // 2
    tops = [box.top for box in found]
    assert all(box.height == 598 for box in found)
    assert first <= min(tops)
    assert max(tops) <= first + room - 1
    assert max(tops) - min(tops) > 0.9 * (room - 1)


def test_each_axis_of_the_box_has_a_size_of_its_own():
    found = boxes(three_crops, lesion(1500, 200))
    assert np.ptp([box.top for box in found]) > 700
    # 1.05 x 598, for the finding is larger than a tile.
    assert np.ptp([box.left for box in found]) <= 627 - 598


@pytest.mark.parametrize(("context", "extent"), [(2.0, 800), (1.75, 700), (1.5, 600)])
def test_context_is_a_window_of_the_findings_larger_side_times_a_factor(context, extent):
    rng = np.random.default_rng(0)
    tile = context_tile(SHEET, lesion(400, 100), (context, 1.2), rng, as_cut)
    assert (tile.box.height, tile.box.width) == (extent, extent)


def test_windows_with_context_have_at_least_300_pixels():
    tile = context_tile(SHEET, lesion(20, 30), (2.0, 1.2), np.random.default_rng(0))
    assert tile.box.height == 300


def test_a_finding_stays_whole_in_its_tile_with_context():
    for seed in range(50):
        tile = context_tile(SHEET, lesion(400, 400), (2.0, 1.2), np.random.default_rng(seed))
        assert tile.box.top <= 1800 <= 2200 <= tile.box.bottom
        assert tile.box.left <= 1300 <= 1700 <= tile.box.right


@given(size=st.floats(1, 700), extent=st.integers(1, 700), seed=st.integers(0, 10**6))
def test_fuzzy_offsets_stay_below_half_of_what_is_left(size, extent, seed):
    room = max(int((extent - size - 20) // 2), 1)
    offset = fuzzy_offset(size, extent, np.random.default_rng(seed))
    assert all(abs(move) <= room - 1 for move in offset)


def test_fuzzy_offsets_go_both_ways_and_zero_is_twice_as_likely():
    rng = np.random.default_rng(0)
    drawn = np.array([fuzzy_offset(70, 100, rng) for _ in range(4000)]).ravel()
    # Room is (100 - 70 - 20) // 2 = 5: 0 to 4 with a sign drawn apart.
    counts = {value: (drawn == value).mean() for value in range(-4, 5)}
    assert set(drawn) == set(range(-4, 5))
    assert counts[0] == pytest.approx(0.2, abs=0.02)
    assert counts[3] == pytest.approx(0.1, abs=0.015)


@given(
    row=st.integers(-500, 5000),
    column=st.integers(-500, 5000),
    extent=st.integers(1, 3000),
    move=st.integers(-100, 100),
)
def test_windows_never_leave_the_sheet(row, column, extent, move):
    top, left = window_place(SHEET, (row, column), extent, (move, -move))
    assert 0 <= top <= 4000 - extent
    assert 0 <= left <= 3000 - extent


def test_a_tile_at_size_is_moved_but_holds_its_finding():
    for seed in range(50):
        tile = at_size(SHEET, lesion(500, 500), 598, np.random.default_rng(seed))
        assert tile.box.height == 598
        assert tile.box.top <= 1750
        assert tile.box.bottom >= 2250


def test_parts_of_a_large_finding_by_hand():
    tiles = list(parts(SHEET, lesion(900, 200), 598, np.random.default_rng(0)))
    # Rows 1500 to 2500: starts 0, 200, 400. Columns 1151 to 1849, the tile and its margins: 0.
    assert [(t.box.top, t.box.left) for t in tiles] == [
        (1500, 1151),
        (1700, 1151),
        (1900, 1151),
    ]


def test_dark_parts_are_left_out():
    image = np.full((4000, 3000), 120, np.uint8)
    image[1700:] = 0
    dark = Sheet(image=image, scan=SCAN)
    tiles = list(parts(dark, lesion(900, 200), 598, np.random.default_rng(0)))
    # Of the tile from 1500 200 rows are bright: a mean of 40; of the others none.
    assert [t.box.top for t in tiles] == [1500]


def test_a_slender_finding_gives_a_tile_on_each_half_as_printed():
    tiles = cut(zoomed_printed, lesion(600, 200))
    assert len(tiles) == 3
    # Halves of 300 have windows of 600, which move by less than (600 - 360 - 20) / 2 = 110.
    upper, lower = (t.box for t in tiles[1:])
    assert upper.height == lower.height == 600
    assert upper.centre[0] == pytest.approx(1850, abs=110)
    assert lower.centre[0] == pytest.approx(2150, abs=110)
    across = cut(zoomed_printed, lesion(200, 600))
    assert across[1].box.centre[1] == pytest.approx(1350, abs=110)


def test_the_zoomed_tiles_of_recipe_8_lie_as_on_the_scan():
    ramp = np.tile(np.linspace(10, 240, 4000)[:, None], (1, 3000)).astype(np.uint8)
    sheet = Sheet(image=ramp, scan=SCAN)
    for seed in range(10):
        for tile in zoomed_only(sheet, lesion(), 598, np.random.default_rng(seed)):
            assert (np.diff(tile.pixels.astype(int).mean(axis=1)) >= 0).all()
