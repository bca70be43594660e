"""Splits by patient, stratified and repeatable."""

import hashlib
import json
from collections.abc import Mapping

import numpy as np


def folds(patients: Mapping[str, str], k: int, seed: int) -> dict[str, int]:
    """Divide patients into `k` folds of nearly equal size within each stratum.

    Parameters
    ----------
    patients : stratum of each patient
    k : number of folds, 2 or more
    seed : the same seed gives the same folds, whatever the order of `patients`

    Returns
    -------
    Fold of each patient, 0 to k - 1.

    Raises
    ------
    ValueError
        When `k` is below 2.
    """
    if k < 2:
        raise ValueError(f"there must be two folds or more, not {k}")
    rng = np.random.default_rng(seed)
    assignment: dict[str, int] = {}
    given = 0
    for stratum in sorted(set(patients.values())):
        members = sorted(patient for patient, its in patients.items() if its == stratum)
        for patient in (members[i] for i in rng.permutation(len(members))):
            # Going on where the last stratum ended keeps the folds' whole sizes equal as well.
            assignment[patient] = given % k
            given += 1
    return assignment


def split_digest(assignment: Mapping[str, int | str]) -> str:
    """SHA-256 of an assignment, whatever its order."""
    text = json.dumps(dict(sorted(assignment.items())), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
