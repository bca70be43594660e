"""Places that archives mark, of whatever form, as masks and boxes in pixels of the scan."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.errors import InvalidDicomError
from scipy import ndimage

from mammoscope.core.errors import (
    CorruptFileError,
    MissingFileError,
    ScanError,
    UnknownFormatError,
)
from mammoscope.core.geometry import Box, Circle, MaskFile, Outline, Roi, bounding_box
from mammoscope.core.records import Finding
from mammoscope.formats.dicom_pixels import decode_pixels
from mammoscope.formats.one_line import one_line
from mammoscope.formats.raster import LARGEST_PX, is_raster, read_raster

ASPECT_TOLERANCE = 0.01
"""A mask of another size fits its scan when height / width differ by no more than this share."""

Shape = tuple[int, int]


def mask_of(roi: Roi, shape_px: Shape) -> NDArray[np.bool_]:
    """Draw a Roi.

    Parameters
    ----------
    roi : on the grid of the scan
    shape_px : (rows, columns) of the scan

    Returns
    -------
    ndarray of `shape_px`, bool. What lies outside the scan is cut off. An outline's own pixels
    belong to it; a box holds the pixels whose centres it covers; a circle those not farther from
    its centre than the radius.

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError
        When a mask's file cannot be read.
    ScanError
        When a mask has another shape than its scan, not only another size.
    """
    if isinstance(roi, MaskFile):
        return fitted(read_mask(roi.path), shape_px, roi.path)
    if isinstance(roi, Outline):
        return _filled(roi.points, shape_px)
    rows, columns = np.ogrid[: shape_px[0], : shape_px[1]]
    if isinstance(roi, Circle):
        inside = (rows - roi.row) ** 2 + (columns - roi.column) ** 2 <= roi.radius**2
    else:
        inside = ((rows >= roi.top) & (rows < roi.bottom)) & (
            (columns >= roi.left) & (columns < roi.right)
        )
    return np.asarray(inside, dtype=bool)


def box_of(roi: Roi, shape_px: Shape) -> Box:
    """Return the box round any Roi; a mask is read from its file for it.

    Raises
    ------
    ScanError
        When a mask is empty or does not fit the scan.
    """
    if not isinstance(roi, MaskFile):
        return bounding_box(roi)
    mask = mask_of(roi, shape_px)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ScanError(f"{roi.path}: the mask is empty; leave its finding out.")
    return Box(
        float(rows[0]),
        float(columns[0]),
        float(rows[-1] - rows[0] + 1),
        float(columns[-1] - columns[0] + 1),
    )


def boxed(findings: tuple[Finding, ...], shape_px: Shape) -> tuple[Finding, ...]:
    """Return the findings with masks and outlines replaced by their boxes; circles stay."""
    return tuple(
        replace(finding, roi=box_of(finding.roi, shape_px))
        if isinstance(finding.roi, MaskFile | Outline)
        else finding
        for finding in findings
    )


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Read a mask's file, DICOM or picture: True where it is not zero, on its own grid.

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError
        When the file cannot be read.
    """
    return np.asarray(read_stored(path) != 0, dtype=bool)


def read_stored(path: Path) -> NDArray[Any]:
    """Read the stored integers of a picture or of any DICOM image, whatever it shows.

    A mask or a cut-out is no mammogram, so `mammoscope.formats.dicom` refuses some of them.

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError
        When the file cannot be read.
    """
    try:
        if not path.is_file():
            raise MissingFileError(f"{path}: there is no such file.")
        with path.open("rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise MissingFileError(
            f"{path}: the file cannot be read ({error.strerror}); allow it, or get the file again."
        ) from error
    if is_raster(head):
        return read_raster(path)
    try:
        with warnings.catch_warnings():
            # pydicom warns of values against the standard; none of them matters for a mask.
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path)
            # Values are parsed when they are first asked for; damaged ones must fail here.
            header.decode()
    except InvalidDicomError as error:
        raise UnknownFormatError(
            f"{path}: neither a picture nor a DICOM file; expected a mask in one of these formats."
        ) from error
    except Exception as error:  # whatever meets pydicom first in damaged bytes
        raise CorruptFileError(
            f"{path}: the DICOM file is damaged or cut short ({one_line(error)}); get it again."
        ) from error
    if "PixelData" not in header:
        raise CorruptFileError(f"{path}: the file has no pixels; get it again.")
    return decode_pixels(path, header)


def fits(shape: Shape, other: Shape) -> bool:
    """Tell whether two shapes have the same aspect, so that one can be resized to the other."""
    return abs(shape[0] * other[1] / (shape[1] * other[0]) - 1) <= ASPECT_TOLERANCE


def fitted(mask: NDArray[np.bool_], shape_px: Shape, path: Path) -> NDArray[np.bool_]:
    """Bring a mask to the grid of its scan by nearest neighbour.

    Raises
    ------
    ScanError
        When the two differ in shape and not only in size.
    """
    rows, columns = mask.shape
    if (rows, columns) == shape_px:
        return mask
    if not fits((rows, columns), shape_px):
        raise ScanError(
            f"{path}: the mask has {rows} x {columns} pixels and its scan {shape_px[0]} x "
            f"{shape_px[1]}, another shape; its finding has no place that can be trusted."
        )
    by_row = ((np.arange(shape_px[0]) + 0.5) * rows / shape_px[0]).astype(np.intp)
    by_column = ((np.arange(shape_px[1]) + 0.5) * columns / shape_px[1]).astype(np.intp)
    return np.asarray(mask[by_row[:, None], by_column], dtype=bool)


def _filled(points: NDArray[np.float32], shape_px: Shape) -> NDArray[np.bool_]:
    """Fill an outline within its own box, so that a small one on a large scan costs little."""
    whole = np.zeros(shape_px, bool)
    top, left = (int(v) for v in np.floor(points.min(axis=0)))
    bottom, right = (int(v) for v in np.ceil(points.max(axis=0)))
    rows = slice(max(top, 0), min(bottom + 1, shape_px[0]))
    columns = slice(max(left, 0), min(right + 1, shape_px[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return whole
    _refuse_vast(top, left, bottom, right)
    canvas = Image.new("1", (right - left + 1, bottom - top + 1))
    # Pillow wants (x, y).
    corners = [(column - left, row - top) for row, column in np.rint(points).astype(int).tolist()]
    ImageDraw.Draw(canvas).line([*corners, corners[0]], fill=1)
    # Chain codes step from pixel to pixel, also aslant: what such a line keeps from the outside,
    # going straight from pixel to pixel, is inside.
    drawn = ndimage.binary_fill_holes(np.asarray(canvas, dtype=bool))
    whole[rows, columns] = drawn[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return whole


def _refuse_vast(top: int, left: int, bottom: int, right: int) -> None:
    if (bottom - top + 1) * (right - left + 1) > LARGEST_PX:
        raise ScanError(
            f"An outline from row {top}, column {left} to row {bottom}, column {right} is larger "
            "than any mammogram; leave its finding out."
        )
