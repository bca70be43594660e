"""Peaks of a dense answer as detections: boxes with scores on the scan's own grid."""

import numpy as np
from scipy import ndimage

from mammoscope.core.contract import Calibration, ModelContract
from mammoscope.core.geometry import Box, suppress
from mammoscope.core.records import Detection
from mammoscope.core.vocabulary import FindingKind
from mammoscope.models.whole_scan import Answer, PlacePeak
from mammoscope.scans.prepare import Prepared

MOST_IOU = 0.3
SHARE_OF_PEAK = 0.5
LARGEST_PLACES = 12
"""A detection's box reaches at most so many places from its peak (29 mm at stride 8, 0.3 mm)."""


def probability_of(score: float, calibration: Calibration | None) -> float | None:
    """Turn a raw score in [0, 1] into a probability as the contract says; None without."""
    if calibration is None:
        return None
    return float(calibration.probabilities(min(max(score, 0.0), 1.0)))


def detections(
    found: Answer,
    peaks: tuple[PlacePeak, ...],
    prepared: Prepared,
    contract: ModelContract,
) -> tuple[Detection, ...]:
    """Turn the peaks at or above the contract's threshold into detections, best first.

    A detection's box holds the places round its peak whose score is at least half the peak's.
    Boxes that overlap a better one by more than `MOST_IOU` are dropped.
    """
    threshold = contract.operating_point.threshold if contract.operating_point else 0.5
    kept = [peak for peak in peaks if peak.score >= threshold]
    boxes = [prepared.box_to_scan(_box_round(found, peak)) for peak in kept]
    order = suppress(boxes, [peak.score for peak in kept], MOST_IOU)
    return tuple(_detection(boxes[i], kept[i], prepared, contract) for i in order)


def _box_round(found: Answer, peak: PlacePeak) -> Box:
    """Box on the prepared image round the places that belong to a peak."""
    reach = LARGEST_PLACES
    top, left = max(0, peak.row - reach), max(0, peak.column - reach)
    near = found.lesion[top : peak.row + reach + 1, left : peak.column + reach + 1]
    labels, _ = ndimage.label(near >= SHARE_OF_PEAK * peak.score)
    rows, columns = np.nonzero(labels == labels[peak.row - top, peak.column - left])
    stride = found.stride_px
    return Box(
        float((top + rows.min()) * stride),
        float((left + columns.min()) * stride),
        float((rows.max() - rows.min() + 1) * stride),
        float((columns.max() - columns.min() + 1) * stride),
    )


def _detection(box: Box, peak: PlacePeak, prepared: Prepared, contract: ModelContract) -> Detection:
    spacing = prepared.scan_spacing_mm
    centre = box.centre
    return Detection(
        box_px=box,
        box_mm=(box.height * spacing[0], box.width * spacing[1]),
        centre_mm=(centre[0] * spacing[0], centre[1] * spacing[1]),
        score=peak.score,
        malignancy=peak.malignancy,
        probability=probability_of(peak.malignancy, contract.calibration),
        kind=FindingKind.MASS,
    )
