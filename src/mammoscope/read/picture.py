"""Pictures of a reading: the scan as a person looks at it, and the heat map laid on it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mammoscope.core.contract import InputSpec
from mammoscope.core.records import Spacing
from mammoscope.models.whole_scan import Answer
from mammoscope.scans.greys import grey_rule
from mammoscope.scans.prepare import Prepared, resample

FINER = 2
"""Pictures have this many pixels for one of the network's, so that they bear enlarging."""


def breast_on(prepared: Prepared, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Lay the breast mask on a picture of `shape` that shows the whole scan, as acquired."""
    whole = prepared.to_grid(prepared.breast)
    picture = Image.fromarray(whole.astype(np.uint8) * 255)
    rows, columns = shape[0] / FINER, shape[1] / FINER
    return (
        np.asarray(
            picture.resize(shape[::-1], Image.Resampling.BILINEAR, box=(0, 0, columns, rows))
        )
        >= 128
    )


def display_picture(
    spec: InputSpec, image: NDArray[np.generic], spacing_mm: Spacing, prepared: Prepared
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Make a picture of the whole scan at half the network's spacing, under its grey rule.

    Returns
    -------
    picture : ndarray of shape (rows, columns), uint8, 0 black, orientation as in the file; the
        film round the breast is dimmed to black
    breast : ndarray of the same shape, bool
    """
    fine = resample(image, spacing_mm, spec.spacing_mm / FINER)
    # Both grids begin at the scan's corner and drop a rest at the far edges; keep what both have.
    rows, columns = (FINER * side for side in prepared.grid_px)
    fine = fine[:rows, :columns]
    breast = breast_on(prepared, fine.shape)
    grey = grey_rule(spec.grey_rule)(fine, breast, spec.grey_numbers)
    air = round(2.0 / (spec.spacing_mm / FINER))
    shown = ndimage.distance_transform_edt(~breast[::4, ::4]) <= air / 4
    shown = np.kron(shown, np.ones((4, 4), np.bool_))[: fine.shape[0], : fine.shape[1]]
    return np.where(shown, np.rint(grey * 255), 0).astype(np.uint8), breast


def heat_on(found: Answer, prepared: Prepared, breast: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Lay the lesion score on the picture whose breast mask is given.

    Returns
    -------
    ndarray of the mask's shape, float32 in [0, 1], 0 outside the breast
    """
    rows, columns = breast.shape
    step = 1 / (FINER * found.stride_px)
    # The place (row, column) of the answer that a picture's pixel centre falls on, in PIL's
    # convention (pixel edges, x before y); a mirrored scan runs backwards along its columns.
    shift_row = -prepared.origin_px[0] / found.stride_px
    if prepared.mirrored:
        across = (-step, 0.0, (prepared.grid_px[1] - prepared.origin_px[1]) / found.stride_px)
    else:
        across = (step, 0.0, -prepared.origin_px[1] / found.stride_px)
    laid = Image.fromarray(np.pad(found.lesion, 1)).transform(
        (columns, rows),
        Image.Transform.AFFINE,
        (across[0], 0.0, across[2] + 1, 0.0, step, shift_row + 1),
        resample=Image.Resampling.BILINEAR,
    )
    return np.where(breast, np.clip(np.asarray(laid), 0, 1), 0).astype(np.float32)
