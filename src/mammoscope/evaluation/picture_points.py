"""What pages draw of scores and truth: curves with marked points, confusion, the worst errors.

Plain values, as `evaluation.json` holds them.
"""

from collections.abc import Sequence
from math import isnan
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.evaluation.curves import point_at, pr_curve
from mammoscope.evaluation.intervals import Array
from mammoscope.evaluation.metrics import Mask, confusion_matrix
from mammoscope.evaluation.outcomes import ScanOutcome
from mammoscope.evaluation.roc import checked, roc_curve
from mammoscope.evaluation.units import units

HALF = 0.5
"""The paper's Figure 5 marks this threshold on the precision-recall curve."""
MOST_POINTS = 400
WORST = 6


def curves_of(
    scores: ArrayLike, truth: ArrayLike, thresholds: Sequence[float] = (HALF,)
) -> dict[str, Any] | None:
    """Return ROC and precision-recall curve with marked points, None where one class is empty.

    Parameters
    ----------
    scores : shape (units,), finite, higher for the positive class
    truth : shape (units,), True for the positive class
    thresholds : where the points are

    Returns
    -------
    dict
        `n`, `n_positive`, `roc` (`false_positive_rate`, `recall`), `pr` (`recall`, `precision`),
        each of at most 400 corners, and `points`, one a threshold with its `confusion`: rows are
        the truth (negative, positive), columns the call.

    Raises
    ------
    ValueError
        When shapes differ or a score is not finite.
    """
    values, positive = checked(scores, truth)
    if positive.all() or not positive.any():
        return None
    roc, pr = roc_curve(values, positive), pr_curve(values, positive)
    corners, places = _some(len(roc.thresholds)), _some(len(pr.thresholds))
    return {
        "n": len(values),
        "n_positive": int(positive.sum()),
        "roc": {
            "false_positive_rate": _rounded(roc.false_positive_rate[corners]),
            "recall": _rounded(roc.true_positive_rate[corners]),
        },
        "pr": {
            "recall": _rounded(pr.recall[places]),
            "precision": _rounded(pr.precision[places]),
        },
        "points": [_point(values, positive, one) for one in dict.fromkeys(thresholds)],
    }


def worst_errors(
    ids: Sequence[str], patients: Sequence[str], scores: ArrayLike, truth: ArrayLike
) -> list[dict[str, Any]]:
    """Name the six lowest-scored positives, then the six highest-scored negatives."""
    values, positive = checked(scores, truth)
    order = np.argsort(values, kind="stable")
    missed = [int(i) for i in order if positive[i]][:WORST]
    alarms = [int(i) for i in order[::-1] if not positive[i]][:WORST]
    return [
        {"id": ids[i], "patient_id": patients[i], "score": float(values[i]), "error": error}
        for error, places in (("scored low", missed), ("scored high", alarms))
        for i in places
    ]


def drawn_of(outcomes: Sequence[ScanOutcome], threshold: float | None) -> dict[str, Any]:
    """Return the sections `curves` and `worst` of a model's outcomes.

    Parameters
    ----------
    threshold : on the lesion score, marked on its curves beside the point of .50

    Returns
    -------
    dict
        `curves` by question, and `worst` by scan: of any finding against none where the archive has
        both, else of malignant against benign.
    """
    marked = (HALF,) if threshold is None else (HALF, threshold)
    curves: dict[str, Any] = {}
    worst: list[dict[str, Any]] = []
    for level, key in (("scans", "scan_id"), ("breasts", "breast_id"), ("patients", "patient_id")):
        given = units(outcomes, attrgetter(key))
        found = [unit for unit in given if unit.has_finding is not None]
        proven = [unit for unit in given if unit.is_malignant is not None]
        curves[f"{level}: any finding against none"] = curves_of(
            [unit.score for unit in found], [bool(unit.has_finding) for unit in found], marked
        )
        curves[f"{level}: malignant against benign"] = curves_of(
            [unit.malignancy for unit in proven], [bool(unit.is_malignant) for unit in proven]
        )
    either = curves["scans: any finding against none"] is not None
    said = [
        (o, o.score, o.has_finding) if either else (o, o.malignancy, o.is_malignant)
        for o in outcomes
    ]
    known = [(o, score, truth) for o, score, truth in said if truth is not None]
    if known:
        worst = worst_errors(
            [o.scan_id for o, _, _ in known],
            [o.patient_id for o, _, _ in known],
            [score for _, score, _ in known],
            [truth for _, _, truth in known],
        )
    return {"curves": {name: one for name, one in curves.items() if one}, "worst": worst}


def _point(values: Array, positive: Mask, threshold: float) -> dict[str, Any]:
    point = point_at(values, positive, threshold)
    shares = {
        "recall": point.recall,
        "specificity": point.specificity,
        "precision": point.precision,
    }
    return {
        "threshold": threshold,
        **{name: None if isnan(share) else share for name, share in shares.items()},
        "confusion": confusion_matrix(positive, values >= threshold).tolist(),
    }


def _some(n: int) -> NDArray[np.intp]:
    """Choose corners evenly, the first and last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).round()).astype(np.intp)


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 5) for value in values]
