"""How well marked areas cover the true ones: intersection over union of boxes and masks.

The union is what either marks, so an area twice too large reaches 0.5 at most, and so does a small
lesion whose box is off by a third of its side.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.core.geometry import Box, Roi
from mammoscope.evaluation.intervals import Array, Figure, bootstrap, weighted_mean
from mammoscope.formats.masks import mask_of

SHARES_AT = (0.2, 0.5)
"""Intersections over union that count as found: 0.2 is customary in mammography, 0.5 elsewhere."""
IOU_RULE = (
    "each finding with the marked area that covers it best, no area for two findings (largest "
    "intersection over union first); 0 where none is left"
)

Mask = NDArray[np.bool_]


def mask_iou(first: Mask, second: Mask) -> float:
    """Return the intersection over union of two masks.

    Parameters
    ----------
    first, second : ndarrays of one shape, bool

    Returns
    -------
    float
        In [0, 1]; NaN where both are empty, as nothing was there to be marked and nothing was.

    Raises
    ------
    ValueError
        When shapes differ or the masks are not of truth values.
    """
    if first.shape != second.shape:
        raise ValueError(f"masks of {first.shape} and {second.shape} cannot be compared")
    if first.dtype != np.bool_ or second.dtype != np.bool_:
        raise ValueError("masks must be of type bool; apply a threshold first")
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else float("nan")


def roi_iou(first: Roi, second: Roi, shape_px: tuple[int, int]) -> float:
    """Return the intersection over union of two marked areas of any form.

    Two boxes are compared exactly; circles, outlines and masks by the pixels that they hold.

    Parameters
    ----------
    first, second : on the grid of one scan
    shape_px : (rows, columns) of the scan; what lies outside it is cut off, but for two boxes

    Returns
    -------
    float
        In [0, 1]; 0 where neither holds a pixel of the scan.

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError, ScanError
        When a mask's file cannot be read or does not fit the scan.
    """
    if isinstance(first, Box) and isinstance(second, Box):
        return first.iou(second)
    shared = mask_iou(mask_of(first, shape_px), mask_of(second, shape_px))
    return 0.0 if np.isnan(shared) else shared


def best_overlaps(
    findings: Sequence[Roi], marked: Sequence[Roi], shape_px: tuple[int, int]
) -> Array:
    """Return how well each finding of one scan is covered, by the rule `IOU_RULE`.

    Returns
    -------
    ndarray of shape (findings,), in [0, 1]
    """
    grid = np.array([[roi_iou(f, m, shape_px) for m in marked] for f in findings], dtype=np.float64)
    grid = grid.reshape(len(findings), len(marked))
    best = np.zeros(len(findings))
    for _ in range(min(grid.shape)):
        finding, mark = np.unravel_index(int(grid.argmax()), grid.shape)
        if grid[finding, mark] <= 0:
            break
        best[finding] = grid[finding, mark]
        grid[finding], grid[:, mark] = -1.0, -1.0
    return best


def overlap_figures(
    overlaps: ArrayLike, patients: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> Mapping[str, Figure]:
    """Measure the mean overlap and the shares of findings covered well enough.

    Parameters
    ----------
    overlaps : shape (findings,), in [0, 1], one a finding (`best_overlaps`) or a scan (`mask_iou`)
    patients : patient of each
    resamples : of the bootstrap over patients, at least 40
    seed : the same seed gives the same intervals

    Returns
    -------
    dict
        `mean_iou`, `share_iou_0.2` and `share_iou_0.5`.

    Raises
    ------
    ValueError
        When lengths differ, or an overlap is not in [0, 1]: scans where nothing was to be marked
        (NaN of `mask_iou`) must be left out and counted by themselves.
    """
    values = np.asarray(overlaps, dtype=np.float64)
    if values.ndim != 1 or len(values) != len(patients):
        raise ValueError("there must be a patient for every overlap")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("an intersection over union lies in [0, 1]")

    def figure(measured: Array, *, is_share: bool) -> Figure:
        rng = np.random.default_rng(seed)
        return bootstrap(weighted_mean(measured), patients, resamples, rng, is_share=is_share)

    shares = {
        f"share_iou_{least:g}": figure((values >= least).astype(np.float64), is_share=True)
        for least in SHARES_AT
    }
    return {"mean_iou": figure(values, is_share=False), **shares}
