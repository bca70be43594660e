"""Pictures in folders with a table."""

import csv

import numpy as np
import pytest

from mammoscope.core.errors import AnnotationError, ArchiveError, LayoutError, MissingFileError
from mammoscope.formats.raster import read_raster
from mammoscope.tiles.audit.pictures import read_pictures
from mammoscope.tiles.exchange.folder import stream_in
from mammoscope.tiles.exchange.trade import Format, export_tiles


@pytest.fixture
def out(make_set, tmp_path):
    export_tiles(make_set(), tmp_path / "out", Format.FOLDER)
    return tmp_path / "out"


def read_all(folder, text, named=None):
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return list(stream_in(folder, folder / "t.csv", named or {}))


def test_pictures_lie_by_split_and_label_and_the_table_names_them_in_order(out):
    with (out / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["position_in_set"] for row in rows] == [str(number) for number in range(12)]
    assert rows[2]["file"] == "train/BENIGN_mass/000000002.png"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.png")) == sorted(
        row["file"] for row in rows
    )


def test_any_program_sees_the_tiles_pixels(out, make_set):
    picture = read_raster(out / "train/BENIGN_mass/000000002.png")
    assert np.array_equal(picture, make_set("again").pixels([2])[0])


def test_the_audit_reads_the_same_table(out, make_set):
    tiles = make_set("again")
    pictures = read_pictures(out, out / "labels.csv")
    assert pictures.problems == ()
    columns = ["patient_id", "archive", "view", "label", "split"]
    assert pictures.table.select(columns).equals(tiles.table.select(columns))
    assert np.array_equal(pictures.read(5), tiles.pixels([5])[0])


def test_a_picture_that_is_not_there_is_named_with_its_line(tmp_path):
    with pytest.raises(MissingFileError, match=r"a.png: cannot be opened .*t.csv, line 2 names"):
        read_all(tmp_path, "file,patient,label,split\na.png,p,x,train\n")


def test_a_table_does_not_lead_out_of_its_folder(tmp_path):
    for name in ("../a.png", "/etc/hostname"):
        with pytest.raises(ArchiveError, match=r"line 2: .* is no file inside"):
            read_all(tmp_path, f"file,patient,label,split\n{name},p,x,train\n")


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("file,patient,label,split\n", ArchiveError, "has no rows"),
        ("", ArchiveError, "has no rows"),
        ("file,label,split\na,x,train\n", LayoutError, "no column called patient_id"),
        ("file,file,label,split\na,b,x,train\n", LayoutError, "two columns have the same name"),
        ("file,patient,label,split\na,p,x\n", AnnotationError, "line 2: 3 cells where .* 4"),
        ('file,patient,label,split\n"a,p,x,train\n', AnnotationError, "line 2: no row of a table"),
        ("file,patient,label,split\na,,x,train\n", AnnotationError, "tells no patient_id"),
        ("file,patient,label,split\na,p,x,fold\n", AnnotationError, "'fold' is no split"),
    ],
)
def test_a_table_that_cannot_be_understood_is_told_by_line(tmp_path, text, error, says):
    with pytest.raises(error, match=says):
        read_all(tmp_path, text)


def test_a_table_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes("file,patient,label,split\nå,p,x,train\n".encode("latin-1"))
    with pytest.raises(AnnotationError, match="no row of a table in UTF-8"):
        list(stream_in(tmp_path, tmp_path / "t.csv", {}))


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"no.csv: there is no such table"):
        list(stream_in(tmp_path, tmp_path / "no.csv", {}))


def test_semicolons_separate_cells_as_well(out, tmp_path):
    entries = read_all(
        out, "picture;who;what;part\ntest/NORMAL/000000000.png;p;x;test\n",
        {"file": "picture", "patient_id": "who", "label": "what", "split": "part"},
    )  # fmt: skip
    assert entries[0].row["patient_id"] == "p"
    assert entries[0].row["scan_id"] == "test/NORMAL/000000000.png"
