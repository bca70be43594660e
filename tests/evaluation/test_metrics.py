"""Figures of a score: hand answers, scikit-learn, and what is said where there is none."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from mammoscope.evaluation.average_precision import average_precision
from mammoscope.evaluation.intervals import bootstrap
from mammoscope.evaluation.metrics import binary_figures, confusion_matrix, to_json
from mammoscope.evaluation.roc import auc_statistic

both_classes = st.lists(
    st.tuples(st.integers(0, 10), st.booleans()), min_size=4, max_size=30
).filter(lambda rows: 0 < sum(label for _, label in rows) < len(rows))


def names(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def figures(scores, truth, threshold=0.5, patients=None):
    return binary_figures(scores, truth, patients or names(len(scores)), threshold, resamples=40)


def test_every_figure_at_the_threshold_is_that_of_the_hand():
    # 3 hits, 1 miss, 1 false alarm, 5 rightly left alone.
    scores = [0.9, 0.8, 0.5, 0.4, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1]
    found = figures(scores, [1] * 4 + [0] * 6)
    expected = {
        "accuracy": 0.8,
        "majority": 0.6,
        "accuracy_above_majority": 0.2,
        "recall": 3 / 4,
        "specificity": 5 / 6,
        "precision": 3 / 4,
        "negative_predictive_value": 5 / 6,
        "f1": 3 / 4,
        "balanced_accuracy": (3 / 4 + 5 / 6) / 2,
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value), name


def test_each_figure_counts_the_units_and_patients_that_it_rests_on():
    found = figures([0.9, 0.8, 0.1, 0.7], [1, 1, 0, 0], patients=["a", "a", "b", "c"])
    counted = {name: (figure.n, figure.n_patients) for name, figure in found.items()}
    assert counted["recall"] == (2, 1)
    assert counted["specificity"] == (2, 2)
    assert counted["precision"] == (3, 2)
    assert counted["negative_predictive_value"] == (1, 1)
    assert counted["accuracy"] == counted["auc"] == (4, 3)


def test_the_papers_mias_accuracy_stands_beside_its_majority():
    # The paper's accuracy is .8883 and .0044 above calling all normal; made here of 10,000 units.
    called = np.zeros(10_000)
    truth = np.arange(10_000) < 1_161
    called[:44] = 1.0
    found = figures(called, truth)
    assert found["majority"].value == pytest.approx(0.8839)
    assert found["accuracy"].value == pytest.approx(0.8883)
    assert found["accuracy_above_majority"].value == pytest.approx(0.0044)


@given(both_classes)
def test_figures_are_scikit_learns(rows):
    scores, truth = (np.array(column) for column in zip(*rows, strict=True))
    called = scores >= 5
    found = figures(scores, truth, 5)
    theirs = {
        "accuracy": metrics.accuracy_score(truth, called),
        "recall": metrics.recall_score(truth, called),
        "specificity": metrics.recall_score(~truth, ~called),
        "f1": metrics.f1_score(truth, called),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, called),
        "auc": metrics.roc_auc_score(truth, scores),
        "partial_auc": metrics.roc_auc_score(truth, scores, max_fpr=0.1),
        "average_precision": average_precision(scores, truth),
    }
    if called.any():
        theirs["precision"] = metrics.precision_score(truth, called)
    for name, value in theirs.items():
        assert found[name].value == pytest.approx(value), name


def test_all_figures_share_the_resamples_of_a_bootstrap_of_one():
    rng = np.random.default_rng(4)
    truth = rng.random(60) < 0.4
    scores, patients = rng.random(60) + 0.4 * truth, [f"p{i % 25}" for i in range(60)]
    alone = bootstrap(auc_statistic(scores, truth), patients, 200, np.random.default_rng(7))
    together = binary_figures(scores, truth, patients, 0.5, resamples=200, seed=7)["auc"]
    assert together == alone


def test_a_share_of_all_gets_the_exact_interval_over_its_own_patients():
    found = figures([0.9] * 8 + [0.1] * 30, [1] * 8 + [0] * 30)
    assert found["recall"].value == 1.0
    assert found["recall"].low == pytest.approx(0.025 ** (1 / 8))


def test_one_class_leaves_what_needs_two_undefined_with_the_reason():
    found = figures([0.9, 0.1, 0.8], [0, 0, 0])
    for name in ("recall", "average_precision"):
        assert isnan(found[name].value)
        assert found[name].warning == "undefined: no unit is positive"
    for name in ("auc", "partial_auc", "balanced_accuracy", "recall_at_specificity_0.9"):
        assert isnan(found[name].value)
        assert found[name].warning == "undefined: all units are of one class"
    assert found["specificity"].value == pytest.approx(1 / 3)


def test_precision_is_undefined_where_none_is_called():
    found = figures([0.1, 0.2], [0, 1])
    assert to_json(found)["precision"]["value"] is None
    assert found["precision"].warning == "undefined: no unit was called positive"
    assert found["f1"].value == 0.0


def test_nothing_gives_nothing_and_no_error():
    found = figures([], [])
    assert all(isnan(figure.value) and figure.warning for figure in found.values())


def test_a_missing_patient_is_refused():
    with pytest.raises(ValueError, match="patient"):
        binary_figures([0.1, 0.2], [0, 1], ["a"], 0.5, resamples=40)


def test_rows_of_the_confusion_matrix_are_the_truth():
    found = confusion_matrix([0, 0, 1, 2, 2], [0, 1, 1, 2, 0], 3)
    assert found.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert confusion_matrix([True, False, True], [True, True, False]).tolist() == [[0, 1], [1, 1]]
    assert confusion_matrix([], []).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(("truth", "called"), [([0, 2], [0, 1]), ([0, 1], [0, -1]), ([0], [0, 1])])
def test_a_class_out_of_range_is_refused(truth, called):
    with pytest.raises(ValueError, match=r"class|length"):
        confusion_matrix(truth, called)
