"""Peaks to detections."""

import numpy as np
import pytest

from mammoscope.core.contract import Calibration
from mammoscope.models.whole_scan import Answer, find_peaks
from mammoscope.read.candidates import detections, probability_of
from mammoscope.scans.prepare import Prepared


def prepared_of(rows, columns, spacing=(0.3, 0.15)):
    return Prepared(
        image=np.zeros((rows, columns), np.float32),
        breast=np.ones((rows, columns), np.bool_),
        spacing_mm=0.3,
        origin_px=(0, 0),
        grid_px=(rows, columns),
        mirrored=False,
        scan_spacing_mm=spacing,
    )


def test_a_box_holds_the_places_of_at_least_half_the_peak(model):
    lesion = np.zeros((20, 20), np.float32)
    lesion[5:8, 10:12] = 0.5
    lesion[6, 10] = 0.8
    lesion[6, 9] = 0.39
    found = Answer(lesion=lesion, malignancy=np.full_like(lesion, 0.7), stride_px=8)
    prepared = prepared_of(160, 160)
    (detection,) = detections(found, find_peaks(found, 0.3), prepared, model.contract)
    # Rows 5 to 7 and columns 10 to 11, of 8 pixels of 0.3 mm; the scan has twice the columns.
    assert detection.box_mm == pytest.approx((7.2, 4.8))
    assert detection.box_px.height == pytest.approx(24)
    assert detection.box_px.width == pytest.approx(32)
    assert detection.malignancy == pytest.approx(0.7)
    assert detection.probability == pytest.approx(0.7)


def test_peaks_below_the_threshold_are_no_detections(model):
    lesion = np.zeros((20, 20), np.float32)
    lesion[5, 5] = 0.49
    found = Answer(lesion=lesion, malignancy=lesion, stride_px=8)
    assert detections(found, find_peaks(found, 0.3), prepared_of(160, 160), model.contract) == ()


def test_boxes_that_overlap_a_better_one_are_dropped(model):
    # Two peaks 11 mm apart on one broad hill: their boxes are the same.
    lesion = np.zeros((20, 20), np.float32)
    lesion[8:12, 5:14] = 0.6
    lesion[10, 6], lesion[10, 11] = 0.9, 0.8
    found = Answer(lesion=lesion, malignancy=lesion, stride_px=8)
    peaks = find_peaks(found, 0.3)
    assert len(peaks) >= 2
    kept = detections(found, peaks, prepared_of(160, 160), model.contract)
    assert [d.score for d in kept] == pytest.approx([0.9])


@pytest.mark.parametrize(
    ("score", "expected"), [(0.5, 1 / (1 + np.exp(0.5))), (0.9, 0.9604), (0.0, 0.0), (1.0, 1.0)]
)
def test_platt_scaling_by_hand(score, expected):
    # logit(0.9) = ln 9 = 2.1972; 2 * 2.1972 - 0.5 * ... : slope 2, intercept -0.5.
    calibration = Calibration(slope=2.0, intercept=-0.5, fitted_on="", meaning="")
    if score == 0.9:
        expected = 1 / (1 + np.exp(-(2 * np.log(9) - 0.5)))
    assert probability_of(score, calibration) == pytest.approx(expected, abs=1e-5)
    assert probability_of(score, None) is None
