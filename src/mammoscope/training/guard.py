"""Tells when a run cannot come to anything, with the likely cause and what to do.

An epoch's row, as the loop keeps it, holds what is looked at; a key that is not there is not
looked at. Shares are in [0, 1]; `val_` stands before what was measured on the validation split::

    predicted_share    val_predicted_share     share of the predictions that are abnormal
    accuracy           val_accuracy
    majority           val_majority            share of the commonest class: always guessing it
    tiles              val_tiles               how many predictions those figures rest on
    input_mean         val_input_mean          of what reached the first layer
    input_deviation    val_input_deviation
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mammoscope.core.errors import CollapseError, NotFiniteError, TrainingError
from mammoscope.evaluation.intervals import exact_interval

PATIENCE = 2
"""Epochs in a row that an alarm about predictions needs."""
FARTHEST_MEANS = 1.0
"""Means of the two inputs may be so many of the training input's deviations apart."""
LARGEST_RATIO = 2.0
"""The wider of the two inputs may be so many times as wide as the other."""

Row = Mapping[str, float]
Kind = Literal[
    "not-finite", "one-class", "validation-one-class", "scale", "baseline", "validation-baseline"
]
_ERRORS: dict[str, type[TrainingError]] = {
    "not-finite": NotFiniteError,
    "one-class": CollapseError,
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is wrong with a run, in one sentence.

    Attributes
    ----------
    kind : of the alarm
    sentence : what was seen, its likely cause, and what to do
    grave : False where going on may mend it: such an alarm is told and never stops a run
    """

    kind: Kind
    sentence: str
    grave: bool = True

    def error(self) -> TrainingError:
        """Make the error that ends a run for this alarm."""
        return _ERRORS.get(self.kind, TrainingError)(self.sentence)


def find_alarms(history: Sequence[Row]) -> tuple[Alarm, ...]:
    """Look at the rows of all epochs so far; the last epochs alone decide."""
    if not history:
        return ()
    found = (
        collapse_alarm(history),
        validation_alarm(history),
        scale_alarm(history[-1]),
        baseline_alarm(history, ""),
        baseline_alarm(history, "val_"),
    )
    return tuple(alarm for alarm in found if alarm is not None)


def check_loss(loss: float, step: int) -> None:
    """Raise `NotFiniteError` when a step's loss is not a finite number."""
    if not math.isfinite(loss):
        raise NotFiniteError(
            f"the loss at step {step} is {loss}; likely causes are a learning rate that is too "
            "high or damaged input: lower learning_rate and run again from the last checkpoint."
        )


def check_collapse(history: Sequence[Row]) -> None:
    """Raise `CollapseError` when every prediction of the last two epochs was one class."""
    if alarm := collapse_alarm(history):
        raise alarm.error()


def validation_warning(history: Sequence[Row]) -> str | None:
    """Tell what `validation_alarm` finds, None where that is nothing."""
    alarm = validation_alarm(history)
    return alarm.sentence if alarm else None


def collapse_alarm(history: Sequence[Row]) -> Alarm | None:
    """Find that every training prediction of the last two epochs was one and the same class."""
    shares = [row.get("predicted_share", math.nan) for row in history[-PATIENCE:]]
    if len(shares) < PATIENCE or not (set(shares) == {0.0} or set(shares) == {1.0}):
        return None
    kind = "negative" if shares[0] == 0.0 else "positive"
    return Alarm(
        "one-class",
        f"every prediction of the last {PATIENCE} epochs was {kind}: the network answers with "
        "one class whatever it sees; a lower learning_rate, another weight of the positives or "
        "checked labels usually mend it.",
    )


def validation_alarm(history: Sequence[Row]) -> Alarm | None:
    """Find that validation predictions were one class for two epochs.

    That is no collapse: batch norm's moving statistics may lag behind the weights.
    """
    shares = [row.get("val_predicted_share") for row in history[-PATIENCE:]]
    if len(shares) < PATIENCE or any(share not in (0.0, 1.0) for share in shares):
        return None
    return Alarm(
        "validation-one-class",
        f"every validation prediction of the last {PATIENCE} epochs was one class, so validation "
        "accuracy is that of always guessing; batch norm's statistics may lag (more epochs mend "
        "it), or validation tiles differ from training ones.",
        grave=False,
    )


def scale_alarm(row: Row) -> Alarm | None:
    """Find that validation tiles reach the first layer on another scale than training tiles.

    Training and validation tiles come from the same archives, so their means lie within a part of
    a deviation of each other; grey levels that were divided or centred in only one of the two
    places are several deviations away.
    """
    keys = ("input_mean", "input_deviation", "val_input_mean", "val_input_deviation")
    if any(key not in row for key in keys):
        return None
    mean, deviation, val_mean, val_deviation = (row[key] for key in keys)
    seen = (
        f"validation tiles reach the first layer with mean {val_mean:.4g} and deviation "
        f"{val_deviation:.4g}, training tiles with mean {mean:.4g} and deviation {deviation:.4g}"
    )
    if not all(math.isfinite(row[key]) for key in keys):
        return Alarm("scale", f"{seen}: there are damaged pixels; check the tiles.")
    if _wider(deviation, val_deviation):
        cause = "grey levels are divided in one of the two places only"
    elif abs(mean - val_mean) > FARTHEST_MEANS * max(deviation, val_deviation):
        cause = "grey levels are centred in one of the two places only, or the splits differ"
    else:
        return None
    return Alarm(
        "scale",
        f"{seen}; most likely {cause}, so figures on validation mean nothing: prepare both "
        "by the same contract and run again.",
    )


def _wider(one: float, other: float) -> bool:
    return max(one, other) > LARGEST_RATIO * min(one, other)


def baseline_alarm(history: Sequence[Row], prefix: Literal["", "val_"]) -> Alarm | None:
    """Find that for two epochs accuracy was no other than that of always guessing one class.

    No other: the share of the commonest class lies in the 95 % interval of the accuracy (exact
    binomial, tiles taken as independent). On validation it is told but not grave, since a small
    validation split has a wide interval and accuracy on it is not what training follows.
    """
    rows = history[-PATIENCE:]
    if len(rows) < PATIENCE or not all(_is_baseline(row, prefix) for row in rows):
        return None
    accuracy, majority = rows[-1][f"{prefix}accuracy"], rows[-1][f"{prefix}majority"]
    where = "validation" if prefix else "training"
    advice = (
        "more epochs, more validation tiles or a look at recall and the PR curve tell whether"
        if prefix
        else "a lower learning_rate, a network that is less deep or checked labels help where"
    )
    return Alarm(
        "validation-baseline" if prefix else "baseline",
        f"{where} accuracy of the last {PATIENCE} epochs, now {accuracy:.3f}, is no other than "
        f"the {majority:.3f} of always guessing the commonest class; {advice} the network "
        f"{'has learnt more' if prefix else 'learns nothing'}.",
        grave=not prefix,
    )


def _is_baseline(row: Row, prefix: str) -> bool:
    names = (f"{prefix}accuracy", f"{prefix}majority", f"{prefix}tiles")
    if any(name not in row for name in names):
        return False
    accuracy, majority, tiles = (row[name] for name in names)
    if not (math.isfinite(accuracy) and tiles >= 1):
        return False
    low, high = exact_interval(round(accuracy * tiles), round(tiles))
    return low <= majority <= high
