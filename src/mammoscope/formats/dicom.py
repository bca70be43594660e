"""DICOM mammograms: which files are one, their facts and their image.

`read_facts` reads the header alone. `read_dicom` also decodes the pixels of uncompressed, deflated,
RLE, JPEG lossless, JPEG-LS, JPEG 2000 and JPEG baseline files. What is no single two-dimensional
grey mammogram is refused by name.
"""

import io
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from mammoscope.core.errors import (
    CorruptFileError,
    MissingFileError,
    ScanError,
    UnknownFormatError,
)
from mammoscope.core.vocabulary import ForProcessing, Intent
from mammoscope.formats.dicom_facts import (
    FACT_TAGS,
    DicomFacts,
    facts_of,
    other_modality,
    unfit_pixels,
    unnamed_breast,
)
from mammoscope.formats.dicom_greys import Values, dense_bright, grey_levels
from mammoscope.formats.dicom_pixels import decode_pixels
from mammoscope.formats.dicom_processing import CONVERTED, attenuation
from mammoscope.formats.one_line import one_line

__all__ = ["DicomImage", "Values", "read_dicom", "read_facts"]

BEGINNING = 65_536
"""Bytes within which nearly every header ends."""
_FACT_TAGS = [tag for tag in map(tag_for_keyword, FACT_TAGS) if tag is not None]


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
    return _open(Path(path), pixels=False)[1]


def read_dicom(
    path: str | Path,
    *,
    values: Values = "modality",
    window: int = 0,
    for_processing: ForProcessing = "refuse",
    vouched: bool = False,
) -> DicomImage:
    """Read a DICOM mammogram.

    Parameters
    ----------
    values : "modality" applies the modality LUT or rescaling alone; "display" also the VOI LUT or
        window (DICOM PS3.3, C.11.1 and C.11.2)
    window : which of several VOI LUTs or windows
    for_processing : "refuse" images FOR PROCESSING, take them "raw" in the detector's scale, or
        "convert" them by the logarithm of their exposure (`mammoscope.formats.dicom_processing`),
        which the facts then warn of
    vouched : an archive says that this is a mammogram, so a header that was stripped of modality
        and body part will do

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError, MissingDecoderError
        When the file cannot be decoded. Pixels that are cut short are an error, never filled up.
    ScanError
        When it is not one two-dimensional grey mammogram.
    """
    file = Path(path)
    header, facts = _open(file, pixels=True)
    _refuse_others(file, header, vouched=vouched)
    raw = facts.intent is Intent.FOR_PROCESSING
    if raw and for_processing == "refuse":
        raise ScanError(
            f"{file}: an image FOR PROCESSING, with the detector's raw grey scale; "
            "use the image FOR PRESENTATION of the same exposure, or convert it."
        )
    stored = decode_pixels(file, header)
    if raw and for_processing == "convert":
        image = attenuation(file, header, stored)
        facts = replace(facts, warnings=(*facts.warnings, CONVERTED))
        return DicomImage(image=image, stored=stored, facts=facts)
    image = grey_levels(file, header, stored, values, window)
    image, turned = dense_bright(header, stored, image, values)
    if turned:
        note = "stored with dense tissue dark; turned"
        facts = replace(facts, warnings=(*facts.warnings, note))
    return DicomImage(image=image, stored=stored, facts=facts)


def _open(path: Path, *, pixels: bool) -> tuple[Dataset, DicomFacts]:
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file.")
    try:
        with warnings.catch_warnings(), path.open("rb") as stream:
            # pydicom warns of values against the standard; what matters here is checked by us.
            warnings.simplefilter("ignore")
            if not pixels:
                header = _facts_alone(stream)
            else:
                header = pydicom.dcmread(stream, force=_begins_at_once(stream))
                # Values are parsed when they are first asked for; do it where warnings are off.
                header.decode()
            return header, facts_of(header)
    except InvalidDicomError as error:
        raise UnknownFormatError(
            f"{path}: not a DICOM file (no DICM mark after the preamble); "
            "expected a mammogram as DICOM, PNG, TIFF or PGM."
        ) from error
    except PermissionError as error:
        raise MissingFileError(
            f"{path}: the file may not be opened; change its permissions or get it again."
        ) from error
    except Exception as error:  # whatever meets pydicom first in damaged bytes
        raise CorruptFileError(
            f"{path}: the DICOM file is damaged or cut short ({one_line(error)}); get it again."
        ) from error


def _facts_alone(stream: BinaryIO) -> Dataset:
    """Read what facts are made of from a file's beginning, in memory: pydicom is faster there.

    A header that does not end within it is read from the file.
    """
    beginning = io.BytesIO(stream.read(BEGINNING))
    whole = len(beginning.getbuffer()) < BEGINNING
    try:
        header = _tags_of(beginning)
        # pydicom stops before the group of the pixels.
        if whole or beginning.read(2) in (b"\xe0\x7f", b"\x7f\xe0"):
            return header
    except Exception:  # whatever a header that goes on meets first at its end
        if whole:
            raise
    stream.seek(0)
    return _tags_of(stream)


def _tags_of(stream: BinaryIO) -> Dataset:
    return pydicom.dcmread(
        stream,
        stop_before_pixels=True,
        force=_begins_at_once(stream),
        specific_tags=list(_FACT_TAGS),
    )


def _begins_at_once(stream: BinaryIO) -> bool:
    """Tell whether a file is a data set without preamble, by the group of its first tag."""
    first = stream.read(4)
    stream.seek(0)
    return first in (b"\x02\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00")


def _refuse_others(path: Path, header: Dataset, *, vouched: bool) -> None:
    """Refuse what is no single two-dimensional grey mammogram, and say what it is."""
    reason = other_modality(header)
    if reason is None and "PixelData" not in header:
        raise CorruptFileError(
            f"{path}: the file has no pixels; it may be cut short, get it again."
        )
    if not vouched:
        reason = reason or unnamed_breast(header)
    reason = reason or unfit_pixels(header)
    if reason is not None:
        raise ScanError(f"{path}: {reason}")
