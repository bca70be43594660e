"""How the learning rate goes, as a factor of the first one."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import cos, pi


class RateKind(StrEnum):
    """The course of the learning rate."""

    CONSTANT = "constant"
    STAIRCASE = "staircase"
    """The paper's: times `decay` every `epochs_a_stair` epochs (method facts 4)."""
    COSINE = "cosine"
    """Half a cosine down to `last` at the end of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSettings:
    """The course of the learning rate.

    Attributes
    ----------
    warm_up_steps : steps over which it first rises in a straight line; 0: none
    last : share of the first rate at the end of a cosine
    """

    kind: RateKind = RateKind.STAIRCASE
    decay: float = 0.8
    epochs_a_stair: int = 5
    warm_up_steps: int = 0
    last: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1 or self.epochs_a_stair < 1:
            raise ValueError("decay must be above 0 and at most 1, and epochs_a_stair 1 or more")
        if self.warm_up_steps < 0 or not 0 <= self.last <= 1:
            raise ValueError("warm_up_steps must be 0 or more, and last 0 to 1")


def rate_of(settings: RateSettings, steps_per_epoch: int, epochs: int) -> Callable[[int], float]:
    """Return the function from a step, counted from 0, to the factor of the learning rate."""
    total = epochs * steps_per_epoch
    stair = steps_per_epoch * settings.epochs_a_stair
    warm_up = settings.warm_up_steps

    def rate(step: int) -> float:
        rise = min(1.0, (step + 1) / warm_up) if warm_up else 1.0
        match settings.kind:
            case RateKind.STAIRCASE:
                return float(rise * settings.decay ** (step // stair))
            case RateKind.COSINE:
                fall = 0.5 * (1 + cos(pi * min(1.0, step / total)))
                return rise * (settings.last + (1 - settings.last) * fall)
            case _:
                return rise

    return rate
