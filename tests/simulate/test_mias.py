"""Made mini-MIAS: circles, rows, pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from mammoscope.archives.mini_mias import read
from mammoscope.core.geometry import Circle
from mammoscope.core.vocabulary import FindingKind, Laterality
from mammoscope.formats.masks import mask_of
from mammoscope.formats.raster import read_raster
from mammoscope.simulate import mias
from mammoscope.simulate.mias import circle_round, pgm_bytes, write_patient, write_tables
from mammoscope.simulate.plan import Job, Plan
from mammoscope.simulate.truth import load_mask

REGIONS = hnp.arrays(
    bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20)
).filter(np.any)


def write(folder, *indexes):
    """Write patients of these numbers and Info.txt; returns their truth."""
    (folder / "a").mkdir(exist_ok=True)
    seeds = np.random.SeedSequence(3).spawn(9)
    written = [
        write_patient(
            Job(
                plan=Plan(name="mini-mias", patients=9, seed=3),
                index=index,
                seed=seeds[index],
                folder=folder / "a",
                truth=folder / "t",
            )
        )
        for index in indexes
    ]
    write_tables(folder / "a", [row for one in written for row in one.rows])
    return [scan for one in written for scan in one.scans]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mias")


@pytest.fixture(scope="module")
def scans(folder, plain_breasts):
    return write(folder, 0, 1)


@given(REGIONS)
def test_a_circle_holds_its_whole_region(region):
    circle = Circle(*circle_round(region))
    assert (mask_of(circle, region.shape) & region).sum() == region.sum()


def test_a_circle_is_given_in_whole_pixels_round_the_middle_of_its_region():
    region = np.zeros((20, 20), bool)
    region[4:9, 6:13] = True
    # Middle at row 6, column 9; the corners are 2 rows and 3 columns away.
    assert circle_round(region) == (6, 9, 4)


def test_a_picture_says_that_it_is_made_and_is_read_again(tmp_path):
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    (tmp_path / "one.pgm").write_bytes(pgm_bytes(image))
    assert np.array_equal(read_raster(tmp_path / "one.pgm"), image)
    assert b"# SIMULATED" in (tmp_path / "one.pgm").read_bytes()[:80]


def test_films_come_in_pairs_behind_the_archives_own_numbers(scans):
    assert [scan.file for scan in scans] == [f"mdb{n}.pgm" for n in (323, 324, 325, 326)]
    assert [scan.laterality for scan in scans] == [Laterality.RIGHT, Laterality.LEFT] * 2


def test_the_archives_reader_finds_the_circles_that_were_drawn(folder, scans):
    found = {scan.path.name: scan for scan in read(folder / "a").scans()}
    for scan in scans:
        circles = [Circle(*finding.circle_px) for finding in scan.findings]
        assert [finding.roi for finding in found[scan.file].findings] == circles
        assert found[scan.file].patient_id == scan.patient_id
    assert sum(len(scan.findings) for scan in scans) == 1


def test_the_lesion_lies_in_its_circle(folder, scans):
    (finding,) = (finding for scan in scans for finding in scan.findings)
    mask = load_mask(folder / "t", finding.mask)
    assert mask.shape == (1024, 1024)
    assert (mask & mask_of(Circle(*finding.circle_px), mask.shape)).sum() == mask.sum()


def test_widespread_calcifications_have_no_circle_but_the_note(
    tmp_path, monkeypatch, plain_breasts
):
    monkeypatch.setattr(mias, "_is_widespread", lambda lesion: True)
    scans = write(tmp_path, 2)
    (finding,) = (finding for scan in scans for finding in scan.findings)
    assert finding.circle_px is None
    (read_back,) = read(tmp_path / "a").findings()
    assert (read_back.kind, read_back.roi) == (FindingKind.CALCIFICATION, None)
    assert "*NOTE 3*" in (tmp_path / "a" / "Info.txt").read_text()


def test_info_says_that_no_film_is_a_patients(folder, scans):
    assert "SIMULATED" in (folder / "a" / "Info.txt").read_text()
