"""Builder of DICOM mammograms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

EXPLICIT = "1.2.840.10008.1.2.1"
BIG = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"

DicomWriter = Callable[..., Path]


def jpeg(image: NDArray[Any], bits: int) -> bytes:
    """Encode with the lossy process at its best; squares of 8 x 8 equal pixels stay exact."""
    return imagecodecs.jpeg8_encode(image, level=100, bitspersample=bits)


def jpeg_lossless(predictor: int) -> Callable[[NDArray[Any], int], bytes]:
    return lambda image, bits: imagecodecs.jpeg8_encode(
        image, lossless=True, predictor=predictor, bitspersample=bits
    )


def jpeg_2000(image: NDArray[Any], bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(
        image, level=0, reversible=True, codecformat="J2K", bitspersample=bits
    )


ENCODERS: dict[str, Callable[[NDArray[Any], int], bytes]] = {
    "1.2.840.10008.1.2.4.50": jpeg,
    "1.2.840.10008.1.2.4.51": jpeg,
    "1.2.840.10008.1.2.4.57": jpeg_lossless(5),
    "1.2.840.10008.1.2.4.70": jpeg_lossless(1),
    "1.2.840.10008.1.2.4.80": lambda image, _: imagecodecs.jpegls_encode(image, level=0),
    "1.2.840.10008.1.2.4.81": lambda image, _: imagecodecs.jpegls_encode(image, level=0),
    "1.2.840.10008.1.2.4.90": jpeg_2000,
    "1.2.840.10008.1.2.4.91": jpeg_2000,
    "1.2.840.10008.1.2.4.201": lambda image, _: imagecodecs.htj2k_encode(image, reversible=True),
}


def header_of(image: NDArray[Any], bits: int) -> Dataset:
    header = Dataset()
    header.SOPClassUID = MAMMOGRAPHY
    header.SOPInstanceUID = "1.2.3.4"
    header.StudyInstanceUID = "1.2.3"
    header.Modality = "MG"
    header.PresentationIntentType = "FOR PRESENTATION"
    header.PatientID = "one"
    header.Rows, header.Columns = image.shape[:2]
    header.SamplesPerPixel = 1 if image.ndim == 2 else image.shape[2]
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = image.dtype.itemsize * 8
    header.BitsStored = bits
    header.HighBit = bits - 1
    header.PixelRepresentation = int(image.dtype.kind == "i")
    return header


def set_pixels(header: Dataset, image: NDArray[Any], syntax: str) -> None:
    # What lies above the stored bits of a signed pixel belongs to nobody; codecs want it empty.
    plain = image.view(image.dtype.str.replace("i", "u"))
    cells = plain & plain.dtype.type((1 << header.BitsStored) - 1)
    if syntax in ENCODERS:
        # Encoders of whole samples choose the bits of their stream by the array's type.
        narrow = cells.astype(np.uint8) if header.BitsStored <= 8 else cells
        header.PixelData = encapsulate([ENCODERS[syntax](narrow, header.BitsStored)])
        header["PixelData"].VR = "OB"
        return
    data = cells.astype(cells.dtype.newbyteorder(">" if syntax == BIG else "<")).tobytes()
    header.PixelData = data + b"\0" * (len(data) % 2)
    header["PixelData"].VR = "OB" if cells.dtype.itemsize == 1 else "OW"


def forms(syntax: str) -> dict[str, bool]:
    return {
        "is_implicit_VR": syntax == "1.2.840.10008.1.2",
        "is_little_endian": syntax != BIG,
    }


@pytest.fixture
def write_dicom(tmp_path: Path) -> DicomWriter:
    """Write a mammogram of these pixels; further keywords are DICOM's, None takes one away."""

    def write(
        image: NDArray[Any],
        *,
        name: str = "scan.dcm",
        syntax: str = EXPLICIT,
        bits: int | None = None,
        **tags: Any,
    ) -> Path:
        header = header_of(image, bits or image.dtype.itemsize * 8)
        set_pixels(header, image, EXPLICIT if syntax == RLE else syntax)
        for keyword, value in tags.items():
            if value is None:
                delattr(header, keyword)
            else:
                setattr(header, keyword, value)
        file = FileDataset(tmp_path / name, header, preamble=b"\0" * 128, **forms(syntax))
        file.file_meta = FileMetaDataset()
        file.file_meta.MediaStorageSOPClassUID = UID(MAMMOGRAPHY)
        file.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
        file.file_meta.TransferSyntaxUID = UID(EXPLICIT if syntax == RLE else syntax)
        if syntax == RLE:
            # A new identifier would be drawn by chance, of another length each time.
            file.compress(UID(RLE), generate_instance_uid=False)
        file.save_as(tmp_path / name, enforce_file_format=True)
        return tmp_path / name

    return write
