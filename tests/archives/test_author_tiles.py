"""The author's tiles: records and arrays as his programs made them, and what is told of them."""

import numpy as np
import pytest

from mammoscope.archives import author_tiles
from mammoscope.archives.author_tiles import check_tiles, is_here, read
from mammoscope.archives.author_tiles_read import read_author_tiles
from mammoscope.core.errors import (
    CorruptFileError,
    LayoutError,
    MissingFileError,
    UnknownFormatError,
)
from mammoscope.formats.tf_example import format_example
from mammoscope.formats.tfrecord import write_records

SIDE = 299


def tile(level):
    image = np.full((SIDE, SIDE), level, dtype=np.uint8)
    image[0, 1] = 255
    return image


def example(label, level=0, name="NORMAL", /, **other):
    features = {
        "label": np.array([label]),
        "label_normal": np.array([min(label, 1)]),
        "image": [tile(level).tobytes()],
        "filename": [name.encode("utf-32-le")],
        **other,
    }
    return format_example({key: value for key, value in features.items() if value is not None})


@pytest.fixture
def make_shard(tmp_path):
    def make(*records, number=0):
        write_records(tmp_path / f"training9_{number}.tfrecords", records)
        return tmp_path / f"training9_{number}.tfrecords"

    return make


@pytest.fixture
def make_arrays(tmp_path):
    def make(labels, images=None, names=None, *, head="test9_", word="data", tail=""):
        count = len(labels)
        stored = np.stack([tile(i) for i in range(count)])[..., None] if images is None else images
        np.save(tmp_path / f"{head}{word}{tail}.npy", stored)
        np.save(tmp_path / f"{head}labels{tail}.npy", np.array(labels))
        np.save(tmp_path / f"{head}filenames{tail}.npy", np.array(names or ["NORMAL"] * count))
        return tmp_path / f"{head}{word}{tail}.npy"

    return make


def told(problems):
    return " | ".join(f"{p.where} {p.what}" for p in problems)


def test_a_record_becomes_pixels_labels_and_a_name(make_shard):
    tiles = read_author_tiles(make_shard(example(0, 7), example(4, 9, "P_00001_LEFT_CC_Mass")))
    assert tiles.images.shape == (2, SIDE, SIDE)
    assert tiles.images.dtype == np.uint8
    # Rows come first: the mark lies at row 0, column 1.
    assert np.array_equal(tiles.images[1], tile(9))
    assert tiles.label.tolist() == [0, 4]
    assert tiles.label_normal.tolist() == [0, 1]
    assert tiles.names == ("NORMAL", "P_00001_LEFT_CC_Mass")


def test_recipe_7_has_its_labels_one_hot(make_shard):
    hot = np.array([0, 0, 0, 1, 0])
    tiles = read_author_tiles(make_shard(example(3, label=hot)))
    assert tiles.label.tolist() == [3]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image": [b"abc"]}, "too short to hold a tile"),
        ({"image": [bytes(SIDE * SIDE + 1)]}, "has 89402 bytes of pixels"),
        ({"label": np.array([5])}, "none of the five classes"),
        ({"label": np.array([0, 1, 1, 0, 0])}, "none of the five classes"),
        ({"label": np.array([1.0])}, "no feature 'label' of whole numbers"),
        ({"label_normal": np.array([0])}, r"label 2 \(BENIGN_mass\) and another label_normal"),
        ({"filename": [b"abc"]}, "no UTF-32 text"),
        ({"filename": None}, "no feature 'filename'"),
    ],
)
def test_a_record_that_is_no_tile_is_told_with_number_and_place(make_shard, change, sentence):
    path = make_shard(example(0), example(2, **change))
    with pytest.raises(CorruptFileError, match=rf"record 1 at byte \d+.*{sentence}"):
        read_author_tiles(path)


def test_a_file_of_many_empty_records_takes_no_memory(make_shard):
    path = make_shard(*[b""] * 1000)
    with pytest.raises(CorruptFileError, match="record 0 at byte 0 is too short"):
        read_author_tiles(path)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 4, 2],
        [0.0, 4.0, 2.0],
        [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 1, 0, 0]],
        ["NORMAL", "MALIGNANT_mass", "BENIGN_mass"],
    ],
)
def test_arrays_are_read_with_labels_in_any_of_their_forms(make_arrays, labels):
    tiles = read_author_tiles(make_arrays(labels, names=["a", "b", "c"]))
    assert tiles.label.tolist() == [0, 4, 2]
    assert tiles.label_normal.tolist() == [0, 1, 1]
    assert tiles.names == ("a", "b", "c")
    assert np.array_equal(tiles.images[2], tile(2))
    assert isinstance(tiles.images, np.memmap)


def test_the_mias_arrays_are_found_by_their_own_names(make_arrays):
    path = make_arrays([1, 0], head="all_mias_", word="slices", tail="9")
    assert path.name == "all_mias_slices9.npy"
    assert read_author_tiles(path).label.tolist() == [1, 0]


def test_labels_may_be_called_encoded(make_arrays):
    path = make_arrays([3], head="mias_test_", word="images")
    path.with_name("mias_test_labels.npy").rename(path.with_name("mias_test_labels_enc.npy"))
    assert read_author_tiles(path).label.tolist() == [3]


@pytest.mark.parametrize("labels", [[0, 5], [0, -1], [0, 1.5], [0, np.nan], ["NORMAL", "mass"]])
def test_labels_of_no_class_are_refused(make_arrays, labels):
    with pytest.raises(CorruptFileError, match=r"entry 1 is none of the five classes"):
        read_author_tiles(make_arrays(labels))


def test_arrays_of_different_lengths_are_refused(make_arrays):
    path = make_arrays([0, 1])
    np.save(path.with_name("test9_labels.npy"), np.array([0, 1, 2]))
    with pytest.raises(CorruptFileError, match="2 tiles but 3 labels"):
        read_author_tiles(path)
    assert "2 tiles and 3 labels" in told(read(path.parent).problems)


def test_missing_names_are_none_and_missing_labels_an_error(make_arrays):
    path = make_arrays([0])
    path.with_name("test9_filenames.npy").unlink()
    assert read_author_tiles(path).names is None
    path.with_name("test9_labels.npy").unlink()
    with pytest.raises(MissingFileError, match="test9_labels"):
        read_author_tiles(path)


def test_arrays_of_objects_and_of_other_shapes_are_refused(make_arrays):
    path = make_arrays([0])
    np.save(path, np.zeros((1, 64, 64), dtype=np.uint8))
    with pytest.raises(UnknownFormatError, match=r"8 bits and 299 x 299 .* \(1, 64, 64\)"):
        read_author_tiles(path)
    np.save(path, np.array([None]), allow_pickle=True)
    with pytest.raises(UnknownFormatError, match="Python objects"):
        read_author_tiles(path)


def test_the_archive_lists_its_files_without_opening_pixels(make_shard, make_arrays):
    folder = make_shard(example(0), example(1)).parent
    make_arrays([0])
    make_arrays([1, 2], head="cv9_")
    make_arrays([1], head="all_mias_", word="slices", tail="9")
    archive = read(folder)
    assert archive.tables["files"].rows() == [
        ("all_mias_slices9.npy", "9", "mias", 1),
        ("cv9_data.npy", "9", "validation", 2),
        ("test9_data.npy", "9", "test", 1),
        ("training9_0.tfrecords", "9", "train", 2),
    ]
    assert archive.scans() == ()
    seen = told(archive.problems)
    assert "missing: training9_1.tfrecords" in seen
    assert "1 tiles of recipe 9, test; the author counts 6011" in seen


def test_the_last_tile_of_each_shard_is_known_to_be_lost(make_shard, monkeypatch):
    for number in range(5):
        path = make_shard(example(0), number=number)
    monkeypatch.setattr(author_tiles, "TILES", {("9", "train"): 10})
    assert "5 of the 10 training tiles of recipe 9" in told(read(path.parent).problems)


def test_the_deep_check_counts_labels_and_names_damaged_files(make_shard, make_arrays):
    path = make_shard(example(0), example(4), example(4))
    make_arrays([0, 1])
    make_shard(example(0), number=1)
    damaged = bytearray(path.with_name("training9_1.tfrecords").read_bytes())
    damaged[5000] ^= 1
    path.with_name("training9_1.tfrecords").write_bytes(damaged)
    table, problems = check_tiles(path.parent)
    assert table.rows() == [
        ("test9_data.npy", "NORMAL", 1),
        ("test9_data.npy", "BENIGN_calcification", 1),
        ("training9_0.tfrecords", "NORMAL", 1),
        ("training9_0.tfrecords", "MALIGNANT_mass", 2),
    ]
    assert "training9_1.tfrecords record 0 at byte 0 has other data" in told(problems)


def test_a_damaged_file_is_a_problem_of_the_archive(make_shard):
    path = make_shard(example(0))
    path.write_bytes(path.read_bytes()[:-1])
    archive = read(path.parent)
    assert archive.tables["files"]["tiles"].to_list() == [None]
    assert "was cut short" in told(archive.problems)


def test_a_folder_without_such_files_is_refused(tmp_path):
    (tmp_path / "training.csv").write_text("")
    assert not is_here(tmp_path)
    assert not is_here(tmp_path / "absent")
    with pytest.raises(LayoutError, match="training9_0"):
        read(tmp_path)
