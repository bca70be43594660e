"""Contact sheets of tile sets."""

import io

import numpy as np
import pytest
from PIL import Image

from mammoscope.core.errors import BadValueError, UnknownNameError
from mammoscope.report.tiles_sheet import SIDE_PX, Choice, choose_tiles, sheet_png, small


def test_each_split_and_class_has_its_group_in_order(tile_set):
    groups = choose_tiles(tile_set(), Choice())
    assert [(g.split, g.label, g.of) for g in groups] == [
        ("train", "NORMAL", 6),
        ("train", "BENIGN_mass", 2),
        ("test", "NORMAL", 4),
    ]


def test_different_patients_are_shown_before_any_is_shown_twice(tile_set):
    tiles = tile_set()
    for seed in range(5):
        group = choose_tiles(tiles, Choice(each=3, seed=seed))[0]
        shown = [tiles.table["patient_id"][one.position] for one in group.shown]
        # Six normal tiles of three patients.
        assert sorted(shown) == ["p0", "p1", "p2"]


def test_the_same_seed_shows_the_same_tiles_and_another_others(tile_set):
    tiles = tile_set()
    shown = [choose_tiles(tiles, Choice(each=2, seed=seed)) for seed in (1, 1, 2, 3, 4)]
    assert shown[0] == shown[1]
    assert any(one != shown[0] for one in shown[2:])


def test_a_caption_tells_scan_finding_and_size_in_mm(tile_set):
    (group,) = choose_tiles(tile_set(), Choice(label="BENIGN_mass"))
    # The box has 10 x 20 pixels of 0.2 x 0.1 mm.
    assert group.shown[0].lines[1:] == ("finding f1", "2.0 \N{MULTIPLICATION SIGN} 2.0 mm")
    assert group.shown[0].lines[0] == "s3"


def test_a_tile_of_unknown_spacing_is_told_in_pixels(tile_set):
    (group,) = choose_tiles(tile_set(spacing=None), Choice(label="BENIGN_mass"))
    assert group.shown[0].lines[2] == "10 \N{MULTIPLICATION SIGN} 20 px of its scan"


def test_a_split_or_class_that_is_not_there_is_refused(tile_set):
    tiles = tile_set()
    with pytest.raises(UnknownNameError, match="no split called 'validation'"):
        choose_tiles(tiles, Choice(split="validation"))
    with pytest.raises(UnknownNameError, match="no label called 'BENIGN'"):
        choose_tiles(tiles, Choice(label="BENIGN"))


@pytest.mark.parametrize("wrong", [{"each": 0}, {"each": 1001}, {"seed": -1}])
def test_a_choice_out_of_range_is_refused(wrong):
    with pytest.raises(BadValueError):
        Choice(**wrong)


def test_the_sheet_holds_the_tiles_with_their_own_greys(tile_set):
    tiles = tile_set()
    data = sheet_png(tiles, Choice(split="test", each=1))
    assert data == sheet_png(tiles, Choice(split="test", each=1))
    with Image.open(io.BytesIO(data)) as sheet:
        pixels = np.asarray(sheet)
    (group,) = choose_tiles(tiles, Choice(split="test", each=1))
    level = tiles.pixels([group.shown[0].position])[0, 0, 0]
    # Under a gap of 8 and a title of 15 + 2 x 8 pixels.
    assert (pixels[39 : 39 + SIDE_PX, 8 : 8 + SIDE_PX] == level).all()


def test_a_tile_keeps_its_greys_when_it_is_made_small():
    assert (small(np.full((299, 299), 77, np.uint8)) == 77).all()
