"""Guards made from the statistics of an archive's scans and of spoiled ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mammoscope.core.vocabulary import ViewPosition
from mammoscope.scans.domain import Check, Guard, features

Values = NDArray[np.float64]
FOLDS = 5
RIDGE = 1.0
"""Penalty of the squared weights: the checks are to hold on scanners that they never saw."""
SHRINKAGE = 0.15
"""Share of the identity in the covariance, after Ledoit and Wolf's (2004) idea."""
ALLOWED = 0.002
"""Share of the usual scans that a check may flag, out of fold."""
ALLOWED_ODD = 0.005
"""Share of the usual scans that the distance may call doubtful, out of fold."""
BEYOND = 1.25
"""What lies this many times as far off as the farthest usual scan is refused."""
MISSED = 0.005
STEPS = 25
ENOUGH = 1e-3
"""Newton's method ends where no weight changes by more."""
UPRIGHT = (ViewPosition.MLO, ViewPosition.ML, ViewPosition.LMO)
"""Views with a top and a bottom: on the others half a turn is a mirror image."""
ON_ITS_HEAD = "turned by 180 degrees"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sample:
    """Statistics of scans: `values` of shape (scans, names), patient and view of each."""

    values: Values
    patients: tuple[str, ...]
    views: tuple[ViewPosition | None, ...]

    def part(self, kept: NDArray[np.bool_]) -> "Sample":
        """Keep the scans where `kept` is true."""
        places = np.flatnonzero(kept)
        return Sample(
            values=self.values[places],
            patients=tuple(self.patients[i] for i in places),
            views=tuple(self.views[i] for i in places),
        )


def joined(samples: Sequence[Sample]) -> Sample:
    """Lay samples behind one another."""
    return Sample(
        values=np.concatenate([s.values for s in samples]),
        patients=tuple(p for s in samples for p in s.patients),
        views=tuple(v for s in samples for v in s.views),
    )


def fold_of(patients: Sequence[str], folds: int = FOLDS, seed: int = 0) -> NDArray[np.intp]:
    """Deal patients into folds at random, evenly; all scans of a patient are in one."""
    known = sorted(set(patients))
    order = np.random.default_rng(seed).permutation(len(known))
    of = {name: int(place) % folds for name, place in zip(known, order, strict=True)}
    return np.array([of[name] for name in patients], dtype=np.intp)


def fit_guard(
    usual: Sample, others: Sample, spoiled: Mapping[str, Sample], *, archive: str, made_by: str
) -> Guard:
    """Fit a guard.

    Parameters
    ----------
    usual : the archive's scans as they are; they make the centre, the distance and its limit
    others : further scans that must not be flagged: varied ones, and those of other devices
    spoiled : by kind; the patients are those of the scans that were spoiled
    archive, made_by : written into the guard
    """
    low, centre, high = np.percentile(usual.values, (16, 50, 84), axis=0)
    spread = usual.values.std(axis=0)
    scale = np.maximum(np.maximum((high - low) / 2, 0.3 * spread), 1e-3)
    blank = Guard(
        archive=archive,
        made_by=made_by,
        centre=centre,
        scale=scale,
        middle=np.zeros(len(centre)),
        inverse=np.eye(len(centre)),
        distances=np.zeros(101),
        odd=np.inf,
        farthest=np.inf,
        checks=(),
    )
    good = joined([usual, others])
    checks = [_check(blank, kind, good, sample) for kind, sample in spoiled.items()]
    return _with_distance(replace(blank, checks=tuple(checks)), usual, others)


def _check(guard: Guard, kind: str, good: Sample, bad: Sample) -> Check:
    """Fit one check, and its limit on patients that it was not fitted on."""
    views = UPRIGHT if kind == ON_ITS_HEAD else ()
    if views:
        good = good.part(np.array([view in views for view in good.views]))
        bad = bad.part(np.array([view in views for view in bad.views]))
    both = joined([good, bad])
    rows = features(guard.standardised(both.values))
    labels = np.arange(len(rows)) >= len(good.patients)
    folds = fold_of(both.patients)
    scores = np.empty(len(rows))
    for fold in range(FOLDS):
        out = folds == fold
        weights, bias = _logistic(rows[~out], labels[~out])
        scores[out] = rows[out] @ weights + bias
    weights, bias = _logistic(rows, labels)
    usual, least = (
        float(np.quantile(scores[~labels], 1 - ALLOWED)),
        float(np.quantile(scores[labels], MISSED)),
    )
    # Where a gap lies between the two, the limit stands in its middle.
    limit = max(usual, (usual + least) / 2)
    return Check(kind=kind, weights=weights, bias=bias, limit=limit, views=views)


def _logistic(rows: Values, labels: NDArray[np.bool_]) -> tuple[Values, float]:
    """Logistic regression with both classes of one weight, by Newton's method; weights and bias."""
    wide = np.column_stack([rows, np.ones(len(rows))])
    weight = np.where(labels, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    penalty = np.full(wide.shape[1], RIDGE)
    penalty[-1] = 1e-6
    beta = np.zeros(wide.shape[1])
    for _ in range(STEPS):
        chance = expit(wide @ beta)
        slope = wide.T @ (weight * (labels - chance)) - penalty * beta
        bend = (wide * (weight * chance * (1 - chance))[:, None]).T @ wide + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        # Newton's step may overshoot where the classes are far apart.
        largest = float(np.abs(step).max())
        beta = beta + step * min(1.0, 5.0 / max(largest, 1e-12))
        if largest < ENOUGH:
            break
    return beta[:-1], float(beta[-1])


def _with_distance(guard: Guard, usual: Sample, others: Sample) -> Guard:
    """Add the distance; its limit comes from patients that it was not fitted on."""
    z = guard.standardised(usual.values)
    beside = guard.standardised(others.values)
    folds = fold_of(usual.patients)
    beside_folds = fold_of(others.patients)
    far = np.empty(len(z))
    far_beside = np.empty(len(beside))
    for fold in range(FOLDS):
        part = np.concatenate([z[folds != fold], beside[beside_folds != fold]])
        trial = _centred(guard, part)
        far[folds == fold] = trial.distance(z[folds == fold])
        far_beside[beside_folds == fold] = trial.distance(beside[beside_folds == fold])
    whole = _centred(guard, np.concatenate([z, beside]))
    everything = np.concatenate([far, far_beside])
    return replace(
        whole,
        distances=np.quantile(far, np.linspace(0, 1, 101)),
        odd=float(np.quantile(everything, 1 - ALLOWED_ODD)),
        farthest=BEYOND * float(everything.max()),
    )


def _centred(guard: Guard, z: Values) -> Guard:
    cover = np.cov(z, rowvar=False)
    cover = (1 - SHRINKAGE) * cover + SHRINKAGE * np.diag(np.maximum(np.diag(cover), 0.05))
    inverse = np.asarray(np.linalg.inv(cover), dtype=np.float64)
    return replace(guard, middle=z.mean(axis=0), inverse=inverse)
