"""A learnt score of breasts: features by hand, the fit against scikit-learn, no leak over folds."""

from math import log

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mammoscope.core.errors import TrainingError
from mammoscope.evaluation.exam_score import (
    FEATURES,
    PENALTIES,
    View,
    breast_features,
    choose_penalty,
    features_matrix,
    fit_logistic,
    nested_scores,
)
from mammoscope.evaluation.pairing import Place


def logit(share):
    return log(share / (1 - share))


def test_the_features_of_two_views_are_as_by_hand():
    cc = View("CC", (Place(0.8, 0.5, 30.0), Place(0.5, 0.2, 60.0)))
    mlo = View("MLO", (Place(0.2, 0.5, 30.0),))
    found = breast_features([cc, mlo], 10.0)
    assert set(found) == set(FEATURES)
    assert found["highest"] == pytest.approx(logit(0.4))
    assert found["mean"] == pytest.approx(logit(0.25))
    assert found["product"] == pytest.approx(logit(0.2))
    assert found["lesion"] == pytest.approx(logit(0.8))
    # Likeness 1, scores .8 and .2: strength .4, times the mean malignancy .5.
    assert found["pair"] == pytest.approx(0.2)
    assert found["one_view"] == 0.0


def test_a_breast_of_one_view_has_no_pair():
    twice = [View("CC", (Place(0.8, 0.5, 30.0),)), View("CC", (Place(0.8, 0.5, 30.0),))]
    found = breast_features(twice, 10.0)
    assert (found["pair"], found["one_view"]) == (0.0, 1.0)


def test_a_view_without_places_is_no_infinite_logit():
    found = breast_features([View("CC", ())], 10.0)
    assert np.isfinite(list(found.values())).all()


@pytest.fixture
def made():
    rng = np.random.default_rng(8)
    features = rng.normal(size=(200, 3)) * (1.0, 10.0, 0.1) + (0.0, 5.0, 1.0)
    labels = rng.random(200) < 1 / (1 + np.exp(-features[:, 0] - 0.1 * (features[:, 1] - 5)))
    return features, labels, np.arange(200) % 5


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_fit_is_that_of_scikit_learn(made, penalty):
    features, labels, _ = made
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    theirs = LogisticRegression(C=1 / (penalty * len(labels)), tol=1e-10, max_iter=1000)
    expected = theirs.fit(scaled, labels).predict_proba(scaled)[:, 1]
    found = fit_logistic(features, labels, penalty).probabilities(features)
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_feature_that_never_differs_has_no_weight(made):
    features, labels, _ = made
    model = fit_logistic(np.column_stack([features, np.ones(200)]), labels, 0.01)
    assert model.weights[3] == 0.0


def test_one_class_alone_is_refused(made):
    with pytest.raises(TrainingError, match="all are of one class"):
        fit_logistic(made[0], np.ones(200), 0.1)


def test_a_folds_own_labels_have_no_say_in_its_scores(made):
    features, labels, folds = made
    before = nested_scores(features, labels, folds)
    turned = np.where(folds == 2, ~labels, labels)
    after = nested_scores(features, turned, folds)
    assert (before[folds == 2] == after[folds == 2]).all()
    assert (before[folds != 2] != after[folds != 2]).any()


def test_noise_is_held_back_the_strongest(made):
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(200, 30))
    labels = np.arange(200) % 2 == 0
    assert choose_penalty(noise, labels, made[2]) == max(PENALTIES)


def test_named_features_lie_in_the_order_asked_for():
    rows = [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]
    assert features_matrix(rows, ("b", "a")).tolist() == [[2.0, 1.0], [4.0, 3.0]]
