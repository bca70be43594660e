"""A small classifier fitted and scored by patient, and the area under its ROC curve.

Ridge regression on indicators of the classes, which for two classes is Fisher's discriminant,
regularised (Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 4.2 and 4.3). One
factorisation serves all classes and all permutations of the labels, so that the audit stays quick.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Array = NDArray[np.float64]
Numbers = NDArray[np.intp]

STEPS = 8
"""Each feature also enters as steps at its octiles, so that both ends of it can mean the same."""
PENALTY = 0.3
"""Weight of the ridge, as a share of the number of pictures; columns are standardised."""
MOST_STANDARD = 4.0
"""Standard deviations from the mean beyond which a feature says no more."""


def varies(columns: Array) -> bool:
    """Tell whether any feature differs between pictures (or is known of some only)."""
    if columns.size == 0:
        return False
    known = np.isfinite(columns)
    if (known.any(axis=0) & ~known.all(axis=0)).any():
        return True
    filled = np.where(known, columns, 0.0)
    return bool((np.ptp(filled, axis=0) > 0).any())


def fold_scores(columns: Array, targets: Array, fold: Numbers) -> Array:
    """Score each picture by a model fitted on the other folds.

    Parameters
    ----------
    columns : shape (n, features); NaN where a feature is not known
    targets : shape (n, m), what is to be told, each column by itself
    fold : shape (n,), 0 and up; pictures of one patient lie in one fold

    Returns
    -------
    ndarray of shape (n, m).
    """
    scores = np.zeros_like(targets)
    for number in np.unique(fold):
        test = fold == number
        train = ~test
        inputs = _basis(columns, train)
        centre = targets[train].mean(axis=0)
        fitted = inputs[train]
        gram = fitted.T @ fitted
        gram[np.diag_indices_from(gram)] += PENALTY * len(fitted) + 1e-9
        weights = linalg.solve(gram, fitted.T @ (targets[train] - centre), assume_a="pos")
        scores[test] = inputs[test] @ weights
    return scores


def _basis(columns: Array, train: NDArray[np.bool_]) -> Array:
    """Standardise features, and add their steps; places and scales are those of the training."""
    known = np.isfinite(columns)
    clean = np.where(known, columns, np.nan)
    usable = known[train].any(axis=0)
    clean, known = clean[:, usable], known[:, usable]
    middle = np.nanmedian(clean[train], axis=0) if clean.shape[1] else np.empty(0)
    filled = np.where(known, clean, middle)
    cuts = np.quantile(filled[train], np.arange(1, STEPS) / STEPS, axis=0)
    steps = (filled[:, None, :] > cuts[None]).reshape(len(filled), -1)
    partly = ~known[:, ~known.all(axis=0)]
    together = np.hstack([filled, steps, partly])
    mean, spread = together[train].mean(axis=0), together[train].std(axis=0)
    moving = spread > 1e-12
    standard = (together[:, moving] - mean[moving]) / spread[moving]
    return np.asarray(np.clip(standard, -MOST_STANDARD, MOST_STANDARD))


def area(
    scores: Array,
    truth: NDArray[np.bool_],
    weights: Array | None = None,
    fold: Numbers | None = None,
) -> Array:
    """Area under the ROC curve by ranks, ties counting half (Mann & Whitney 1947).

    Parameters
    ----------
    scores, truth : shape (n,)
    weights : shape (resamples, n), how often each picture was drawn; once each when not given
    fold : shape (n,); only pictures of one fold are compared. Scores of two folds are of two
        models: the fold that holds more of a class was scored by the one that saw less of it, and
        to rank them together makes an honest answer look worse than it is

    Returns
    -------
    ndarray of shape (resamples,); NaN where a class is empty, or both never lie in one fold.
    """
    drawn = np.ones((1, len(scores))) if weights is None else weights
    parts = [np.arange(len(scores))] if fold is None else _members(fold)
    won, pairs = np.zeros(len(drawn)), np.zeros(len(drawn))
    for part in parts:
        more_won, more_pairs = _won(scores[part], truth[part], drawn[:, part])
        won += more_won
        pairs += more_pairs
    areas: Array = np.full(len(won), np.nan)
    np.divide(won, pairs, out=areas, where=pairs > 0)
    return areas


def _members(fold: Numbers) -> list[Numbers]:
    return [np.flatnonzero(fold == number) for number in np.unique(fold)]


def _won(scores: Array, truth: NDArray[np.bool_], drawn: Array) -> tuple[Array, Array]:
    """Count the pairs that the positive wins, and all pairs of a positive and a negative."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    sorted_truth = truth[order]
    ordered = drawn[:, order]
    above = np.add.reduceat(ordered * sorted_truth, starts, axis=1)
    under = np.add.reduceat(ordered * ~sorted_truth, starts, axis=1)
    pairs = above.sum(axis=1) * under.sum(axis=1)
    won = (above * (np.cumsum(under, axis=1) - under / 2)).sum(axis=1)
    return won, pairs


def mean_area(
    scores: Array, classes: Numbers, weights: Array | None = None, fold: Numbers | None = None
) -> Array:
    """Mean over classes of the area of each against the rest; of two classes the one area.

    Parameters
    ----------
    scores : shape (n, classes)
    classes : shape (n,), number of the class of each
    weights, fold : as in `area`
    """
    columns = range(1, 2) if scores.shape[1] == 2 else range(scores.shape[1])
    areas = [area(scores[:, k], classes == k, weights, fold) for k in columns]
    return np.asarray(np.mean(areas, axis=0))


def patient_weights(codes: Numbers, resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw patients with replacement; how often each of the (n,) pictures was drawn each time."""
    patients = int(codes.max()) + 1
    drawn = rng.multinomial(patients, np.full(patients, 1 / patients), resamples)
    return drawn[:, codes]


def dealt_anew(classes: Numbers, codes: Numbers, rng: np.random.Generator) -> Numbers:
    """Deal the labels anew: whole patients' runs of labels change places.

    Labels of one patient stay together, as they are alike in most archives; dealing them singly
    would make chance look smaller than it is.
    """
    order = np.argsort(codes, kind="stable")
    runs = np.split(classes[order], np.flatnonzero(np.diff(codes[order])) + 1)
    dealt = np.empty_like(classes)
    dealt[order] = np.concatenate([runs[i] for i in rng.permutation(len(runs))])
    return dealt


def leading(columns: Array, classes: Numbers, number: int) -> int:
    """Return which feature tells most by itself."""
    filled = np.where(np.isfinite(columns), columns, -1e9)
    numbers: Sequence[int] = (1,) if number == 2 else range(number)
    far = [
        max(abs(float(area(column, classes == k)[0]) - 0.5) for k in numbers) for column in filled.T
    ]
    return int(np.argmax(far))
