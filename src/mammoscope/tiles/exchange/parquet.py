"""Tiles for Hugging Face's `datasets`: Parquet with pictures inside, and a card.

``data/train-00000-of-00002.parquet`` and so on have a column ``image``, a struct of PNG ``bytes``
and a ``path``, ``label`` as the number of its class, and the index. The key ``huggingface`` in the
files' metadata tells the library which is which, so that it shows pictures and names.
Source: the library's documentation of its Image and ClassLabel features and of Parquet files.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.core.errors import CorruptFileError, LayoutError
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.exchange.entries import (
    BLOCK,
    POSITION,
    Entry,
    classes_of,
    columns_among,
    decode_tile,
    encode_png,
    row_from,
)
from mammoscope.tiles.store import SCHEMA, TileSet

FILE_TILES = 4096
GROUP_TILES = 4 * BLOCK
"""Tiles of a row group, which is held in memory while it is written or read."""
IMAGE = "image"
_FILE = re.compile(r"(?:(.+?)-)?\d+-of-\d+\.parquet|(.+)\.parquet")
_ARROW = {pl.String: ("string", pa.string()), pl.Float64: ("float64", pa.float64())}
_WHOLE = ("int64", pa.int64())
Stream = Iterator[Entry]


def write(tiles: TileSet, streams: dict[Split, Stream], folder: Path) -> None:
    """Write the streams of the splits into an empty folder; the card is `cards.write_readme`'s."""
    classes = classes_of(tiles)
    schema = _schema(classes)
    (folder / "data").mkdir()
    for split, entries in streams.items():
        files = -(-len(tiles.rows_of(split)) // FILE_TILES)
        for number in range(files):
            path = folder / "data" / f"{split}-{number:05d}-of-{files:05d}.parquet"
            with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
                for group in _groups(islice(entries, FILE_TILES)):
                    writer.write_table(_table(group, classes, schema))


def streams_in(folder: Path, named: Mapping[str, str]) -> Sequence[Stream]:
    """Open Parquet files, of `write` or of others; a stream a split, by the files' names.

    Parameters
    ----------
    named : our name of a column -> the files'

    Raises
    ------
    LayoutError
        When there are no such files.
    """
    place = folder / "data" if (folder / "data").is_dir() else folder
    files = sorted(path for path in place.iterdir() if _FILE.fullmatch(path.name))
    if not files:
        raise LayoutError(
            f"{place}: holds no files such as train-00000-of-00001.parquet; give the folder that "
            "does."
        )
    return [
        chain.from_iterable(_read(path, named) for path in list(group))
        for _, group in groupby(files, key=_start)
    ]


def _start(path: Path) -> str:
    found = _FILE.fullmatch(path.name)
    return (found[1] or "" if found[2] is None else found[2]) if found else ""


def _schema(classes: Sequence[str]) -> pa.Schema:
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [pa.field(IMAGE, picture), pa.field(POSITION, pa.int64())]
    features: dict[str, dict[str, Any]] = {
        IMAGE: {"_type": "Image"},
        POSITION: {"dtype": "int64", "_type": "Value"},
    }
    for name, kind in SCHEMA.items():
        word, arrow = _WHOLE if name == "label" else _ARROW.get(kind, _WHOLE)
        fields.append(pa.field(name, arrow))
        features[name] = {"dtype": word, "_type": "Value"}
    features["label"] = {"names": list(classes), "_type": "ClassLabel"}
    told = json.dumps({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": told})


def _groups(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while group := list(islice(entries, GROUP_TILES)):
        yield group


def _table(group: Sequence[Entry], classes: Sequence[str], schema: pa.Schema) -> pa.Table:
    rows = [
        {
            **entry.cells(),
            "label": classes.index(str(entry.row["label"])),
            IMAGE: {"bytes": encode_png(entry.pixels), "path": f"{entry.position:09d}.png"},
        }
        for entry in group
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _read(path: Path, named: Mapping[str, str]) -> Stream:
    number = 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            columns = columns_among(file.schema_arrow.names, named, str(path))
            if IMAGE not in file.schema_arrow.names:
                raise LayoutError(f"{path}: has no column 'image' with pictures; name another.")
            classes = _class_names(path, file.schema_arrow, columns["label"])
            for batch in file.iter_batches(BLOCK, columns=[IMAGE, *columns.values()]):
                for cells in batch.to_pylist():
                    told = {ours: cells[theirs] for ours, theirs in columns.items()}
                    yield _entry(f"{path}, row {number}", told, cells[IMAGE], classes)
                    number += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CorruptFileError(
            f"{path}: cannot be read ({str(error).splitlines()[0]}); get the file again."
        ) from error


def _class_names(path: Path, schema: pa.Schema, column: str) -> tuple[str, ...] | None:
    """Return the names of the classes that the library's metadata tell, if they do."""
    told = (schema.metadata or {}).get(b"huggingface")
    if told is None:
        return None
    try:
        names = json.loads(told)["info"]["features"][column].get("names")
        return None if names is None else tuple(str(name) for name in names)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(
            f"{path}: its metadata for Hugging Face are damaged; get the file again."
        ) from error


def _entry(
    where: str, cells: dict[str, Any], image: object, classes: Sequence[str] | None
) -> Entry:
    label = cells["label"]
    if classes is not None and isinstance(label, int):
        if not 0 <= label < len(classes):
            raise CorruptFileError(
                f"{where}: label {label} is none of {len(classes)} classes; get the file again."
            )
        cells["label"] = classes[label]
    data = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(data, bytes):
        raise CorruptFileError(
            f"{where}: holds no picture, at most the name of one; get a file with the pictures in."
        )
    position, row = row_from(cells, where)
    return Entry(position=position, row=row, pixels=decode_tile(data, where))
