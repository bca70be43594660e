"""A running average of a network's weights, which usually judges better than the last ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

UPDATES = "updates"
WEIGHTS = "weights/"


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageSettings:
    """`decay` is the share that stays at each step, such as .999; 0 switches the average off."""

    decay: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ValueError("decay must be 0 or more and below 1")


class RunningAverage:
    """Exponential average of weights and of batch norm's statistics.

    The first steps count more: after n steps at most (1 + n) / (10 + n) of the average stays, so
    that random first weights are soon forgotten. Counters are taken as they are.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._updates = 0
        self._weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights after a step."""
        stays = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self._weights[name].lerp_(value, 1 - stays)
            else:
                self._weights[name].copy_(value)

    def state(self) -> dict[str, Tensor]:
        """Give what has to be in a checkpoint."""
        return {
            UPDATES: torch.tensor(self._updates),
            **{f"{WEIGHTS}{name}": value for name, value in self._weights.items()},
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self._updates = int(state[UPDATES])
        for name, value in self._weights.items():
            value.copy_(state[f"{WEIGHTS}{name}"])

    def weights(self) -> dict[str, Tensor]:
        """Return the averaged weights by the network's own names."""
        return dict(self._weights)


def make_average(network: nn.Module, settings: AverageSettings) -> RunningAverage | None:
    """Start an average at the network's weights; None where it is switched off."""
    return RunningAverage(network, settings.decay) if settings.decay else None
