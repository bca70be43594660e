"""Recipe 9 for mini-MIAS, as the method facts describe it."""

from pathlib import Path

import numpy as np
import pytest

from mammoscope.archives.open import open_archive
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.scans.load import load
from mammoscope.tiles.recipe9 import SCALE, is_usable, label_of, mias_tiles, turned


def make_finding(kind=FindingKind.MASS, pathology=Pathology.MALIGNANT, roi=None, number=1):
    return Finding(
        finding_id=f"f{number}", scan_id="mdb001", kind=kind, pathology=pathology, roi=roi
    )


def make_scan(findings=()):
    return Scan(
        scan_id="mdb001",
        archive="mini-mias",
        path=Path("mdb001.png"),
        patient_id="mias-001",
        exam_id="mias-001",
        findings=tuple(findings),
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


@pytest.mark.real
def test_counts_on_the_shared_part_of_mini_mias(shared_data):
    archive = open_archive("mini-mias", shared_data / "mini-mias")
    findings = tiles = 0
    normal = []
    for position, scan in enumerate(archive.scans()[:120]):
        made = list(
            mias_tiles(np.asarray(load(scan).image), scan, np.random.default_rng((0, position)))
        )
        if scan.findings:
            findings += sum(f.roi is not None for f in scan.findings)
            tiles += len(made)
        else:
            normal.append(len(made))
    assert tiles == 3 * findings
    # The author has 2,718 normal tiles of 207 scans: 13.1 a scan.
    assert np.mean(normal) == pytest.approx(13.1, rel=0.15)
