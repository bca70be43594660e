"""Intervals: known answers, scipy's BCa as a reference, and what is said where there is none."""

import importlib.util
import json
from math import isnan

import numpy as np
import pytest
from scipy import stats

from mammoscope.evaluation.intervals import (
    Figure,
    bootstrap,
    draw,
    exact_interval,
    weighted_mean,
)
from mammoscope.evaluation.roc import auc_statistic


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_value_is_that_of_the_whole_sample():
    figure = bootstrap(weighted_mean(np.array([1.0, 2.0, 6.0])), ["a", "a", "b"], 100, _rng())
    assert figure.value == 3.0
    assert (figure.n, figure.n_patients) == (3, 2)


def test_a_patient_is_drawn_with_all_its_units():
    seen = []

    def statistic(weights):
        seen.append(weights)
        return weights.sum(axis=1)

    drawn = draw(statistic, ["b", "a", "b", "c"], 60, _rng())
    rows = np.concatenate(seen)
    np.testing.assert_array_equal(rows[:, 0], rows[:, 2])
    resamples = rows[1:61]
    # Three patients are drawn each time, whatever their units.
    np.testing.assert_array_equal(resamples[:, [0, 1, 3]].sum(axis=1), 3)
    assert drawn.samples.shape == (60,)
    assert drawn.left_out.tolist() == [3.0, 2.0, 3.0]


def _spread(values):
    """Weighted variance: skewed, and biased downwards by small samples."""

    def statistic(weights):
        total = weights.sum(axis=1)
        mean = weights @ values / total
        return weights @ values**2 / total - mean**2

    return statistic


@pytest.mark.parametrize(("ours", "theirs"), [(weighted_mean, np.mean), (_spread, np.var)])
def test_the_interval_is_scipys_bca_where_every_unit_is_a_patient(ours, theirs):
    values = np.random.default_rng(5).gamma(1.0, size=60)
    figure = bootstrap(ours(values), [str(i) for i in range(60)], 20000, _rng())
    interval = stats.bootstrap(
        (values,), theirs, n_resamples=20000, method="BCa", vectorized=True, rng=_rng()
    ).confidence_interval
    # 20,000 resamples leave an error of one or two percent of the interval's width at its ends.
    width = interval.high - interval.low
    assert figure.low == pytest.approx(interval.low, abs=0.03 * width)
    assert figure.high == pytest.approx(interval.high, abs=0.03 * width)


def test_more_than_two_hundred_patients_are_left_out_in_groups():
    values = np.random.default_rng(5).gamma(1.0, size=1000)
    drawn = draw(weighted_mean(values), [str(i) for i in range(1000)], 40, _rng())
    assert drawn.left_out.shape == (200,)


def test_the_same_seed_gives_the_same_interval_and_order_of_units_does_not_matter():
    rng = np.random.default_rng(1)
    values, patients = rng.random(40), [f"p{i % 13}" for i in range(40)]
    figure = bootstrap(weighted_mean(values), patients, 200, _rng())
    assert bootstrap(weighted_mean(values), patients, 200, _rng()) == figure
    turned = bootstrap(weighted_mean(values[::-1]), patients[::-1], 200, _rng())
    assert turned.low == pytest.approx(figure.low)
    assert turned.high == pytest.approx(figure.high)


def test_units_of_one_patient_widen_the_interval():
    hits = np.repeat(np.random.default_rng(2).random(40) < 0.5, 4).astype(float)
    clustered = bootstrap(weighted_mean(hits), [str(i // 4) for i in range(160)], 1000, _rng())
    alone = bootstrap(weighted_mean(hits), [str(i) for i in range(160)], 1000, _rng())
    # Four equal copies of each answer: the true width is twice that of 160 free answers.
    ratio = (clustered.high - clustered.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize(
    ("value", "low", "high"), [(1.0, 0.025**0.1, 1.0), (0.0, 0.0, 1 - 0.025**0.1)]
)
def test_a_share_of_all_or_none_gets_the_exact_interval_over_patients(value, low, high):
    patients = [f"p{i % 10}" for i in range(30)]
    figure = bootstrap(weighted_mean(np.full(30, value)), patients, 100, _rng(), is_share=True)
    assert figure.value == value
    assert figure.low == pytest.approx(low)
    assert figure.high == pytest.approx(high)
    assert "exact" in figure.method


def test_the_exact_interval_is_the_published_one():
    # Clopper-Pearson for 8 of 10: Brown, Cai & DasGupta 2001 and any table.
    assert exact_interval(8, 10) == pytest.approx((0.4439, 0.9748), abs=1e-4)


def test_one_class_is_undefined_with_a_reason():
    figure = bootstrap(auc_statistic([1, 2, 3], [1, 1, 1]), ["a", "b", "c"], 100, _rng())
    assert isnan(figure.value)
    assert isnan(figure.low)
    assert figure.to_json()["value"] is None
    assert "undefined" in figure.to_json()["warning"]


def test_nothing_is_undefined_with_a_reason():
    figure = bootstrap(weighted_mean(np.empty(0)), [], 100, _rng())
    assert figure.to_json()["value"] is None
    assert figure.to_json()["warning"] == "there is nothing to measure"


def test_one_patient_has_a_value_but_no_interval():
    figure = bootstrap(weighted_mean(np.array([0.2, 0.6])), ["a", "a"], 100, _rng())
    assert figure.value == pytest.approx(0.4)
    assert isnan(figure.low)
    assert figure.warning == "too few patients for an interval"


def test_a_class_of_one_patient_has_no_interval():
    # In more than a third of resamples the only positive patient is missing.
    labels = [True] + [False] * 29
    figure = bootstrap(
        auc_statistic(np.arange(30), labels), [str(i) for i in range(30)], 200, _rng()
    )
    assert figure.value == 0.0
    assert isnan(figure.high)
    assert figure.warning == "too few patients for an interval"


def test_a_perfect_auc_has_no_interval_instead_of_one_without_width():
    labels = np.arange(60) >= 30
    figure = bootstrap(
        auc_statistic(np.arange(60), labels), [str(i) for i in range(60)], 100, _rng()
    )
    assert figure.value == 1.0
    assert figure.to_json()["low"] is None
    assert "same value" in str(figure.warning)


def test_few_patients_are_marked():
    values = np.random.default_rng(0).random(19)
    few = bootstrap(weighted_mean(values), [str(i) for i in range(19)], 100, _rng())
    assert few.warning == "fewer than 20 patients"


def test_too_few_resamples_are_refused():
    with pytest.raises(ValueError, match="40"):
        bootstrap(weighted_mean(np.ones(3)), ["a", "b", "c"], 39, _rng())


def test_a_figure_goes_through_json_with_the_keys_of_evaluation_json():
    figure = Figure(0.5, 0.25, np.nan, 4, 2, "m")
    text = json.dumps(figure.to_json(), allow_nan=False)
    assert json.loads(text) == {
        "value": 0.5,
        "low": 0.25,
        "high": None,
        "n": 4,
        "n_patients": 2,
        "method": "m",
    }


def test_intervals_over_patients_cover_and_intervals_over_scans_do_not(repository):
    path = repository / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_study", path)
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    methods = {"patients": study.over_patients, "scans": study.over_scans}
    found = study.coverage(lambda rng: study.auc_case(100, 0.75, rng), methods, (200, 200), _rng())
    # 200 cohorts at .95 scatter by .015; three times that.
    assert found["patients"][0] > 0.95 - 0.045
    # Far from the nominal value at any luck: the full study finds about .83.
    assert found["scans"][0] < 0.9
