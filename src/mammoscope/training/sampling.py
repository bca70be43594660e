"""Which tiles an epoch shows, and in which order."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray


class SamplingKind(StrEnum):
    """How an epoch's tiles are drawn; an epoch always shows as many as there are."""

    SHUFFLE = "shuffle"
    """Each tile once."""
    BALANCED = "balanced"
    """Each class equally often."""
    HARD_NEGATIVE = "hard-negative"
    """Each abnormal tile once; normal ones the oftener the more abnormal they were called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How an epoch's tiles are drawn.

    Attributes
    ----------
    easiest : what a normal tile's chance cannot fall below, as a share of the hardest one's
    """

    kind: SamplingKind = SamplingKind.SHUFFLE
    easiest: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.easiest <= 1:
            raise ValueError("easiest must be above 0 and at most 1")


def epoch_order(
    labels: ArrayLike,
    settings: SamplingSettings,
    *,
    seed: int,
    epoch: int,
    scores: ArrayLike | None = None,
) -> NDArray[np.intp]:
    """Return the positions of the tiles that an epoch shows, in order.

    Parameters
    ----------
    labels : shape (tiles,), integers; 0 is normal
    scores : shape (tiles,), in [0, 1]: how abnormal each tile was called last; for hard negatives

    Returns
    -------
    ndarray of shape (tiles,); the same arguments give the same order

    Raises
    ------
    ValueError
        When hard negatives are asked for without scores.
    """
    classes = np.asarray(labels)
    rng = np.random.default_rng((seed, epoch))
    match settings.kind:
        case SamplingKind.BALANCED:
            return _balanced(classes, rng)
        case SamplingKind.HARD_NEGATIVE:
            if scores is None:
                raise ValueError("hard negatives are drawn by scores, and none are given")
            return _hard(classes, np.asarray(scores, np.float64), settings.easiest, rng)
        case _:
            return rng.permutation(len(classes))


def _balanced(classes: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.intp]:
    """Go through each class again and again; what is left over goes to classes by chance."""
    names = rng.permutation(np.unique(classes))
    shares = np.full(len(names), len(classes) // len(names))
    shares[: len(classes) % len(names)] += 1
    drawn = []
    for name, share in zip(names, shares, strict=True):
        members = np.flatnonzero(classes == name)
        rounds = [rng.permutation(members) for _ in range(-(-int(share) // len(members)))]
        drawn.append(np.concatenate(rounds)[:share])
    return rng.permutation(np.concatenate(drawn))


def _hard(
    classes: NDArray[np.integer],
    scores: NDArray[np.float64],
    easiest: float,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    abnormal, normal = np.flatnonzero(classes > 0), np.flatnonzero(classes == 0)
    if len(normal) == 0:
        return rng.permutation(abnormal)
    chances = np.maximum(scores[normal], easiest)
    drawn = rng.choice(normal, len(normal), p=chances / chances.sum())
    return rng.permutation(np.concatenate([abnormal, drawn]))
