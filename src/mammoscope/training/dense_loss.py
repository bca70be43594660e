"""The loss of a dense network: where lesions are, and which of them are malignant."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mammoscope.training.dense_data import DenseBatch

FOCUS = 2.0
"""Exponent of the focal loss (Lin et al. 2017): easy places, nearly all, then weigh little."""
SMOOTHING = 0.05
"""Malignant and benign are aimed at 0.95 and 0.05: biopsy labels are of lesions, not of places."""


@dataclass(frozen=True, slots=True)
class DenseLoss:
    """Loss of a batch, and its two parts; all scalars."""

    total: Tensor
    lesion: Tensor
    malignant: Tensor


def dense_loss(logits: Tensor, batch: DenseBatch, malignant_weight: float) -> DenseLoss:
    """Focal loss of the lesion map plus cross entropy of malignancy where lesions are.

    Parameters
    ----------
    logits : (batch, 2, rows, columns)
    batch : the targets, see `DenseBatch`
    malignant_weight : weight of the second part

    Notes
    -----
    The lesion part is divided by the number of places that are lesion, each with its weight; the
    malignancy part averages over places by the same weights.
    """
    lesion_logit, malignant_logit = logits[:, 0], logits[:, 1]
    positive, negative = batch.lesion == 1, batch.lesion == 0
    score = torch.sigmoid(lesion_logit)
    hit = (1 - score) ** FOCUS * functional.softplus(-lesion_logit) * batch.weight
    miss = score**FOCUS * functional.softplus(lesion_logit)
    mass = batch.weight[positive].sum().clamp(min=1.0)
    lesion = (hit[positive].sum() + miss[negative].sum()) / mass
    proven = batch.malignant >= 0
    aim = batch.malignant[proven] * (1 - 2 * SMOOTHING) + SMOOTHING
    weight = batch.weight[proven]
    cross = functional.binary_cross_entropy_with_logits(
        malignant_logit[proven], aim, weight=weight, reduction="sum"
    )
    malignant = cross / weight.sum().clamp(min=1e-6)
    return DenseLoss(lesion + malignant_weight * malignant, lesion, malignant)
