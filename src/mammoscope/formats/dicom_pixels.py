"""The pixels of a DICOM file: every compression that mammograms come in, decoded exactly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from mammoscope.core.errors import CorruptFileError, MissingDecoderError, ScanError
from mammoscope.formats.codestream import FrameSize, frame_size
from mammoscope.formats.dicom_facts import whole_number
from mammoscope.formats.ljpeg import decode_ljpeg
from mammoscope.formats.one_line import one_line
from mammoscope.formats.raster import LARGEST_PX

IMPLICIT = "1.2.840.10008.1.2"
NATIVE = {
    IMPLICIT: "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.1.99": "<",
    "1.2.840.10008.1.2.2": ">",
}
RLE = "1.2.840.10008.1.2.5"


def _lossless(frame: bytes) -> NDArray[Any]:
    # libjpeg fills up or shifts what damage has left, without an error; this counts the pixels.
    return decode_ljpeg(frame, convention="t81")


JPEG: dict[str, Callable[[bytes], NDArray[Any]]] = {
    "1.2.840.10008.1.2.4.50": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.51": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.57": _lossless,
    "1.2.840.10008.1.2.4.70": _lossless,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.81": imagecodecs.jpegls_decode,
}
JPEG_2000: dict[str, Callable[[bytes], NDArray[Any]]] = {
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.91": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.201": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.202": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.203": imagecodecs.jpeg2k_decode,
}
DECODERS = JPEG | JPEG_2000
_END_OF_IMAGE = b"\xff\xd9"


def decode_pixels(path: Path, header: Dataset) -> NDArray[Any]:
    """Decode the pixels as stored integers of shape (rows, columns).

    Parameters
    ----------
    path : only named in messages
    header : of one grey image of a single frame, with its pixel data

    Raises
    ------
    CorruptFileError
        When pixels are missing or damaged, or the header does not fit them.
    ScanError
        When there are more of them than a mammogram has.
    MissingDecoderError
        When they are compressed in a way that cannot be decoded here.
    """
    _check_layout(path, header)
    shape = (whole_number(header, "Rows"), whole_number(header, "Columns"))
    name = header.file_meta.get("TransferSyntaxUID", IMPLICIT)
    if name not in NATIVE and name != RLE and name not in DECODERS:
        raise MissingDecoderError(
            f"{path}: pixels compressed as {one_line(getattr(name, 'name', name))} cannot be "
            "decoded here; "
            "save the file uncompressed or as JPEG lossless."
        )
    try:
        raw = _raw(header, str(name), shape)
    except Exception as error:  # whatever meets pydicom or a codec first in damaged bytes
        raise CorruptFileError(
            f"{path}: the pixels are damaged or cut short ({one_line(error)}); get the file again."
        ) from error
    if raw.shape != shape or raw.dtype.kind not in "ui":
        raise CorruptFileError(
            f"{path}: the pixels are {raw.shape}, the header says {shape}; get the file again."
        )
    return _trimmed(raw, header)


def _check_layout(path: Path, header: Dataset) -> None:
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored"):
        if whole_number(header, keyword) < 1:
            raise CorruptFileError(
                f"{path}: the header gives no usable {keyword}; get the file again."
            )
    rows, columns = whole_number(header, "Rows"), whole_number(header, "Columns")
    if rows * columns > LARGEST_PX:
        raise ScanError(f"{path}: {rows} x {columns} pixels are more than any mammogram has.")
    allocated, stored = whole_number(header, "BitsAllocated"), whole_number(header, "BitsStored")
    high = whole_number(header, "HighBit", stored - 1)
    if allocated not in (8, 16) or not stored - 1 <= high < allocated:
        raise CorruptFileError(
            f"{path}: {stored} bits up to bit {high} in cells of {allocated}; "
            "expected cells of 8 or 16 bits that hold them, so get the file again."
        )


def _raw(header: Dataset, syntax: str, shape: tuple[int, int]) -> NDArray[Any]:
    pixels: bytes = header.PixelData
    size = whole_number(header, "BitsAllocated") // 8
    if syntax in NATIVE:
        return _native(pixels, np.dtype(f"{NATIVE[syntax]}u{size}"), shape)
    frame = next(generate_frames(pixels, number_of_frames=1))
    if syntax == RLE:
        dtype = np.dtype(f"<u{size}")
        return _native(imagecodecs.dicomrle_decode(frame, dtype=dtype), dtype, shape)
    # A damaged size would make the decoder take memory, and time, for an image that is not there.
    own = frame_size(frame)
    if own != FrameSize(*shape, 1):
        raise ValueError(f"the pixels are {own or 'of no size'}, the header says {shape}")
    # Decoders fill up what is missing without an error, so the end must be there; JPEG and JPEG
    # 2000 have the same mark for it, and DICOM fills up to an even length behind it.
    frame = frame.rstrip(b"\0")
    if not frame.endswith(_END_OF_IMAGE):
        raise ValueError("the end of the compressed image is missing")
    return np.asarray(DECODERS[syntax](frame))


def _native(data: bytes | bytearray, dtype: np.dtype[Any], shape: tuple[int, int]) -> NDArray[Any]:
    count = shape[0] * shape[1]
    if len(data) < count * dtype.itemsize:
        raise ValueError(f"{len(data)} of {count * dtype.itemsize} bytes are there")
    found = np.frombuffer(data, dtype, count).reshape(shape)
    return found.astype(dtype.newbyteorder("="), copy=False)


def _trimmed(raw: NDArray[Any], header: Dataset) -> NDArray[Any]:
    """Take the stored bits out of their cells and give them their sign (DICOM PS3.5, 8.1.1)."""
    stored = whole_number(header, "BitsStored")
    high = whole_number(header, "HighBit", stored - 1)
    if raw.dtype.kind == "i":
        return raw
    unsigned = raw
    cell = raw.dtype.itemsize * 8
    if stored < cell:
        # Bits outside the stored ones may hold overlays; codecs of whole samples have none.
        shift = high + 1 - stored if high < cell else 0
        unsigned = (raw >> raw.dtype.type(shift)) & raw.dtype.type((1 << stored) - 1)
    if whole_number(header, "PixelRepresentation") != 1:
        return unsigned
    wide = unsigned.astype(np.int32)
    return np.where(wide >= 1 << (stored - 1), wide - (1 << stored), wide).astype(np.int16)
