"""A model's places on an archive's scans as a table, and back in as hard negatives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import ArchiveError, BadValueError
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import SpacingSource
from mammoscope.read.score_places import score_places
from mammoscope.tiles.negatives import read_places

SPOT = (500, 200)


def write_scan(path: Path) -> None:
    """A breast of middle grey with one white disk of 10 mm."""
    rows, columns = np.mgrid[:1000, :800]
    breast = ((rows - 500) / 450) ** 2 + (columns / 550) ** 2 <= 1
    picture = np.where(breast, 100 + (rows + columns) % 7, 4).astype(np.uint8)
    picture[np.hypot(rows - SPOT[0], columns - SPOT[1]) <= 33] = 255
    Image.fromarray(picture).save(path)


@pytest.fixture
def archive(tmp_path):
    scans = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.png"
        scans.append(
            Scan(
                scan_id=name,
                archive="made",
                path=path,
                patient_id=name,
                exam_id=name,
                spacing_mm=(0.15, 0.15),
                spacing_source=SpacingSource.ARCHIVE,
                findings=(),
            )
        )
    write_scan(scans[0].path)
    return Archive(name="made", folder=tmp_path, licence="", citation="", records=tuple(scans))


@pytest.mark.parametrize("name", ["places.parquet", "places.csv"])
def test_a_bright_spot_is_written_at_its_place_on_the_scan(archive, model, tmp_path, name):
    done = []
    failures = score_places(
        model, archive, tmp_path / name, progress=lambda *counts: done.append(counts)
    )
    places = read_places(tmp_path / name)
    assert places.keys() == {"a"}
    best = places["a"][0]
    # The network answers every 8 pixels of 0.3 mm, which are 16 of the scan's.
    assert abs(best.row - SPOT[0]) <= 33
    assert abs(best.column - SPOT[1]) <= 33
    assert best.score == pytest.approx(0.9, abs=0.01)
    assert failures.keys() == {"made/b"}
    assert "there is no such file" in failures["made/b"]
    assert best.archive == "made"
    assert done == [(1, 2), (2, 2)]


def test_nothing_is_written_where_no_scan_could_be_scored(archive, model, tmp_path):
    archive.records[0].path.unlink()
    with pytest.raises(ArchiveError, match=r"None of 2 scans could be scored: .*a\.png"):
        score_places(model, archive, tmp_path / "places.parquet")
    assert not (tmp_path / "places.parquet").exists()


def test_a_table_of_another_ending_is_refused_before_anything_is_read(archive, model, tmp_path):
    with pytest.raises(BadValueError, match=r"places\.json: the table's name must end in"):
        score_places(model, archive, tmp_path / "places.json")


def test_a_scan_without_spacing_is_told_and_the_others_are_scored(archive, model, tmp_path):
    unknown = Scan(
        scan_id="c", archive="made", path=archive.records[0].path, patient_id="c", exam_id="c"
    )
    both = Archive(
        name="made",
        folder=tmp_path,
        licence="",
        citation="",
        records=(archive.records[0], unknown),
    )
    failures = score_places(model, both, tmp_path / "places.parquet")
    assert failures.keys() == {"made/c"}
    assert "does not know the size of its pixels" in failures["made/c"]
    assert set(pl.read_parquet(tmp_path / "places.parquet")["scan_id"]) == {"a"}


def test_a_scan_without_spacing_is_scored_with_the_one_that_is_assumed(archive, model, tmp_path):
    known = archive.records[0]
    unknown = replace(known, scan_id="c", spacing_mm=None, spacing_source=None)
    both = replace(archive, records=(known, unknown))
    assert score_places(model, both, tmp_path / "places.csv", assumed_um=150) == {}
    places = read_places(tmp_path / "places.csv")
    assert [(p.row, p.column, p.score) for p in places["c"]] == [
        (p.row, p.column, p.score) for p in places["a"]
    ]


@pytest.mark.parametrize("assumed_um", [0, -50, 9.9, 2001])
def test_an_assumed_pixel_out_of_range_is_refused(archive, model, tmp_path, assumed_um):
    with pytest.raises(BadValueError, match="micrometres is out of range"):
        score_places(model, archive, tmp_path / "places.csv", assumed_um=assumed_um)


def test_scans_of_two_archives_that_are_called_alike_stay_apart(archive, model, tmp_path):
    known = archive.records[0]
    one = replace(archive, records=(known,))
    two = replace(archive, name="other", records=(replace(known, archive="other"),))
    done = []
    score_places(
        model, [one, two], tmp_path / "places.csv", progress=lambda *counts: done.append(counts)
    )
    places = read_places(tmp_path / "places.csv")["a"]
    assert {place.archive for place in places} == {"made", "other"}
    assert done == [(1, 2), (2, 2)]
