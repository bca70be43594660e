"""A breast's malignancy learnt from its views, to be held against their mean and their highest.

A logistic model of few numbers on what the network said of either view and on how well the two
agree. It is fitted on validation folds and judged on a fold that neither the network nor it saw;
how strongly it is held back is chosen inside the folds that it is fitted on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from mammoscope.core.errors import TrainingError
from mammoscope.evaluation.intervals import Array
from mammoscope.evaluation.pairing import Place, pair_places

FEATURES = ("highest", "mean", "product", "lesion", "pair", "one_view")
"""What `breast_features` gives, in order."""
PENALTIES = (0.001, 0.01, 0.1, 1.0)
"""Of the squared weights of features with spread 1, as a share of the number of units."""
MOST_STEPS = 100
NEAREST = 1e-3
"""Scores are kept this far from 0 and 1, so that one of them cannot outweigh all others."""

Mask = NDArray[np.bool_]
Folds = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class View:
    """What the network said of one scan: its view ("CC", "MLO") and places, best first."""

    view: str
    places: tuple[Place, ...]

    @property
    def malignancy(self) -> float:
        """The largest product of a place's two scores, 0 without a place."""
        return max((place.score * place.malignancy for place in self.places), default=0.0)

    @property
    def lesion(self) -> float:
        """The highest lesion score, 0 without a place."""
        return max((place.score for place in self.places), default=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """probability = sigmoid(features @ weights + intercept).

    Attributes
    ----------
    weights : ndarray of shape (features,)
    """

    weights: Array
    intercept: float

    def probabilities(self, features: Array) -> Array:
        """Return probabilities, shape (units,), of features of shape (units, features)."""
        return np.asarray(expit(features @ self.weights + self.intercept), dtype=np.float64)


def breast_features(views: Sequence[View], spread_mm: float) -> dict[str, float]:
    """Describe the views of one breast by the numbers named in `FEATURES`.

    Parameters
    ----------
    views : at least one
    spread_mm : how much a lesion's depth behind the nipple differs between views

    Returns
    -------
    dict
        Logits of the highest and the mean malignancy of the views and of the highest lesion score;
        `product`, the logit of the views' malignancies' geometric mean; `pair`, the malignancy of
        the strongest pair of places on two different views times its strength, 0 without one; and
        `one_view`, 1 where there is no second view.
    """
    each = np.array([one.malignancy for one in views])
    several = len({one.view for one in views}) > 1
    return {
        "highest": _logit(float(each.max())),
        "mean": _logit(float(each.mean())),
        "product": _logit(float(np.exp(np.log(np.maximum(each, NEAREST)).mean()))),
        "lesion": _logit(max(one.lesion for one in views)),
        "pair": _best_pair(views, spread_mm),
        "one_view": 0.0 if several else 1.0,
    }


def _best_pair(views: Sequence[View], spread_mm: float) -> float:
    best = 0.0
    for index, one in enumerate(views):
        for other in views[index + 1 :]:
            if one.view == other.view:
                continue
            for pair in pair_places(one.places, other.places, spread_mm):
                both = one.places[pair.first].malignancy + other.places[pair.second].malignancy
                best = max(best, pair.strength * both / 2)
    return best


def features_matrix(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Array:
    """Lay named features side by side, shape (units, features)."""
    return np.array([[row[name] for name in names] for row in rows], dtype=np.float64)


def fit_logistic(features: Array, labels: ArrayLike, penalty: float) -> Logistic:
    """Fit a logistic model whose weights are held back by a penalty on their squares.

    Parameters
    ----------
    features : shape (units, features), finite
    labels : shape (units,), True for the positive class
    penalty : above 0, on weights of features scaled to spread 1, as a share of the units

    Raises
    ------
    TrainingError
        When there is one class only.
    """
    positive = np.asarray(labels, dtype=bool)
    if positive.all() or not positive.any():
        raise TrainingError(
            "A score of breasts needs malignant and benign ones, but all are of one class; fit it "
            "on more patients."
        )
    centre, spread = features.mean(axis=0), features.std(axis=0)
    # A feature that never differs gets weight 0 instead of a division by 0.
    spread = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([(features - centre) / spread, np.ones(len(features))])
    held = np.append(np.full(features.shape[1], penalty * len(features)), 0.0)
    beta = _newton(design, positive.astype(np.float64), held)
    weights = beta[:-1] / spread
    return Logistic(weights, float(beta[-1] - weights @ centre))


def nested_scores(features: Array, labels: Mask, folds: Folds) -> Array:
    """Score every unit by a model fitted on the other folds, its penalty chosen among those.

    Parameters
    ----------
    features : shape (units, features)
    labels : shape (units,), bool
    folds : shape (units,): fold of each unit's patient; at least three

    Returns
    -------
    ndarray of shape (units,), probabilities
    """
    scores = np.empty(len(labels))
    for fold in np.unique(folds):
        apart = folds == fold
        penalty = choose_penalty(features[~apart], labels[~apart], folds[~apart])
        model = fit_logistic(features[~apart], labels[~apart], penalty)
        scores[apart] = model.probabilities(features[apart])
    return scores


def choose_penalty(features: Array, labels: Mask, folds: Folds) -> float:
    """Return the penalty under which held-out folds are likeliest; of equals the strongest."""

    def likelihood(penalty: float) -> float:
        total = 0.0
        for fold in np.unique(folds):
            apart = folds == fold
            model = fit_logistic(features[~apart], labels[~apart], penalty)
            linear = features[apart] @ model.weights + model.intercept
            total -= float(np.logaddexp(0, np.where(labels[apart], -linear, linear)).sum())
        return total

    return max(PENALTIES, key=lambda penalty: (likelihood(penalty), penalty))


def _newton(design: Array, target: Array, held: Array) -> Array:
    """Minimise the penalised loss; it is convex and bounded below, so the steps end."""
    beta = np.zeros(design.shape[1])
    for _ in range(MOST_STEPS):
        chance = expit(design @ beta)
        slope = design.T @ (target - chance) - held * beta
        bend = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(held)
        step = np.linalg.solve(bend, slope)
        before = _loss(design, target, held, beta)
        while _loss(design, target, held, beta + step) > before + 1e-12 * abs(before):
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            break
    return beta


def _loss(design: Array, target: Array, held: Array, beta: Array) -> float:
    linear = design @ beta
    fit = np.logaddexp(0, linear).sum() - target @ linear
    return float(fit + (held * beta**2).sum() / 2)


def _logit(value: float) -> float:
    return float(logit(min(max(value, NEAREST), 1 - NEAREST)))
