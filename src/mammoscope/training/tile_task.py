"""The task of a classifier of tiles: batches as the settings say, figures on validation tiles."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mammoscope.core.contract import InputSpec
from mammoscope.core.errors import ShapeError
from mammoscope.evaluation.roc import auc
from mammoscope.models.heads import Head
from mammoscope.models.penalty import l2_penalty
from mammoscope.tiles.store import TileSet
from mammoscope.training.augment import apply, draw
from mammoscope.training.epoch_view import EpochView, worst_places
from mammoscope.training.loop import Counts, StepResult
from mammoscope.training.losses import tile_loss
from mammoscope.training.mixup import mix
from mammoscope.training.sampling import epoch_order
from mammoscope.training.settings import TileSettings
from mammoscope.training.start import hold_frozen_norms
from mammoscope.training.tile_input import network_input

TILES_AT_ONCE = 64
UNSEEN = 0.5
"""Score of a tile that no epoch has judged yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TileBatch:
    """Tiles as the network takes them, and what they are.

    Attributes
    ----------
    images : (batch, 1, side, side), float32 in the contract's value range
    targets : (batch,), int64, or (batch, classes), float32, where labels are soft
    truth : (batch,), int64: the label of each tile before anything was mixed
    places : (batch,), int64: positions among the training tiles
    """

    images: Tensor
    targets: Tensor
    truth: Tensor
    places: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """Strength of the L2 penalty on kernels of convolutions and of dense layers."""

    convolutions: float
    dense: float


class TileTask:
    """Trains on the tiles of the training split, measures on those of the validation split.

    Parameters
    ----------
    tiles : the set
    training, validation : positions of the tiles
    head : what the answers stand for
    spec : the contract's input half, for training and validation alike
    settings : how batches are drawn and judged
    penalty : on weights
    device : where the network is
    """

    def __init__(  # noqa: PLR0913 a record of what a task is
        self,
        *,
        tiles: TileSet,
        training: NDArray[np.intp],
        validation: NDArray[np.intp],
        head: Head,
        spec: InputSpec,
        settings: TileSettings,
        penalty: Penalty,
        device: torch.device,
    ) -> None:
        self._tiles, self._training, self._validation = tiles, training, validation
        self._head, self._spec, self._settings = head, spec, settings
        self._penalty, self._device = penalty, device
        self._truth = head.truth(tiles.table["label"].to_numpy())
        # Scores by which hard tiles are drawn: those of the epochs before, and those of this one.
        self._scores = torch.full((len(training),), UNSEEN, dtype=torch.float64)
        self._latest = self._scores.to(device, torch.float32)
        self._last_look: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Number of whole batches in an epoch."""
        return max(1, len(self._training) // self._settings.batch_size)

    def batch(self, epoch: int, step: int) -> TileBatch:
        """Draw batch `step` of `epoch`, changed as the augmentation says."""
        s = self._settings
        order = self._order(epoch)
        places = order[step * s.batch_size : (step + 1) * s.batch_size]
        rows = self._training[places]
        generator = np.random.default_rng((s.seed, epoch, step))
        pixels = self._to_device(torch.from_numpy(self._tiles.pixels(rows)))
        draws = draw(s.augment, len(rows), pixels.shape[-1], generator)
        images = network_input(pixels, self._spec, lambda unit: apply(unit, draws))
        truth = self._to_device(torch.from_numpy(self._truth[rows]))
        targets = self._targets(rows, truth)
        images, targets = mix(images, targets, len(self._head.targets), s.mixup, generator)
        return TileBatch(
            images=images,
            targets=targets,
            truth=truth,
            places=self._to_device(torch.from_numpy(places.astype(np.int64))),
        )

    def result(self, network: nn.Module, batch: TileBatch) -> StepResult:
        """Pass a batch through: the loss, and the penalty on weights."""
        hold_frozen_norms(network)
        logits = network(batch.images).float()
        entropy = tile_loss(logits, batch.targets, self._settings.loss)
        penalty = l2_penalty(network, self._penalty.convolutions, self._penalty.dense)
        scores = abnormal_share(logits.detach())
        self._latest[batch.places] = scores.float()
        parts: dict[str, float | Tensor] = {
            "cross_entropy": entropy.detach(),
            "penalty": penalty.detach(),
            "input_mean": batch.images.mean(),
            "input_deviation": batch.images.std(correction=0),
        }
        if len(self._head.targets) > 2:
            parts["class_accuracy"] = (logits.argmax(dim=1) == batch.truth).double().mean()
        return StepResult(
            loss=entropy + penalty,
            parts=parts,
            counts=Counts.of(scores >= self._settings.threshold, batch.truth > 0),
            size=len(batch.truth),
        )

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measure over all validation tiles at once.

        The paper averaged running values over batches, which depends on their order.
        """
        if len(self._validation) == 0:
            return {}
        answers = answers_of(network, self._tiles, self._validation, self._spec)
        truth = self._truth[self._validation]
        self._last_look = (1 - answers.shares[:, 0], truth)
        return {
            **figures_of(answers.shares, truth, self._settings.threshold),
            "input_mean": answers.input_mean,
            "input_deviation": answers.input_deviation,
        }

    def view(self, network: nn.Module) -> EpochView | None:
        """Collect kernels, scores and the worst tiles of the validation that was just made."""
        if self._last_look is None:
            return None
        scores, truth = self._last_look
        is_abnormal = truth > 0
        worst = worst_places(scores, is_abnormal)
        rows = self._validation[worst]
        labels = self._tiles.table["label"].to_numpy()[rows]
        return EpochView(
            kernels=_kernels(network),
            scores=scores,
            truth=is_abnormal,
            worst_pixels=self._tiles.pixels(rows),
            worst_titles=tuple(
                f"{label}, score {score:.2f}"
                for label, score in zip(labels, scores[worst], strict=True)
            ),
        )

    def state(self) -> dict[str, Tensor]:
        """Scores of the training tiles, which hard-negative sampling draws by."""
        return {"scores": self._scores, "latest": self._latest}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        if state["scores"].shape != self._scores.shape:
            raise ShapeError(
                f"{self._tiles.folder}: the checkpoint is of {len(state['scores'])} training "
                f"tiles, and here are {len(self._scores)}; remove the run's folder to begin again."
            )
        self._scores.copy_(state["scores"])
        self._latest.copy_(state["latest"])

    def end_epoch(self) -> None:
        """Let this epoch's scores draw the next epoch's tiles."""
        self._scores.copy_(self._latest)

    def _order(self, epoch: int) -> NDArray[np.intp]:
        s = self._settings
        return epoch_order(
            self._truth[self._training],
            s.sampling,
            seed=s.seed,
            epoch=epoch,
            scores=self._scores.numpy(),
        )

    def _targets(self, rows: NDArray[np.intp], truth: Tensor) -> Tensor:
        """Labels, softened by how much of its lesion a tile shows where that is wanted."""
        if not self._settings.soft_labels:
            return truth
        shown = self._tiles.table["lesion_share"].to_numpy()[rows]
        share = np.where(np.isnan(shown.astype(np.float64)), 1.0, shown.astype(np.float64))
        soft = functional.one_hot(truth, len(self._head.targets)).float()
        part = torch.from_numpy(share).float().to(truth.device)[:, None]
        normal = torch.zeros_like(soft)
        normal[:, 0] = 1
        return torch.where((truth > 0)[:, None], part * soft + (1 - part) * normal, soft)

    def _to_device(self, tensor: Tensor) -> Tensor:
        if self._device.type != "cuda":
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """A network's answers to tiles.

    Attributes
    ----------
    shares : ndarray of shape (tiles, classes), float64: softmax
    input_mean, input_deviation : of what reached the first layer, the deviation as a mean over
        batches, as in training
    """

    shares: NDArray[np.float64]
    input_mean: float
    input_deviation: float


@torch.inference_mode()
def answers_of(
    network: nn.Module, tiles: TileSet, positions: NDArray[np.intp], spec: InputSpec
) -> Answers:
    """Pass tiles through a network in evaluation mode, by the same road as in training."""
    network.eval()
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    shares, means, deviations, sizes = [], [], [], []
    for start in range(0, len(positions), TILES_AT_ONCE):
        rows = positions[start : start + TILES_AT_ONCE]
        images = network_input(torch.from_numpy(tiles.pixels(rows)).to(device), spec)
        shares.append(torch.softmax(network(images).double(), dim=1).cpu())
        means.append(float(images.mean()))
        deviations.append(float(images.std(correction=0)))
        sizes.append(len(rows))
    return Answers(
        shares=np.asarray(torch.cat(shares).numpy()),
        input_mean=float(np.average(means, weights=sizes)),
        input_deviation=float(np.average(deviations, weights=sizes)),
    )


def abnormal_share(logits: Tensor) -> Tensor:
    """Score tiles: the softmax share of all classes but normal, shape (batch,), float64."""
    return 1 - torch.softmax(logits.double(), dim=1)[:, 0]


def figures_of(
    shares: NDArray[np.float64], truth: NDArray[np.int64], threshold: float
) -> dict[str, float]:
    """Compute an epoch's figures.

    Accuracy, recall, precision, F1 and AUC are of abnormal against normal, whatever the head; with
    more than two classes ``class_accuracy`` is that of the class with the largest share.

    Parameters
    ----------
    shares : (tiles, classes), softmax
    truth : (tiles,), the classes
    threshold : a tile is called abnormal when its score is at least this
    """
    scores, is_so = 1 - shares[:, 0], truth > 0
    said = scores >= threshold
    hits = float((said & is_so).sum())
    own = shares[np.arange(len(truth)), truth]
    figures = {
        "cross_entropy": float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean()),
        "accuracy": float((said == is_so).mean()),
        "recall": hits / max(1, int(is_so.sum())),
        "precision": hits / max(1, int(said.sum())),
        "f1": 2 * hits / max(1.0, float(said.sum() + is_so.sum())),
        "auc": auc(scores, is_so) if np.isfinite(scores).all() else nan,
        "predicted_share": float(said.mean()),
        "majority": max(float(is_so.mean()), 1 - float(is_so.mean())),
        "tiles": float(len(truth)),
    }
    if shares.shape[1] > 2:
        figures["class_accuracy"] = float((shares.argmax(axis=1) == truth).mean())
    return figures


def _kernels(network: nn.Module) -> NDArray[np.float32]:
    """Kernels of the first convolution, its first input channel; none where there is none."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            return module.weight.detach()[:, 0].float().cpu().contiguous().numpy()
    return np.zeros((0, 1, 1), np.float32)
