"""The classifiers that are compared, each with what fills gaps and scales measures inside it.

What is learnt from rows (medians, spreads, settings) is learnt from training rows only, since a
candidate is one pipeline from the table's values to the answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from mammoscope.studies.tabular_data import Array

MOST_FREQUENT, STRATIFIED, LOGISTIC = "most frequent", "stratified", "logistic regression"
Grid = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A classifier and the settings that the inner folds choose among.

    Attributes
    ----------
    name : as in `tabular.json`
    make : seed to the classifier without its settings
    grid : settings, the simplest first, as the first of equals is taken
    """

    name: str
    make: Callable[[int], Any]
    grid: Grid

    def pipeline(self, seed: int) -> Pipeline:
        """Return it with the filling of gaps and the scaling in front."""
        return Pipeline(
            [
                ("fill", SimpleImputer(strategy="median", keep_empty_features=True)),
                ("scale", StandardScaler()),
                ("model", self.make(seed)),
            ]
        )

    def settings(self, *, quick: bool) -> dict[str, list[Any]]:
        """Return the grid by the pipeline's names, its first and last values only when quick."""
        return {
            f"model__{key}": list(dict.fromkeys((values[0], values[-1]))) if quick else list(values)
            for key, values in self.grid.items()
        }


def _tree(seed: int) -> DecisionTreeClassifier:
    return DecisionTreeClassifier(random_state=seed)


def _linear(seed: int) -> LinearSVC:
    # Solved in its primal form it converges; the paper's setting draws at random and does not.
    return LinearSVC(dual=False, max_iter=20_000, random_state=seed)


def _perceptron(seed: int) -> MLPClassifier:
    # So it converges on every table, where L-BFGS did not in 2,000 rounds.
    return MLPClassifier(
        (64, 48), learning_rate_init=0.003, max_iter=1_000, tol=1e-3, random_state=seed
    )


def _boosting(seed: int) -> GradientBoostingClassifier:
    return GradientBoostingClassifier(n_estimators=100, subsample=0.5, random_state=seed)


COSTS = (0.01, 0.03, 0.1, 0.3, 1, 3)
CANDIDATES = (
    Candidate(MOST_FREQUENT, lambda seed: DummyClassifier(strategy="prior"), {}),
    Candidate(
        STRATIFIED, lambda seed: DummyClassifier(strategy="stratified", random_state=seed), {}
    ),
    Candidate("decision tree", _tree, {"max_depth": (2, 3, 4, 5, 7, 10)}),
    Candidate(
        "k nearest",
        lambda seed: KNeighborsClassifier(),
        {"n_neighbors": (25, 15, 11, 7, 5, 3), "p": (1, 2)},
    ),
    Candidate("SVM, linear", _linear, {"C": COSTS}),
    Candidate(
        "SVM, RBF",
        lambda seed: SVC(),
        {"C": (0.3, 1, 3, 10, 30), "gamma": (0.003, 0.01, 0.03, 0.1)},
    ),
    Candidate("perceptron 64-48", _perceptron, {"alpha": (10, 3, 1)}),
    Candidate(LOGISTIC, lambda seed: LogisticRegression(max_iter=2_000), {"C": COSTS}),
    Candidate("gradient boosting", _boosting, {"max_depth": (1, 2, 3), "learning_rate": (0.05,)}),
)


def score_rows(fitted: Pipeline, values: Array) -> Array:
    """Return a score a row, shape (rows,), higher for the positive class; the unit is the model's.

    A probability where there is one, else the distance from the boundary.
    """
    if hasattr(fitted, "predict_proba"):
        return np.asarray(fitted.predict_proba(values)[:, 1], dtype=np.float64)
    return np.asarray(fitted.decision_function(values), dtype=np.float64)


def call_rows(fitted: Pipeline, values: Array) -> NDArray[np.bool_]:
    """Return which rows it calls positive by its own rule, shape (rows,)."""
    return np.asarray(fitted.predict(values), dtype=bool)
