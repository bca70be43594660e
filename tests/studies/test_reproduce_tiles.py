"""Tiles cut the paper's way: places, greys, and what gives none."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.studies.reproduce_tiles import (
    MARGIN_MM,
    SIDE_PX,
    TILE_MM,
    Amount,
    cut_again,
    cut_scans,
    tile_of,
)
from mammoscope.tiles.store import load_tiles, write_tiles

LESION = Box(180, 190, 20, 20)


@pytest.fixture
def scan_of(tmp_path):
    def make(name="s", findings=((LESION, Pathology.BENIGN),), spacing=(0.4, 0.4), level=100):
        path = tmp_path / f"{name}.png"
        Image.fromarray(np.full((400, 400), level, np.uint8)).save(path)
        made = tuple(
            Finding(
                finding_id=f"{name}-{i}",
                scan_id=name,
                kind=FindingKind.MASS,
                roi=box,
                pathology=pathology,
            )
            for i, (box, pathology) in enumerate(findings)
        )
        return Scan(
            scan_id=name,
            archive="mini-mias",
            path=path,
            patient_id=name,
            exam_id=name,
            spacing_mm=spacing,
            spacing_source=SpacingSource.ARCHIVE if spacing else None,
            findings=made,
        )

    return make


def test_a_tile_averages_the_pixels_that_it_joins():
    image = np.zeros((100, 100), np.uint8)
    image[:, 1::2] = 200
    assert np.abs(tile_of(image, Box(0, 0, 100, 100)).astype(int)[5:-5, 5:-5] - 100).max() <= 1


def test_a_tile_of_whole_pixels_is_the_image_itself():
    image = np.random.default_rng(1).integers(0, 256, (80, 90), dtype=np.uint8)
    assert (tile_of(image, Box(7, 11, SIDE_PX, SIDE_PX)) == image[7:57, 11:61]).all()


def test_tiles_show_forty_millimetres_and_hold_the_middle_of_the_finding(scan_of):
    tiles = list(cut_scans([scan_of()], Amount(5, 0), seed=0))
    assert len(tiles) == 5
    for tile in tiles:
        assert tile.box.height * 0.4 == pytest.approx(TILE_MM)
        assert tile.box.holds(*LESION.centre)
        assert tile.spacing_mm == pytest.approx((0.8, 0.8))
        assert tile.label == "BENIGN_mass"


def test_normal_tiles_stay_away_from_every_finding(scan_of):
    tiles = list(cut_scans([scan_of()], Amount(0, 8), seed=3))
    near = LESION.grown(MARGIN_MM / 0.4, MARGIN_MM / 0.4)
    assert tiles
    assert all(tile.label == "NORMAL" and tile.box.iou(near) == 0 for tile in tiles)


def test_a_scan_with_a_placeless_finding_gives_no_normal_tissue(scan_of):
    scan = scan_of(findings=((LESION, Pathology.BENIGN), (None, Pathology.MALIGNANT)))
    tiles = list(cut_scans([scan], Amount(1, 4), seed=0))
    assert [tile.finding_id for tile in tiles] == ["s-0"]


def test_a_finding_of_which_nothing_is_proven_gives_no_tile(scan_of):
    assert not list(cut_scans([scan_of(findings=((LESION, None),))], Amount(1, 0), seed=0))


@pytest.mark.parametrize("level", [0, 20, 29])
def test_dark_film_is_no_normal_tissue(scan_of, level):
    assert not list(cut_scans([scan_of(findings=(), level=level)], Amount(0, 4), seed=0))


def test_a_scan_without_spacing_gives_nothing(scan_of):
    assert not list(cut_scans([scan_of(spacing=None)], Amount(1, 4), seed=0))


def test_a_scans_places_do_not_hang_on_the_other_scans(scan_of):
    first, second = scan_of("a"), scan_of("b")
    alone = [tile.box for tile in cut_scans([second], Amount(2, 2), seed=5)]
    both = [t.box for t in cut_scans([first, second], Amount(2, 2), seed=5) if t.scan is second]
    assert alone == both


def test_the_places_of_a_set_are_cut_again_with_the_files_greys(scan_of, tmp_path):
    scans = [scan_of("a", level=90), scan_of("b", level=140)]
    tiles = [replace(t, pixels=255 - t.pixels) for t in cut_scans(scans, Amount(1, 1), seed=1)]
    write_tiles(tmp_path / "set", tiles, {"a": "test", "b": "test"}, {"recipe": "x", "seed": 1})
    again = list(cut_again(load_tiles(tmp_path / "set"), scans))
    assert [(t.box, t.label, t.finding_id) for t in again] == [
        (t.box, t.label, t.finding_id) for t in tiles
    ]
    assert [int(t.pixels[0, 0]) for t in again if t.finding_id] == [90, 140]
