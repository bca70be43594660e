"""From scores of tiles or scans to scores of breasts, patients or whatever has a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from mammoscope.evaluation.intervals import Array
from mammoscope.evaluation.metrics import Mask
from mammoscope.evaluation.roc import checked


class JoinBy(StrEnum):
    """How the scores of one whole become one score; its truth is positive if any part's is."""

    HIGHEST = "highest"
    MEAN = "mean"


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Units joined by a key, in order of first appearance.

    Attributes
    ----------
    keys, patients : of each whole
    scores : ndarray of shape (wholes,)
    truth : ndarray of shape (wholes,), bool
    """

    keys: tuple[str, ...]
    patients: tuple[str, ...]
    scores: Array
    truth: Mask


def join(
    scores: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[str],
    keys: Sequence[str],
    by: JoinBy = JoinBy.HIGHEST,
) -> Joined:
    """Join units that share a patient and a key: the breast's, say, or the patient's own id.

    Parameters
    ----------
    scores : shape (units,), finite
    truth : shape (units,), True for the positive class
    patients, keys : of each unit; some archives number breasts anew for every patient

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values, positive = checked(scores, truth)
    if not len(values) == len(patients) == len(keys):
        raise ValueError("scores, patients and keys must have the same length")
    place: dict[tuple[str, str], int] = {}
    of = np.array(
        [place.setdefault(pair, len(place)) for pair in zip(patients, keys, strict=True)],
        dtype=np.intp,
    )
    joined = np.full(len(place), -np.inf)
    if by is JoinBy.HIGHEST:
        np.maximum.at(joined, of, values)
    else:
        joined = np.bincount(of, values, len(place)) / np.bincount(of, minlength=len(place))
    return Joined(
        keys=tuple(key for _, key in place),
        patients=tuple(patient for patient, _ in place),
        scores=joined,
        truth=np.bincount(of, positive, len(place)) > 0,
    )
