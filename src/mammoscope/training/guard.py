"""Stops a run that cannot come to anything: one-class predictions, a loss that is no number."""

import math
from collections.abc import Mapping, Sequence

from mammoscope.core.errors import CollapseError, NotFiniteError

PATIENCE = 2


def check_loss(loss: float, step: int) -> None:
    """Raise `NotFiniteError` when a step's loss is not a finite number."""
    if not math.isfinite(loss):
        raise NotFiniteError(
            f"the loss at step {step} is {loss}; likely causes are a learning rate that is too "
            "high or damaged input: lower learning_rate and run again from the last checkpoint."
        )


def check_collapse(history: Sequence[Mapping[str, float]]) -> None:
    """Raise `CollapseError` when every prediction of the last two epochs was one class.

    Each entry of `history` is an epoch's row with `predicted_share`, the share of its predictions
    that are positive.
    """
    shares = [row["predicted_share"] for row in history[-PATIENCE:]]
    if len(shares) == PATIENCE and (max(shares) == 0.0 or min(shares) == 1.0):
        kind = "negative" if max(shares) == 0.0 else "positive"
        raise CollapseError(
            f"every prediction of the last {PATIENCE} epochs was {kind}: the network answers with "
            "one class whatever it sees; a lower learning_rate, another weight of the positives or "
            "checked labels usually mend it."
        )


def validation_warning(history: Sequence[Mapping[str, float]]) -> str | None:
    """Tell when validation predictions were one class for two epochs though training ones are not.

    That is no collapse: batch norm's moving statistics may lag behind the weights. Each entry of
    `history` may hold `val_predicted_share`; where it does not, there is nothing to tell.
    """
    shares = [row.get("val_predicted_share") for row in history[-PATIENCE:]]
    if len(shares) < PATIENCE or any(share not in (0.0, 1.0) for share in shares):
        return None
    return (
        f"every validation prediction of the last {PATIENCE} epochs was one class, so validation "
        "accuracy is that of always guessing; batch norm's statistics may lag (more epochs mend "
        "it), or validation tiles differ from training ones."
    )
