"""DICOM mammograms: headers by pydicom, pixels by imagecodecs.

`read_facts` reads the header alone. `read_dicom` also decodes the pixels of uncompressed, deflated,
RLE, JPEG lossless, JPEG-LS, JPEG 2000 and JPEG baseline files. What is no single two-dimensional
grey mammogram is refused by name.
"""

import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from mammoscope.core.errors import (
    CorruptFileError,
    MissingDecoderError,
    MissingFileError,
    ScanError,
    UnknownFormatError,
)
from mammoscope.core.vocabulary import Intent
from mammoscope.formats.dicom_facts import DicomFacts, facts_of

Values = Literal["modality", "display"]
MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"
"""Digital mammography, for presentation; with ``.1`` behind it, for processing."""
PROJECTION = {"MG", "CR", "DX", "OT", "SC", "RG"}
NATIVE = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.1.99": "<",
    "1.2.840.10008.1.2.2": ">",
}
RLE = "1.2.840.10008.1.2.5"
DECODERS: dict[str, Callable[[bytes], NDArray[Any]]] = {
    "1.2.840.10008.1.2.4.50": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.51": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.57": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.70": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.81": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.91": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.201": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.202": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.203": imagecodecs.jpeg2k_decode,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomImage:
    """A DICOM mammogram.

    Attributes
    ----------
    image : ndarray of shape (rows, columns); integers, or float32 where the header rescales; dense
        tissue is bright whatever the file's polarity
    stored : ndarray of the same shape: the integers as they are stored
    facts : of the header
    """

    image: NDArray[Any]
    stored: NDArray[Any]
    facts: DicomFacts


def read_facts(path: str | Path) -> DicomFacts:
    """Read the header of a DICOM file, not its pixels.

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError
        When the file is not there, is no DICOM file, or is cut short in its header.
    """
    return facts_of(_open(Path(path), pixels=False))


def read_dicom(
    path: str | Path,
    *,
    values: Values = "modality",
    window: int = 0,
    for_processing: bool = False,
) -> DicomImage:
    """Read a DICOM mammogram.

    Parameters
    ----------
    values : "modality" applies the modality LUT or rescaling alone; "display" also the VOI LUT or
        window (DICOM PS3.3, C.11.1 and C.11.2)
    window : which of several VOI LUTs or windows
    for_processing : take images FOR PROCESSING, whose grey scale is that of the detector

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError, MissingDecoderError
        When the file cannot be decoded. Pixels that are cut short are an error, never filled up.
    ScanError
        When it is not one two-dimensional grey mammogram.
    """
    file = Path(path)
    header = _open(file, pixels=True)
    facts = facts_of(header)
    _refuse_others(file, header, facts, for_processing=for_processing)
    stored = _decoded(file, header)
    image = _valued(file, header, stored, values, window)
    image, note = _dense_bright(header, stored, image, values)
    if note:
        facts = replace(facts, warnings=(*facts.warnings, note))
    return DicomImage(image=image, stored=stored, facts=facts)


def _open(path: Path, *, pixels: bool) -> Dataset:
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file.")
    try:
        with warnings.catch_warnings():
            # pydicom warns of values against the standard; what matters here is checked by us.
            warnings.simplefilter("ignore")
            header: Dataset = pydicom.dcmread(path, stop_before_pixels=not pixels)
            # Values are parsed when they are first asked for; do it where warnings are off.
            header.decode()
    except InvalidDicomError as error:
        raise UnknownFormatError(
            f"{path}: not a DICOM file (no DICM mark after the preamble); "
            "expected a mammogram as DICOM, PNG, TIFF or PGM."
        ) from error
    except (EOFError, OSError, ValueError, KeyError, AttributeError, struct.error) as error:
        raise CorruptFileError(
            f"{path}: the DICOM file is damaged or cut short ({error}); get it again."
        ) from error
    return header


def _refuse_others(path: Path, header: Dataset, facts: DicomFacts, *, for_processing: bool) -> None:
    """Refuse what is no single two-dimensional grey mammogram, and say what it is."""
    kind = str(header.get("SOPClassUID", ""))
    breast = "BREAST" in str(header.get("BodyPartExamined", "")).upper()
    if facts.modality is not None and facts.modality not in PROJECTION:
        raise ScanError(
            f"{path}: its modality is {facts.modality}, not a mammogram (MG); "
            "leave it out of the exam."
        )
    if facts.modality != "MG" and not breast and not kind.startswith(MAMMOGRAPHY):
        raise ScanError(
            f"{path}: neither modality ({facts.modality}) nor body part says that this is a "
            "mammogram; expected modality MG or body part BREAST."
        )
    frames = int(header.get("NumberOfFrames") or 1)
    if frames > 1:
        raise ScanError(
            f"{path}: a multi-frame image ({frames} frames, {_kind_name(header)}); only single "
            "two-dimensional mammograms are read, so export the two-dimensional view."
        )
    if int(header.get("SamplesPerPixel") or 1) != 1:
        raise ScanError(
            f"{path}: a colour image ({facts.photometric}); a mammogram has one grey channel."
        )
    if facts.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ScanError(
            f"{path}: photometric interpretation {facts.photometric!r}; "
            "expected MONOCHROME1 or MONOCHROME2."
        )
    if facts.intent is Intent.FOR_PROCESSING and not for_processing:
        raise ScanError(
            f"{path}: an image FOR PROCESSING, with the detector's raw grey scale; "
            "use the image FOR PRESENTATION of the same exposure."
        )
    if "PixelData" not in header:
        raise CorruptFileError(
            f"{path}: the file has no pixels; it may be cut short, get it again."
        )


def _kind_name(header: Dataset) -> str:
    uid = header.get("SOPClassUID")
    return str(uid.name) if uid else "unknown kind"


def _decoded(path: Path, header: Dataset) -> NDArray[Any]:
    """Decode the pixels as stored integers of shape (rows, columns)."""
    syntax = str(header.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
    shape = (int(header.Rows), int(header.Columns))
    allocated = int(header.BitsAllocated)
    if allocated not in (8, 16) or min(shape) < 1:
        raise CorruptFileError(
            f"{path}: {allocated} bits a pixel and {shape[0]} x {shape[1]} pixels; "
            "expected 8 or 16 bits and a size."
        )
    try:
        raw = _raw(header, syntax, shape, allocated)
    except (ValueError, RuntimeError, IndexError, struct.error, TypeError, EOFError) as error:
        raise CorruptFileError(
            f"{path}: the pixels are damaged or cut short ({error}); get the file again."
        ) from error
    if raw is None:
        name = header.file_meta.TransferSyntaxUID.name
        raise MissingDecoderError(
            f"{path}: pixels compressed as {name} cannot be decoded here; "
            "save the file uncompressed or as JPEG lossless."
        )
    if raw.shape != shape:
        raise CorruptFileError(
            f"{path}: the pixels are {raw.shape}, the header says {shape}; get the file again."
        )
    return _trimmed(raw, header)


def _raw(
    header: Dataset, syntax: str, shape: tuple[int, int], allocated: int
) -> NDArray[Any] | None:
    pixels: bytes = header.PixelData
    count = shape[0] * shape[1]
    order = NATIVE.get(syntax)
    if order:
        dtype = np.dtype(f"{order}u{allocated // 8}")
        if len(pixels) < count * dtype.itemsize:
            raise ValueError(f"{len(pixels)} of {count * dtype.itemsize} bytes are there")
        found = np.frombuffer(pixels, dtype, count).reshape(shape)
        return found.astype(dtype.newbyteorder("="), copy=False)
    if syntax != RLE and syntax not in DECODERS:
        return None
    frame = next(generate_frames(pixels, number_of_frames=1))
    if syntax == RLE:
        dtype = np.dtype(f"<u{allocated // 8}")
        data = imagecodecs.dicomrle_decode(frame, dtype=dtype)
        if len(data) < count * dtype.itemsize:
            raise ValueError(f"{len(data)} of {count * dtype.itemsize} bytes are there")
        return np.frombuffer(data, dtype, count).reshape(shape)
    return np.asarray(DECODERS[syntax](frame))


def _trimmed(raw: NDArray[Any], header: Dataset) -> NDArray[Any]:
    """Take the stored bits out of their cells and give them their sign (DICOM PS3.5, 8.1.1)."""
    stored, high = int(header.BitsStored), int(header.HighBit)
    signed = int(header.get("PixelRepresentation") or 0) == 1
    cell = raw.dtype.itemsize * 8
    if raw.dtype.kind == "i" or not 0 < stored <= cell:
        return raw
    unsigned = raw
    if high + 1 != stored or stored < cell:
        # Bits outside the stored ones may hold overlays; encoders of whole samples have none.
        shift = max(0, high + 1 - stored)
        mask = raw.dtype.type((1 << stored) - 1)
        unsigned = (raw >> raw.dtype.type(shift)) & mask
    if not signed:
        return unsigned
    wide = unsigned.astype(np.int32)
    return np.where(wide >= 1 << (stored - 1), wide - (1 << stored), wide).astype(np.int16)


def _valued(
    path: Path, header: Dataset, stored: NDArray[Any], values: Values, window: int
) -> NDArray[Any]:
    try:
        image = apply_modality_lut(stored, header)
        if values == "display":
            image = apply_voi_lut(image, header, index=window)
    except (ValueError, IndexError, KeyError, AttributeError, NotImplementedError) as error:
        raise CorruptFileError(
            f"{path}: its look-up table or window cannot be applied ({error}); "
            "read it without windows or get it again."
        ) from error
    return image.astype(np.float32) if image.dtype.kind == "f" else image


def _dense_bright(
    header: Dataset, stored: NDArray[Any], image: NDArray[Any], values: Values
) -> tuple[NDArray[Any], str | None]:
    """Turn the grey scale so that dense tissue is bright, and put padding to the dark end."""
    shape = str(header.get("PresentationLUTShape") or "").upper()
    inverted = header.PhotometricInterpretation == "MONOCHROME1"
    if values == "display" and not inverted and shape == "INVERSE":
        inverted = True
    padding = _padding(header, stored)
    if inverted:
        wide = image.astype(np.int32) if image.dtype.kind in "iu" else image
        kept = wide[~padding] if padding is not None and not padding.all() else wide
        # Any constant will do: a grey rule takes gain and offset away.
        turned = kept.max() - wide
        image = np.maximum(turned, 0) if padding is not None else turned
    if padding is not None and padding.any() and not padding.all():
        image = np.where(padding, image[~padding].min(), image)
    return image, "stored with dense tissue dark; turned" if inverted else None


def _padding(header: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    value = header.get("PixelPaddingValue")
    if value is None:
        return None
    limit = header.get("PixelPaddingRangeLimit", value)
    low, high = sorted((int(value), int(limit)))
    return np.asarray((stored >= low) & (stored <= high))
