"""DICOM files of made scans: identifiers from the seed, RLE frames, writing.

Every file says that it is simulated, in ImageComments and, where the archive leaves the name
free, in PatientName.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless

from mammoscope.simulate.truth import WARNING

MAKER = "mammoscope (simulated)"


def uid_from(rng: np.random.Generator) -> UID:
    """Make a UID of the root for UUIDs (DICOM PS3.5, B.2), as random as a version 4 UUID."""
    number = int.from_bytes(rng.bytes(16), "big")
    # RFC 9562, 5.4: four bits say version 4, two bits the variant.
    number = number & ~(0xF << 76) | (4 << 76)
    number = number & ~(0x3 << 62) | (2 << 62)
    return UID(f"2.25.{number}")


def uid_after(uid: str) -> UID:
    """Make another UID out of one; the same one makes the same."""
    number = int.from_bytes(sha256(uid.encode("ascii")).digest()[:8], "big")
    return uid_from(np.random.default_rng(number))


def new_header(sop_class: str, instance: UID) -> Dataset:
    """Make a header with what every file has: character set, class, instance and the warning."""
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID = sop_class
    header.SOPInstanceUID = instance
    header.Manufacturer = MAKER
    header.ImageComments = WARNING
    return header


def set_pixels(header: Dataset, image: NDArray[Any], *, bits: int, rle: bool) -> None:
    """Put an image of shape (rows, columns), uint8 or uint16, into a header as MONOCHROME2.

    `rle` packs it as CBIS-DDSM's files of today are, by RLE Lossless.
    """
    allocated = 8 * image.dtype.itemsize
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.Rows, header.Columns = image.shape
    header.BitsAllocated = allocated
    header.BitsStored = bits
    header.HighBit = bits - 1
    header.PixelRepresentation = 0
    header.file_meta = FileMetaDataset()
    if rle:
        header.file_meta.TransferSyntaxUID = RLELossless
        header.PixelData = encapsulate([rle_frame(image)])
        header["PixelData"].VR = "OB"
        return
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("<")).tobytes()
    header.PixelData = data + b"\0" * (len(data) % 2)
    header["PixelData"].VR = "OB" if allocated == 8 else "OW"


def save(header: Dataset, path: Path) -> None:
    """Write a header with its pixels as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.save_as(path, enforce_file_format=True)


def rle_frame(image: NDArray[Any]) -> bytes:
    """Pack an image of shape (rows, columns), uint8 or uint16, as DICOM RLE (PS3.5, Annex G).

    One segment a byte of the sample, the high one first, each row packed by itself.
    """
    big: NDArray[Any] = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder(">"))
    planes = big.view(np.uint8).reshape(*image.shape, image.dtype.itemsize)
    segments = []
    for plane in range(image.dtype.itemsize):
        packed = imagecodecs.packbits_encode(planes[:, :, plane].copy(), axis=-1)
        segments.append(packed + b"\0" * (len(packed) % 2))
    heading = np.zeros(16, "<u4")
    heading[0] = len(segments)
    place = heading.nbytes
    for number, segment in enumerate(segments, start=1):
        heading[number] = place
        place += len(segment)
    return heading.tobytes() + b"".join(segments)
