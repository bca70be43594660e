"""A threshold and where it comes from: given beforehand, or chosen on some scores by a rule.

A threshold that was chosen on the very scores that it is judged by makes every figure at it too
good; results must say so.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from mammoscope.core.errors import BadValueError
from mammoscope.evaluation.intervals import Array
from mammoscope.evaluation.metrics import Mask
from mammoscope.evaluation.operating import Cost, threshold_by_cost, threshold_by_recall_rate
from mammoscope.evaluation.roc import roc_curve

WHOLE = 3
"""A threshold of more decimals than this was hardly thought of beforehand."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A unit is called positive at a score of at least `value`.

    Attributes
    ----------
    chosen_by : how it came about, for results
    on_test : it was chosen on the scores that it is judged by
    """

    value: float
    chosen_by: str
    on_test: bool = False


def best_threshold(rule: str, scores: Array, truth: Mask) -> float:
    """Return the threshold that a rule chooses on some scores.

    Parameters
    ----------
    rule : "youden" (most recall + specificity), "recall=R" (the highest that recalls at least R),
        "specificity=S" (the lowest that keeps at least S), "rate=R" (the lowest that calls at most
        a share R positive) or "cost=MISS:ALARM:PREVALENCE" (the least cost at a prevalence)

    Raises
    ------
    BadValueError
        When there is no such rule, its share is not in (0, 1], or its costs are none.
    ValueError
        When there is one class only.
    """
    curve = roc_curve(scores, truth)
    name, _, text = rule.partition("=")
    if name == "youden" and not text:
        best = int(np.argmax(curve.true_positive_rate - curve.false_positive_rate))
        return float(curve.thresholds[max(best, 1)])
    if name == "cost":
        return threshold_by_cost(scores, truth, _cost(rule, text))
    share = _share(rule, text)
    if name == "rate":
        return threshold_by_recall_rate(scores, share)
    if name == "recall":
        # Rounding must not cost a positive.
        place = int(np.flatnonzero(curve.true_positive_rate >= share - 1e-9)[0])
    elif name == "specificity":
        place = int(np.flatnonzero(1 - curve.false_positive_rate >= share - 1e-9)[-1])
    else:
        raise _unknown(rule)
    return float(curve.thresholds[place]) if place else float(np.nextafter(scores.max(), 2))


def looks_chosen_on(value: float, scores: Array, truth: Mask) -> bool:
    """Tell whether a given threshold is, to the last digit, the best one on the scores.

    Only a threshold of more than three decimals is suspected: .5 may be the best by chance.
    """
    if round(value, WHOLE) == value or truth.all() or not truth.any():
        return False
    return value == best_threshold("youden", scores, truth)


def threshold_number(text: str) -> float | None:
    """Return a threshold given as a number, None where the text is a rule.

    Raises
    ------
    BadValueError
        When it is a number that no score can reach.
    """
    try:
        value = float(text)
    except ValueError:
        return None
    if not isfinite(value) or not 0 <= value <= 1:
        raise BadValueError(f"--threshold {text} is not in 0 to 1, where the scores are.")
    return value


def _cost(rule: str, text: str) -> Cost:
    try:
        miss, false_alarm, prevalence = (float(one) for one in text.split(":"))
        return Cost(miss=miss, false_alarm=false_alarm, prevalence=prevalence)
    except ValueError:
        raise BadValueError(
            f"The threshold's rule {rule!r} needs what a miss and a false alarm cost and a "
            "prevalence between 0 and 1, such as cost=50:1:0.005."
        ) from None


def _share(rule: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        raise _unknown(rule) from None
    if not 0 < share <= 1:
        raise BadValueError(
            f"The threshold's rule {rule!r} asks for a share that is not in 0 to 1."
        )
    return share


def _unknown(rule: str) -> BadValueError:
    return BadValueError(
        f"There is no rule {rule!r} for a threshold; give a number from 0 to 1, youden, "
        "recall=0.9, specificity=0.9, rate=0.1 or cost=50:1:0.005."
    )
