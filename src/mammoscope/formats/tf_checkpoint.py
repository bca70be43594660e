"""TensorFlow's checkpoints of the second form ("V2"), read without TensorFlow.

`NAME.index` is a table (see `mammoscope.formats.sstable`) from the names of variables to messages
that say where their values lie; `NAME.data-0000K-of-0000N` are the values, one after the other.
The entry of the empty name is a header. Every tensor has a masked CRC-32C. The graph in
`NAME.meta` is not needed and never opened.
Source: tensorflow/core/protobuf/tensor_bundle.proto, tensor_shape.proto and types.proto, whose
numbers of fields and types are used here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.formats.one_line import one_line
from mammoscope.formats.protobuf import fields, message, whole_number
from mammoscope.formats.sstable import is_table, read_table
from mammoscope.formats.tfrecord import masked_crc32c

MOST_DIMENSIONS = 32
MOST_NUMBERS = 1 << 50
"""A variable that claims more dimensions or numbers than these is surely damaged."""
_BFLOAT16 = 14
_DTYPES: Mapping[int, str] = MappingProxyType(
    {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2", _BFLOAT16: "<u2"}
)
_OTHER_TYPES = MappingProxyType({7: "text", 10: "truth values", 4: "uint8", 20: "resources"})
_END = re.compile(r"\.(?:index|meta|data-\d{5}-of-\d{5})$")
_SLICE_KEY = b"\x00"
"""Begins the keys under which slices of a partitioned variable lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where the values of a variable lie.

    Attributes
    ----------
    type_number : TensorFlow's number of the type
    shape : lengths along each axis; () for a single number
    shard : number of the data file, from 0
    offset, size : first byte in that file and number of bytes
    checksum : masked CRC-32C of those bytes
    is_sliced : whether the values lie elsewhere, in several slices
    """

    type_number: int = 0
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    checksum: int = 0
    is_sliced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint's index says.

    Attributes
    ----------
    prefix : path that the files' names begin with, as in "model/NAME.ckpt"
    shards : number of data files
    entries : by name of the variable, in the order of the names
    """

    prefix: Path
    shards: int
    entries: Mapping[str, Entry]

    @property
    def files(self) -> tuple[Path, ...]:
        """The index and the data files, in this order."""
        return (_index_of(self.prefix), *map(self.data_file, range(self.shards)))

    def data_file(self, shard: int) -> Path:
        """Name of a data file; its number counts from 0."""
        ending = f".data-{shard:05d}-of-{self.shards:05d}"
        return self.prefix.with_name(self.prefix.name + ending)


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint's index.

    Parameters
    ----------
    path : what the files' names begin with ("model/NAME.ckpt"), or any one of the files

    Raises
    ------
    MissingFileError
        When the index or a data file is not there.
    UnknownFormatError
        When it is no checkpoint, one of the first form, or one of a machine or version whose
        checkpoints cannot be read.
    CorruptFileError
        When the index is damaged.
    """
    prefix = Path(path).with_name(_END.sub("", Path(path).name))
    index = _existing_index(prefix)
    table = read_table(index)
    try:
        shards = _shards_of(table.pop(b"", None))
        entries = {
            key.decode("utf-8"): _entry(value)
            for key, value in table.items()
            if not key.startswith(_SLICE_KEY)
        }
    except ValueError as error:
        raise CorruptFileError(
            f"{index}: the checkpoint's index is damaged ({one_line(error)}); get it again."
        ) from error
    except UnknownFormatError as error:
        raise UnknownFormatError(f"{index}: {error}") from error
    checkpoint = Checkpoint(prefix=prefix, shards=shards, entries=MappingProxyType(entries))
    for file in checkpoint.files[1:]:
        if not file.is_file():
            raise MissingFileError(
                f"{file}: the checkpoint's values are not beside its index; copy all its "
                f"{shards + 1} files into one folder."
            )
    return checkpoint


def read_tensor(checkpoint: Checkpoint, name: str) -> NDArray[Any]:
    """Read the values of one variable and verify their checksum.

    Returns
    -------
    ndarray of the variable's shape: float16, float32 (also for bfloat16), float64, int32 or int64

    Raises
    ------
    KeyError
        When the checkpoint has no such variable.
    UnknownFormatError
        When the variable is stored in slices or of a type that is not read here.
    CorruptFileError
        When the data file is cut short or its values are not those of the checksum.
    """
    entry = checkpoint.entries[name]
    dtype = _dtype(checkpoint, name, entry)
    file = checkpoint.data_file(entry.shard)
    wanted = prod(entry.shape) * dtype.itemsize
    if entry.size != wanted or not 0 <= entry.shard < checkpoint.shards or entry.offset < 0:
        raise CorruptFileError(
            f"{checkpoint.files[0]}: what it says of {name} contradicts itself ({entry.size} "
            f"bytes for the shape {entry.shape}); get the checkpoint again."
        )
    with file.open("rb") as stream:
        stream.seek(entry.offset)
        # The length may be damaged, so that reading so much could take all memory.
        fits = entry.offset + entry.size <= file.stat().st_size
        data = stream.read(entry.size) if fits else b""
    if len(data) != entry.size:
        raise CorruptFileError(
            f"{file}: the file ends before the values of {name} do; it was cut short, get it again."
        )
    if masked_crc32c(data) != entry.checksum:
        raise CorruptFileError(
            f"{file}: the values of {name} are not those of their checksum, so the file is damaged "
            "or of another checkpoint than its index; get both again."
        )
    values = np.frombuffer(data, dtype=dtype).reshape(entry.shape)
    if entry.type_number == _BFLOAT16:
        # The upper half of a float32.
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(dtype.newbyteorder("="))


def _index_of(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.index")


def _existing_index(prefix: Path) -> Path:
    index = _index_of(prefix)
    if index.is_file():
        return index
    if prefix.is_file() and is_table(prefix):
        raise UnknownFormatError(
            f"{prefix}: a checkpoint of TensorFlow's first form, one file, cannot be read here; "
            "load it in TensorFlow and save it in the second form (write_version V2)."
        )
    if prefix.is_dir():
        raise MissingFileError(
            f"{prefix}: this is a folder; give the checkpoint in it, as in {prefix}/NAME.ckpt."
        )
    raise MissingFileError(
        f"{index}: there is no such file; give what the names of a checkpoint's files begin with, "
        "as in model/NAME.ckpt."
    )


def _shards_of(header: bytes | None) -> int:
    """Read the header (BundleHeaderProto)."""
    if header is None:
        raise UnknownFormatError(
            "this table is no index of a checkpoint; give the .index file that TensorFlow's Saver "
            "wrote."
        )
    shards, is_big_endian, oldest_reader = 0, 0, 0
    for number, value in fields(header):
        if number == 1:
            shards = whole_number(value)
        elif number == 2:
            is_big_endian = whole_number(value)
        elif number == 3:
            versions = dict(fields(message(value)))
            oldest_reader = whole_number(versions.get(2, 0))
    if is_big_endian:
        raise UnknownFormatError(
            "the checkpoint was written on a big-endian machine; save it again on a usual one."
        )
    if oldest_reader > 1:
        raise UnknownFormatError(
            f"the checkpoint asks for readers of version {oldest_reader}, and this is one of "
            "version 1; save it with TensorFlow 1 or 2."
        )
    if not 1 <= shards <= 99999:
        raise ValueError(f"it names {shards} data files")
    return shards


def _entry(data: bytes) -> Entry:
    """Read what the index says of a variable (BundleEntryProto)."""
    numbers = {1: 0, 3: 0, 4: 0, 5: 0}
    shape: tuple[int, ...] = ()
    checksum, is_sliced = 0, False
    for number, value in fields(data):
        if number in numbers:
            numbers[number] = whole_number(value)
        elif number == 2:
            shape = _shape(message(value))
        elif number == 6:
            checksum = int.from_bytes(message(value), "little")
        elif number == 7:
            is_sliced = True
    return Entry(
        type_number=numbers[1],
        shape=shape,
        shard=numbers[3],
        offset=numbers[4],
        size=numbers[5],
        checksum=checksum,
        is_sliced=is_sliced,
    )


def _shape(data: memoryview) -> tuple[int, ...]:
    """Read a shape (TensorShapeProto); a length of 0 is left out of the file."""
    lengths = []
    for number, value in fields(data):
        if number == 2:
            dimension = dict(fields(message(value)))
            lengths.append(whole_number(dimension.get(1, 0)))
        elif number == 3 and whole_number(value):
            raise ValueError("a variable has no known shape")
    is_sane = len(lengths) <= MOST_DIMENSIONS and min(lengths, default=0) >= 0
    if not is_sane or prod(max(1, length) for length in lengths) > MOST_NUMBERS:
        raise ValueError(f"a variable has the shape {tuple(lengths)[:MOST_DIMENSIONS]}")
    return tuple(lengths)


def _dtype(checkpoint: Checkpoint, name: str, entry: Entry) -> np.dtype[Any]:
    index = checkpoint.files[0]
    if entry.is_sliced:
        raise UnknownFormatError(
            f"{index}: the variable {name} is stored in slices, which cannot be read here; save "
            "the checkpoint without partitioned variables."
        )
    if entry.type_number not in _DTYPES:
        kind = _OTHER_TYPES.get(entry.type_number, f"TensorFlow's type {entry.type_number}")
        raise UnknownFormatError(
            f"{index}: the variable {name} holds {kind}, and only floats of 16, 32 and 64 bits and "
            "integers of 32 and 64 bits are read here."
        )
    return np.dtype(_DTYPES[entry.type_number])
