"""Tiles of the author's files as arrays: pixels, labels and names.

Labels are integers by `CLASSES`; recipe 7 has them one-hot. `label_normal` is 0 for normal tiles
and 1 for all others. Names are the text of a NumPy string: UTF-32, little-endian.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, UnknownFormatError
from mammoscope.formats.npy import map_npy
from mammoscope.formats.tf_example import Feature, parse_example
from mammoscope.formats.tfrecord import Record, index_records, read_records

SIDE_PX = 299
CLASSES = (
    "NORMAL",
    "BENIGN_calcification",
    "BENIGN_mass",
    "MALIGNANT_calcification",
    "MALIGNANT_mass",
)
"""What the author's labels 0 to 4 mean."""
_PIXELS = ("data", "slices", "images")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AuthorTiles:
    """The tiles of one file.

    Attributes
    ----------
    images : ndarray of shape (tiles, 299, 299), uint8, 0 = black; of arrays mapped from the file
    label : ndarray of shape (tiles,), int64, 0 to 4 by `CLASSES`
    label_normal : ndarray of shape (tiles,), int64, 0 = normal, 1 = anything else
    names : file that a tile was cut from, or "NORMAL"; None where the file of names is missing
    """

    images: NDArray[np.uint8]
    label: NDArray[np.int64]
    label_normal: NDArray[np.int64]
    names: tuple[str, ...] | None


def read_author_tiles(path: str | Path) -> AuthorTiles:
    """Read a TFRecord file, or an array of tiles with its labels and names beside it.

    Raises
    ------
    MissingFileError
        When the file, or the labels of an array, is not there.
    UnknownFormatError
        When it is of another kind, packed, or holds Python objects.
    CorruptFileError
        When a record or an array is damaged, or labels contradict themselves.
    """
    file = Path(path)
    if file.suffix == ".npy":
        return _from_arrays(file)
    places = index_records(file)
    count = len(places)
    short = np.flatnonzero(places[:, 1] < SIDE_PX * SIDE_PX)
    if short.size:
        # Told before memory is taken for as many tiles as there are records.
        raise CorruptFileError(
            f"{file}: record {short[0]} at byte {places[short[0], 0]} is too short to hold a tile; "
            "expected one of the author's files of tiles."
        )
    images = np.empty((count, SIDE_PX, SIDE_PX), dtype=np.uint8)
    label = np.empty(count, dtype=np.int64)
    names: list[str] = []
    for number, (image, its_label, name) in enumerate(_tiles(file)):
        images[number], label[number] = image, its_label
        names.append(name)
    return AuthorTiles(
        images=images, label=label, label_normal=_not_normal(label), names=tuple(names)
    )


def verify_tiles(path: str | Path) -> NDArray[np.int64]:
    """Read every tile of a file as `read_author_tiles` does, but keep only the labels.

    Returns
    -------
    ndarray of shape (tiles,), int64, 0 to 4 by `CLASSES`

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError
        As `read_author_tiles`.
    """
    file = Path(path)
    if file.suffix == ".npy":
        return _from_arrays(file).label
    return np.array([label for _, label, _ in _tiles(file)], dtype=np.int64)


def read_labels(path: str | Path) -> NDArray[np.int64]:
    """Read the labels that lie beside an array of tiles.

    Returns
    -------
    ndarray of shape (tiles,), int64, 0 to 4 by `CLASSES`

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError
        As `read_author_tiles`.
    """
    file = _beside(Path(path), "labels")
    # One set has its labels in words and, under this name, in numbers.
    encoded = file.with_name(f"{file.stem}_enc.npy")
    if encoded.is_file() and not file.is_file():
        file = encoded
    return _labels(str(file), np.asarray(map_npy(file)))


def _from_arrays(file: Path) -> AuthorTiles:
    stored = map_npy(file)
    images = stored[..., 0] if stored.ndim == 4 and stored.shape[-1] == 1 else stored
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE_PX, SIDE_PX):
        raise UnknownFormatError(
            f"{file}: expected tiles of 8 bits and {SIDE_PX} x {SIDE_PX} pixels, found "
            f"{stored.dtype} of shape {stored.shape}; give one of the author's arrays of tiles."
        )
    label = read_labels(file)
    names = _names(_beside(file, "filenames"))
    for what, values in (("labels", label), ("names", names)):
        if values is not None and len(values) != len(images):
            raise CorruptFileError(
                f"{file}: {len(images)} tiles but {len(values)} {what}; get both files again."
            )
    return AuthorTiles(images=images, label=label, label_normal=_not_normal(label), names=names)


def _beside(file: Path, what: str) -> Path:
    """Name the file of labels or names that belongs to an array of tiles."""
    for word in _PIXELS:
        head, found, tail = file.name.rpartition(word)
        if found:
            return file.with_name(f"{head}{what}{tail}")
    raise UnknownFormatError(
        f"{file}: expected a name such as test9_data.npy or all_mias_slices9.npy, by which its "
        "labels are found; rename it."
    )


def _names(file: Path) -> tuple[str, ...] | None:
    if not file.is_file():
        return None
    names = map_npy(file)
    if names.dtype.kind != "U" or names.ndim != 1:
        raise UnknownFormatError(
            f"{file}: expected names as text, found {names.dtype} of shape {names.shape}; get it "
            "again."
        )
    return tuple(names.tolist())


def _tiles(file: Path) -> Iterator[tuple[NDArray[np.uint8], int, str]]:
    for record in read_records(file):
        yield _tile(f"{file}: record {record.number} at byte {record.offset}", record)


def _tile(where: str, record: Record) -> tuple[NDArray[np.uint8], int, str]:
    features = parse_example(record.data, where)
    pixels = _bytes(where, features, "image")
    if len(pixels) != SIDE_PX * SIDE_PX:
        raise CorruptFileError(
            f"{where} has {len(pixels)} bytes of pixels, not {SIDE_PX} x {SIDE_PX}; get the file "
            "again."
        )
    label = _whole_number(where, features, "label")
    normal = features.get("label_normal")
    if normal is not None and _whole_number(where, features, "label_normal") != min(label, 1):
        raise CorruptFileError(
            f"{where} has label {label} ({CLASSES[label]}) and another label_normal; do not use it."
        )
    try:
        name = _bytes(where, features, "filename").decode("utf-32-le").rstrip("\0")
    except UnicodeDecodeError as error:
        raise CorruptFileError(
            f"{where} has a filename that is no UTF-32 text; get the file again."
        ) from error
    image = np.frombuffer(pixels, dtype=np.uint8).reshape(SIDE_PX, SIDE_PX)
    return image, label, name


def _bytes(where: str, features: dict[str, Feature], name: str) -> bytes:
    values = features.get(name)
    if not isinstance(values, tuple) or len(values) != 1:
        raise CorruptFileError(
            f"{where} has no feature {name!r} of bytes; expected one of the author's tiles."
        )
    return values[0]


def _whole_number(where: str, features: dict[str, Feature], name: str) -> int:
    values = features.get(name)
    if not isinstance(values, np.ndarray) or values.dtype != np.int64 or not len(values):
        raise CorruptFileError(
            f"{where} has no feature {name!r} of whole numbers; expected one of the author's tiles."
        )
    return int(_labels(f"{where}, {name}", values.reshape(1, -1))[0])


def _labels(where: str, values: NDArray[Any]) -> NDArray[np.int64]:
    """Turn labels as numbers, one-hot rows or words into numbers of `CLASSES`."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype.kind == "U" and values.ndim == 1:
        known = {name: number for number, name in enumerate(CLASSES)}
        labels = np.array([known.get(str(word), -1) for word in values], dtype=np.int64)
    elif values.dtype.kind in "iufb" and values.ndim == 1:
        labels = np.array([_index(value) for value in values.tolist()], dtype=np.int64)
    elif values.dtype.kind in "iufb" and values.shape[1:] == (len(CLASSES),):
        hot = ((values == 0) | (values == 1)).all(axis=1) & (values.sum(axis=1) == 1)
        labels = np.where(hot, values.argmax(axis=1), -1).astype(np.int64)
    else:
        raise UnknownFormatError(
            f"{where}: expected a label a tile, found {values.dtype} of shape {values.shape}; get "
            "it again."
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < len(CLASSES)):
        wrong = int(np.flatnonzero((labels < 0) | (labels >= len(CLASSES)))[0])
        raise CorruptFileError(f"{where}: entry {wrong} is none of the five classes; get it again.")
    return labels


def _index(value: float) -> int:
    # -1 is no class: a label between two whole numbers is refused, not rounded.
    return int(value) if 0 <= value < len(CLASSES) and value == int(value) else -1


def _not_normal(label: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.minimum(label, 1)
