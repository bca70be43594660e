"""The only road from a scan to a network's input; the contract's input half alone decides it.

Training, evaluation and reading all call `prepare`, so none of them can see another picture than
the others do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mammoscope.core.contract import InputSpec
from mammoscope.core.errors import ShapeError, SpacingError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Spacing
from mammoscope.scans.breast import breast_mask, chest_wall_is_left
from mammoscope.scans.greys import grey_rule

FINEST_MM, COARSEST_MM = 0.01, 2.0
LEAST_SIDE_MM, LARGEST_SIDE_MM = 30.0, 600.0
"""The largest films are 300 mm long, the longest scans of CBIS-DDSM 350 mm."""
SKIN_MARGIN_MM = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A network's input and the way back to the scan it came from.

    Attributes
    ----------
    image : ndarray of shape (rows, columns), float32 in the contract's value range, and its
        lower end, which is black, outside the breast; both sides are multiples of the contract's
        `multiple_px`
    breast : ndarray of the same shape, bool: where the breast is
    spacing_mm : side of an input pixel
    origin_px : (row, column) of `image`'s first pixel on the resampled scan, after mirroring
    grid_px : (rows, columns) of the resampled scan
    mirrored : whether left and right were exchanged
    scan_spacing_mm : (row, column) spacing of the scan's own grid
    """

    image: NDArray[np.float32]
    breast: NDArray[np.bool_]
    spacing_mm: float
    origin_px: tuple[int, int]
    grid_px: tuple[int, int]
    mirrored: bool
    scan_spacing_mm: Spacing

    def point_to_scan(self, row: float, column: float) -> tuple[float, float]:
        """Carry a point of `image` (pixel centres are integers) to the scan's own grid."""
        row, column = row + self.origin_px[0], column + self.origin_px[1]
        if self.mirrored:
            column = self.grid_px[1] - 1 - column
        return (
            (row + 0.5) * self.spacing_mm / self.scan_spacing_mm[0] - 0.5,
            (column + 0.5) * self.spacing_mm / self.scan_spacing_mm[1] - 0.5,
        )

    def point_from_scan(self, row: float, column: float) -> tuple[float, float]:
        """Carry a point of the scan's own grid to `image`; the inverse of `point_to_scan`."""
        row = (row + 0.5) * self.scan_spacing_mm[0] / self.spacing_mm - 0.5
        column = (column + 0.5) * self.scan_spacing_mm[1] / self.spacing_mm - 0.5
        if self.mirrored:
            column = self.grid_px[1] - 1 - column
        return row - self.origin_px[0], column - self.origin_px[1]

    def box_to_scan(self, box: Box) -> Box:
        """Carry a box of `image` to the scan's own grid."""
        return _box_between(self.point_to_scan, box)

    def box_from_scan(self, box: Box) -> Box:
        """Carry a box of the scan's own grid to `image`."""
        return _box_between(self.point_from_scan, box)

    def to_grid(self, values: NDArray[np.generic], fill: float = 0.0) -> NDArray[np.generic]:
        """Lay an array of `image`'s shape back on the whole resampled scan, as it was acquired.

        Returns an array of shape `grid_px`, with `fill` where `image` does not reach.
        """
        whole = np.full(self.grid_px, fill, values.dtype)
        top, left = self.origin_px
        part = values[: self.grid_px[0] - top, : self.grid_px[1] - left]
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        return whole[:, ::-1] if self.mirrored else whole


def _box_between(carry: Callable[[float, float], tuple[float, float]], box: Box) -> Box:
    # A box's edges lie half a pixel outside its first and last pixel centres.
    first = carry(box.top - 0.5, box.left - 0.5)
    last = carry(box.bottom - 0.5, box.right - 0.5)
    top, bottom = sorted((first[0], last[0]))
    left, right = sorted((first[1], last[1]))
    return Box(top + 0.5, left + 0.5, bottom - top, right - left)


def resample(image: NDArray[np.generic], spacing_mm: Spacing, to_mm: float) -> NDArray[np.float32]:
    """Resample an image to square pixels of side `to_mm`.

    Shrinking averages over the new pixel (a triangle filter as wide as the step), so nothing
    aliases. The first corner stays where it is; a rest of less than one new pixel at the far edges
    is cut off, so that the new spacing is exact.

    Raises
    ------
    SpacingError
        When a spacing lies outside what a mammogram can have.
    ShapeError
        When `image` is not two-dimensional or smaller than one new pixel.
    """
    if image.ndim != 2:
        raise ShapeError(f"a scan has two dimensions, this array has the shape {image.shape}")
    if not all(FINEST_MM <= value <= COARSEST_MM for value in (*spacing_mm, to_mm)):
        raise SpacingError(
            f"a spacing of {spacing_mm[0]:g} x {spacing_mm[1]:g} mm is not one of a mammogram "
            f"({FINEST_MM:g} to {COARSEST_MM:g} mm are taken); give the right one with --spacing-um"
        )
    rows = int(image.shape[0] * spacing_mm[0] / to_mm + 1e-6)
    columns = int(image.shape[1] * spacing_mm[1] / to_mm + 1e-6)
    if min(rows, columns) < 1:
        raise ShapeError(f"a scan of {image.shape} pixels is smaller than one pixel of {to_mm} mm")
    used = (0.0, 0.0, columns * to_mm / spacing_mm[1], rows * to_mm / spacing_mm[0])
    used = (0.0, 0.0, min(used[2], image.shape[1]), min(used[3], image.shape[0]))
    picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    small = picture.resize((columns, rows), Image.Resampling.BILINEAR, box=used)
    return np.asarray(small, dtype=np.float32)


def prepare(spec: InputSpec, image: NDArray[np.generic], spacing_mm: Spacing) -> Prepared:
    """Turn a scan into the input of a network with the contract `spec`.

    Resampling to the contract's spacing, breast mask, orientation, grey rule, then the part round
    the breast is cut out and everything outside the breast (with 2 mm of air) becomes black: the
    lower end of the contract's value range.

    Parameters
    ----------
    spec : the input half of the model's contract
    image : ndarray of shape (rows, columns), any real type, dense tissue bright
    spacing_mm : (row, column) distance between pixel centres

    Raises
    ------
    SpacingError, ShapeError
        See `resample`.
    ScanError
        When no breast is found.
    """
    _check_size(image.shape, spacing_mm)
    small = resample(image, spacing_mm, spec.spacing_mm)
    mask = breast_mask(small, spec.spacing_mm)
    mirrored = spec.orientation == "chest-wall-left" and not chest_wall_is_left(mask)
    if mirrored:
        small, mask = small[:, ::-1], mask[:, ::-1]
    grey = grey_rule(spec.grey_rule)(small, mask, spec.grey_numbers)
    low, high = spec.value_range
    margin = max(1, round(SKIN_MARGIN_MM / spec.spacing_mm))
    kept = ndimage.distance_transform_edt(~mask) <= margin
    grey = np.where(kept, low + grey * (high - low), low).astype(np.float32)
    top, left, bottom, right = _cut(mask, round(spec.margin_mm / spec.spacing_mm))
    shape = tuple(
        -(-side // spec.multiple_px) * spec.multiple_px for side in (bottom - top, right - left)
    )
    # A network whose range does not begin at 0 takes a 0 for a grey, not for black.
    padded = np.full(shape, low, np.float32)
    inside = np.zeros(shape, np.bool_)
    padded[: bottom - top, : right - left] = grey[top:bottom, left:right]
    inside[: bottom - top, : right - left] = mask[top:bottom, left:right]
    return Prepared(
        image=padded,
        breast=inside,
        spacing_mm=spec.spacing_mm,
        origin_px=(top, left),
        grid_px=(small.shape[0], small.shape[1]),
        mirrored=mirrored,
        scan_spacing_mm=spacing_mm,
    )


def _check_size(shape: tuple[int, ...], spacing_mm: Spacing) -> None:
    """Refuse a spacing with which the scan would be smaller or larger than any mammogram."""
    if len(shape) != 2:
        return  # `resample` says what an array of another shape is
    sides = [count * spacing for count, spacing in zip(shape, spacing_mm, strict=True)]
    if not all(LEAST_SIDE_MM <= side <= LARGEST_SIDE_MM for side in sides):
        raise SpacingError(
            f"with a spacing of {spacing_mm[0]:g} x {spacing_mm[1]:g} mm the scan would be "
            f"{sides[0]:.0f} x {sides[-1]:.0f} mm, and no mammogram is; give the right one with "
            "--spacing-um"
        )


def _cut(mask: NDArray[np.bool_], margin: int) -> tuple[int, int, int, int]:
    """Bounding box of the breast with a margin, inside the frame: top, left, bottom, right."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        max(0, int(rows[0]) - margin),
        max(0, int(columns[0]) - margin),
        min(mask.shape[0], int(rows[-1]) + 1 + margin),
        min(mask.shape[1], int(columns[-1]) + 1 + margin),
    )
