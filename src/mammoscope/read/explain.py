"""Why a place was marked: what its score rests on, and which training lesions it looks like."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mammoscope.core.geometry import Box
from mammoscope.core.reading import Explanation
from mammoscope.core.records import Detection
from mammoscope.models.weights import Model
from mammoscope.models.whole_scan import answer
from mammoscope.read.explain_nearest import features_of, shipped_index, window_round
from mammoscope.read.occlusion import occlusion_map
from mammoscope.scans.prepare import Prepared

PATCH_MM = 4.8
"""Side of a hidden patch: a third of a mass of middle size."""
AROUND_MM = 9.6
"""How far round a detection's box patches are hidden."""
AWAY_MM = 12.0
"""A hidden patch shows the scan blurred by so much: no lesion is left, the brightness is."""


def explain(
    model: Model, prepared: Prepared, detections: Sequence[Detection]
) -> tuple[Explanation, ...]:
    """Explain detections, some seconds each.

    Parameters
    ----------
    prepared : the scan as the model takes it
    detections : on the grid of the scan's file

    Returns
    -------
    One explanation for each detection, in their order.
    """
    away = ndimage.gaussian_filter(prepared.image, AWAY_MM / prepared.spacing_mm)
    return tuple(_explained(model, prepared, away, found) for found in detections)


def _explained(
    model: Model, prepared: Prepared, away: NDArray[np.float32], detection: Detection
) -> Explanation:
    box = prepared.box_from_scan(detection.box_px)
    rows, columns = window_round(prepared, box)
    window = replace(
        prepared,
        image=np.ascontiguousarray(prepared.image[rows, columns]),
        breast=np.ascontiguousarray(prepared.breast[rows, columns]),
    )
    inner = Box(box.top - rows.start, box.left - columns.start, box.height, box.width)
    part = _part_round(inner, window)
    patch = max(1, round(PATCH_MM / prepared.spacing_mm))

    def score(image: NDArray[np.float32]) -> float:
        found = answer(model.network, model.contract.output, replace(window, image=image))
        return _highest(found.lesion, inner, found.stride_px)

    lost = occlusion_map(window.image, away[rows, columns], part, patch, score)
    covered = Box(
        float(rows.start + part[0].start),
        float(columns.start + part[1].start),
        float(part[0].stop - part[0].start),
        float(part[1].stop - part[1].start),
    )
    features = features_of(model, prepared, box)
    index = shipped_index()
    fits = features is not None and index is not None and index.model_digest == model.digest
    return Explanation(
        box_px=prepared.box_to_scan(covered),
        patch_mm=patch * prepared.spacing_mm,
        # The network sees right breasts mirrored; the file does not.
        lost=np.ascontiguousarray(lost[:, ::-1]) if prepared.mirrored else lost,
        nearest=index.nearest(features) if fits and index and features is not None else (),
    )


def _part_round(box: Box, window: Prepared) -> tuple[slice, slice]:
    reach = AROUND_MM / window.spacing_mm
    parts = []
    for start, length, side in zip(
        (box.top, box.left), (box.height, box.width), window.image.shape, strict=True
    ):
        first = min(max(0, int(start - reach)), side - 1)
        parts.append(slice(first, max(first + 1, min(side, int(start + length + reach)))))
    return parts[0], parts[1]


def _highest(lesion: NDArray[np.float32], box: Box, stride: int) -> float:
    """Return the highest lesion score among the places of a box."""
    top, left = max(0, int(box.top // stride)), max(0, int(box.left // stride))
    bottom = max(top + 1, int(np.ceil(box.bottom / stride)))
    right = max(left + 1, int(np.ceil(box.right / stride)))
    places = lesion[top:bottom, left:right]
    return float(places.max()) if places.size else 0.0
