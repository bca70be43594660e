"""What networks need that start from torchvision's ImageNet weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue values in [0, 1], as torchvision gives them."""


class AsColour(nn.Module):
    """Three channels out of a grey one, each less its mean and over its spread."""

    def __init__(self, mean: tuple[float, ...] = MEAN, spread: tuple[float, ...] = SPREAD) -> None:
        super().__init__()
        self.mean, self.spread = mean, spread

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 1, rows, columns) in [0, 1] to (batch, 3, rows, columns)."""
        pairs = zip(self.mean, self.spread, strict=True)
        return torch.cat([(x - mean) / spread for mean, spread in pairs], dim=1)


def take_named(network: nn.Module, tensors: Mapping[str, Tensor], *, last: str) -> None:
    """Load torchvision's tensors; its output layer `last` is called `logits` here.

    The output layer is left as it is where its number of classes is another. Counters of batches
    that old files lack are not missed.

    Raises
    ------
    RuntimeError
        When names or shapes are not the network's.
    """
    own = network.state_dict()
    found = {
        f"logits{key.removeprefix(last)}" if key.startswith(f"{last}.") else key: value
        for key, value in tensors.items()
    }
    if found.get("logits.bias", own["logits.bias"]).shape != own["logits.bias"].shape:
        found = {key: value for key, value in found.items() if not key.startswith("logits.")}
    spared = {k: v for k, v in own.items() if k.endswith(".num_batches_tracked")}
    spared |= {k: v for k, v in own.items() if k.startswith("logits.")}
    network.load_state_dict({**spared, **found})
