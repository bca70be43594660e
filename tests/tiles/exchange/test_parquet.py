"""Parquet for Hugging Face, read by pyarrow as anybody would."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mammoscope.core.errors import AnnotationError, CorruptFileError, LayoutError
from mammoscope.tiles.exchange import parquet
from mammoscope.tiles.exchange.entries import encode_png
from mammoscope.tiles.exchange.trade import Format, Source, export_tiles, import_tiles
from mammoscope.tiles.tile import CLASSES


@pytest.fixture
def out(make_set, tmp_path):
    export_tiles(make_set(), tmp_path / "out", Format.HUGGINGFACE)
    return tmp_path / "out"


def foreign(path, label, image, metadata=None):
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("patient", pa.string()),
            ("label", pa.int64() if isinstance(label, int) else pa.string()),
            ("split", pa.string()),
        ],
        metadata=metadata,
    )
    row = {"image": image, "patient": "p", "label": label, "split": "test"}
    pq.write_table(pa.Table.from_pylist([row], schema=schema), path)


def test_the_metadata_tell_the_library_which_column_is_what(out):
    schema = pq.read_schema(out / "data/train-00000-of-00001.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == schema.names
    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"names": list(CLASSES), "_type": "ClassLabel"}
    assert features["top"] == {"dtype": "float64", "_type": "Value"}
    assert schema.field("label").type == pa.int64()
    assert str(schema.field("image").type) == "struct<bytes: binary, path: string>"


def test_a_row_holds_picture_class_and_index(out, make_set):
    tiles = make_set("again")
    rows = pq.read_table(out / "data/train-00000-of-00001.parquet").to_pylist()
    assert [row["position_in_set"] for row in rows] == tiles.rows_of("train").tolist()
    with Image.open(io.BytesIO(rows[1]["image"]["bytes"])) as picture:
        assert np.array_equal(np.asarray(picture), tiles.pixels([3])[0])
    assert rows[1]["image"]["path"] == "000000003.png"
    assert (rows[1]["label"], rows[1]["patient_id"]) == (3, "p1")


def test_files_and_row_groups_are_bounded(make_set, tmp_path, monkeypatch):
    tiles = make_set()
    monkeypatch.setattr(parquet, "FILE_TILES", 4)
    monkeypatch.setattr(parquet, "GROUP_TILES", 3)
    export_tiles(tiles, tmp_path / "out", Format.HUGGINGFACE)
    names = sorted(path.name for path in (tmp_path / "out/data").iterdir())
    assert names == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
        "validation-00000-of-00001.parquet",
    ]
    groups = pq.ParquetFile(tmp_path / "out/data" / names[1]).metadata.num_row_groups
    assert groups == 2
    back = import_tiles(Source(folder=tmp_path / "out", kind=Format.HUGGINGFACE), tmp_path / "b")
    assert back.provenance["files"] == tiles.provenance["files"]


def test_files_of_others_are_read_with_names_of_classes_or_without(tmp_path):
    image = {"bytes": encode_png(np.zeros((4, 4), np.uint8)), "path": None}
    told = {"info": {"features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    for number, (label, metadata, name) in enumerate(
        [(1, {"huggingface": json.dumps(told)}, "yes"), (1, None, "1"), ("mass", None, "mass")]
    ):
        place = tmp_path / str(number)
        place.mkdir()
        foreign(place / "test.parquet", label, image, metadata)
        made = import_tiles(Source(folder=place, kind=Format.HUGGINGFACE), tmp_path / f"s{number}")
        assert made.table["label"].to_list() == [name]


def test_a_class_that_has_no_name_is_refused(tmp_path):
    told = {"info": {"features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    foreign(tmp_path / "a.parquet", 2, {"bytes": b""}, {"huggingface": json.dumps(told)})
    with pytest.raises(CorruptFileError, match="row 0: label 2 is none of 2 classes"):
        list(parquet.streams_in(tmp_path, {})[0])


def test_a_picture_that_is_only_named_is_refused(tmp_path):
    foreign(tmp_path / "a.parquet", "x", {"bytes": None, "path": "a.png"})
    with pytest.raises(CorruptFileError, match="holds no picture, at most the name of one"):
        list(parquet.streams_in(tmp_path, {})[0])


def test_damaged_metadata_are_told(tmp_path):
    foreign(tmp_path / "a.parquet", 1, {"bytes": b""}, {"huggingface": "{}"})
    with pytest.raises(CorruptFileError, match="metadata for Hugging Face are damaged"):
        list(parquet.streams_in(tmp_path, {})[0])


def test_a_row_without_a_patient_is_refused(tmp_path):
    image = {"bytes": encode_png(np.zeros((4, 4), np.uint8)), "path": None}
    foreign(tmp_path / "a.parquet", "x", image)
    table = pq.read_table(tmp_path / "a.parquet").drop_columns("patient")
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(LayoutError, match="no column called patient_id"):
        list(parquet.streams_in(tmp_path, {})[0])
    columns = table.append_column("patient", pa.array([None], pa.string()))
    pq.write_table(columns, tmp_path / "a.parquet")
    with pytest.raises(AnnotationError, match="tells no patient_id"):
        list(parquet.streams_in(tmp_path, {})[0])


def test_a_table_without_pictures_is_refused(tmp_path):
    table = pa.table({"patient": ["p"], "label": ["x"], "split": ["test"]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(LayoutError, match="has no column 'image'"):
        list(parquet.streams_in(tmp_path, {})[0])


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(CorruptFileError, match=r"a.parquet: cannot be read"):
        list(parquet.streams_in(tmp_path, {})[0])


def test_a_folder_without_parquet_is_refused(tmp_path):
    with pytest.raises(LayoutError, match=r"holds no files such as train-00000-of-00001.parquet"):
        parquet.streams_in(tmp_path, {})
