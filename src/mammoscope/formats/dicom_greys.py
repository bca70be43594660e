"""Stored integers of a DICOM mammogram to grey levels: tables, windows, polarity, padding."""

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.dicom_facts import whole_number

Values = Literal["modality", "display"]


def grey_levels(
    path: Path, header: Dataset, stored: NDArray[Any], values: Values, window: int
) -> NDArray[Any]:
    """Apply the header's tables and windows (DICOM PS3.3, C.11.1 and C.11.2).

    Parameters
    ----------
    path : only named in messages
    stored : ndarray of shape (rows, columns), integers
    values, window : see `mammoscope.formats.dicom.read_dicom`

    Returns
    -------
    ndarray of the same shape, integers, or float32 where the header rescales

    Raises
    ------
    CorruptFileError
        When a table or window cannot be applied.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # What a damaged table does to the values is checked below.
            warnings.simplefilter("ignore")
            image = apply_modality_lut(stored, header)
            if values == "display":
                if header.get("VOILUTSequence") and image.dtype.kind == "f":
                    # A table is entered with whole numbers; rescaling leaves floats.
                    image = np.rint(image).astype(np.int32)
                image = apply_voi_lut(image, header, index=window)
            if image.dtype.kind == "f":
                image = image.astype(np.float32)
    except Exception as error:  # whatever meets pydicom first in a damaged table
        raise CorruptFileError(
            f"{path}: its look-up table or window cannot be applied ({error}); "
            "read it without windows or get it again."
        ) from error
    if image.shape != stored.shape or not np.isfinite(image).all():
        raise CorruptFileError(
            f"{path}: its look-up table or rescaling gives no finite grey levels; get it again."
        )
    return np.asarray(image)


def dense_bright(
    header: Dataset, stored: NDArray[Any], image: NDArray[Any], values: Values
) -> tuple[NDArray[Any], bool]:
    """Turn the grey scale so that dense tissue is bright, and put padding to the dark end.

    Returns
    -------
    The image, and whether it was turned.
    """
    shape = str(header.get("PresentationLUTShape") or "").upper()
    inverted = header.PhotometricInterpretation == "MONOCHROME1"
    if values == "display" and not inverted and shape == "INVERSE":
        inverted = True
    padding = padding_of(header, stored)
    kept = ~padding
    if inverted:
        wide = image.astype(np.int32) if image.dtype.kind in "iu" else image
        # Any constant will do: a grey rule takes gain and offset away.
        image = wide[kept].max() - wide
    if padding.any():
        image = np.where(padding, image[kept].min(), image)
    return image, inverted


def padding_of(header: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which pixels are padding; none where all would be, for then the header is wrong."""
    none = np.zeros(stored.shape, dtype=bool)
    if header.get("PixelPaddingValue") is None:
        return none
    value = whole_number(header, "PixelPaddingValue")
    limit = whole_number(header, "PixelPaddingRangeLimit", value)
    found = np.asarray((stored >= min(value, limit)) & (stored <= max(value, limit)))
    return none if found.all() else found
