"""Where the breast is on a scan: film edges, labels and background are told from tissue.

Works on a scan that was already resampled to a few tenths of a millimetre.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mammoscope.core.errors import ScanError

SMOOTH_MM = 0.6
OPEN_MM = 4.0
EDGE_MM = 2.0
SMALLEST_SHARE = 0.02


def breast_mask(image: NDArray[np.float32], spacing_mm: float) -> NDArray[np.bool_]:
    """Find the breast: the largest bright region, without thin film edges and labels.

    The background of film is dark but not black, and its level differs between scanners; the
    threshold is therefore found for each scan, as the valley between background and tissue
    (Otsu 1979 on the square root of the grey levels, which widens the dark end), and then lowered
    towards the background, because the skin line is darker than the tissue inside.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), float32, any linear scale, dense tissue bright
    spacing_mm : side of a pixel in millimetres

    Returns
    -------
    ndarray of shape (rows, columns), bool

    Raises
    ------
    ScanError
        When nothing on the scan is large enough to be a breast.
    """
    smooth = ndimage.gaussian_filter(image, SMOOTH_MM / spacing_mm)
    bright = smooth > _threshold(smooth)
    # Film borders are bright lines along the frame that join the breast to everything else.
    edge = max(1, round(EDGE_MM / spacing_mm))
    inner = np.zeros_like(bright)
    inner[edge:-edge, edge:-edge] = bright[edge:-edge, edge:-edge]
    opened = _open(inner, OPEN_MM / spacing_mm / 2)
    labels, count = ndimage.label(opened)
    if count == 0:
        raise ScanError("no breast was found on the scan; is this a mammogram?")
    sizes = np.bincount(labels.ravel())[1:]
    largest = int(np.argmax(sizes)) + 1
    if sizes[largest - 1] < SMALLEST_SHARE * image.size:
        raise ScanError("nothing on the scan is large enough to be a breast; is this a mammogram?")
    mask = ndimage.binary_fill_holes(labels == largest)
    return _back_to_the_frame(mask, edge)


def _threshold(smooth: NDArray[np.float32]) -> float:
    """Otsu's threshold on square roots, moved a third of the way to the background's level."""
    low, high = (float(v) for v in np.percentile(smooth, (0.5, 99.5)))
    if not high > low:
        raise ScanError("the scan is of one grey level all over; is this a mammogram?")
    root = np.sqrt(np.clip((smooth - low) / (high - low), 0, 1))
    counts, edges = np.histogram(root, bins=256, range=(0, 1))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    cut = float(centres[int(np.nanargmax(np.where(below * above > 0, between, np.nan)))])
    background = float(np.median(root[root < cut]))
    cut = background + (cut - background) * 0.6
    return low + cut**2 * (high - low)


def _open(mask: NDArray[np.bool_], radius_px: float) -> NDArray[np.bool_]:
    """Open a mask with a disk, by distance maps: fast for any radius."""
    core = ndimage.distance_transform_edt(mask) > radius_px
    if not core.any():
        return np.asarray(core)
    return np.asarray(ndimage.distance_transform_edt(~core) <= radius_px)


def _back_to_the_frame(mask: NDArray[np.bool_], edge: int) -> NDArray[np.bool_]:
    """Give back the strip along the frame that was left out, where the breast reaches it."""
    mask[:edge, :] = mask[edge, :]
    mask[-edge:, :] = mask[-edge - 1, :]
    mask[:, :edge] = mask[:, edge : edge + 1]
    mask[:, -edge:] = mask[:, -edge - 1 : -edge]
    return mask


def chest_wall_is_left(mask: NDArray[np.bool_]) -> bool:
    """Tell whether the chest wall lies at the left of the scan.

    A breast is tall at the chest wall and narrow at the nipple, so the half of its bounding box
    that holds more of it is that of the chest wall.
    """
    columns = np.flatnonzero(mask.any(axis=0))
    middle = (columns[0] + columns[-1] + 1) // 2
    return int(mask[:, :middle].sum()) >= int(mask[:, middle:].sum())
