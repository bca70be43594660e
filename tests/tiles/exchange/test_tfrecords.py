"""The author's layout: read back by the reader of his published files."""

import numpy as np
import pytest

from mammoscope.archives.author_tiles import read
from mammoscope.archives.author_tiles_read import read_author_tiles
from mammoscope.core.errors import BadValueError, CorruptFileError, LayoutError, MissingFileError
from mammoscope.formats.tf_example import format_example, parse_example
from mammoscope.formats.tfrecord import read_records, write_records
from mammoscope.tiles.exchange.tfrecords import notes_on, streams_in
from mammoscope.tiles.exchange.trade import Format, Source, export_tiles, import_tiles
from mammoscope.tiles.store import TileSet
from mammoscope.tiles.tile import CLASSES


@pytest.fixture
def out(make_set, tmp_path):
    """An export of 12 tiles of the author's size: 6 to train, 4 test, 2 validation."""
    export_tiles(make_set(side=299), tmp_path / "out", Format.TFRECORD)
    return tmp_path / "out"


def test_the_files_are_named_and_divided_as_the_author_did(out):
    names = sorted(path.name for path in out.iterdir() if path.suffix in (".tfrecords", ".npy"))
    arrays = [f"{p}9_{w}.npy" for p in ("cv", "test") for w in ("data", "filenames", "labels")]
    assert names == [*arrays, *(f"training9_{i}.tfrecords" for i in range(5))]
    # ceil(6 / 5) = 2 a shard, until there are none.
    counts = [len(list(read_records(out / f"training9_{i}.tfrecords"))) for i in range(5)]
    assert counts == [2, 2, 2, 0, 0]


def test_the_reader_of_the_authors_files_sees_the_same_tiles(out, make_set):
    tiles = make_set("again", side=299)
    found = [read_author_tiles(out / f"training9_{i}.tfrecords") for i in range(5)]
    found.append(read_author_tiles(out / "cv9_data.npy"))
    found.append(read_author_tiles(out / "test9_data.npy"))
    order = [*tiles.rows_of("train"), *tiles.rows_of("validation"), *tiles.rows_of("test")]
    labels = [CLASSES.index(label) for label in tiles.table["label"][order].to_list()]
    assert np.concatenate([one.label for one in found]).tolist() == labels
    assert np.concatenate([one.label_normal for one in found]).tolist() == [
        int(label > 0) for label in labels
    ]
    assert np.array_equal(np.concatenate([one.images for one in found]), tiles.pixels(order))
    assert len(read(out).tables["files"]) == 7


def test_a_record_has_the_features_that_the_authors_programs_ask_for(out):
    record = next(read_records(out / "training9_0.tfrecords"))
    features = parse_example(record.data)
    assert set(features) == {"label", "label_normal", "image", "filename", "row"}
    assert features["label"].tolist() == [2]
    assert features["label_normal"].tolist() == [1]
    assert len(features["image"][0]) == 299 * 299
    assert features["filename"][0] == "s2".encode("utf-32-le")


def test_arrays_have_the_channel_that_the_authors_batches_want(out):
    data = np.load(out / "cv9_data.npy")
    assert (data.shape, data.dtype) == ((2, 299, 299, 1), np.uint8)
    assert np.load(out / "cv9_labels.npy").dtype == np.int64
    assert np.load(out / "cv9_filenames.npy").dtype.kind == "U"


def test_normal_tiles_are_called_normal_as_the_authors(out):
    # Tile 0 is normal and of the first patient, who is in the test part.
    assert np.load(out / "test9_filenames.npy")[0] == "NORMAL"


def test_a_recipe_with_a_name_has_no_number_in_its_files(make_set, tmp_path):
    export_tiles(make_set(recipe="strict"), tmp_path / "out", Format.TFRECORD)
    assert (tmp_path / "out" / "training_0.tfrecords").is_file()
    back = import_tiles(Source(folder=tmp_path / "out", kind=Format.TFRECORD), tmp_path / "back")
    assert back.provenance["recipe"] == "strict"


def test_another_size_is_told(make_set):
    assert "299 x 299 only" in notes_on(make_set("small"))[0]
    assert notes_on(make_set("large", side=299)) == ()


def test_a_label_that_the_author_has_no_number_for_is_refused(make_set, tmp_path):
    tiles = make_set()
    table = tiles.table.with_columns(label=tiles.table["label"].str.to_lowercase())
    other = TileSet(
        folder=tiles.folder, shards=tiles.shards, table=table, provenance=tiles.provenance
    )
    with pytest.raises(BadValueError, match="none of the five classes"):
        export_tiles(other, tmp_path / "out", Format.TFRECORD)
    assert not (tmp_path / "out").exists()


def test_the_authors_own_files_name_no_patient_and_are_refused(tmp_path):
    author = {
        "label": np.array([0]),
        "label_normal": np.array([0]),
        "image": [bytes(299 * 299)],
        "filename": ["NORMAL".encode("utf-32-le")],
    }
    write_records(tmp_path / "training9_0.tfrecords", [format_example(author)])
    source = Source(folder=tmp_path, kind=Format.TFRECORD)
    with pytest.raises(LayoutError, match="names no patient, as the author's own files do not"):
        import_tiles(source, tmp_path / "set")


def test_a_label_that_contradicts_its_row_is_refused(out):
    path = out / "training9_0.tfrecords"
    records = [parse_example(record.data) for record in read_records(path)]
    records[1]["label"] = np.array([1])
    write_records(path, [format_example(record) for record in records])
    with pytest.raises(CorruptFileError, match=r"record 1 at byte \d+ has label \[1\]"):
        list(streams_in(out)[0])


def test_arrays_of_other_lengths_are_refused(out):
    np.save(out / "test9_labels.npy", np.zeros(3, np.int64))
    with pytest.raises(CorruptFileError, match="4 tiles and labels of shape"):
        list(streams_in(out)[2])


def test_rows_that_are_cut_short_are_seen(out):
    path = out / "test9_rows.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(CorruptFileError, match="3 rows for 4 tiles"):
        list(streams_in(out)[2])


def test_arrays_without_their_rows_are_refused(out):
    (out / "test9_rows.jsonl").unlink()
    with pytest.raises(MissingFileError, match=r"test9_rows.jsonl: is missing"):
        list(streams_in(out)[2])


def test_a_folder_of_two_recipes_or_none_is_refused(out, tmp_path):
    (out / "training8_0.tfrecords").write_bytes(b"")
    with pytest.raises(LayoutError, match="found several recipes"):
        streams_in(out)
    with pytest.raises(LayoutError, match="found none"):
        streams_in(tmp_path)
