"""Rows and pictures on their way."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from mammoscope.core.errors import AnnotationError, CorruptFileError, LayoutError, ScanError
from mammoscope.tiles.exchange.entries import (
    BLOCK,
    POSITION,
    Tally,
    classes_of,
    columns_among,
    decode_tile,
    encode_png,
    entries_of,
    from_json,
    row_from,
)
from mammoscope.tiles.store import SCHEMA, TileSet
from mammoscope.tiles.tile import CLASSES

KNOWN = {"patient_id": "p1", "label": "x", "split": "train"}


def png_of(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def test_a_row_has_every_column_of_the_index_and_what_is_not_told_is_none():
    position, row = row_from({**KNOWN, "top": "1.5", "seed": "7", POSITION: "12"}, "here")
    assert list(row) == list(SCHEMA)
    assert (position, row["top"], row["seed"], row["width"]) == (12, 1.5, 7, None)


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_a_float_comes_back_bit_by_bit_from_its_text(value):
    if abs(value) >= 2**63:
        return
    _, row = row_from({**KNOWN, "top": str(value), "left": value}, "here")
    assert row["top"] == row["left"] == value


@pytest.mark.parametrize("name", ["patient_id", "label", "split"])
def test_a_row_without_patient_label_or_split_is_refused_by_name(name):
    with pytest.raises(AnnotationError, match=rf"here: it tells no {name};"):
        row_from({**KNOWN, name: ""}, "here")


@pytest.mark.parametrize(
    ("word", "split"),
    [("Train", "train"), ("val", "validation"), ("valid", "validation"), ("TEST", "test")],
)
def test_usual_words_for_splits_are_known(word, split):
    assert row_from({**KNOWN, "split": word}, "here")[1]["split"] == split


def test_an_unknown_word_for_a_split_is_refused():
    with pytest.raises(AnnotationError, match=r"here: 'fold3' is no split; expected train"):
        row_from({**KNOWN, "split": "fold3"}, "here")


@pytest.mark.parametrize("value", ["wide", "nan", "inf", "1e400"])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(AnnotationError, match="here: top is"):
        row_from({**KNOWN, "top": value}, "here")


def test_columns_are_found_by_usual_names_and_by_those_given():
    names = ["Case", "class", "subset", "My Scan", "height"]
    found = columns_among(names, {"scan_id": "My Scan"}, "t.csv")
    # A lone height is that of the picture.
    assert found == {
        "patient_id": "Case",
        "label": "class",
        "split": "subset",
        "scan_id": "My Scan",
    }


def test_a_column_that_is_needed_and_missing_is_named():
    with pytest.raises(LayoutError, match=r"t.csv: no column called patient_id or patient"):
        columns_among(["label", "split"], {}, "t.csv")


def test_a_column_that_was_named_and_is_missing_is_told():
    with pytest.raises(LayoutError, match=r"no column called age tells the view"):
        columns_among(["patient", "label", "split", "view"], {"view": "age"}, "t.csv")


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_a_png_gives_the_same_pixels_again(pixels):
    assert np.array_equal(decode_tile(encode_png(pixels), "here"), pixels)


def test_a_picture_of_16_bits_or_in_colour_is_refused():
    for array in (np.zeros((4, 4), np.uint16), np.zeros((4, 4, 3), np.uint8)):
        with pytest.raises(ScanError, match="8-bit grey levels were expected"):
            decode_tile(png_of(array), "here")


def test_a_picture_far_larger_than_a_tile_is_refused():
    with pytest.raises(ScanError, match="1 x 5000 pixels are more than a tile has"):
        decode_tile(png_of(np.zeros((1, 5000), np.uint8)), "here")


def test_a_picture_cut_short_or_none_is_refused():
    whole = png_of(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8))
    for data in (whole[:-40], whole[:20], b"", b"no picture"):
        with pytest.raises(CorruptFileError, match="here: the picture cannot be decoded"):
            decode_tile(data, "here")


def test_text_that_is_no_object_of_json_is_refused():
    for text in (b"[1]", b"{", b"\xff"):
        with pytest.raises(CorruptFileError, match="here: is no"):
            from_json(text, "here")


def test_entries_have_the_pixels_and_rows_of_their_places(make_set):
    tiles = make_set()
    entries = list(entries_of(tiles, [7, 2]))
    assert [entry.position for entry in entries] == [7, 2]
    assert np.array_equal(entries[0].pixels, tiles.pixels([7])[0])
    assert entries[1].row == tiles.table.row(2, named=True)
    assert json.loads(json.dumps(entries[1].cells())) == entries[1].cells()


def test_no_more_than_a_block_of_tiles_is_ever_read_at_once(make_set, monkeypatch):
    asked = []
    read = TileSet.pixels
    monkeypatch.setattr(
        TileSet, "pixels", lambda self, places: asked.append(len(places)) or read(self, places)
    )
    tiles = make_set(count=BLOCK + 10)
    assert len(list(entries_of(tiles, range(len(tiles))))) == BLOCK + 10
    assert asked == [BLOCK, 10]


def test_a_tally_changes_with_a_pixel_and_with_a_row(make_set):
    tiles = make_set()

    def told(change):
        entries = list(entries_of(tiles, range(6)))
        change(entries[3])
        tally = Tally()
        assert len(list(tally.watch(entries))) == 6
        return tally.told()

    plain = told(lambda _entry: None)
    assert {split: one["tiles"] for split, one in plain.items()} == {"test": 2, "train": 4}
    assert told(lambda entry: entry.row.update(view="CC")) != plain
    assert told(lambda entry: entry.pixels.__setitem__((0, 0), entry.pixels[0, 0] ^ 1)) != plain


def test_classes_are_the_papers_or_else_those_there_in_order(make_set, monkeypatch):
    tiles = make_set()
    assert classes_of(tiles) == CLASSES
    other = tiles.table.with_columns(label=tiles.table["label"].str.to_lowercase())
    changed = TileSet(
        folder=tiles.folder, shards=tiles.shards, table=other, provenance=tiles.provenance
    )
    assert classes_of(changed) == tuple(sorted(name.lower() for name in CLASSES))
