"""Anybody's folder and table as pictures: every column name, and everything that can be wrong."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mammoscope.core.errors import ArchiveError, LayoutError, MissingFileError
from mammoscope.tiles.audit.pictures import COLUMNS, decode, pictures_of, read_pictures
from mammoscope.tiles.store import SCHEMA, TileSet


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(rng.integers(0, 255, (20, 30), dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


def labels(folder, text):
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_pictures_come_in_the_order_of_the_table_with_what_it_says(folder):
    table = labels(folder, "file,label,split,patient\nb.png,M,test,7\na.png,B,train,8\n")
    pictures = read_pictures(folder, table)
    assert len(pictures) == 2
    assert pictures.table.columns == list(COLUMNS)
    assert pictures.table["patient_id"].to_list() == ["7", "8"]
    assert pictures.table["exam_id"].to_list() == [None, None]
    assert np.array_equal(pictures.read(0), np.asarray(Image.open(folder / "b.png")))
    assert pictures.problems == ()


def test_other_names_of_the_columns_are_understood(folder):
    table = labels(folder, "Image_Path,Class,Subset,Study_ID\na.png,1,train,e\n")
    row = read_pictures(folder, table).table.row(0, named=True)
    assert (row["file"], row["label"], row["split"], row["exam_id"]) == ("a.png", "1", "train", "e")


def test_lesions_that_are_numbered_anew_for_each_patient_are_told_apart(folder):
    table = labels(folder, "file,label,split,patient,lesion\na.png,M,x,p,1\nb.png,M,y,q,1\n")
    assert read_pictures(folder, table).table["finding_id"].to_list() == ["p/1", "q/1"]


def test_a_picture_that_cannot_be_read_is_a_problem_and_the_others_stay(folder):
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:100])
    table = labels(folder, "file,label,split\na.png,M,x\nb.png,M,x\nnone.png,M,x\nc.png,,x\n")
    pictures = read_pictures(folder, table)
    assert pictures.table["file"].to_list() == ["a.png"]
    whats = [problem.what for problem in pictures.problems]
    assert "damaged or cut short" in whats[0]
    assert "there is no such file" in whats[1]
    assert whats[2] == "the row has no label"
    assert pictures.problems[0].where.endswith("line 3")


@pytest.mark.parametrize("path", ["../outside.png", "/etc/passwd"])
def test_a_path_that_leaves_the_folder_is_not_opened(folder, path):
    inner = folder / "inner"
    inner.mkdir()
    Image.new("L", (9, 9)).save(folder / "outside.png")
    (folder / "a.png").rename(inner / "a.png")
    table = labels(folder, f"file,label,split\na.png,M,x\n{path},M,x\n")
    (problem,) = read_pictures(inner, table).problems
    assert "lies outside the folder" in problem.what


def test_a_link_that_leads_out_of_the_folder_is_not_followed(folder):
    inner = folder / "inner"
    inner.mkdir()
    (inner / "link.png").symlink_to(folder / "b.png")
    (folder / "a.png").rename(inner / "a.png")
    table = labels(folder, "file,label,split\na.png,M,x\nlink.png,M,x\n")
    (problem,) = read_pictures(inner, table).problems
    assert "lies outside the folder" in problem.what


def test_a_table_without_a_split_names_the_columns_that_would_do(folder):
    table = labels(folder, "file,label\na.png,M\n")
    with pytest.raises(LayoutError, match=r"no column tells the split .* split or set"):
        read_pictures(folder, table)


def test_a_table_of_which_no_picture_can_be_read_is_an_error(folder):
    table = labels(folder, "file,label,split\nx.png,M,train\n")
    with pytest.raises(ArchiveError, match="none of its pictures can be read"):
        read_pictures(folder, table)


def test_a_table_without_rows_is_an_error(folder):
    with pytest.raises(ArchiveError, match="it has no rows"):
        read_pictures(folder, labels(folder, "file,label,split\n"))


def test_an_empty_table_and_a_missing_folder_are_named(folder):
    with pytest.raises(LayoutError, match="no column tells the file"):
        read_pictures(folder, labels(folder, ""))
    with pytest.raises(MissingFileError, match="there is no such folder"):
        read_pictures(folder / "nowhere", folder / "labels.csv")


def test_a_position_beyond_the_last_picture_is_refused(folder):
    pictures = read_pictures(folder, labels(folder, "file,label,split\na.png,M,x\n"))
    for position in (1, -1):
        with pytest.raises(IndexError, match="from 0 to 0"):
            pictures.read(position)


def test_a_picture_of_floats_is_stretched_over_16_bits(tmp_path):
    Image.fromarray(np.array([[0.0, 0.5], [1.0, 0.25]], np.float32)).save(tmp_path / "f.tiff")
    image = decode(tmp_path / "f.tiff")
    assert image.dtype == np.uint16
    assert image.tolist() == [[0, 32767], [65535, 16383]]


def test_tiles_of_a_set_are_pictures_in_its_order(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 8, 8), dtype=np.uint8)
    table = pl.DataFrame(
        {name: [None] * 3 for name in SCHEMA} | {"split": ["a", "b", "b"], "top": [1.0, 2.0, 3.0]},
        schema=SCHEMA,
    )
    tiles = TileSet(folder=tmp_path, shards=(pixels[:2], pixels[2:]), table=table, provenance={})
    pictures = pictures_of(tiles)
    assert all(np.array_equal(pictures.read(i), pixels[i]) for i in range(3))
    assert pictures.table["split"].to_list() == ["a", "b", "b"]
    assert pictures.table["top"].to_list() == [1.0, 2.0, 3.0]
    assert pictures.table["file"].to_list() == [None] * 3
