"""Recipe 9 for mini-MIAS, as the method facts describe it."""

from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.tiles.recipe9 import SCALE, is_usable, mias_tiles, turned
from mammoscope.tiles.tile import label_of


def make_finding(kind=FindingKind.MASS, pathology=Pathology.MALIGNANT, roi=None, number=1):
    return Finding(
        finding_id=f"f{number}", scan_id="mdb001", kind=kind, pathology=pathology, roi=roi
    )


def make_scan(findings=(), **facts):
    return Scan(
        scan_id="mdb001",
        archive="mini-mias",
        path=Path("mdb001.png"),
        patient_id="mias-001",
        exam_id="mias-001",
        findings=None if findings is None else tuple(findings),
        **facts,
    )


def make_image(level=120, spread=15):
    noise = np.random.default_rng(0).normal(level, spread, (1024, 1024))
    return np.clip(noise, 0, 255).astype(np.uint8)


def tiles_of(findings, seed=0, **options):
    rng = np.random.default_rng(seed)
    return list(mias_tiles(make_image(), make_scan(findings), rng, **options))


def test_a_finding_gives_three_tiles_and_one_without_a_place_none():
    placed = make_finding(roi=Circle(500, 500, 40))
    tiles = tiles_of([placed, make_finding(number=2)])
    assert len(tiles) == 3
    assert {t.finding_id for t in tiles} == {"f1"}
    assert {t.label for t in tiles} == {"MALIGNANT_mass"}
    assert all(t.pixels.shape == (299, 299) and t.pixels.dtype == np.uint8 for t in tiles)


def test_a_scan_that_nobody_calls_normal_gives_no_tile():
    assert tiles_of(None) == []


def test_a_tile_is_the_scan_at_its_box():
    # Each pixel of this scan tells its own place, up to the rounding of the enlargement.
    rows = np.repeat(np.arange(1024)[:, None] // 4, 1024, axis=1).astype(np.uint8)
    scan = make_scan([make_finding(roi=Circle(400, 300, 20))])
    for seed in range(10):
        for tile in mias_tiles(rows, scan, np.random.default_rng(seed)):
            assert int(tile.pixels.min()) * 4 == pytest.approx(tile.box.top, abs=5)
            assert int(tile.pixels.max()) * 4 == pytest.approx(tile.box.bottom, abs=5)


def test_the_same_seed_gives_the_same_tiles_and_another_gives_others():
    finding = [make_finding(roi=Circle(500, 400, 40))]
    first, again, other = (tiles_of(finding, seed) for seed in (3, 3, 4))
    assert [t.box for t in first] == [t.box for t in again]
    assert all((a.pixels == b.pixels).all() for a, b in zip(first, again, strict=True))
    assert [t.box for t in first] != [t.box for t in other]


def test_a_tile_is_as_much_finer_than_its_scan_as_it_was_enlarged():
    scan = make_scan(
        [make_finding(roi=Circle(500, 400, 40))],
        spacing_mm=(0.2, 0.2),
        spacing_source=SpacingSource.ARCHIVE,
    )
    tile = next(mias_tiles(make_image(), scan, np.random.default_rng(0)))
    assert tile.spacing_mm == pytest.approx((0.2 / 2.58, 0.2 / 2.58))
    assert tiles_of([make_finding(roi=Circle(500, 400, 40))])[0].spacing_mm is None


def test_black_columns_beside_the_film_hold_no_tiles():
    image = make_image()
    image[:, :300] = 0
    tiles = list(mias_tiles(image, make_scan(), np.random.default_rng(0)))
    # The grid begins at the film's edge, to the one pixel that the enlargement blurs.
    assert tiles
    assert min(tile.box.left for tile in tiles) == pytest.approx(300, abs=1)


def test_a_black_scan_gives_no_tile():
    black = np.zeros((1024, 1024), np.uint8)
    assert list(mias_tiles(black, make_scan(), np.random.default_rng(0))) == []


def test_a_finding_without_proof_has_no_class():
    with pytest.raises(ValueError, match="f1 has no pathology"):
        label_of(make_finding(pathology=None))


def test_small_findings_are_cropped_from_a_box_of_1_2_tiles():
    # Crops move by less than 0.2 tile, so the finding stays near the middle of each.
    for seed in range(10):
        for tile in tiles_of([make_finding(roi=Circle(500, 400, 40))], seed):
            row, column = tile.box.centre
            reach = 0.1 * 299 / SCALE + 1
            assert abs(row - 500) <= reach
            assert abs(column - 400) <= reach


@pytest.mark.parametrize(("as_side", "expected"), [(True, 197 * SCALE), (False, 2 * 197 * SCALE)])
def test_the_radius_is_the_side_as_in_the_notebook_or_half_of_it(as_side, expected):
    # The largest circle of the archive: crops lie anywhere in a box of that side.
    rows = [
        tile.box.top
        for seed in range(40)
        for tile in tiles_of(
            [make_finding(roi=Circle(512, 512, 197))], seed, radius_as_side=as_side
        )
    ]
    room = (expected - 299) / SCALE
    assert np.ptp(rows) <= room
    assert np.ptp(rows) > 0.85 * room


def test_a_finding_at_the_frame_is_cut_inside_it():
    for tile in tiles_of([make_finding(roi=Circle(3, 1020, 10))]):
        assert tile.box.top >= 0
        assert tile.box.right <= 1024 + 1


def test_three_in_ten_usable_normal_tiles_are_kept():
    counts = [len(tiles_of([], seed)) for seed in range(8)]
    # 12 x 12 places on a scan of 2642 pixels.
    assert np.mean(counts) == pytest.approx(0.3 * 144, rel=0.12)
    assert {t.label for t in tiles_of([])} == {"NORMAL"}


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
    assert is_usable(change(tile).astype(np.uint8)) is usable


@pytest.mark.parametrize(
    ("kind", "pathology", "label"),
    [
        (FindingKind.CALCIFICATION, Pathology.BENIGN, "BENIGN_calcification"),
        (FindingKind.ASYMMETRY, Pathology.MALIGNANT, "MALIGNANT_mass"),
        (FindingKind.ARCHITECTURAL_DISTORTION, Pathology.BENIGN, "BENIGN_mass"),
    ],
)
def test_classes_are_the_papers(kind, pathology, label):
    assert label_of(make_finding(kind, pathology)) == label


def test_turns_are_the_eight_symmetries_of_a_square_and_as_likely_as_in_the_notebook():
    tile = np.arange(9, dtype=np.uint8).reshape(3, 3)
    rng = np.random.default_rng(0)
    seen = [turned(tile, rng).tobytes() for _ in range(4000)]
    assert len(set(seen)) == 8
    # Flips are even, so mirrored and not are alike; quarter turns come from k in -3..2.
    same = sum(s == tile.tobytes() for s in seen) / 4000
    # No flip (1/4) and k = 0 (1/6), or both flips (1/4) and k = -2 or 2 (2/6).
    assert same == pytest.approx(1 / 24 + 2 / 24, abs=0.02)
