"""Losses of classifiers of tiles: the paper's weighted cross entropy, focal, asymmetric."""

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional


class LossKind(StrEnum):
    """How a tile's answer is judged."""

    CROSS_ENTROPY = "cross-entropy"
    FOCAL = "focal"
    """Tiles that are right already weigh little (Lin et al. 2017)."""
    ASYMMETRIC = "asymmetric"
    """Normal tiles that are nearly right weigh nothing (Ridnik et al. 2021)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """Which loss, and its numbers.

    Attributes
    ----------
    positive_weight : W of method facts 4: every abnormal tile counts W times
    label_smoothing : this share of a label is spread evenly over all classes
    focus : exponent of the focal loss, and of the asymmetric one's abnormal tiles
    normal_focus : exponent of the asymmetric loss for normal tiles
    margin : a normal tile whose abnormal share is below this costs nothing (asymmetric)
    """

    kind: LossKind = LossKind.CROSS_ENTROPY
    positive_weight: float = 2.0
    label_smoothing: float = 0.0
    focus: float = 2.0
    normal_focus: float = 4.0
    margin: float = 0.05

    def __post_init__(self) -> None:
        if not self.positive_weight > 0:
            raise ValueError("positive_weight must be above 0")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError("label_smoothing must be 0 or more and below 1")
        if min(self.focus, self.normal_focus) < 0:
            raise ValueError("focus and normal_focus must be 0 or more")
        if not 0 <= self.margin < 1:
            raise ValueError("margin must be 0 or more and below 1")


def tile_loss(logits: Tensor, targets: Tensor, settings: LossSettings) -> Tensor:
    """Judge a batch of answers.

    Parameters
    ----------
    logits : (tiles, classes); class 0 is normal
    targets : (tiles,), int64, the classes; or (tiles, classes), float, the share of each class

    Returns
    -------
    Tensor
        A scalar: the weighted losses' sum over the number of tiles, not over the sum of weights,
        as TensorFlow's SUM_BY_NONZERO_WEIGHTS does (method facts 4).

    Notes
    -----
    A tile weighs 1 + (W - 1) * its share of abnormal classes. The asymmetric loss was made for
    labels that are asked one by one; with classes that exclude each other it is taken so: an
    abnormal tile costs the focal loss of its class, a normal one
    -m ** normal_focus * log(1 - m) with m = max(0, abnormal share - margin).
    """
    classes = logits.shape[1]
    shares = targets if targets.ndim == 2 else functional.one_hot(targets, classes)
    shares = shares.to(logits.dtype)
    weights = 1 + (settings.positive_weight - 1) * (1 - shares[:, 0])
    smooth = settings.label_smoothing
    aims = (1 - smooth) * shares + smooth / classes if smooth else shares
    logs = functional.log_softmax(logits, dim=1)
    match settings.kind:
        case LossKind.CROSS_ENTROPY:
            each = -aims * logs
        case LossKind.FOCAL:
            each = -aims * (1 - logs.exp()) ** settings.focus * logs
        case LossKind.ASYMMETRIC:
            each = -aims * (1 - logs.exp()) ** settings.focus * logs
            above = ((1 - logs[:, 0].exp()) - settings.margin).clamp(min=0)
            normal = -(above**settings.normal_focus) * torch.log1p(-above)
            each = torch.cat([(aims[:, 0] * normal)[:, None], each[:, 1:]], dim=1)
    return (weights * each.sum(dim=1)).mean()
