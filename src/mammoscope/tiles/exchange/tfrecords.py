"""Tiles as the author of the paper published his: TFRecords to train, arrays to test.

``training9_0.tfrecords`` to ``training9_4.tfrecords`` hold the training part, features ``label``,
``label_normal`` (int64), ``image`` (bytes, uint8, row by row) and ``filename`` (UTF-32,
little-endian); ``cv9_data.npy``, ``cv9_labels.npy`` and ``cv9_filenames.npy`` the validation part,
and ``test9_...`` the test (shape (tiles, side, side, 1), as his batches want it). A further feature
``row``, and ``cv9_rows.jsonl`` beside the arrays, keep the index, which his programs do not ask
for. The number is that of the recipe, none where it has a name.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.archives.author_tiles_read import SIDE_PX
from mammoscope.core.errors import BadValueError, CorruptFileError, LayoutError, MissingFileError
from mammoscope.core.vocabulary import Split
from mammoscope.formats.npy import map_npy
from mammoscope.formats.tf_example import format_example, parse_example
from mammoscope.formats.tfrecord import Record, read_records, write_records
from mammoscope.tiles.exchange.entries import Entry, from_json, row_from
from mammoscope.tiles.store import TileSet
from mammoscope.tiles.tile import CLASSES, NORMAL

SHARDS = 5
ARRAYS = {Split.VALIDATION: "cv", Split.TEST: "test"}
ROW, FILENAME = "row", "filename"
_SHARD = re.compile(r"training(\d*)_\d+\.tfrecords?")
Stream = Iterator[Entry]


def notes_on(tiles: TileSet) -> tuple[str, ...]:
    """Say what of the author's layout a set cannot keep."""
    side = tiles.shards[0].shape[1]
    if side == SIDE_PX:
        return ()
    return (
        f"The tiles have {side} x {side} pixels: TensorFlow reads them, but the author's own "
        f"programs read {SIDE_PX} x {SIDE_PX} only.",
    )


def write(tiles: TileSet, streams: dict[Split, Stream], folder: Path) -> None:
    """Write the streams of the splits into an empty folder.

    Parameters
    ----------
    streams : the tiles of each split, in the set's order

    Raises
    ------
    BadValueError
        When a label is none of the paper's classes: the author's integers have no other.
    """
    strange = set(tiles.table["label"].unique().to_list()) - set(CLASSES)
    if strange:
        raise BadValueError(
            f"{tiles.folder}: {', '.join(sorted(map(str, strange)))} is none of the five classes "
            "that the author's integers stand for; export to another format."
        )
    recipe = str(tiles.provenance["recipe"])
    number = recipe if recipe.isdigit() else ""
    count = len(tiles.rows_of(Split.TRAIN))
    records = (_record(entry) for entry in streams[Split.TRAIN])
    size = -(-count // SHARDS)
    for shard in range(SHARDS):
        write_records(folder / f"training{number}_{shard}.tfrecords", islice(records, size))
    for split, word in ARRAYS.items():
        _write_arrays(tiles, split, streams[split], folder / f"{word}{number}")


def streams_in(folder: Path) -> Sequence[Stream]:
    """Open an export of `write`; a stream a split.

    Raises
    ------
    LayoutError
        When there is no such export, or there are several.
    """
    shards = [path for path in folder.iterdir() if _SHARD.fullmatch(path.name)]
    numbers = {found[1] for path in shards if (found := _SHARD.fullmatch(path.name))}
    if len(numbers) != 1:
        raise LayoutError(
            f"{folder}: expected the shards training9_0.tfrecords and so on of one recipe, found "
            f"{'several recipes' if numbers else 'none'}; give another folder."
        )
    number = numbers.pop()
    streams: list[Stream] = [chain.from_iterable(_read_shard(path) for path in sorted(shards))]
    streams += [
        _read_arrays(folder / f"{word}{number}")
        for word in ARRAYS.values()
        if (folder / f"{word}{number}_data.npy").is_file()
    ]
    return streams


def _record(entry: Entry) -> bytes:
    label = CLASSES.index(str(entry.row["label"]))
    return format_example(
        {
            "label": np.array([label]),
            "label_normal": np.array([min(label, 1)]),
            "image": [entry.pixels.tobytes()],
            FILENAME: [_name(entry).encode("utf-32-le")],
            ROW: [json.dumps(entry.cells()).encode()],
        }
    )


def _name(entry: Entry) -> str:
    """Name the file that a tile was cut from; normal tiles have none, as the author's."""
    return NORMAL if entry.row["label"] == NORMAL else str(entry.row["scan_id"])


def _write_arrays(tiles: TileSet, split: Split, entries: Stream, start: Path) -> None:
    """Write data, labels, filenames and rows of a split; the data go straight to the disk."""
    side = tiles.shards[0].shape[1:]
    labels: list[int] = []
    names: list[str] = []
    data_path, rows_path = _beside(start, "data.npy"), _beside(start, "rows.jsonl")
    with data_path.open("wb") as data, rows_path.open("w", encoding="utf-8") as rows:
        shape = (len(tiles.rows_of(split)), *side, 1)
        head = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(data, head)
        for entry in entries:
            data.write(entry.pixels.tobytes())
            rows.write(json.dumps(entry.cells()) + "\n")
            labels.append(CLASSES.index(str(entry.row["label"])))
            names.append(_name(entry))
    np.save(_beside(start, "labels.npy"), np.array(labels, dtype=np.int64))
    np.save(_beside(start, "filenames.npy"), np.array(names, dtype=np.str_))


def _beside(start: Path, what: str) -> Path:
    return start.with_name(f"{start.name}_{what}")


def _read_shard(path: Path) -> Stream:
    for record in read_records(path):
        yield _entry(f"{path}: record {record.number} at byte {record.offset}", record)


def _entry(where: str, record: Record) -> Entry:
    features = parse_example(record.data, where)
    image, told, label = (features.get(name) for name in ("image", ROW, "label"))
    if not isinstance(told, tuple) or len(told) != 1:
        raise LayoutError(
            f"{where} names no patient, as the author's own files do not: nobody can tell whether "
            "a patient is in two splits, so it cannot become a tile set; build one from scans."
        )
    if not isinstance(image, tuple) or len(image) != 1:
        raise CorruptFileError(f"{where} has no feature 'image' of bytes; get the file again.")
    position, row = row_from(from_json(told[0], where), where)
    _check_label(where, row["label"], label.tolist() if isinstance(label, np.ndarray) else label)
    side = round(len(image[0]) ** 0.5)
    if not side or side * side != len(image[0]):
        raise CorruptFileError(f"{where} holds no square tile; get the file again.")
    pixels = np.frombuffer(image[0], dtype=np.uint8).reshape(side, side)
    return Entry(position=position, row=row, pixels=pixels)


def _check_label(where: str, name: object, numbers: object) -> None:
    if name not in CLASSES or numbers != [CLASSES.index(str(name))]:
        raise CorruptFileError(
            f"{where} has label {numbers} and is called {name}; do not use it, get it again."
        )


def _read_arrays(start: Path) -> Stream:
    paths = [_beside(start, name) for name in ("data.npy", "labels.npy", "rows.jsonl")]
    for path in paths:
        if not path.is_file():
            raise MissingFileError(
                f"{path}: is missing; without it nobody knows which tile is which, so get it again."
            )
    data, labels = map_npy(paths[0]), np.asarray(map_npy(paths[1]))
    _check_data(paths[0], data, labels)
    count = 0
    with paths[2].open("rb") as lines:
        for count, line in enumerate(lines, start=1):
            where = f"{paths[2]}, line {count}"
            if count > len(data):
                raise _other_number(paths[2], f"more rows than the {len(data)} tiles")
            position, row = row_from(from_json(line, where), where)
            _check_label(where, row["label"], [int(labels[count - 1])])
            pixels = np.array(data[count - 1]).reshape(data.shape[1:3])
            yield Entry(position=position, row=row, pixels=pixels)
    if count != len(data):
        raise _other_number(paths[2], f"{count} rows for {len(data)} tiles")


def _check_data(path: Path, data: NDArray[Any], labels: NDArray[Any]) -> None:
    if data.dtype != np.uint8 or data.ndim != 4 or data.shape[3] != 1:
        raise CorruptFileError(
            f"{path}: expected tiles of 8 bits, shape (tiles, side, side, 1), found {data.dtype} "
            f"of shape {data.shape}; export it again."
        )
    if labels.shape != data.shape[:1] or labels.dtype.kind not in "iu":
        raise _other_number(path, f"{data.shape[0]} tiles and labels of shape {labels.shape}")


def _other_number(path: Path, what: str) -> CorruptFileError:
    return CorruptFileError(f"{path}: {what}; get all files of this part again.")
