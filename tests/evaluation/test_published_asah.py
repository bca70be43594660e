"""Published figures of the aSAH patients, as an outside reference of ROC, DeLong and partial areas.

113 patients after a bleeding in the brain (Turck et al. 2010, Intensive Care Medicine 36:107), of
whom 41 fared poorly, with three markers. The patients are those that come with the R package pROC
(Robin et al. 2011, BMC Bioinformatics 12:77). What stands here are ranks: those of `wfns` are the
grades themselves, those of `s100b` and `ndka` follow from the placements in pROC's own tests
(`helper-deLongPlacementsCpp-expected.R`), which fix every comparison of a poor with a good outcome.
The expected figures are those of pROC's tests `test-auc.R`, `test-var.R`, `test-ci.auc.R`,
`test-roc.test.R` and `helper-coords-expected.R`.
"""

import numpy as np
import pytest

from mammoscope.evaluation.curves import point_at
from mammoscope.evaluation.delong import compare_paired, compare_unpaired, delong
from mammoscope.evaluation.metrics import binary_figures
from mammoscope.evaluation.partial_auc import partial_auc
from mammoscope.evaluation.roc import auc

POOR = {
    "wfns": ("3 2 4 5 5 5 5 2 5 2 1 2 5 4 4 2 5 5 5 2 5 2 5 2 4 5 4 4 1 4 4 2 2 5 5 2 2 5 5 5 5 "),
    "s100b": (
        "9 6 12 8 26 31 29 3 20 5 3 24 22 28 31 16 31 31 31 3 31 18 1 5 14 31 16 31 4 16 9 6 7 14 "
        "31 10 31 19 31 31 26 "
    ),
    "ndka": (
        "38 25 29 36 4 10 19 44 48 44 44 15 33 40 6 8 31 2 52 40 17 19 23 31 42 27 40 8 50 35 4 13 "
        "40 4 12 44 21 33 46 19 36 "
    ),
}
GOOD = {
    "wfns": (
        "1 1 1 1 5 1 2 2 1 2 2 1 1 1 2 1 2 1 1 3 4 1 4 1 5 5 1 1 2 4 1 1 2 2 1 2 1 2 2 1 1 1 1 2 1 "
        "2 1 1 3 2 4 2 1 4 1 1 5 4 2 2 1 1 1 3 1 2 2 4 4 1 1 1 "
    ),
    "s100b": (
        "9 10 6 2 27 13 6 6 2 4 2 5 7 3 13 3 7 9 13 2 12 10 21 5 30 27 12 3 25 27 7 4 5 4 2 9 6 10 "
        "11 2 2 5 2 5 4 12 5 4 20 7 17 3 6 19 3 2 15 23 6 11 4 10 6 3 2 13 11 27 13 11 30 28 "
    ),
    "ndka": (
        "1 9 7 18 5 35 5 39 30 39 37 47 11 5 24 5 5 51 26 14 14 39 3 7 5 13 28 7 34 45 7 5 24 11 7 "
        "28 43 41 16 22 49 5 37 14 18 18 34 3 37 24 11 18 39 18 22 7 14 18 43 9 24 27 45 20 24 11 "
        "43 16 32 41 5 30 "
    ),
}
AREAS = {
    "wfns": (0.823678861788618, 0.00146991470882363),
    "s100b": (0.731368563685637, 0.00266868245717244),
    "ndka": (0.611957994579946, 0.0031908105493913),
}
TRUTH = np.arange(113) < 41


def ranks(marker: str) -> np.ndarray:
    return np.array([float(rank) for rank in (POOR[marker] + GOOD[marker]).split()])


def test_the_patients_are_41_and_72():
    assert [len(ranks(marker)) for marker in AREAS] == [113] * 3


@pytest.mark.parametrize("marker", AREAS)
def test_areas_and_their_variances_are_the_published_ones(marker):
    found = delong(ranks(marker), TRUTH)
    assert (found.value, found.variance) == pytest.approx(AREAS[marker], rel=1e-12)
    assert auc(ranks(marker), TRUTH) == pytest.approx(AREAS[marker][0], rel=1e-12)


def test_the_interval_of_an_area_is_the_published_one():
    found = delong(ranks("ndka"), TRUTH)
    assert (found.low, found.high) == pytest.approx((0.501244999271703, 0.722670989888189))


@pytest.mark.parametrize(
    ("a", "b", "p_value", "low", "high"),
    [
        ("wfns", "s100b", 0.0271757822291882, 0.0104061769564846, 0.174214419249478),
        ("wfns", "ndka", 0.00514557970691098, 0.0634011709339876, 0.3600405634833566),
        ("ndka", "s100b", 0.164295175223054, -0.2876917446341914, 0.0488706064228094),
    ],
)
def test_paired_comparisons_are_the_published_ones(a, b, p_value, low, high):
    found = compare_paired(ranks(a), ranks(b), TRUTH)
    assert found.p_value == pytest.approx(p_value, rel=1e-10)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-10)


@pytest.mark.parametrize(
    ("a", "b", "p_value"),
    [
        ("wfns", "s100b", 0.152825378808796),
        ("wfns", "ndka", 0.00220950791756457),
        ("ndka", "s100b", 0.120192832430845),
    ],
)
def test_unpaired_comparisons_are_the_published_ones(a, b, p_value):
    found = compare_unpaired((ranks(a), TRUTH, None), (ranks(b), TRUTH, None))
    assert found.p_value == pytest.approx(p_value, rel=1e-10)


@pytest.mark.parametrize(
    ("marker", "specificity", "area"),
    [
        ("wfns", (0.9, 1.0), 0.649693339038653),
        ("wfns", (0.8, 0.9), 0.763749402199904),
        ("wfns", (0.0, 0.5), 0.952537903757416),
        ("wfns", (0.0, 1.0), 0.823678861788618),
        ("ndka", (0.9, 1.0), 0.530024247610897),
        ("ndka", (0.8, 0.9), 0.575163398692811),
        ("ndka", (0.0, 0.5), 0.667344173441734),
    ],
)
def test_standardised_partial_areas_are_the_published_ones(marker, specificity, area):
    assert partial_auc(ranks(marker), TRUTH, specificity) == pytest.approx(area, rel=1e-12)


@pytest.mark.parametrize(
    ("recall", "area"),
    [
        ((0.9, 1.0), 0.68473648552275),
        ((0.8, 0.9), 0.770561002178649),
        ((0, 0.5), 0.933434959349593),
    ],
)
def test_a_part_by_recall_is_the_part_by_specificity_of_the_mirrored_score(recall, area):
    found = partial_auc(-ranks("wfns"), ~TRUTH, recall)
    assert found == pytest.approx(area, rel=1e-12)


def test_the_figures_at_a_threshold_are_the_published_ones():
    # pROC's threshold 0.205 of s100b: 58 of 72 good and 26 of 41 poor outcomes are called rightly.
    values = ranks("s100b")
    cut = next(c for c in np.unique(values) if (values[~TRUTH] < c).sum() == 58)
    point = point_at(values, TRUTH, cut)
    assert point.specificity == pytest.approx(0.805555555555556)
    assert point.recall == pytest.approx(0.634146341463415)
    assert point.precision == pytest.approx(0.65)
    found = binary_figures(values, TRUTH, [str(i) for i in range(113)], cut, resamples=40)
    assert found["accuracy"].value == pytest.approx(0.743362831858407)
    assert found["negative_predictive_value"].value == pytest.approx(0.794520547945205)
