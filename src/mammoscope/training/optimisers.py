"""Optimisers, and which weights they shrink.

The paper's Adam is TensorFlow's: there epsilon is added to the root of the second moment before
that is corrected for its start at zero, here after. With epsilon at 1e-8 the two differ only where
gradients are about as small as that.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import nn

from mammoscope.training.start import DENSE_LAYERS


class OptimiserKind(StrEnum):
    """Which optimiser."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserSettings:
    """An optimiser and its numbers.

    Attributes
    ----------
    weight_decay : share by which weights shrink at each step, times the learning rate; adamw and
        sgd only (there it is part of the gradient, and momentum carries it on). Biases and norms
        are spared. The paper's L2 penalty is `regular.*` instead
    momentum : of sgd (Nesterov's)
    features_factor : of the learning rate of all that comes before the dense layers
    """

    kind: OptimiserKind = OptimiserKind.ADAM
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.9
    features_factor: float = 1.0

    def __post_init__(self) -> None:
        if not (self.learning_rate > 0 and self.features_factor > 0):
            raise ValueError("learning_rate and features_factor must be above 0")
        if self.weight_decay < 0 or not 0 <= self.momentum < 1:
            raise ValueError("weight_decay must be 0 or more, and momentum 0 or more and below 1")
        if self.weight_decay and self.kind == OptimiserKind.ADAM:
            raise ValueError("weight_decay is for adamw and sgd; adam takes none")


def make_optimiser(network: nn.Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """Make the optimiser of all weights that are trained."""
    groups = _groups(network, settings)
    match settings.kind:
        case OptimiserKind.ADAMW:
            return torch.optim.AdamW(groups, lr=settings.learning_rate)
        case OptimiserKind.SGD:
            momentum = settings.momentum
            return torch.optim.SGD(
                groups, lr=settings.learning_rate, momentum=momentum, nesterov=momentum > 0
            )
        case _:
            return torch.optim.Adam(groups, lr=settings.learning_rate)


def _groups(network: nn.Module, settings: OptimiserSettings) -> list[dict[str, Any]]:
    """Sort weights by learning rate and decay; groups without weights are left out."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if not weight.requires_grad:
            continue
        is_head = name.startswith(DENSE_LAYERS)
        rate = settings.learning_rate * (1.0 if is_head else settings.features_factor)
        decay = settings.weight_decay if weight.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(weight)
    return [
        {"params": weights, "lr": rate, "weight_decay": decay}
        for (rate, decay), weights in groups.items()
    ]
