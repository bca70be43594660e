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
    """Loss of a batch, and its parts; all scalars, `words` 0 where the network says none."""

    total: Tensor
    lesion: Tensor
    malignant: Tensor
    words: Tensor


def dense_loss(
    logits: Tensor, batch: DenseBatch, malignant_weight: float, words_weight: float = 0.0
) -> DenseLoss:
    """Focal loss of the lesion map plus cross entropy of malignancy where lesions are.

    Parameters
    ----------
    logits : (batch, 2 or more, rows, columns); those after the second are of `DenseBatch.words`
    batch : the targets, see `DenseBatch`
    malignant_weight : weight of the second part
    words_weight : weight of the cross entropy of the words, for a network that says them

    Notes
    -----
    The lesion part is divided by the number of places that are lesion, each with its weight; the
    other parts average over places by the same weights.
    """
    lesion_logit, malignant_logit = logits[:, 0], logits[:, 1]
    positive, negative = batch.lesion == 1, batch.lesion == 0
    score = torch.sigmoid(lesion_logit)
    hit = (1 - score) ** FOCUS * functional.softplus(-lesion_logit) * batch.weight
    miss = score**FOCUS * functional.softplus(lesion_logit)
    mass = batch.weight[positive].sum().clamp(min=1.0)
    lesion = (hit[positive].sum() + miss[negative].sum()) / mass
    malignant = _cross_entropy(malignant_logit, batch.malignant, batch.weight)
    said = logits[:, 2:]
    told = batch.words[:, : said.shape[1]]
    words = _cross_entropy(said, told, batch.weight[:, None].expand_as(said))
    total = lesion + malignant_weight * malignant + words_weight * words
    return DenseLoss(total, lesion, malignant, words)


def _cross_entropy(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Average over the places where `truth` is known (0 or 1), by their weights; 0 without any."""
    known = truth >= 0
    aim = truth[known] * (1 - 2 * SMOOTHING) + SMOOTHING
    cross = functional.binary_cross_entropy_with_logits(
        logits[known], aim, weight=weight[known], reduction="sum"
    )
    return cross / weight[known].sum().clamp(min=1e-6)
