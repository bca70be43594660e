"""Made lesions set into real tissue, for training on known truth.

The lesion's density is added to what is there, so the tissue's own structure and noise stay; its
contrast follows that of the tissue round it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mammoscope.core.errors import ScanError
from mammoscope.simulate.exam import overlap
from mammoscope.simulate.lesions import LesionPlan, draw_lesion, draw_look

Image = NDArray[Any]
Mask = NDArray[np.bool_]

_DENSITY_SPAN = 0.42
"""What lies between fat and dense tissue in made breasts; a real image's span is matched to it."""
_AROUND_MM = 12.0
_AIR = 0.04
_LEAST_ROOM = 0.3


def set_lesion(
    image: Image,
    spacing_mm: float,
    place: tuple[float, float],
    plan: LesionPlan,
    rng: np.random.Generator,
) -> tuple[Image, Mask]:
    """Set a made lesion into an image of real tissue.

    Parameters
    ----------
    image : (rows, columns) of any integer or floating type, dense tissue bright, air dark
    spacing_mm : size of its pixels
    place : (row, column) of the lesion's middle, in pixels, in the breast
    plan : what the lesion is; its side and views do not matter here

    Returns
    -------
    A new image of the same type whose values stay between the old least and largest, and the
    lesion's mask, (rows, columns) bool. Outside the mask no pixel is changed.

    Raises
    ------
    ScanError
        The image is not a finite two-dimensional one, `place` is not in the breast, or the tissue
        there is too bright for anything to be seen on it.
    """
    low, high = _range(image)
    at = round(place[0]), round(place[1])
    if not (0 <= at[0] < image.shape[0] and 0 <= at[1] < image.shape[1]):
        raise ScanError(f"The place {place} lies outside an image of shape {image.shape}.")
    look = draw_look(plan.kind, plan.pathology, rng)
    added, drawn = draw_lesion(look, spacing_mm, float(rng.uniform(-np.pi, np.pi)), rng)
    half = len(added) // 2
    corner = at[0] - half, at[1] - half
    here, there = overlap(image.shape, added.shape, corner)
    old = image[here].astype(np.float64)
    breast = _breast(old, low, high, spacing_mm)
    if not breast[at[0] - here[0].start, at[1] - here[1].start]:
        raise ScanError(f"The place {place} lies in the air; choose one in the breast.")
    inside = drawn[there] & breast
    grown: NDArray[np.float64] = added[there].astype(np.float64)
    grown *= _unit(image, at, (half, spacing_mm), (low, high))
    grown *= _room(old, grown, inside, high)
    new = np.clip(old + grown, low, high)
    changed = image.copy()
    values = np.rint(new) if np.issubdtype(image.dtype, np.integer) else new
    changed[here] = np.where(inside, values.astype(image.dtype), image[here])
    mask = np.zeros(image.shape, dtype=bool)
    mask[here] = inside
    return changed, mask


def _range(image: Image) -> tuple[float, float]:
    if image.ndim != 2 or 0 in image.shape:
        raise ScanError(f"A lesion is set into a two-dimensional image, not {image.shape}.")
    low, high = float(image.min()), float(image.max())
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ScanError("The image holds one grey level only or values that are not finite.")
    return low, high


def _breast(old: NDArray[np.float64], low: float, high: float, spacing_mm: float) -> Mask:
    """Return where the window shows tissue: brighter than air, whatever the grain."""
    smooth = gaussian_filter(old, 0.5 / spacing_mm)
    return np.asarray(smooth > low + _AIR * (high - low), dtype=bool)


def _unit(
    image: Image,
    at: tuple[int, int],
    window: tuple[int, float],
    limits: tuple[float, float],
) -> float:
    """Return how many grey levels a density of 1 is worth near `at`."""
    half, spacing_mm = window
    far = half + round(_AROUND_MM / spacing_mm)
    near = image[max(at[0] - far, 0) : at[0] + far + 1, max(at[1] - far, 0) : at[1] + far + 1]
    air = limits[0] + _AIR * (limits[1] - limits[0])
    spans = []
    for part in (near, image):
        step = max(1, min(part.shape) // 300)
        tissue = part[::step, ::step]
        tissue = tissue[tissue > air].astype(np.float64)
        spans.append(float(np.subtract(*np.quantile(tissue, [0.98, 0.10]))))
    # The neighbourhood alone may be flat, the whole alone too contrasty: so both count.
    return (0.7 * spans[0] + 0.3 * spans[1]) / _DENSITY_SPAN


def _room(old: NDArray[np.float64], grown: NDArray[np.float64], inside: Mask, high: float) -> float:
    """Return the share of the contrast that fits below the brightest grey, so that grain stays."""
    core = inside & (grown > 0.5 * grown.max())
    if not core.any():
        return 1.0
    free = high - float(np.quantile(old[core], 0.9))
    share = min(1.0, free / float(grown.max()))
    if share < _LEAST_ROOM:
        raise ScanError(
            "The tissue at that place is nearly as bright as the image can be; choose another."
        )
    return share
