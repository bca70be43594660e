"""Lossless JPEG (LJPEG; ITU-T T.81, process 14) to arrays, also as DDSM's own program writes it.

DDSM's files break the standard in their first line, and every library decodes them wrongly without
an error. `decode_ljpeg` reads both conventions. It goes through libjpeg-turbo where the result can
be proven (`ljpeg_quick`) and else through a plain decoder (`ljpeg_plain`); both give the same bits.
"""

import operator
import warnings
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, MammoscopeError, ScanError
from mammoscope.formats import ljpeg_quick
from mammoscope.formats.jpeg_markers import ScanData, Stream, read_stream
from mammoscope.formats.ljpeg_convention import is_archive
from mammoscope.formats.ljpeg_scan import planes_of, read_scan

Convention = Literal["auto", "t81", "archive"]
MOST_PLAIN = 1 << 26
"""Samples that the plain decoder takes on, at some 20 bytes each; the largest film of DDSM has 39
million. More than that only reach it in streams that are no films."""


def is_ljpeg(head: bytes) -> bool:
    """Tell by a file's first bytes (some hundred) whether it is a lossless JPEG stream."""
    place = 2
    if head[:2] != b"\xff\xd8":
        return False
    while place + 4 <= len(head) and head[place] == 0xFF:
        marker = head[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0xC3:
            return True
        if marker == 0xDA or marker < 0xC0:
            return False
        place += 2 + int.from_bytes(head[place + 2 : place + 4], "big")
    return False


def decode_ljpeg(
    data: bytes | bytearray | memoryview,
    rows: int | None = None,
    columns: int | None = None,
    *,
    convention: Convention = "auto",
    partial: bool = False,
) -> NDArray[Any]:
    """Decode a lossless JPEG stream.

    Parameters
    ----------
    data : the whole stream
    rows, columns : the size that another file states (the ``.ics`` of DDSM); both or neither. Where
        the stream's header has them exchanged, the samples are laid out anew in the order in which
        they are stored, unless the image is smoother when decoded under the given line length. Any
        other size of as many pixels is laid out too, with a warning, if that gives a smooth image.
    convention : how the first line is predicted and what a restart marker does: ``"t81"`` as the
        standard says, ``"archive"`` as the program behind DDSM does it. ``"auto"`` reads the
        beginning both ways: it takes the reading that stays in the range of the bits, or that is
        clearly smoother, or T.81 where the archive's program cannot have written the header or
        where fewer than 16 bits make an image by it; where nothing tells, it refuses (see
        `ljpeg_convention.is_archive`). Predictors 1, 4 and 5 without restarts are the same in both.
    partial : give the whole rows before the first fault of a damaged or cut-off stream, instead of
        an error; an error remains where there are none

    Returns
    -------
    ndarray of shape (rows, columns), or (rows, columns, components) where there are several; uint8
    for at most 8 bits a sample, else uint16; as stored

    Raises
    ------
    UnknownFormatError
        When the bytes are no lossless JPEG, or nothing tells the convention.
    CorruptFileError
        When the stream is damaged or cut short, or the size is another than was given. The message
        says how many rows are there.
    ScanError
        When it has more pixels than any mammogram.
    TypeError, ValueError
        When an argument is none of the above, such as a file's name in place of its bytes.

    Notes
    -----
    A stream of fewer than 16 bits whose differences are kept modulo 2^bits (some ultrasound devices
    write such) is told by its samples: at least one in a hundred leaves the range of its bits, and
    each time taking it modulo 2^bits brings it nearer to its neighbours; else it is damaged. A
    changed byte that leaves the number of pixels and their range as they were cannot be noticed.
    """
    if (rows is None) != (columns is None):
        raise ValueError("give both rows and columns, or neither")
    if convention not in get_args(Convention):
        # Any other word would pass for one of them, and give wrong pixels.
        raise ValueError(f"convention is {convention!r}, expected auto, t81 or archive")
    stream = read_stream(_octets(data))
    size = (stream.rows, stream.columns)
    wanted = size
    if rows is not None and columns is not None:
        # Numbers of numpy would overflow when multiplied.
        wanted = (operator.index(rows), operator.index(columns))
    if wanted[0] * wanted[1] != size[0] * size[1] or min(wanted) < 1:
        raise CorruptFileError(
            f"The LJPEG stream has {size[0]} x {size[1]} pixels, {wanted[0]} x {wanted[1]} were "
            "expected; check that it belongs to this record."
        )
    archive = is_archive(stream) if convention == "auto" else convention == "archive"
    image = _decode(stream, archive=archive, partial=partial)
    return image if wanted == size else _laid_out(stream, image, wanted, archive=archive)


def decode_film(
    data: bytes, rows: int | None, columns: int | None, *, of_ddsm: bool
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Decode a film as `decode_ljpeg` does; give the image, and what was warned of.

    Parameters
    ----------
    data, rows, columns : see `decode_ljpeg`
    of_ddsm : whether the file is named as DDSM names its films. Where its stream does not tell the
        convention, it is then the archive's; one that was written anew by another program tells.
        Where no size is given and the header's is wider than high, it has them exchanged: every
        film of DDSM is higher than wide.
    """
    convention: Convention = "auto"
    if of_ddsm:
        stream = read_stream(data)
        convention = _of_film(stream)
        if rows is None and stream.columns > stream.rows:
            rows, columns = stream.columns, stream.rows
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        image = decode_ljpeg(data, rows, columns, convention=convention)
    return image, tuple(str(warning.message) for warning in told)


def _of_film(stream: Stream) -> Convention:
    try:
        return "archive" if is_archive(stream) else "t81"
    except MammoscopeError:
        # What is wrong with the stream itself is said when it is decoded.
        return "archive"


def _octets(data: bytes | bytearray | memoryview) -> bytes:
    """Take bytes only: bytes() would make some of a number or of a path too."""
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(
            f"expected the bytes of a stream, such as path.read_bytes(), got {type(data).__name__}"
        ) from None
    if view.itemsize != 1:
        raise TypeError(f"expected single bytes, got items of {view.itemsize}")
    return data if isinstance(data, bytes) else view.tobytes()


def _decode(stream: Stream, *, archive: bool, partial: bool) -> NDArray[Any]:
    dtype = np.uint8 if stream.precision <= 8 else np.uint16
    planes: dict[int, NDArray[Any]] = {}
    for scan in stream.scans:
        for place, plane in zip(
            scan.places, _scan_planes(stream, scan, archive=archive, partial=partial), strict=True
        ):
            whole = plane << scan.point_transform if scan.point_transform else plane
            planes[place] = whole.astype(dtype, copy=False)
    if stream.components == 1:
        return planes[0]
    least = min(len(plane) for plane in planes.values())
    return np.stack([planes[i][:least] for i in range(stream.components)], axis=-1)


def _scan_planes(
    stream: Stream, scan: ScanData, *, archive: bool, partial: bool
) -> list[NDArray[Any]]:
    rows, columns = stream.rows, stream.columns
    bits = stream.precision - scan.point_transform
    size = ljpeg_quick.Size(rows=rows, columns=columns, bits=bits)
    if ljpeg_quick.is_quick(scan, size):
        image = ljpeg_quick.decode(scan, size, archive=archive)
        if image is not None:
            return [image]
    held = 8 * sum(map(len, scan.segments))
    if min(rows * columns * len(scan.places), held) > MOST_PLAIN:
        raise ScanError(
            f"The LJPEG stream of {rows} x {columns} pixels is damaged or no film, and too large "
            "to look into; get the file again."
        )
    found = read_scan(scan, rows * columns)
    whole = len(found.values) // (columns * len(scan.places))
    if found.fault and (not partial or not whole):
        raise CorruptFileError(
            f"The LJPEG stream is damaged or cut short: {whole} of {rows} rows are there "
            f"({found.fault}); get the file again."
        )
    return planes_of(scan, found.values, (whole, columns), bits, archive=archive)


def _laid_out(
    stream: Stream, image: NDArray[Any], wanted: tuple[int, int], *, archive: bool
) -> NDArray[Any]:
    """Lay out samples under another line length, in the order in which they are stored."""
    columns = wanted[1]
    whole = image.shape[0] * image.shape[1] // columns
    if not whole:
        raise CorruptFileError(
            f"The LJPEG stream is cut short: 0 of {wanted[0]} rows are there; get the file again."
        )
    flat = image.reshape(-1, *image.shape[2:])[: whole * columns]
    result = flat.reshape(whole, columns, *image.shape[2:])
    exchanged = wanted == (stream.columns, stream.rows)
    other = _under(stream, wanted, archive=archive)
    if other is not None and _unevenness(other) < _unevenness(result):
        result = other
    if not exchanged:
        if 2 * _unevenness(result) > _unevenness(result, max(1, len(result) // 3)):
            raise CorruptFileError(
                f"The LJPEG stream has {stream.rows} x {stream.columns} pixels and is no image "
                f"when laid out as the {wanted[0]} x {wanted[1]} that were expected; check that it "
                "belongs to this record."
            )
        warnings.warn(
            f"the LJPEG stream states {stream.rows} x {stream.columns} pixels and was laid out as "
            f"the {wanted[0]} x {wanted[1]} that were expected",
            stacklevel=3,
        )
    return result


def _under(stream: Stream, wanted: tuple[int, int], *, archive: bool) -> NDArray[Any] | None:
    """Decode as if only the numbers of the header were wrong; None where that gives no image."""
    other = replace(stream, rows=wanted[0], columns=wanted[1])
    try:
        # A stream that is cut short gives as many samples under either line length.
        return _decode(other, archive=archive, partial=True)
    except CorruptFileError:
        return None


def _unevenness(image: NDArray[Any], apart: int = 1) -> float:
    """Mean difference of rows that lie `apart`, over at most some 64 pairs of rows."""
    step = max(1, (len(image) - apart) // 64)
    upper = image[:-apart:step].astype(np.int32)
    lower = image[apart::step].astype(np.int32)
    return float(np.abs(upper - lower).mean()) if len(lower) else 0.0
