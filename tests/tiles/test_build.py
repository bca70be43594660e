"""Building tile sets from an archive."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive
from mammoscope.core.errors import BadValueError, MissingFileError, ScanError, UnknownNameError
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.tiles.build import build_tiles, split_by_patient


def make_scan(folder, number):
    """Every second patient has a mass on its first scan; a film half air, half breast."""
    scan_id, patient_id = f"mdb{number:03d}", f"mias-{(number + 1) // 2:03d}"
    rng = np.random.default_rng(number)
    image = np.zeros((512, 512), np.uint8)
    image[:, :256] = rng.normal(120, 15, (512, 256)).clip(1, 220)
    Image.fromarray(image).save(folder / f"{scan_id}.png")
    mass = Finding(
        finding_id=f"{scan_id}-1",
        scan_id=scan_id,
        kind=FindingKind.MASS,
        pathology=Pathology.BENIGN if number % 8 == 1 else Pathology.MALIGNANT,
        roi=Circle(200, 120, 30),
    )
    return Scan(
        scan_id=scan_id,
        archive="mini-mias",
        path=folder / f"{scan_id}.png",
        patient_id=patient_id,
        exam_id=patient_id,
        findings=(mass,) if number % 4 == 1 else (),
    )


def make_archive(folder, count=8, name="mini-mias"):
    return Archive(
        name=name,
        folder=folder,
        licence="none",
        citation="none",
        records=tuple(make_scan(folder, number) for number in range(1, count + 1)),
    )


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    return make_archive(folder)


def test_every_scan_gives_its_tiles_and_they_keep_their_patient(archive, tmp_path):
    seen = []
    tiles = build_tiles(archive, "9", tmp_path / "set", seed=1, advance=lambda: seen.append(1))
    assert len(seen) == 8
    rows = tiles.table
    assert rows.filter(pl.col("label") != "NORMAL")["scan_id"].to_list() == (
        ["mdb001"] * 3 + ["mdb005"] * 3
    )
    patient = {scan.scan_id: scan.patient_id for scan in archive.scans()}
    assert rows["patient_id"].to_list() == [patient[scan] for scan in rows["scan_id"]]
    assert rows.group_by("patient_id").n_unique()["split"].max() == 1
    assert set(rows["recipe"]) == {"9"}
    assert set(rows["seed"]) == {1}


def test_a_scan_gives_the_same_tiles_whatever_other_scans_are_there(archive, tmp_path):
    whole = build_tiles(archive, "9", tmp_path / "whole", seed=1)
    part = build_tiles(make_archive(archive.folder, 5), "9", tmp_path / "part", seed=1)
    wanted = np.flatnonzero((whole.table["scan_id"] <= "mdb005").to_numpy())
    np.testing.assert_array_equal(whole.pixels(wanted), part.pixels(range(len(part))))


def test_a_set_that_is_there_is_opened_when_it_was_built_alike(archive, tmp_path):
    build_tiles(archive, "9", tmp_path / "set", seed=1)
    written = (tmp_path / "set" / "index.parquet").stat().st_mtime_ns
    build_tiles(archive, "9", tmp_path / "set", seed=1)
    assert (tmp_path / "set" / "index.parquet").stat().st_mtime_ns == written
    with pytest.raises(BadValueError, match="built with seed 1, not 2; remove it"):
        build_tiles(archive, "9", tmp_path / "set", seed=2)
    with pytest.raises(BadValueError, match="radius_as_side True, not False"):
        build_tiles(archive, "9", tmp_path / "set", seed=1, radius_as_side=False)


def test_a_missing_scan_leaves_no_half_set(archive, tmp_path):
    archive.scans()[5].path.unlink()
    with pytest.raises(MissingFileError, match=r"mdb006\.png"):
        build_tiles(archive, "9", tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


def test_a_scan_of_more_than_8_bits_is_refused_by_name(archive, tmp_path):
    path = archive.scans()[0].path
    deep = np.asarray(Image.open(path)).astype(np.uint16) * 256
    Image.fromarray(deep).save(path)
    with pytest.raises(ScanError, match=r"mdb001\.png: mini-MIAS has 8 bits a pixel.*uint16"):
        build_tiles(archive, "9", tmp_path / "set")


def test_a_recipe_is_for_its_own_archive(archive, tmp_path):
    other = make_archive(archive.folder, 1, name="cbis-ddsm-800")
    with pytest.raises(BadValueError, match="recipe 9 is for mini-mias, not for cbis-ddsm-800"):
        build_tiles(other, "9", tmp_path / "set")


def test_an_unknown_recipe_is_refused(archive, tmp_path):
    with pytest.raises(UnknownNameError, match="no recipe called '99'"):
        build_tiles(archive, "99", tmp_path / "set")


def test_patients_are_divided_80_10_10_with_each_kind_in_each_part():
    scans = tuple(
        Scan(
            scan_id=f"s{number:03d}",
            archive="mini-mias",
            path=Path("s.png"),
            patient_id=f"p{number // 2:03d}",
            exam_id="e",
            findings=tuple(
                Finding(
                    finding_id="f",
                    scan_id="s",
                    kind=FindingKind.MASS,
                    pathology=Pathology.MALIGNANT,
                )
                # One scan of every second patient.
                for _ in range(number % 4 == 1)
            ),
        )
        for number in range(200)
    )
    archive = Archive(name="made", folder=Path(), licence="", citation="", records=scans)
    split = split_by_patient(archive, 3)
    sick = {scan.patient_id for scan in scans if scan.findings}
    for name, size in (("train", 80), ("validation", 10), ("test", 10)):
        patients = {patient for patient, part in split.items() if part == name}
        assert len(patients) == size
        assert len(patients & sick) == size / 2


@pytest.mark.real
@pytest.mark.slow
def test_counts_on_the_shared_part_of_mini_mias(shared_data, tmp_path):
    # 258 of 322 scans: the author's 357 and 2,718 tiles shrink with the findings and normals.
    archive = open_archive("mini-mias", shared_data / "mini-mias")
    placed = sum(finding.roi is not None for finding in archive.findings())
    normals = sum(scan.findings == () for scan in archive.scans())
    tiles = build_tiles(archive, "9", tmp_path / "set", seed=1)
    normal = int((tiles.table["label"] == "NORMAL").sum())
    assert (placed, normals) == (93, 165)
    assert len(tiles) - normal == 3 * 93
    assert normal == pytest.approx(2718 * 165 / 207, rel=0.1)
