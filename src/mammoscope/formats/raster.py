"""Scans as plain pictures: PNG, TIFF, PGM, JPEG and WebP to arrays of grey levels.

The resolution that such files may carry ("dpi") is not read: screens and print programs write it at
will, and a wrong size in millimetres is worse than none.
"""

import io
import math
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mammoscope.core.errors import (
    CorruptFileError,
    MissingFileError,
    ScanError,
    UnknownFormatError,
)
from mammoscope.formats.codestream import frame_size
from mammoscope.formats.one_line import one_line

LARGEST_PX = 200_000_000
"""No mammogram has more pixels; the largest films of DDSM have about 36 million."""
_COMPRESSED_FRAMES = {
    tifffile.COMPRESSION.JPEG,
    tifffile.COMPRESSION.JPEG2000,
}
_COMPRESSIONS = _COMPRESSED_FRAMES | {
    tifffile.COMPRESSION.NONE,
    tifffile.COMPRESSION.LZW,
    tifffile.COMPRESSION.DEFLATE,
    tifffile.COMPRESSION.ADOBE_DEFLATE,
    tifffile.COMPRESSION.PACKBITS,
    tifffile.COMPRESSION.ZSTD,
    tifffile.COMPRESSION.LZMA,
}
LARGEST_BYTES = 8 * LARGEST_PX
_PGM_HEADER = re.compile(
    rb"^(P[25])(?:\s+#[^\n]*)*\s+(\d+)(?:\s+#[^\n]*)*\s+(\d+)(?:\s+#[^\n]*)*\s+(\d+)"
)


def is_raster(head: bytes) -> bool:
    """Tell by its first 16 bytes whether a file is one of the pictures read here."""
    return (
        head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*"))
        or (head[:2] in (b"P5", b"P2") and head[2:3].isspace())
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
    )


def read_raster(path: str | Path) -> NDArray[Any]:
    """Read a picture of grey levels.

    Returns
    -------
    ndarray of shape (rows, columns), uint8 or uint16 (float32 for TIFF of floats), as stored

    Raises
    ------
    MissingFileError
        When there is no such file.
    UnknownFormatError
        When it is none of these formats.
    CorruptFileError
        When it is damaged or cut short; nothing is ever filled up.
    ScanError
        When it is a picture in colour, of several pages, or too large.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"{file}: there is no such file.")
    if file.stat().st_size > LARGEST_BYTES:
        raise ScanError(f"{file}: {file.stat().st_size} bytes are more than any mammogram has.")
    try:
        with file.open("rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise MissingFileError(f"{file}: the file cannot be opened ({error.strerror}).") from error
    if not is_raster(head):
        raise UnknownFormatError(
            f"{file}: not a PNG, TIFF, PGM, JPEG or WebP picture; expected a mammogram in one of "
            "these formats or as DICOM."
        )
    if head[:2] in (b"P2", b"P5"):
        return _read_pgm(file)
    if head[:2] in (b"II", b"MM"):
        return _read_tiff(file)
    return _read_with_pillow(file)


def _read_pgm(path: Path) -> NDArray[Any]:
    data = path.read_bytes()
    header = _PGM_HEADER.match(data)
    if header is None:
        raise CorruptFileError(f"{path}: the heading of the PGM file is damaged; get it again.")
    columns, rows, top = (int(header[i]) for i in (2, 3, 4))
    _check_size(path, rows, columns)
    if not 0 < top < 65536:
        raise CorruptFileError(f"{path}: a PGM file cannot have {top} grey levels; get it again.")
    # PGM (netpbm): two bytes a sample, the high one first, when there are more than 256 levels.
    dtype = np.dtype(np.uint8) if top < 256 else np.dtype(">u2")
    if header[1] == b"P5":
        body = data[header.end() + 1 :]
        if len(body) < rows * columns * dtype.itemsize:
            raise CorruptFileError(
                f"{path}: {len(body)} of {rows * columns * dtype.itemsize} bytes of pixels are "
                "there; the file was cut short, get it again."
            )
        if len(body) == rows * columns * dtype.itemsize + 1:
            # DDSM's small views have a line feed too many before their pixels; which byte is too
            # many here nobody can tell.
            raise CorruptFileError(
                f"{path}: one byte more than {rows} x {columns} pixels need; save it again."
            )
        image = np.frombuffer(body, dtype, rows * columns)
    else:
        image = _plain_samples(path, data[header.end() :], rows * columns)
    if int(image.max()) > top:
        raise CorruptFileError(f"{path}: a pixel is larger than the file's {top}; get it again.")
    return image.reshape(rows, columns).astype(np.uint8 if top < 256 else np.uint16)


def _plain_samples(path: Path, body: bytes, count: int) -> NDArray[Any]:
    text = re.sub(rb"#[^\n]*", b"", body)
    words = text.split()
    # netpbm wants white space after each sample; without it the last may have lost digits.
    whole = len(words) > count or text[-1:].isspace()
    if len(words) < count or not whole or not all(word.isdigit() for word in words):
        raise CorruptFileError(
            f"{path}: {len(words)} of {count} pixels are there, or some are cut short or no "
            "numbers; get the file again."
        )
    return np.array(
        [min(int(word.lstrip(b"0")[:9] or b"0"), 65536) for word in words[:count]], dtype=np.int64
    )


def _read_tiff(path: Path) -> NDArray[Any]:
    try:
        with tifffile.TiffFile(path) as tiff:
            _check_pages(path, len(tiff.pages))
            # The page itself: what stands for it in a list of pages knows less.
            page = tiff.pages.first
            _check_page(path, page)
            _check_strips(page, path.stat().st_size)
            _check_frames(page, path)
            image = page.asarray()
            white_is_zero = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    except ScanError:
        raise
    except Exception as error:
        raise CorruptFileError(
            f"{path}: the TIFF file is damaged or cut short ({one_line(error)}); get it again."
        ) from error
    if white_is_zero and image.dtype.kind == "u":
        image = np.iinfo(image.dtype).max - image
    if not np.isfinite(image).all():
        raise ScanError(f"{path}: some values are not finite; save the scan with whole pixels.")
    return _one_channel(path, image)


def _read_with_pillow(path: Path) -> NDArray[Any]:
    try:
        # From memory: Pillow asks for as many bytes as a damaged PNG says, and a file gives room.
        stream = io.BytesIO(path.read_bytes())
        with warnings.catch_warnings(), Image.open(stream) as picture:
            # Pillow warns of sizes that are checked here, and of marks that carry no pixels.
            warnings.simplefilter("ignore")
            _check_size(path, picture.height, picture.width)
            _check_count(path, getattr(picture, "n_frames", 1))
            image = _pixels(stream.getvalue(), picture)
    except Image.DecompressionBombError as error:
        raise ScanError(
            f"{path}: far more pixels than a mammogram has ({one_line(error)})."
        ) from error
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        IndexError,
        EOFError,
        RuntimeError,
        struct.error,
    ) as error:
        raise CorruptFileError(
            f"{path}: the picture is damaged or cut short ({one_line(error)}); get it again."
        ) from error
    # WebP keeps brightness and colour apart, and rounding both makes grey a level off.
    return _one_channel(path, image, tolerance=1 if picture.format == "WEBP" else 0)


def _pixels(data: bytes, picture: Image.Image) -> NDArray[Any]:
    # Pillow cuts 16 bits to 8 where there is more than one channel; byte 24 of a PNG is its depth.
    if picture.format == "PNG" and data[24] == 16:
        return np.asarray(imagecodecs.png_decode(data))
    plain = picture.mode not in ("P", "PA", "CMYK", "YCbCr", "1")
    return np.asarray(picture if plain else picture.convert("RGB"))


def _check_count(path: Path, count: int) -> None:
    if count > 1:
        raise ScanError(f"{path}: a file of {count} pictures; save the mammogram as one picture.")


def _check_pages(path: Path, count: int) -> None:
    if count > 1:
        raise ScanError(f"{path}: a TIFF of {count} pages; save the mammogram as one page.")


def _check_page(path: Path, page: tifffile.TiffPage) -> None:
    """Refuse what is no grey image of a mammogram's size, before memory is taken for it."""
    _check_size(path, page.imagelength, page.imagewidth)
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        raise ScanError(
            f"{path}: a TIFF whose pixels are numbers of colours in a palette; save the mammogram "
            "in grey levels."
        )
    if page.compression not in _COMPRESSIONS:
        raise ScanError(
            f"{path}: a TIFF compressed in a way ({one_line(page.compression)}) that is not read "
            "here; save the mammogram uncompressed or with LZW."
        )
    dtype = page.dtype
    if dtype is None or dtype.kind not in "uf" or dtype.itemsize > {"u": 2, "f": 8}[dtype.kind]:
        raise ScanError(f"{path}: a TIFF of {dtype}; expected 8 or 16 bits or floats.")
    if page.samplesperpixel > 4 or page.imagedepth > 1:
        raise ScanError(
            f"{path}: a TIFF of {page.samplesperpixel} channels and {page.imagedepth} slices; save "
            "the mammogram as one image in grey levels."
        )


def _check_strips(page: tifffile.TiffPage, size: int) -> None:
    """Refuse a page whose strips or tiles are not all there: they would be filled up with black."""
    offsets, lengths = page.dataoffsets, page.databytecounts
    expected = math.prod(page.chunked)
    there = sum(
        0 < offset < offset + length <= size
        for offset, length in zip(offsets, lengths, strict=False)
    )
    if not there == len(offsets) == len(lengths) == expected:
        raise ValueError(f"{there} of {expected} strips are there")
    if page.compression == tifffile.COMPRESSION.NONE and sum(lengths) < page.nbytes:
        raise ValueError(f"{sum(lengths)} of {page.nbytes} bytes of pixels are there")


def _check_frames(page: tifffile.TiffPage, path: Path) -> None:
    """Refuse strips that say of themselves that they are larger than their place in the page."""
    if page.compression not in _COMPRESSED_FRAMES:
        return
    with path.open("rb") as stream:
        for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
            stream.seek(offset)
            own = frame_size(stream.read(length))
            if own is None or own.rows * own.columns > math.prod(page.chunks):
                raise ValueError(f"a strip of {own or 'no size'} in a place of {page.chunks}")


def _check_size(path: Path, rows: int, columns: int) -> None:
    if rows < 1 or columns < 1:
        raise CorruptFileError(f"{path}: the picture is {rows} x {columns} pixels; get it again.")
    if rows * columns > LARGEST_PX:
        raise ScanError(f"{path}: {rows} x {columns} pixels are more than any mammogram has.")


def _one_channel(path: Path, image: NDArray[Any], tolerance: int = 0) -> NDArray[Any]:
    """Take a grey picture out of equal colour channels; refuse real colour and transparency."""
    if image.ndim == 2:
        return image
    colours = image.shape[-1] if image.ndim == 3 else 0
    if colours in (2, 4):
        alpha = image[..., -1]
        if (alpha != np.iinfo(image.dtype).max).any():
            raise ScanError(f"{path}: the picture is partly transparent; a mammogram is not.")
        image = image[..., :-1]
    if image.ndim == 3 and image.shape[-1] in (1, 3):
        # Of three channels that differ by rounding the middle one (green) is nearest to the grey.
        grey = image[..., image.shape[-1] // 2]
        if (image.max(axis=-1) - image.min(axis=-1)).max(initial=0) <= tolerance:
            return np.ascontiguousarray(grey)
        raise ScanError(
            f"{path}: a picture in colour, such as a photograph or a screenshot; expected the grey "
            "levels of a mammogram."
        )
    raise ScanError(f"{path}: an array of shape {image.shape} is no two-dimensional scan.")
