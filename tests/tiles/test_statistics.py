"""What a tile set holds, in numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive
from mammoscope.core.geometry import Box, Circle, MaskFile
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource, Split
from mammoscope.tiles import statistics
from mammoscope.tiles.statistics import (
    LesionSize,
    count_greys,
    lesion_sizes,
    measure_statistics,
    radius_counts,
)
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import NORMAL, Tile


def make_scan(number, findings=(), scanner=None):
    return Scan(
        scan_id=f"s{number}",
        archive="made",
        path=Path("s.png"),
        patient_id=f"p{number}",
        exam_id=f"e{number}",
        spacing_mm=(0.2, 0.1) if number else None,
        spacing_source=SpacingSource.ARCHIVE if number else None,
        findings=tuple(findings),
        facts={"scanner": scanner} if scanner else {},
    )


def make_finding(number, roi, pathology=Pathology.BENIGN):
    return Finding(
        finding_id=f"f{number}",
        scan_id=f"s{number}",
        kind=FindingKind.MASS,
        roi=roi,
        pathology=pathology,
    )


def make_archive(*scans):
    return Archive(name="made", folder=Path(), licence="", citation="", records=scans)


def sized(radius, pathology):
    return LesionSize(
        finding_id="f",
        archive="made",
        kind=FindingKind.MASS,
        pathology=pathology,
        longest_mm=None,
        radius_px=radius,
    )


@pytest.fixture
def tiles(tmp_path):
    """Two patients to train and one to test; greys 10 and 30 of one label, 200 of the other."""
    levels, labels = (10, 30, 200), ("BENIGN_mass", "BENIGN_mass", NORMAL)
    made = [
        Tile(
            pixels=np.full((4, 4), level, np.uint8),
            scan=make_scan(number),
            finding_id=None if label == NORMAL else f"f{number}",
            box=Box(0, 0, 4, 4),
            label=label,
        )
        for number, (level, label) in enumerate(zip(levels, labels, strict=True))
    ]
    split_of = {"p0": Split.TRAIN, "p1": Split.TRAIN, "p2": Split.TEST}
    write_tiles(tmp_path / "set", made, split_of, {"recipe": "9", "seed": 1})
    return load_tiles(tmp_path / "set")


def test_grey_levels_are_counted_by_label(tiles):
    lesions, normals = count_greys(tiles, np.arange(3))
    assert (lesions.label, lesions.tiles, normals.label) == ("BENIGN_mass", 2, NORMAL)
    assert np.flatnonzero(lesions.counts).tolist() == [10, 30]
    assert lesions.counts[[10, 30]].tolist() == [16, 16]
    # Levels 10 and 30, as often: mean 20, deviation 10.
    assert (lesions.mean, lesions.deviation) == (20, 10)
    assert np.flatnonzero(lesions.shares()).tolist() == [1, 3]
    assert normals.shares()[200 // 8] == 1


def test_tiles_patients_and_values_are_counted(tiles):
    found = measure_statistics(tiles)
    assert found.splits.rows() == [("test", NORMAL, 1), ("train", "BENIGN_mass", 2)]
    assert found.patients == {"train": 2, "test": 1}
    assert found.counts["archive"].rows() == [("made", "BENIGN_mass", 2), ("made", NORMAL, 1)]
    assert found.counts["scanner"].rows() == [(None, "BENIGN_mass", 2), (None, NORMAL, 1)]
    assert (found.counted, found.of, found.sizes) == (3, 3, ())


def test_of_a_large_set_a_sample_is_counted_the_same_each_time(tiles, monkeypatch):
    monkeypatch.setattr(statistics, "SAMPLE", 2)
    one, two = (measure_statistics(tiles, seed=5) for _ in range(2))
    assert (one.counted, one.of) == (2, 3)
    assert [g.counts.tolist() for g in one.greys] == [g.counts.tolist() for g in two.greys]


def test_a_lesion_is_as_long_as_its_longer_side_in_mm():
    archive = make_archive(
        make_scan(1, [make_finding(1, Circle(50, 50, 10))]),
        make_scan(2, [make_finding(2, Box(0, 0, 10, 30))]),
        make_scan(0, [make_finding(0, Circle(5, 5, 4))]),
        make_scan(3, [make_finding(4, None)]),
    )
    sizes = lesion_sizes([archive])
    # Rows are 0.2 mm apart, columns 0.1: 20 rows are 4 mm, 30 columns 3 mm.
    assert [size.finding_id for size in sizes] == ["f1", "f2", "f0"]
    assert [size.longest_mm for size in sizes] == [pytest.approx(4), pytest.approx(3), None]
    assert [size.radius_px for size in sizes] == [10, None, 4]


def masked_archive(folder, mask, shape=(60, 40)):
    """An archive of one scan, a picture of `shape`, whose finding is drawn as a mask."""
    Image.fromarray(np.random.default_rng(0).integers(1, 200, shape, np.uint8)).save(
        folder / "s.png"
    )
    Image.fromarray(mask).save(folder / "m.png")
    scan = make_scan(1, [make_finding(1, MaskFile(folder / "m.png"))])
    return make_archive(replace(scan, path=folder / "s.png"))


def test_a_lesion_drawn_as_a_mask_is_measured_on_its_scan(tmp_path):
    mask = np.zeros((600, 400), np.uint8)
    mask[200:300, 100:340] = 255
    (size,) = lesion_sizes([masked_archive(tmp_path, mask, (600, 400))])
    # 100 rows of 0.2 mm are 20 mm, 240 columns of 0.1 mm are 24.
    assert (size.longest_mm, size.radius_px, size.unread) == (pytest.approx(24), None, "")


def test_a_mask_of_another_size_than_its_scan_is_measured_in_the_scans_pixels(tmp_path):
    mask = np.zeros((300, 200), np.uint8)
    mask[100:150, 50:170] = 255
    (size,) = lesion_sizes([masked_archive(tmp_path, mask, (600, 400))])
    assert size.longest_mm == pytest.approx(24)


def test_a_mask_that_cannot_be_read_is_named_and_has_no_size(tmp_path):
    (size,) = lesion_sizes([masked_archive(tmp_path, np.zeros((600, 400), np.uint8), (600, 400))])
    assert size.longest_mm is None
    assert "m.png: the mask is empty" in size.unread


def test_a_mask_is_not_opened_where_the_scans_spacing_is_not_known():
    archive = make_archive(make_scan(0, [make_finding(0, MaskFile(Path("nowhere.png")))]))
    (size,) = lesion_sizes([archive])
    assert (size.longest_mm, size.unread) == (None, "")


def test_only_lesions_that_the_set_shows_are_measured(tiles):
    shown = make_scan(1, [make_finding(1, Circle(50, 50, 10))])
    other = make_scan(7, [make_finding(7, Circle(50, 50, 10))])
    found = measure_statistics(tiles, [make_archive(shown, other)])
    assert [size.finding_id for size in found.sizes] == ["f1"]


def test_radii_are_counted_in_bins_of_20_pixels():
    sizes = [
        *(sized(radius, Pathology.BENIGN) for radius in (3, 19.9, 20, 41)),
        sized(None, Pathology.BENIGN),
        sized(60, Pathology.MALIGNANT),
    ]
    assert radius_counts(sizes, Pathology.BENIGN).tolist() == [2, 1, 1, 0]
    assert radius_counts(sizes, Pathology.MALIGNANT).tolist() == [0, 0, 0, 1]
    assert radius_counts([], Pathology.BENIGN).tolist() == [0]


@pytest.mark.real
def test_radii_of_mini_mias_are_those_of_its_text(shared_data):
    folder = shared_data / "mini-mias"
    archive = open_archive("mini-mias", folder)
    here = {scan.scan_id for scan in archive.scans()}
    rows = [line.split() for line in (folder / "Info.txt").read_text("latin-1").splitlines()]
    found = [row for row in rows if len(row) == 7 and row[0] in here]
    sizes = lesion_sizes([archive])
    for letter, pathology in (("B", Pathology.BENIGN), ("M", Pathology.MALIGNANT)):
        radii = [int(row[6]) for row in found if row[3] == letter]
        counts = radius_counts(sizes, pathology)
        expected = np.bincount(np.array(radii) // 20, minlength=len(counts))
        assert counts.tolist() == expected.tolist()
