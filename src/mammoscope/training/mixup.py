"""Mixup (Zhang et al. 2018): tiles and labels of a batch, each laid over another's."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class MixupSettings:
    """`alpha` of the beta distribution that a batch's share is drawn from; 0 switches mixup off."""

    alpha: float = 0.0

    def __post_init__(self) -> None:
        if self.alpha < 0:
            raise ValueError("alpha must be 0 or more")


def mix(
    images: Tensor,
    targets: Tensor,
    classes: int,
    settings: MixupSettings,
    generator: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Lay each tile over another of the batch, by one share for the whole batch.

    Parameters
    ----------
    images : (tiles, channels, side, side), float
    targets : (tiles,), int64, or (tiles, classes), float

    Returns
    -------
    tuple
        Both as they were where mixup is off; else mixed images, and targets of shape
        (tiles, classes).
    """
    if settings.alpha == 0:
        return images, targets
    share = float(generator.beta(settings.alpha, settings.alpha))
    others = torch.from_numpy(generator.permutation(len(images))).to(images.device)
    soft = targets if targets.ndim == 2 else functional.one_hot(targets, classes).to(images.dtype)
    return torch.lerp(images[others], images, share), torch.lerp(soft[others], soft, share)
