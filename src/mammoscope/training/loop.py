"""The training loop: one short road for every task, resumable at any step."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mammoscope.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from mammoscope.training.guard import check_collapse, check_loss, validation_warning
from mammoscope.training.log import RunLog

logger = logging.getLogger(__name__)

LOG_EVERY = 50


@dataclass(frozen=True, slots=True)
class Counts:
    """Outcomes of binary predictions."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @classmethod
    def of(cls, predicted: Tensor, truth: Tensor) -> "Counts":
        """Count predictions against the truth; both are boolean tensors of one shape."""
        both = int((predicted & truth).sum())
        said, is_so = int(predicted.sum()), int(truth.sum())
        return cls(both, said - both, truth.numel() - said - is_so + both, is_so - both)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a task says of one batch: the loss to follow, its parts, counts, and its size."""

    loss: Tensor
    parts: dict[str, float]
    counts: Counts
    size: int


class Task(Protocol):
    """What is trained. Batches depend on (epoch, step) alone, so a run can resume anywhere."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""

    def batch(self, epoch: int, step: int) -> Any:
        """Make batch `step` of `epoch`."""

    def result(self, network: nn.Module, batch: Any) -> StepResult:
        """Pass a batch through the network."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measure the network on the scans kept apart; empty where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a run goes: epochs, learning rate by step (a factor), clipping, checkpoints."""

    epochs: int
    rate: Callable[[int], float]
    clip_norm: float | None = None
    checkpoint_every: int = 200


def fit(
    network: nn.Module,
    task: Task,
    optimiser: torch.optim.Optimizer,
    plan: Plan,
    folder: Path,
    *,
    digest: str,
    show: Callable[[int, str], AbstractContextManager[Callable[[str], None]]] | None = None,
) -> list[dict[str, float]]:
    """Train `network` on `task`, from the checkpoint in `folder` where there is one.

    Parameters
    ----------
    digest : of the settings; a checkpoint written under others is refused
    show : makes a progress bar of so many steps with a title; it gives a function that moves the
        bar by one step and shows a text

    Returns
    -------
    One row an epoch: training figures, then those of `Task.validate` with the prefix ``val_``.

    Raises
    ------
    CollapseError, NotFiniteError
        When training cannot go on usefully.
    WeightsError
        When the checkpoint does not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    progress = load_checkpoint(folder, network, optimiser, digest)
    rates = [group["lr"] for group in optimiser.param_groups]
    total = plan.epochs * task.steps_per_epoch
    bar = show(total - progress.step, folder.name) if show else nullcontext(lambda _text: None)
    with RunLog(folder) as log, bar as advance:
        while progress.step < total:
            epoch, step = divmod(progress.step, task.steps_per_epoch)
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * plan.rate(progress.step)
            _one_step(network, task, optimiser, plan, progress)
            advance(_line(progress.running))
            if progress.step % LOG_EVERY == 0:
                log.scalars(
                    progress.step,
                    "train",
                    {**_figures(progress.running), **_parts(progress.running)},
                )
                log.scalars(
                    progress.step, "train", {"learning_rate": optimiser.param_groups[0]["lr"]}
                )
            if step + 1 == task.steps_per_epoch:
                _end_epoch(network, task, epoch, progress, log)
                save_checkpoint(folder, network, optimiser, progress, digest)
                check_collapse(progress.history)
                if warning := validation_warning(progress.history):
                    logger.warning("epoch %d: %s", epoch + 1, warning)
            elif progress.step % plan.checkpoint_every == 0:
                save_checkpoint(folder, network, optimiser, progress, digest)
    return progress.history


def _one_step(
    network: nn.Module,
    task: Task,
    optimiser: torch.optim.Optimizer,
    plan: Plan,
    progress: Progress,
) -> None:
    epoch, step = divmod(progress.step, task.steps_per_epoch)
    began = time.perf_counter()
    network.train()
    batch = task.batch(epoch, step)
    result = task.result(network, batch)
    check_loss(result.loss.item(), progress.step)
    optimiser.zero_grad(set_to_none=True)
    result.loss.backward()  # type: ignore[no-untyped-call]
    if plan.clip_norm is not None:
        nn.utils.clip_grad_norm_(network.parameters(), plan.clip_norm)
    optimiser.step()
    progress.step += 1
    counts = result.counts
    for key, value in {
        "loss": result.loss.item() * result.size,
        **{f"part_{name}": part * result.size for name, part in result.parts.items()},
        "size": result.size,
        "seconds": time.perf_counter() - began,
        "tp": counts.true_positive,
        "fp": counts.false_positive,
        "tn": counts.true_negative,
        "fn": counts.false_negative,
    }.items():
        progress.running[key] = progress.running.get(key, 0.0) + value


def _figures(running: dict[str, float]) -> dict[str, float]:
    """Figures of the epoch so far, from its sums."""
    tp, fp, tn, fn = (running[key] for key in ("tp", "fp", "tn", "fn"))
    return {
        "loss": running["loss"] / running["size"],
        "accuracy": (tp + tn) / max(1.0, tp + fp + tn + fn),
        "recall": tp / max(1.0, tp + fn),
        "precision": tp / max(1.0, tp + fp),
        "predicted_share": (tp + fp) / max(1.0, tp + fp + tn + fn),
        "per_second": running["size"] / max(1e-9, running["seconds"]),
    }


def _parts(running: dict[str, float]) -> dict[str, float]:
    return {
        key.removeprefix("part_"): value / running["size"]
        for key, value in running.items()
        if key.startswith("part_")
    }


def _line(running: dict[str, float]) -> str:
    now = _figures(running)
    return (
        f"loss {now['loss']:.3f}  accuracy {now['accuracy']:.3f}  recall {now['recall']:.3f}  "
        f"{now['per_second']:.1f}/s"
    )


def _end_epoch(network: nn.Module, task: Task, epoch: int, progress: Progress, log: RunLog) -> None:
    row = {"epoch": float(epoch + 1), **_figures(progress.running), **_parts(progress.running)}
    network.eval()
    validation = task.validate(network)
    log.scalars(progress.step, "validation", validation)
    row |= {f"val_{key}": value for key, value in validation.items()}
    progress.history.append(row)
    progress.running.clear()
    log.history(progress.history)
    logger.info("epoch %d: %s", epoch + 1, {k: round(v, 4) for k, v in row.items()})
