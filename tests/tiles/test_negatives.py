"""Hard negatives from a table of scored places."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.scans.load import LoadedScan
from mammoscope.tiles.negatives import MOST, Place, negative_tiles, read_places
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.strict import StrictSettings, strict_tiles
from mammoscope.tiles.strict_field import field_of
from mammoscope.tiles.tile import NORMAL, Origin

SETTINGS = StrictSettings(spacing_mm=0.4)
ROI = Circle(350, 100, 30)


def make_scan(findings=()):
    return Scan(
        scan_id="s",
        archive="made",
        path=Path("s.png"),
        patient_id="p",
        exam_id="p",
        spacing_mm=(0.2, 0.2),
        spacing_source=SpacingSource.ARCHIVE,
        findings=findings,
    )


def make_finding(roi):
    return Finding(
        finding_id="f", scan_id="s", kind=FindingKind.MASS, pathology=Pathology.BENIGN, roi=roi
    )


def make_loaded():
    """Half an ellipse of tissue on a film of 140 x 104 mm, chest wall at the left."""
    rows, columns = np.mgrid[:700, :520]
    inside = ((rows - 350) / 330) ** 2 + (columns / 420) ** 2 <= 1
    return LoadedScan(
        path=Path("s.png"),
        image=np.where(inside, 2000 + columns, 100 + columns / 100).astype(np.uint16),
        spacing_mm=(0.2, 0.2),
        spacing_source=SpacingSource.ARCHIVE,
        laterality=None,
        view=None,
        patient_id="p",
        exam_id="p",
        intent=None,
    )


LOADED = make_loaded()


def negatives(peaks, findings=()):
    field = field_of(make_scan(findings), LOADED, SETTINGS.spec, SETTINGS.side_px)
    return list(negative_tiles(field, peaks, margin_px=12, least_breast=0.5))


def peak(row, column, score=0.9):
    return Place(row=row, column=column, score=score)


def test_a_place_inside_the_breast_lies_in_the_middle_of_its_tile():
    (tile,) = negatives([peak(350, 200)])
    assert (tile.label, tile.origin, tile.finding_id) == (NORMAL, Origin.NEGATIVE, None)
    # Places are tried every sixteenth of a tile, 2.5 mm, which is 12.5 pixels of the scan.
    assert np.abs(np.array(tile.box.centre) - (350, 200)).max() <= 12.5
    assert tile.lot == pytest.approx(0.1)


def test_a_place_on_a_finding_gives_no_tile():
    assert negatives([peak(350, 100)], (make_finding(ROI),)) == []
    assert len(negatives([peak(350, 100)])) == 1


def test_a_place_beside_a_finding_gives_a_tile_that_is_moved_off_it():
    (tile,) = negatives([peak(350, 230)], (make_finding(ROI),))
    assert tile.box.holds(350, 230)
    # 12 pixels of 0.4 mm are 24 of the scan's; the two grids may differ by one of each.
    assert tile.box.left - (ROI.column + ROI.radius) >= 24 - 3


def test_no_negative_is_taken_where_it_is_not_known_where_all_findings_are():
    assert negatives([peak(350, 200)], None) == []
    assert negatives([peak(350, 200)], (make_finding(None),)) == []


def test_low_scores_and_places_outside_the_breast_give_no_tile():
    assert negatives([peak(350, 200, 0.05)]) == []
    assert negatives([peak(10, 500), peak(-50, 9000)]) == []


def test_the_hardest_come_first_and_none_twice():
    peaks = [peak(200, 150, 0.5), peak(355, 205, 0.7), peak(350, 200, 0.9), peak(500, 150, 0.6)]
    assert [t.lot for t in negatives(peaks)] == pytest.approx([0.1, 0.4, 0.5])


def test_a_strange_scan_gives_only_a_few():
    peaks = [peak(row, column) for row in range(50, 700, 50) for column in range(50, 400, 50)]
    assert len(negatives(peaks)) == MOST


def write_table(path, **columns):
    table = pl.DataFrame(
        {"scan_id": ["s", "t", "s"], "row": [1.0, 2, 3], "column": [4.0, 5, 6], **columns}
    )
    if path.suffix == ".csv":
        table.write_csv(path)
    else:
        table.write_parquet(path)
    return path


@pytest.mark.parametrize("name", ["places.csv", "places.parquet", "PLACES.CSV"])
def test_a_table_gives_the_places_of_each_scan_the_highest_score_first(tmp_path, name):
    path = write_table(tmp_path / name.replace("CSV", "csv"), score=[0.2, 0.5, 0.8])
    path = path.rename(tmp_path / name)
    assert read_places(path) == {"s": (peak(3, 6, 0.8), peak(1, 4, 0.2)), "t": (peak(2, 5, 0.5),)}


def test_a_table_that_names_archives_tells_scans_of_one_name_apart(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text("archive,scan_id,row,column,score\nmade,s,200,150,0.8\nother,s,500,150,0.9\n")
    assert [place.archive for place in read_places(path)["s"]] == ["other", "made"]
    recipe = make_recipe("strict", ("made",), spacing_mm=0.4, places=path)
    given = recipe.cut(make_scan(), LOADED, np.random.default_rng(0))
    assert [t.lot for t in given if t.origin is Origin.NEGATIVE] == pytest.approx([0.2])


@pytest.mark.parametrize("score", [[0.2, 1.5, 0.1], [0.2, None, 0.1], [0.2, float("nan"), 0.1]])
def test_a_score_that_is_none_is_named_with_its_scan(tmp_path, score):
    path = write_table(tmp_path / "places.parquet", score=score)
    with pytest.raises(CorruptFileError, match=r"places\.parquet: a place of scan t"):
        read_places(path)


def test_what_is_no_such_table_is_refused_by_name(tmp_path):
    path = write_table(tmp_path / "places.csv")
    with pytest.raises(CorruptFileError, match=r"places\.csv: expected a table with the columns"):
        read_places(path)
    words = write_table(tmp_path / "words.csv", score=["high", "low", "0.1"])
    with pytest.raises(CorruptFileError, match=r"words\.csv: expected a table"):
        read_places(words)
    for name in ("empty.csv", "empty.parquet"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(CorruptFileError, match=name):
            read_places(tmp_path / name)
    with pytest.raises(MissingFileError, match="there is no such file"):
        read_places(tmp_path / "none.csv")


def test_the_recipe_takes_the_places_of_its_own_scan_and_leaves_its_other_tiles_as_they_were(
    tmp_path,
):
    path = tmp_path / "places.csv"
    path.write_text("scan_id,row,column,score\nother,350,200,0.9\ns,200,150,0.8\n")
    with_places = make_recipe("strict", ("made",), spacing_mm=0.4, places=path)
    without = make_recipe("strict", ("made",), spacing_mm=0.4)
    tiles, plain = (
        list(recipe.cut(make_scan(), LOADED, np.random.default_rng(0)))
        for recipe in (with_places, without)
    )
    assert [t.lot for t in tiles if t.origin is Origin.NEGATIVE] == pytest.approx([0.2])
    assert [t.box for t in tiles if t.origin is not Origin.NEGATIVE] == [t.box for t in plain]
    assert len(with_places.settings["places"]) == 64
    assert without.settings["places"] == ""
    assert strict_tiles is without.cut.func
