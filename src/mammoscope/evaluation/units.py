"""Scans, breasts and patients as units of one shape: two scores and a truth."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mammoscope.evaluation.intervals import Figure, bootstrap
from mammoscope.evaluation.outcomes import ScanOutcome
from mammoscope.evaluation.roc import auc_statistic

JOINED_BY = "score: highest of the scans; malignancy: mean of the scans; truth: gravest finding"


@dataclass(frozen=True, slots=True)
class Unit:
    """What is scored and judged as one: a scan, a breast or a patient.

    `has_finding` and `is_malignant` are None where the archive does not say.
    """

    patient_id: str
    score: float
    malignancy: float
    has_finding: bool | None
    is_malignant: bool | None


def units(outcomes: Sequence[ScanOutcome], key: Callable[[ScanOutcome], str]) -> list[Unit]:
    """Join the scans that share a key, by the rule `JOINED_BY`, in order of first appearance.

    A unit has a finding when any scan has one, and none when every scan is known to have none.
    """
    groups: dict[tuple[str, str], list[ScanOutcome]] = {}
    for outcome in outcomes:
        # Some archives number breasts anew for every patient.
        groups.setdefault((outcome.patient_id, key(outcome)), []).append(outcome)
    return [_joined(group) for group in groups.values()]


def auc_finding(given: Sequence[Unit], resamples: int, seed: int) -> Figure | None:
    """AUC of `score`: any finding against none; None where the archive lacks either."""
    known = [unit for unit in given if unit.has_finding is not None]
    pairs = [(unit, unit.score, bool(unit.has_finding)) for unit in known]
    return _auc(pairs, resamples, seed)


def auc_malignant(given: Sequence[Unit], resamples: int, seed: int) -> Figure | None:
    """AUC of `malignancy`: malignant against benign among units with a proven finding."""
    proven = [unit for unit in given if unit.is_malignant is not None]
    pairs = [(unit, unit.malignancy, bool(unit.is_malignant)) for unit in proven]
    return _auc(pairs, resamples, seed)


def auc_malignant_normal(
    given: Sequence[Unit], resamples: int, seed: int, *, by_malignancy: bool
) -> Figure | None:
    """AUC of either score: malignant units against those without findings."""
    chosen = [unit for unit in given if unit.is_malignant or unit.has_finding is False]
    pairs = [
        (unit, unit.malignancy if by_malignancy else unit.score, bool(unit.is_malignant))
        for unit in chosen
    ]
    return _auc(pairs, resamples, seed)


def _auc(pairs: Sequence[tuple[Unit, float, bool]], resamples: int, seed: int) -> Figure | None:
    labels = [label for _, _, label in pairs]
    if all(labels) or not any(labels):
        return None
    return bootstrap(
        auc_statistic([score for _, score, _ in pairs], labels),
        [unit.patient_id for unit, _, _ in pairs],
        resamples,
        np.random.default_rng(seed),
    )


def _joined(scans: Sequence[ScanOutcome]) -> Unit:
    return Unit(
        patient_id=scans[0].patient_id,
        score=max(scan.score for scan in scans),
        malignancy=float(np.mean([scan.malignancy for scan in scans])),
        has_finding=_any_known([scan.has_finding for scan in scans], all_must_say=True),
        is_malignant=_any_known([scan.is_malignant for scan in scans], all_must_say=False),
    )


def _any_known(truths: Iterable[bool | None], *, all_must_say: bool) -> bool | None:
    """Return True if any is, False if none is and enough scans say so, else None."""
    given = list(truths)
    if any(given):
        return True
    said = [truth for truth in given if truth is not None]
    enough = len(said) == len(given) if all_must_say else bool(said)
    return False if enough else None
