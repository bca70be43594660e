"""What is gained where a model may abstain: the risk-coverage curve (El-Yaniv & Wiener 2010).

The least certain units are left to somebody else; of the rest, the errors are counted. What is left
out is not right, only unanswered: a reader must still look at it. Abstaining by chance buys
nothing, so what certainty buys is the risk of all units less that of the units kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mammoscope.evaluation.intervals import (
    Array,
    Draws,
    Figure,
    Statistic,
    divided,
    draw,
    figure_of,
)
from mammoscope.evaluation.roc import checked

ABSTAINED = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of the units that are left to somebody else."""
WHAT = ("risk", "gain", "recall", "specificity")


@dataclass(frozen=True, slots=True)
class Abstention:
    """What holds of the units kept when a share of all is left out.

    Attributes
    ----------
    abstained : share of the units left out, the least certain
    risk : share of wrong calls among those kept
    gain : risk of all units less this risk; above 0 where abstaining helps
    recall, specificity : among the positives and the negatives kept
    """

    abstained: float
    risk: Figure
    gain: Figure
    recall: Figure
    specificity: Figure

    def to_json(self) -> dict[str, Any]:
        """Return the point as `evaluation.json` holds it."""
        figures = {name: getattr(self, name).to_json() for name in WHAT}
        return {"abstained": self.abstained, **figures}


def certainty_of(scores: ArrayLike, threshold: float) -> Array:
    """Return how far each score lies from the threshold, as a share of the way to 0 or to 1.

    Parameters
    ----------
    scores : shape (units,), in [0, 1]
    threshold : in [0, 1]; a score at it is called positive

    Returns
    -------
    ndarray of shape (units,), in [0, 1]

    Raises
    ------
    ValueError
        When a score or the threshold lies outside [0, 1].
    """
    values = np.asarray(scores, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all() or not 0 <= threshold <= 1:
        raise ValueError("scores and threshold must lie in [0, 1]")
    above = divided(values - threshold, np.full(values.shape, 1 - threshold))
    below = divided(threshold - values, np.full(values.shape, threshold))
    # At a threshold of 1 (or 0) one side has no length, and holds only the threshold itself.
    return np.nan_to_num(np.where(values >= threshold, above, below))


def abstention_statistic(
    right: ArrayLike, truth: ArrayLike, certainty: ArrayLike, abstained: Sequence[float]
) -> Statistic:
    """Return weights, shape (resamples, units), to values of shape (resamples, 4 x shares).

    The figures of `WHAT`, share by share. Of units of equal certainty a part is left out as if
    drawn by lot.

    Raises
    ------
    ValueError
        When shapes differ, a certainty is not finite, or a share is not in [0, 1).
    """
    sure, positive = checked(certainty, truth)
    correct = np.asarray(right, dtype=bool)
    if correct.shape != sure.shape:
        raise ValueError("what was right and how certain it was must have the same length")
    if not all(0 <= share < 1 for share in abstained):
        raise ValueError("a share to abstain from lies in [0, 1)")
    order = np.argsort(-sure, kind="stable")
    last = np.flatnonzero(np.diff(-sure[order], append=np.inf))
    counted = np.stack(
        [~correct, positive, positive & correct, ~positive, ~positive & correct]
    ).astype(np.float64)[:, order]
    kept_shares = 1 - np.asarray(abstained, dtype=np.float64)

    def row(weights: Array) -> Array:
        drawn = weights[order]
        along = np.concatenate([[0.0], np.cumsum(drawn)[last]])
        kept = kept_shares * along[-1]
        # Straight lines within a group of equal certainty are its lot's expectation.
        sums = [
            np.interp(kept, along, np.concatenate([[0.0], np.cumsum(drawn * kind)[last]]))
            for kind in counted
        ]
        errors, ups, hits, downs, left = sums
        risk = divided(errors, kept)
        whole = (drawn * counted[0]).sum() / along[-1] if along[-1] else np.nan
        rates = divided(hits, ups), divided(left, downs)
        return np.stack([risk, whole - risk, *rates], axis=1).ravel()

    return lambda weights: np.stack([row(its) for its in weights])


def abstentions(
    called: ArrayLike,
    truth: ArrayLike,
    certainty: ArrayLike,
    patients: Sequence[str],
    *,
    abstained: Sequence[float] = ABSTAINED,
    draws: tuple[int, int] = (1000, 0),
) -> tuple[Abstention, ...]:
    """Measure what is bought by leaving out the least certain units.

    Parameters
    ----------
    called, truth : shape (units,), True for positive
    certainty : shape (units,), finite, higher where the call is surer (`certainty_of`)
    patients : patient of each unit
    abstained : shares left out, each at least 0 and below 1
    draws : number of resamples (at least 40) and seed of the bootstrap over patients

    Returns
    -------
    One for each share, all from the same resamples; the share is kept in every resample, so that
    intervals hold the doubt about where it falls.

    Raises
    ------
    ValueError
        When there is no unit, lengths differ, a certainty is not finite or a share is not in
        [0, 1).
    """
    calls, positive = np.asarray(called, dtype=bool), np.asarray(truth, dtype=bool)
    if calls.shape != positive.shape or len(calls) != len(patients) or not len(calls):
        raise ValueError("there must be a call, a truth and a patient for every unit, and a unit")
    statistic = abstention_statistic(calls == positive, positive, certainty, abstained)
    resamples, seed = draws
    drawn = draw(statistic, patients, resamples, np.random.default_rng(seed))
    surest = np.argsort(-np.asarray(certainty, dtype=np.float64), kind="stable")
    points = []
    for at, share in enumerate(abstained):
        kept = surest[: round((1 - share) * len(calls))]
        ups, downs = kept[positive[kept]], kept[~positive[kept]]
        figures = [
            _figure(drawn, at * len(WHAT) + position, [patients[i] for i in rests_on], name)
            for position, (name, rests_on) in enumerate(
                zip(WHAT, (kept, kept, ups, downs), strict=True)
            )
        ]
        points.append(Abstention(float(share), *figures))
    return tuple(points)


def _figure(drawn: Draws, column: int, patients: Sequence[str], name: str) -> Figure:
    one = Draws(drawn.values[column], drawn.samples[:, column], drawn.left_out[:, column])
    n, n_patients = len(patients), len(set(patients))
    # Where a class is kept only by lot, among units of equal certainty, nobody stands for it.
    is_share = name != "gain" and n_patients > 0
    return figure_of(one, n=n, n_patients=n_patients, is_share=is_share)
