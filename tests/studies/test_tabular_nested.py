"""Nested cross-validation: nothing of a row's group is seen before the row is scored."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier

from mammoscope.studies.tabular_data import Question
from mammoscope.studies.tabular_figures import within_folds
from mammoscope.studies.tabular_models import CANDIDATES, LOGISTIC, Candidate
from mammoscope.studies.tabular_nested import Plan, ask, deal_folds

BY_NAME = {one.name: one for one in CANDIDATES}
PLAN = Plan(repeats=2, folds=3, inner=2, seed=0, quick=True)


def question(values, truth, groups=None, measure_of=None):
    columns = values.shape[1]
    of = np.arange(columns) if measure_of is None else np.array(measure_of)
    return Question(
        name="made",
        table="made",
        asks=("up", "down"),
        measures=tuple(f"m{i}" for i in range(of.max() + 1)),
        columns=tuple(f"c{i}" for i in range(columns)),
        measure_of=of,
        values=values,
        truth=truth,
        groups=tuple(map(str, range(len(truth)))) if groups is None else groups,
        told=(),
    )


def made(n=120, seed=0, effect=2.0):
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3 == 0
    values = rng.normal(size=(n, 3))
    values[:, 0] += effect * truth
    return question(values, truth)


def area(asked, told):
    ones = np.ones((1, len(asked.truth)))
    return within_folds(told.scores, asked.truth, told.folds)(ones)[0, 0]


def test_rows_of_a_group_are_in_one_fold_in_every_repeat():
    rng = np.random.default_rng(0)
    groups = tuple(str(i // 3) for i in range(90))
    folds = deal_folds(question(rng.normal(size=(90, 2)), rng.random(90) < 0.4, groups), PLAN)
    assert folds.shape == (2, 90)
    for repeat in folds:
        assert all(len(set(repeat[i : i + 3])) == 1 for i in range(0, 90, 3))
        assert set(repeat) == {0, 1, 2}
    assert not np.array_equal(folds[0], folds[1])


def test_copies_with_random_truth_teach_nothing():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=(80, 4)), 2, axis=0)
    truth = np.repeat(rng.random(80) < 0.5, 2)
    nearest = Candidate("one nearest", lambda seed: KNeighborsClassifier(1), {})
    grouped = question(values, truth, tuple(str(i // 2) for i in range(160)))
    loose = question(values, truth)
    assert area(grouped, ask(grouped, nearest, PLAN)) < 0.6
    # Without groups the copy of a row tells its truth: the leak that is closed here.
    assert area(loose, ask(loose, nearest, PLAN)) > 0.7


@pytest.mark.parametrize("name", BY_NAME)
def test_every_candidate_scores_every_row_and_ranks_as_it_should(name):
    asked = made()
    told = ask(asked, BY_NAME[name], Plan(1, 2, 2, 0, quick=True))
    assert np.isfinite(told.scores).all()
    assert told.unsettled == 0
    value = area(asked, told)
    if name == "most frequent":
        assert value == 0.5
        assert not told.called.any()
    elif name == "stratified":
        assert 0.3 < value < 0.7
    else:
        assert value > 0.75


def test_gaps_are_filled_and_do_not_stop_it():
    asked = made()
    asked.values[::4, 1] = np.nan
    assert np.isfinite(ask(asked, BY_NAME[LOGISTIC], PLAN).scores).all()


def test_the_unit_of_a_measure_does_not_matter():
    asked = made()
    told = ask(asked, BY_NAME[LOGISTIC], PLAN)
    larger = question(asked.values * [1, 1000, 0.001], asked.truth)
    np.testing.assert_allclose(told.scores, ask(larger, BY_NAME[LOGISTIC], PLAN).scores, atol=1e-6)


def test_importance_is_where_the_signal_is():
    asked = made(n=240, effect=3.0)
    told = ask(asked, BY_NAME[LOGISTIC], PLAN)
    whole = area(asked, told)
    ones = np.ones((1, 240))
    losses = [
        whole - within_folds(one, asked.truth, told.folds)(ones)[0, 0] for one in told.shuffled
    ]
    assert losses[0] > 0.3
    assert max(losses[1:]) < 0.05


def test_columns_of_one_category_are_shuffled_together():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 90)
    values = np.column_stack([np.eye(3)[code], rng.normal(size=90)])
    asked = question(values, code == 1, measure_of=[0, 0, 0, 1])

    class Whole(ClassifierMixin, BaseEstimator):
        """Refuses rows whose category has not exactly one code."""

        def fit(self, values, truth):
            self.classes_ = np.array([False, True])
            return self

        def predict_proba(self, values):
            codes = values[:, :3] > values[:, :3].min()
            assert (codes.sum(axis=1) == 1).all()
            return np.column_stack([~codes[:, 1], codes[:, 1]]).astype(float)

        def predict(self, values):
            return self.predict_proba(values)[:, 1] > 0.5

    told = ask(asked, Candidate(LOGISTIC, lambda seed: Passed(Whole()), {}), PLAN)
    assert told.shuffled.shape == (2, 2, 90)


class Passed(ClassifierMixin, BaseEstimator):
    """Undoes the scaling in front by ranks of each column, then asks the model inside."""

    def __init__(self, inside):
        self.inside = inside

    def fit(self, values, truth):
        self.classes_ = np.array([False, True])
        self.middle_ = (values.max(axis=0) + values.min(axis=0)) / 2
        self.inside.fit(values, truth)
        return self

    def predict_proba(self, values):
        return self.inside.predict_proba((values > self.middle_).astype(float))

    def predict(self, values):
        return self.predict_proba(values)[:, 1] > 0.5


def test_fits_that_did_not_converge_are_counted():
    class Loose(KNeighborsClassifier):
        def fit(self, values, truth):
            warnings.warn("not there yet", ConvergenceWarning, stacklevel=2)
            return super().fit(values, truth)

    told = ask(made(), Candidate("loose", lambda seed: Loose(3), {}), PLAN)
    # Of each outer fold two inner fits and the last one.
    assert (told.fits, told.unsettled) == (2 * 3 * 3, 2 * 3 * 3)


def test_another_warning_is_an_error():
    class Odd(KNeighborsClassifier):
        def fit(self, values, truth):
            warnings.warn("something else", UserWarning, stacklevel=2)
            return super().fit(values, truth)

    with pytest.raises(UserWarning, match="something else"):
        ask(made(), Candidate("odd", lambda seed: Odd(3), {}), PLAN)


def test_the_same_plan_gives_the_same_answers():
    first, second = (ask(made(), BY_NAME["decision tree"], PLAN) for _ in "ab")
    np.testing.assert_array_equal(first.scores, second.scores)
