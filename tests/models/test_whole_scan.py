"""A dense answer for a whole scan, and its peaks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mammoscope.core.contract import OutputSpec
from mammoscope.core.errors import ContractError
from mammoscope.models.whole_scan import (
    Answer,
    answer,
    find_peaks,
    scan_malignancy,
    scan_score,
)
from mammoscope.scans.prepare import Prepared

OUTPUT = OutputSpec(targets=("lesion", "malignant"), activation="sigmoid", stride_px=8)


def make_answer(lesion, malignancy=0.5):
    lesion = np.asarray(lesion, np.float32)
    return Answer(lesion=lesion, malignancy=np.full_like(lesion, malignancy), stride_px=8)


def make_prepared(rows=64, columns=64):
    breast = np.zeros((rows, columns), np.bool_)
    breast[:, :32] = True
    return Prepared(
        image=np.zeros((rows, columns), np.float32),
        breast=breast,
        spacing_mm=0.3,
        origin_px=(0, 0),
        grid_px=(rows, columns),
        mirrored=False,
        scan_spacing_mm=(0.3, 0.3),
    )


class Constant(torch.nn.Module):
    """Answers one logit everywhere."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full((len(x), 2, x.shape[2] // 8, x.shape[3] // 8), self.value)


def test_nothing_is_answered_outside_the_breast():
    found = answer(Constant(2.0), OUTPUT, make_prepared())
    expected = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(found.lesion[:, :4], expected, rtol=1e-6)
    assert (found.lesion[:, 4:] == 0).all()


def test_an_answer_that_is_no_number_is_an_error():
    with pytest.raises(ContractError, match="not a finite number"):
        answer(Constant(float("nan")), OUTPUT, make_prepared())


class Rows(torch.nn.Module):
    """Answers with the number of the row, as a network that prefers one end would."""

    def forward(self, x):
        rows = torch.arange(x.shape[2] // 8, dtype=torch.float32)[None, None, :, None]
        return rows.expand(len(x), 2, -1, x.shape[3] // 8)


class Brightness(torch.nn.Module):
    """Answers with the mean grey of a place's pixels."""

    def forward(self, x):
        return torch.nn.functional.avg_pool2d(x, 8).expand(-1, 2, -1, -1)


def test_upside_down_is_turned_back_and_averaged_as_scores():
    found = answer(Rows(), replace(OUTPUT, also_upside_down=True), make_prepared())
    rows = np.arange(8.0)
    once = 1 / (1 + np.exp(-rows))
    np.testing.assert_allclose(found.lesion[:, 0], (once + once[::-1]) / 2, rtol=1e-6)
    np.testing.assert_allclose(found.malignancy[:, 0], (once + once[::-1]) / 2, rtol=1e-6)


def test_upside_down_changes_nothing_for_a_network_without_preference():
    image = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    prepared = replace(make_prepared(), image=image)
    once, twice = (
        answer(Brightness(), replace(OUTPUT, also_upside_down=both), prepared)
        for both in (False, True)
    )
    np.testing.assert_allclose(twice.lesion, once.lesion, rtol=1e-6)
    assert np.ptp(once.lesion[:, :4]) > 0.01


def test_a_tile_model_is_refused():
    tiles = OutputSpec(targets=("normal", "abnormal"), activation="softmax")
    with pytest.raises(ContractError, match="dense"):
        answer(Constant(0.0), tiles, make_prepared())


def test_peaks_are_local_highs_best_first_and_apart():
    lesion = np.zeros((20, 20))
    lesion[5, 5], lesion[5, 7], lesion[15, 15] = 0.6, 0.5, 0.9
    # 10 mm are 4.2 places: (5, 7) is too near to (5, 5), (15, 15) is not.
    peaks = find_peaks(make_answer(lesion), 0.3)
    assert [(p.row, p.column) for p in peaks] == [(15, 15), (5, 5)]
    assert scan_score(peaks) == pytest.approx(0.9)


def test_a_scan_without_a_peak_scores_nothing():
    peaks = find_peaks(make_answer(np.zeros((9, 9))), 0.3)
    assert (peaks, scan_score(peaks), scan_malignancy(peaks)) == ((), 0.0, 0.0)


def test_scan_malignancy_is_the_largest_product():
    lesion = np.zeros((30, 30), np.float32)
    lesion[5, 5], lesion[20, 20] = 0.9, 0.8
    malignancy = np.zeros_like(lesion)
    malignancy[4:7, 4:7], malignancy[19:22, 19:22] = 0.1, 0.5
    peaks = find_peaks(Answer(lesion=lesion, malignancy=malignancy, stride_px=8), 0.3)
    assert scan_malignancy(peaks) == pytest.approx(0.4, abs=1e-4)


def test_a_places_centre_is_the_middle_of_its_pixels():
    assert make_answer(np.zeros((2, 2))).centre_px(1, 0) == (11.5, 3.5)
