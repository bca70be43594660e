"""Files that may be packed with gzip, as some copies of DDSM pack its images and outlines."""

import zlib
from pathlib import Path

from mammoscope.core.errors import CorruptFileError, MissingFileError

LARGEST_BYTES = 200_000_000
"""The largest films of DDSM have 39 million samples of two bytes before they are compressed."""
_GZIP = b"\x1f\x8b"


def read_packed(path: str | Path, largest: int = LARGEST_BYTES) -> bytes:
    """Read a file whole and unpack it where it is packed with gzip, whatever its name says.

    Parameters
    ----------
    path : file
    largest : how many bytes it may have, unpacked

    Raises
    ------
    MissingFileError
        When there is no such file, or it cannot be read.
    CorruptFileError
        When the packing is damaged or cut short, or the file is too large.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise MissingFileError(f"{file}: there is no such file.")
        if file.stat().st_size > largest:
            raise _too_large(file, largest)
        data = file.read_bytes()
    except OSError as error:
        raise MissingFileError(
            f"{file}: the file cannot be read ({error.strerror}); allow it, or get the file again."
        ) from error
    return _unpacked(file, data, largest) if data.startswith(_GZIP) else data


def _unpacked(path: Path, data: bytes, largest: int) -> bytes:
    # 16: the wrapping of gzip around zlib's stream.
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = unpack.decompress(data, largest + 1)
    except zlib.error as error:
        raise CorruptFileError(
            f"{path}: the gzip packing is damaged ({error}); get the file again."
        ) from error
    if len(content) > largest:
        raise _too_large(path, largest)
    if not unpack.eof:
        raise CorruptFileError(f"{path}: the gzip packing is cut short; get the file again.")
    return content


def _too_large(path: Path, largest: int) -> CorruptFileError:
    return CorruptFileError(
        f"{path}: more than {largest} bytes, no file of its kind has so many; get it again."
    )
