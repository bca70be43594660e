"""Tables of keys and values in the form of LevelDB, in which TensorFlow keeps its checkpoints.

A file is a row of blocks and a footer of 48 bytes: where the meta index and the index lie (four
numbers of variable length, padded to 40 bytes), then a magic number. A block is its contents, a
byte that says how they are packed (0 not, 1 Snappy) and a masked CRC-32C of both. Contents are
entries, sorted by key, each telling how much of the key before it repeats; then the places of the
entries that repeat nothing, and their number. The index is a block whose values are the places of
the data blocks.
Source: "Table format" of LevelDB's documentation (doc/table_format.md).
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import imagecodecs

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.formats.one_line import one_line
from mammoscope.formats.protobuf import varint
from mammoscope.formats.tfrecord import masked_crc32c

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
MOST_UNPACKED = 1 << 28
"""Bytes that a packed block may unpack to; TensorFlow's blocks have 256 KiB."""
_TRAILER = struct.Struct("<BI")
_U32_BYTES = 4
_PLAIN, _SNAPPY = 0, 1


class _Place(NamedTuple):
    """Where a block's contents lie in the file."""

    offset: int
    size: int


def read_table(path: str | Path) -> dict[bytes, bytes]:
    """Read every key and value of a table; the checksum of each block is verified.

    Returns
    -------
    dict of value by key, in the order of the keys

    Raises
    ------
    MissingFileError
        When there is no such file.
    UnknownFormatError
        When it does not end as such a table does, or its blocks are packed in an unknown way.
    CorruptFileError
        When it is damaged or cut short.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"{file}: there is no such file; check the path.")
    with file.open("rb") as stream:
        size = file.stat().st_size
        footer = _footer(file, stream, size)
        try:
            return dict(_entries_of_table(stream, _index_place(footer), size - FOOTER_BYTES))
        except ValueError as error:
            raise CorruptFileError(
                f"{file}: the table is damaged or cut short ({one_line(error)}); get it again."
            ) from error
        except UnknownFormatError as error:
            raise UnknownFormatError(f"{file}: {error}") from error


def is_table(path: Path) -> bool:
    """Tell whether a file ends as such a table does."""
    with path.open("rb") as stream:
        size = path.stat().st_size
        stream.seek(max(0, size - 8))
        return size >= FOOTER_BYTES and stream.read(8) == struct.pack("<Q", MAGIC)


def _footer(file: Path, stream: BinaryIO, size: int) -> bytes:
    if not is_table(file):
        raise UnknownFormatError(
            f"{file}: the file does not end as a table of TensorFlow does; it is another kind of "
            "file or was cut short, so get it again."
        )
    stream.seek(size - FOOTER_BYTES)
    return stream.read(FOOTER_BYTES)


def _index_place(footer: bytes) -> _Place:
    _, position = _place(footer, 0)
    return _place(footer, position)[0]


def _place(data: bytes, position: int) -> tuple[_Place, int]:
    offset, position = varint(data, position)
    size, position = varint(data, position)
    return _Place(offset, size), position


def _entries_of_table(stream: BinaryIO, index: _Place, end: int) -> Iterator[tuple[bytes, bytes]]:
    last: bytes | None = None
    for _, value in _entries(_contents(stream, index, end)):
        place, after = _place(value, 0)
        if after != len(value):
            raise ValueError("the index holds something else than places of blocks")
        for key, entry in _entries(_contents(stream, place, end)):
            if last is not None and key <= last:
                raise ValueError("the keys are not in their order")
            last = key
            yield key, entry


def _contents(stream: BinaryIO, place: _Place, end: int) -> bytes:
    """Read a block, verify its checksum and unpack it."""
    if place.offset + place.size + _TRAILER.size > end:
        raise ValueError("a block reaches beyond the end of the file")
    stream.seek(place.offset)
    block = stream.read(place.size + _TRAILER.size)
    if len(block) != place.size + _TRAILER.size:
        raise ValueError("a block is cut short")
    packing, said = _TRAILER.unpack_from(block, place.size)
    if masked_crc32c(block[: place.size + 1]) != said:
        raise ValueError(f"the block at byte {place.offset} is not what its checksum says")
    contents = block[: place.size]
    if packing == _PLAIN:
        return contents
    if packing == _SNAPPY:
        return _unpacked(contents)
    raise UnknownFormatError(
        f"its blocks are packed in a way that cannot be read here (number {packing}); save the "
        "checkpoint again without packing."
    )


def _unpacked(contents: bytes) -> bytes:
    said, _ = varint(contents, 0)
    if said > MOST_UNPACKED:
        raise ValueError(f"a block says that it unpacks to {said} bytes")
    try:
        return bytes(imagecodecs.snappy_decode(contents))
    except imagecodecs.SnappyError as error:
        raise ValueError(f"a block cannot be unpacked: {one_line(error)}") from error


def _entries(contents: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block's contents."""
    end = _end_of_entries(contents)
    position, key = 0, b""
    while position < end:
        shared, position = varint(contents, position)
        own, position = varint(contents, position)
        size, position = varint(contents, position)
        if shared > len(key) or own + size > end - position:
            raise ValueError("an entry reaches beyond its block")
        key = key[:shared] + contents[position : position + own]
        position += own
        yield key, contents[position : position + size]
        position += size


def _end_of_entries(contents: bytes) -> int:
    """Where the list of restarts begins."""
    if len(contents) < _U32_BYTES:
        raise ValueError("a block is too short")
    restarts = int.from_bytes(contents[-_U32_BYTES:], "little")
    end = len(contents) - _U32_BYTES * (restarts + 1)
    if end < 0:
        raise ValueError("a block is shorter than its list of restarts")
    return end
