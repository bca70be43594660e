"""DICOM mammograms: which files are one, their facts and their image.

`read_facts` reads the header alone. `read_dicom` also decodes the pixels of uncompressed, deflated,
RLE, JPEG lossless, JPEG-LS, JPEG 2000 and JPEG baseline files. What is no single two-dimensional
grey mammogram is refused by name.
"""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from mammoscope.core.errors import (
    CorruptFileError,
    MissingFileError,
    ScanError,
    UnknownFormatError,
)
from mammoscope.core.vocabulary import Intent
from mammoscope.formats.dicom_facts import DicomFacts, facts_of, whole_number
from mammoscope.formats.dicom_greys import Values, dense_bright, grey_levels
from mammoscope.formats.dicom_pixels import decode_pixels

__all__ = ["DicomImage", "Values", "read_dicom", "read_facts"]

MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"
"""Digital mammography, for presentation; with ``.1`` behind it, for processing."""
TOMOSYNTHESIS = {"1.2.840.10008.5.1.4.1.1.13.1.3", "1.2.840.10008.5.1.4.1.1.13.1.4"}
"""Breast tomosynthesis and breast projection X-ray: several frames by nature, even where one."""
PROJECTION = {"MG", "CR", "DX", "OT", "SC", "RG"}


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
    header, facts = _open(file, pixels=True)
    _refuse_others(file, header, facts, for_processing=for_processing)
    stored = decode_pixels(file, header)
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
        with warnings.catch_warnings():
            # pydicom warns of values against the standard; what matters here is checked by us.
            warnings.simplefilter("ignore")
            header: Dataset = pydicom.dcmread(
                path, stop_before_pixels=not pixels, force=_begins_at_once(path)
            )
            # Values are parsed when they are first asked for; do it where warnings are off.
            header.decode()
            return header, facts_of(header)
    except InvalidDicomError as error:
        raise UnknownFormatError(
            f"{path}: not a DICOM file (no DICM mark after the preamble); "
            "expected a mammogram as DICOM, PNG, TIFF or PGM."
        ) from error
    except Exception as error:  # whatever meets pydicom first in damaged bytes
        raise CorruptFileError(
            f"{path}: the DICOM file is damaged or cut short ({error}); get it again."
        ) from error


def _begins_at_once(path: Path) -> bool:
    """Tell whether a file is a data set without preamble, by the group of its first tag."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"\x02\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00")


def _refuse_others(path: Path, header: Dataset, facts: DicomFacts, *, for_processing: bool) -> None:
    """Refuse what is no single two-dimensional grey mammogram, and say what it is."""
    kind = str(header.get("SOPClassUID", ""))
    breast = "BREAST" in str(header.get("BodyPartExamined", "")).upper()
    if facts.modality is not None and facts.modality not in PROJECTION:
        raise ScanError(
            f"{path}: its modality is {facts.modality}, not a mammogram (MG); "
            "leave it out of the exam."
        )
    if "PixelData" not in header:
        raise CorruptFileError(
            f"{path}: the file has no pixels; it may be cut short, get it again."
        )
    if facts.modality != "MG" and not breast and not kind.startswith(MAMMOGRAPHY):
        raise ScanError(
            f"{path}: neither modality ({facts.modality or 'none'}) nor body part says that this "
            "is a mammogram; expected modality MG or body part BREAST."
        )
    frames = whole_number(header, "NumberOfFrames", 1)
    if frames > 1 or kind in TOMOSYNTHESIS:
        raise ScanError(
            f"{path}: a multi-frame image ({frames} frames, {_kind_name(header)}); only single "
            "two-dimensional mammograms are read, so export the two-dimensional view."
        )
    if whole_number(header, "SamplesPerPixel", 1) != 1:
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


def _kind_name(header: Dataset) -> str:
    uid = header.get("SOPClassUID")
    return str(uid.name) if uid else "unknown kind"
