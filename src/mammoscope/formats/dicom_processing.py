"""Images FOR PROCESSING to something that looks like a mammogram: the logarithm of the exposure.

The pixels of such an image follow the X-rays that met the detector. DICOM says how: Pixel Intensity
Relationship (0028,1040) is LIN where they are proportional to the exposure and LOG where they are
proportional to its logarithm, and Pixel Intensity Relationship Sign (0028,1041) is 1 where more
exposure makes larger values and -1 where it makes smaller ones (PS3.3, C.8.11.3). By Beer and
Lambert, ``-ln(exposure / exposure of the open beam)`` is what the breast took away: thickness times
attenuation, dense tissue bright, air zero. This is the first step of every vendor's processing, and
here it is the only one: the vendor's equalisation, contrast and edges are not imitated, so a model
that learnt on images FOR PRESENTATION has never seen such a contrast.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from mammoscope.core.errors import ScanError
from mammoscope.formats.dicom_facts import whole_number
from mammoscope.formats.dicom_greys import padding_of
from mammoscope.formats.one_line import one_line

CONVERTED = (
    "an image FOR PROCESSING, converted by the logarithm of its exposure; "
    "its contrast is not that of the vendor's images FOR PRESENTATION"
)
"""Warning among the facts of a converted image."""


def attenuation(path: Path, header: Dataset, stored: NDArray[Any]) -> NDArray[np.float32]:
    """Convert the pixels of an image FOR PROCESSING.

    Parameters
    ----------
    path : only named in messages
    header : says how pixels follow the exposure
    stored : ndarray of shape (rows, columns), integers as stored

    Returns
    -------
    ndarray of the same shape, float32, 0 or more, dense tissue bright. From LIN: natural logarithm
    of the largest exposure over the pixel's; a pixel without any counts as one with the smallest
    that can be stored. From LOG: steps of the stored scale below the largest exposure. Padding
    is 0.

    Raises
    ------
    ScanError
        When the header does not say how pixels follow the exposure, or all are equal.
    """
    relation = str(header.get("PixelIntensityRelationship") or "").strip().upper()
    sign = whole_number(header, "PixelIntensityRelationshipSign")
    if relation not in ("LIN", "LOG") or sign not in (1, -1):
        raise ScanError(
            f"{path}: an image FOR PROCESSING whose header does not say how its pixels follow the "
            f"exposure (relationship {one_line(relation) or 'missing'}, sign {sign or 'missing'}; "
            "expected LIN or LOG, 1 or -1); use the image FOR PRESENTATION of the same exposure."
        )
    counts = stored.astype(np.float32)
    rising = counts if sign == 1 else _highest(header) - counts
    if relation == "LIN":
        # No logarithm of nothing: a pixel that caught no X-ray takes the smallest step.
        rising = np.log(np.maximum(rising, 1.0))
    padding = padding_of(header, stored)
    image = np.where(padding, 0, rising[~padding].max() - rising)
    if not image.any():
        raise ScanError(f"{path}: all pixels are equal; get the file again.")
    return np.asarray(image, dtype=np.float32)


def _highest(header: Dataset) -> int:
    """Return the largest value that the stored bits can hold."""
    bits = whole_number(header, "BitsStored")
    return (1 << (bits - 1 if whole_number(header, "PixelRepresentation") == 1 else bits)) - 1
