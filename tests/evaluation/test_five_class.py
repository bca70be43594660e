"""Several classes: hand answers, scikit-learn, and the paper's way of collapsing them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from mammoscope.evaluation.five_class import PAPER_CLASSES, class_figures, collapsed_scores


def measured(chances, truth, **changes):
    patients = [str(i) for i in range(len(truth))]
    return class_figures(chances, truth, patients, draws=(40, 0), **changes)


def random_cohort(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(5), rng.integers(0, 5, n - 5)])
    chances = rng.random((n, 5)) + 0.5 * (truth[:, None] == np.arange(5))
    return chances / chances.sum(axis=1, keepdims=True), truth


def test_the_collapsed_call_is_the_papers_and_may_differ_from_the_likeliest_class():
    # Normal is the likeliest, but 1 - 0.5 exceeds 0.4; 1 - 0.6 does not exceed it.
    chances = np.array([[0.5, 0.2, 0.1, 0.1, 0.1], [0.6, 0.1, 0.1, 0.1, 0.1]])
    found = measured(chances, [1, 0])
    assert found.collapsed["recall"].value == 1.0
    assert found.collapsed["specificity"].value == 1.0
    assert found.by_class["benign calcification"]["recall"].value == 0.0
    assert found.confusion[1, 0] == 1


def test_a_score_at_the_threshold_is_not_abnormal():
    found = measured([[0.5, 0.5, 0, 0, 0], [0.5, 0.5, 0, 0, 0]], [0, 1], threshold=0.5)
    assert found.collapsed["specificity"].value == 1.0
    assert found.collapsed["recall"].value == 0.0


def test_the_majority_is_the_commonest_class():
    found = measured(np.eye(5)[[0, 0, 0, 1, 2]], [0, 0, 1, 1, 1])
    assert found.overall["majority"].value == pytest.approx(3 / 5)
    assert found.overall["accuracy"].value == pytest.approx(3 / 5)
    # Classes 0 and 1 occur: their recalls are 1 and 1/3.
    assert found.overall["macro_recall"].value == pytest.approx(2 / 3)


@given(st.integers(0, 200))
def test_figures_are_scikit_learns(seed):
    chances, truth = random_cohort(seed)
    calls = chances.argmax(axis=1)
    found = measured(chances, truth)
    assert found.confusion.tolist() == metrics.confusion_matrix(truth, calls).tolist()
    assert found.overall["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, calls))
    assert found.overall["macro_recall"].value == pytest.approx(
        metrics.balanced_accuracy_score(truth, calls)
    )
    assert found.overall["macro_f1"].value == pytest.approx(
        metrics.f1_score(truth, calls, average="macro")
    )
    recalls = metrics.recall_score(truth, calls, average=None)
    for i, name in enumerate(PAPER_CLASSES):
        assert found.by_class[name]["recall"].value == pytest.approx(recalls[i])
        assert found.by_class[name]["auc"].value == pytest.approx(
            metrics.roc_auc_score(truth == i, chances[:, i])
        )
    assert found.collapsed["auc"].value == pytest.approx(
        metrics.roc_auc_score(truth > 0, collapsed_scores(chances))
    )


def test_a_class_that_does_not_occur_is_undefined_with_the_reason():
    found = measured(np.eye(5)[[0, 1]], [0, 1])
    missing = found.by_class["malignant mass"]
    assert missing["recall"].to_json()["value"] is None
    assert missing["recall"].warning == "undefined: no unit is positive"
    assert "this class" in str(missing["auc"].warning)


@pytest.mark.parametrize(
    ("chances", "truth", "words"),
    [
        ([[0.5, 0.5]], [0], "column"),
        ([[1.2, -0.2, 0, 0, 0]], [0], r"\[0, 1\]"),
        ([[np.nan, 1, 0, 0, 0]], [0], r"\[0, 1\]"),
        ([[0.5, 0.4, 0, 0, 0]], [0], "add up"),
        ([[1, 0, 0, 0, 0]], [5], "class"),
    ],
)
def test_what_is_no_set_of_probabilities_is_refused(chances, truth, words):
    with pytest.raises(ValueError, match=words):
        measured(chances, truth)
