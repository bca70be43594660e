"""TFRecord files and the tf.train.Example messages in them, read and written without TensorFlow.

A record is its length (uint64, little-endian), a checksum of the length, the data, and a checksum
of the data. The checksums are CRC-32C (Castagnoli, RFC 3720), turned and shifted by a constant so
that a checksum of checksums stays sound ("masked").
Source: TensorFlow's page "TFRecord and tf.train.Example".
"""

import mmap
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError

HEAD = struct.Struct("<QI")
FOOT = struct.Struct("<I")
FRAME = HEAD.size + FOOT.size
"""Bytes that a record takes beside its data."""
_MASK = 0xA282EAD8
_PACKED = {b"PK\x03\x04": "a zip", b"\x1f\x8b": "a gzip"}


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its number from 0, the byte at which it begins, and its data."""

    number: int
    offset: int
    data: bytes


def masked_crc32c(data: bytes) -> int:
    """CRC-32C of `data`, masked as TFRecord files hold it."""
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def index_records(path: str | Path) -> NDArray[np.int64]:
    """Find where the records of a file lie, without reading their data.

    Returns
    -------
    ndarray of shape (records, 2), int64: byte at which each record begins, length of its data

    Raises
    ------
    MissingFileError
        When there is no such file.
    UnknownFormatError
        When it is packed.
    CorruptFileError
        When a length is damaged or the file is cut short.
    """
    file = _existing(path)
    with file.open("rb") as stream:
        _refuse_packed(file, stream.read(4))
        if not file.stat().st_size:
            return np.empty((0, 2), dtype=np.int64)
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
            found = list(_places(file, view))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def read_records(path: str | Path) -> Iterator[Record]:
    """Read the records of a file one after the other; both checksums of each are verified.

    Raises
    ------
    MissingFileError, UnknownFormatError
        As `index_records`.
    CorruptFileError
        When a record is damaged or cut short; the sentence has its number and its place.
    """
    file = _existing(path)
    with file.open("rb") as stream:
        _refuse_packed(file, stream.read(4))
        if not file.stat().st_size:
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
            for number, (offset, length) in enumerate(_places(file, view)):
                start = offset + HEAD.size
                data = view[start : start + length]
                (said,) = FOOT.unpack_from(view, start + length)
                if masked_crc32c(data) != said:
                    raise CorruptFileError(
                        f"{_place(file, number, offset)} has other data than its checksum says; "
                        "get the file again."
                    )
                yield Record(number, offset, data)


def write_records(path: str | Path, records: Iterable[bytes]) -> int:
    """Write records under a temporary name beside `path` and rename it; return their number.

    Raises
    ------
    OSError
        When the disk is full or the folder cannot be written; nothing is left behind then.
    """
    target = Path(path)
    count = 0
    with tempfile.NamedTemporaryFile(
        dir=target.parent, prefix=f".{target.name}.", suffix=".part", delete=False
    ) as stream:
        part = Path(stream.name)
        try:
            for data in records:
                length = struct.pack("<Q", len(data))
                stream.write(length + FOOT.pack(masked_crc32c(length)))
                stream.write(data + FOOT.pack(masked_crc32c(data)))
                count += 1
            stream.flush()
            part.chmod(0o644)
            part.replace(target)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    return count


def _existing(path: str | Path) -> Path:
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"{file}: there is no such file; give a TFRecord file.")
    return file


def _refuse_packed(file: Path, head: bytes) -> None:
    for magic, kind in _PACKED.items():
        if head.startswith(magic):
            raise UnknownFormatError(f"{file}: {kind} file, not TFRecords; unpack it first.")


def _places(file: Path, view: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield offset and data length of each record; only lengths are verified."""
    offset, size, number = 0, len(view), 0
    while offset < size:
        if size - offset < FRAME:
            raise CorruptFileError(
                f"{_place(file, number, offset)} is cut short; get the file again."
            )
        length, said = HEAD.unpack_from(view, offset)
        if masked_crc32c(view[offset : offset + 8]) != said:
            # The first record tells a file of another kind from a damaged one.
            what = "the file is no TFRecord file, or its" if number == 0 else "its"
            raise CorruptFileError(
                f"{_place(file, number, offset)} cannot be read: {what} length is damaged; get "
                "the file again."
            )
        if length > size - offset - FRAME:
            raise CorruptFileError(
                f"{_place(file, number, offset)} holds {size - offset - FRAME} of {length} bytes; "
                "the file was cut short, get it again."
            )
        yield offset, length
        offset += FRAME + length
        number += 1


def _place(file: Path, number: int, offset: int) -> str:
    return f"{file}: record {number} at byte {offset}"
