"""The task of a tile network as the paper trains it: weighted cross entropy, flips, figures."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mammoscope.models.paper import Paper35, l2_terms
from mammoscope.tiles.store import TileSet
from mammoscope.training.loop import Counts, StepResult

TILES_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TileBatch:
    """Tiles, (batch, 1, side, side), float32 in [0, 1], and whether each is abnormal."""

    images: Tensor
    abnormal: Tensor


def weighted_cross_entropy(logits: Tensor, truth: Tensor, positive_weight: float) -> Tensor:
    """Compute the paper's loss: cross entropy, the positives' times a weight.

    Parameters
    ----------
    logits : (batch, classes)
    truth : (batch,), integers; 0 is normal
    positive_weight : W of method facts section 4: a tile weighs 1 + (W - 1) where truth > 0

    Notes
    -----
    The sum is divided by the number of tiles, not by the sum of their weights, as TensorFlow's
    SUM_BY_NONZERO_WEIGHTS does.
    """
    weights = 1 + (positive_weight - 1) * (truth > 0).to(logits.dtype)
    return (weights * functional.cross_entropy(logits, truth, reduction="none")).mean()


def staircase(step: int, steps_per_epoch: int, epochs_a_stair: int, factor: float) -> float:
    """Compute the paper's learning rate as a share of the first: factor ** floor(step / stair)."""
    return float(factor ** (step // (steps_per_epoch * epochs_a_stair)))


def flipped(images: Tensor, horizontal: Tensor, vertical: Tensor) -> Tensor:
    """Flip the tiles of a batch, each as its two flags say, where the batch lies.

    Exact, where the paper's flips were shifted by one pixel (method facts section 4).

    Parameters
    ----------
    images : (batch, channel, rows, columns)
    horizontal, vertical : (batch,), bool
    """
    images = torch.where(horizontal[:, None, None, None], images.flip(-1), images)
    return torch.where(vertical[:, None, None, None], images.flip(-2), images)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileTask:
    """Trains on the tiles at `training`, measures on those at `validation`."""

    tiles: TileSet
    training: NDArray[np.intp]
    validation: NDArray[np.intp]
    batch_size: int
    positive_weight: float
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Number of whole batches in an epoch."""
        return max(1, len(self.training) // self.batch_size)

    def batch(self, epoch: int, step: int) -> TileBatch:
        """Draw batch `step` of `epoch` with its flips; the same numbers give the same batch."""
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.training))
        chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
        batch = batch_of(self.tiles, self.training[chosen])
        flags = np.random.default_rng((self.seed, epoch, step)).random((2, len(chosen))) < 0.5
        horizontal, vertical = torch.from_numpy(flags)
        return TileBatch(
            images=flipped(batch.images, horizontal, vertical), abnormal=batch.abnormal
        )

    def result(self, network: nn.Module, batch: TileBatch) -> StepResult:
        """Pass a batch through: cross entropy and the paper's penalty on weights."""
        logits = network(batch.images)
        entropy = weighted_cross_entropy(logits, batch.abnormal.long(), self.positive_weight)
        penalty = l2_terms(network) if isinstance(network, Paper35) else torch.zeros(())
        return StepResult(
            loss=entropy + penalty,
            parts={"cross_entropy": entropy.item(), "penalty": penalty.item()},
            counts=Counts.of(logits.argmax(dim=1) > 0, batch.abnormal),
            size=len(batch.abnormal),
        )

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Accuracy, recall and precision over all validation tiles at once.

        The paper averaged running values over batches, which depends on their order.
        """
        if len(self.validation) == 0:
            return {}
        scores = abnormal_scores(network, self.tiles, self.validation)
        truth = is_abnormal(self.tiles, self.validation)
        said = scores > 0.5
        hits = float((said & truth).sum())
        return {
            "accuracy": float((said == truth).mean()),
            "recall": hits / max(1, int(truth.sum())),
            "precision": hits / max(1, int(said.sum())),
            "predicted_share": float(said.mean()),
        }


def is_abnormal(tiles: TileSet, positions: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which tiles show a finding."""
    labels = tiles.table["label"].to_numpy()
    return np.asarray(labels[positions] != "NORMAL")


def batch_of(tiles: TileSet, positions: NDArray[np.intp]) -> TileBatch:
    """Bring tiles to memory, grey levels divided by 255 as in the paper's 1.0.0.35."""
    pixels = torch.from_numpy(tiles.pixels(positions))
    images = pixels[:, None].float() / 255
    return TileBatch(
        images=images.contiguous(memory_format=torch.channels_last),
        abnormal=torch.from_numpy(is_abnormal(tiles, positions)),
    )


@torch.inference_mode()
def abnormal_scores(
    network: nn.Module, tiles: TileSet, positions: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Score tiles: the softmax share of all classes but normal."""
    network.eval()
    scores = []
    for start in range(0, len(positions), TILES_AT_ONCE):
        batch = batch_of(tiles, positions[start : start + TILES_AT_ONCE])
        scores.append(1 - torch.softmax(network(batch.images).double(), dim=1)[:, 0])
    return np.asarray(torch.cat(scores).numpy())
