"""The training loop: one short road for every task, resumable at any step."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from textwrap import shorten
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from mammoscope.core.errors import TrainingError
from mammoscope.training.checkpoint import (
    Best,
    load_best,
    load_checkpoint,
    part_of,
    save_best,
    save_checkpoint,
)
from mammoscope.training.distributed import ALONE, Team
from mammoscope.training.epoch_view import EpochView
from mammoscope.training.interrupts import Interrupts
from mammoscope.training.log import RunLog
from mammoscope.training.silent_log import SilentLog
from mammoscope.training.watch import Watch

logger = logging.getLogger(__name__)

LOG_EVERY = 50
"""Steps between the logged figures of training."""
LOWER_IS_BETTER = frozenset({"loss", "cross_entropy"})
ALARM_LETTERS = 60
"""What a progress line has room for; the log has the whole sentence."""
AVERAGE, TASK = "average/", "task/"

Show = Callable[[int, str], AbstractContextManager[Callable[[str], None]]]
"""Makes a progress bar of so many steps with a title; gives a function that moves it by one step
and shows a text."""
OnEpoch = Callable[[Sequence[Mapping[str, float]]], None]


@dataclass(frozen=True, slots=True)
class Counts:
    """Outcomes of binary predictions; whole numbers, or tensors of one that were not read yet."""

    true_positive: int | Tensor
    false_positive: int | Tensor
    true_negative: int | Tensor
    false_negative: int | Tensor

    @classmethod
    def of(cls, predicted: Tensor, truth: Tensor) -> "Counts":
        """Count predictions against the truth; both are boolean tensors of one shape."""
        both = (predicted & truth).sum()
        said, is_so = predicted.sum(), truth.sum()
        counts = (both, said - both, truth.numel() - said - is_so + both, is_so - both)
        # Reading a number would make an accelerator wait for it.
        return cls(*(count if count.is_cuda else int(count) for count in counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a task says of one batch: the loss to follow, its parts, counts, and its size."""

    loss: Tensor
    parts: Mapping[str, float | Tensor]
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


@runtime_checkable
class Shows(Protocol):
    """A task that has something to look at after an epoch."""

    def view(self, network: nn.Module) -> EpochView | None:
        """Collect it; called after `Task.validate` with the same weights."""


@runtime_checkable
class Remembers(Protocol):
    """A task whose batches also depend on what it saw in earlier epochs."""

    def state(self) -> dict[str, Tensor]:
        """Give what has to be in a checkpoint."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""

    def end_epoch(self) -> None:
        """Let what was seen in this epoch count for the next one."""


class Average(Protocol):
    """A running average of the weights, which is validated and kept instead of them."""

    def update(self, network: nn.Module) -> None:
        """Take in the weights after a step."""

    def state(self) -> dict[str, Tensor]:
        """Give what has to be in a checkpoint."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""

    def weights(self) -> dict[str, Tensor]:
        """Return the averaged weights by the network's own names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Stop early: when `figure` of the validation was not better for `patience` epochs.

    The weights of the best epoch are kept.
    """

    figure: str
    patience: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a run goes.

    Attributes
    ----------
    epochs : how many there are at most
    rate : learning rate by step, as a factor of the optimiser's
    clip_norm : largest norm of the gradients
    checkpoint_every : steps between checkpoints; there is one at the end of each epoch as well
    autocast : type in which the network computes where that is safe; None: float32
    stop : when to stop early
    average : running average of the weights
    read_every : steps between looks at the loss; each look makes an accelerator wait
    watch : what looks at losses and epochs
    facts : what `Watch.epoch` is told besides the rows
    settings : what is written down for whoever looks at the run
    team : the processes that train together
    on_epoch : is told all rows after each epoch, when its checkpoint is written
    """

    epochs: int
    rate: Callable[[int], float]
    clip_norm: float | None = None
    checkpoint_every: int = 200
    autocast: torch.dtype | None = None
    stop: Stop | None = None
    average: Average | None = None
    read_every: int = 1
    watch: Watch = field(default_factory=Watch)
    facts: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    team: Team = ALONE
    on_epoch: OnEpoch | None = None


def fit(
    network: nn.Module,
    task: Task,
    optimiser: torch.optim.Optimizer,
    plan: Plan,
    folder: Path,
    *,
    digest: str,
    show: Show | None = None,
) -> list[dict[str, float]]:
    """Train `network` on `task`, from the checkpoint in `folder` where there is one.

    At the end the network holds the weights that are to be used: those of the best epoch where the
    plan stops early, else their average where there is one, else the last ones.

    Parameters
    ----------
    digest : of the settings; a checkpoint written under others is refused
    show : makes a progress bar, see `Show`

    Returns
    -------
    One row an epoch: training figures, then those of `Task.validate` with the prefix ``val_``.

    Raises
    ------
    CollapseError, NotFiniteError
        When training cannot go on usefully.
    WeightsError
        When the checkpoint does not fit.
    TrainingError
        When a checkpoint cannot be written; the last whole one is kept.
    KeyboardInterrupt
        After Ctrl-C, when the step that was under way is done and a checkpoint written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(network, task, optimiser, plan, folder, digest)
    left = max(0, run.total - run.progress.step)
    bar = show(left, folder.name) if show else nullcontext(lambda _text: None)
    log_of = RunLog if plan.team.leads else SilentLog
    log = log_of(folder, steps_per_epoch=task.steps_per_epoch, resumed_at=run.progress.step)
    with log, Interrupts() as interrupts, bar as advance:
        if plan.settings:
            log.settings(plan.settings)
        while not run.is_over:
            run.step()
            advance(run.line)
            run.after_step(log)
            if plan.team.agree(run.progress.step, wanted=interrupts.noted):
                run.give_up(log)
    with plan.team.leader_first():
        run.take_final_weights()
    return run.progress.history


class _Run:
    """A run that is under way: what `fit` was given, and how far it has come."""

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        optimiser: torch.optim.Optimizer,
        plan: Plan,
        folder: Path,
        digest: str,
    ) -> None:
        self._network, self._task, self._optimiser = network, task, optimiser
        self._plan, self._folder, self._digest = plan, folder, digest
        self.progress = load_checkpoint(folder, network, optimiser, digest)
        self.progress.steps_per_epoch = task.steps_per_epoch
        plan.team.check_step(self.progress.step, folder)
        self._shared = plan.team.together(network)
        self._restore_parts()
        self._rates = [group["lr"] for group in optimiser.param_groups]
        self._device = next((p.device for p in network.parameters()), torch.device("cpu"))
        self.total = plan.epochs * task.steps_per_epoch
        self.line = ""
        self._alarm = ""
        self._watch = replace(plan.watch, show=plan.watch.show or self._show_alarm)
        self._unread: list[dict[str, float | Tensor]] = []
        self._read_at = time.perf_counter()
        self._saved_at = self.progress.step

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.progress.is_over or self.progress.step >= self.total

    def step(self) -> None:
        """Do one step, up to the weights."""
        epoch, step = divmod(self.progress.step, self._task.steps_per_epoch)
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * self._plan.rate(self.progress.step)
        result = self._gradients(self._task.batch(epoch, step))
        if self._plan.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._plan.clip_norm)
        self._note(result)
        self._optimiser.step()
        if self._plan.average is not None:
            self._plan.average.update(self._network)
        self.progress.step += 1

    def after_step(self, log: RunLog) -> None:
        """Log, validate and save where it is time to."""
        done, per_epoch = self.progress.step, self._task.steps_per_epoch
        ends = done % per_epoch == 0
        logs, saves = done % LOG_EVERY == 0, done % self._plan.checkpoint_every == 0
        if ends or logs or saves:
            self._read()
        if logs:
            rate = {"learning_rate": self._optimiser.param_groups[0]["lr"]}
            now = self.progress.running
            log.scalars(done, "train", {**_figures(now), **_parts(now), **rate})
        if ends:
            self._end_epoch(log)
        elif saves:
            # The log first: what it holds beyond the checkpoint is dropped when the run goes on.
            log.save()
            self._save()

    def give_up(self, log: RunLog) -> None:
        """Write a checkpoint and raise `KeyboardInterrupt`."""
        if self._saved_at != self.progress.step:
            self._read()
            log.save()
            self._save()
        logger.warning(
            "interrupted after step %d of %d; the checkpoint in %s is whole, and the same command "
            "goes on from it.",
            self.progress.step,
            self.total,
            self._folder,
        )
        raise KeyboardInterrupt

    def take_final_weights(self) -> None:
        """Put into the network the weights that are to be used."""
        if self._plan.stop is not None and self.progress.best is not None:
            self._network.load_state_dict(load_best(self._folder, self.progress.best))
        elif self._plan.average is not None:
            self._network.load_state_dict(self._plan.average.weights())
        self._network.eval()

    def _show_alarm(self, sentence: str) -> None:
        """Keep an alarm in the progress line until an epoch is without one."""
        self._alarm = f"; alarm: {shorten(sentence, ALARM_LETTERS, placeholder='...')}"

    def _restore_parts(self) -> None:
        extra = self.progress.extra
        if self._plan.average is not None and (state := part_of(extra, AVERAGE)):
            self._plan.average.restore(state)
        if isinstance(self._task, Remembers) and (state := part_of(extra, TASK)):
            self._task.restore(state)

    def _gradients(self, batch: Any) -> StepResult:
        """Pass a batch through and back: the one place where gradients are made."""
        self._shared.train()
        self._optimiser.zero_grad(set_to_none=True)
        kind = self._plan.autocast
        with torch.autocast(self._device.type, kind) if kind else nullcontext():
            result = self._task.result(self._shared, batch)
        if self._plan.read_every == 1:
            self._watch.step(result.loss.item(), self.progress.step)
        result.loss.backward()  # type: ignore[no-untyped-call]
        return result

    def _note(self, result: StepResult) -> None:
        """Keep a step's figures; read them now and then."""
        counts = result.counts
        self._unread.append(
            {
                "loss": result.loss.detach() * result.size,
                **{f"part_{name}": part * result.size for name, part in result.parts.items()},
                "size": result.size,
                "tp": counts.true_positive,
                "fp": counts.false_positive,
                "tn": counts.true_negative,
                "fn": counts.false_negative,
            }
        )
        if len(self._unread) >= self._plan.read_every:
            self._read(after=1)

    def _read(self, after: int = 0) -> None:
        """Add the figures of the steps since the last look to the epoch's sums.

        Parameters
        ----------
        after : by how much the last step's number is not counted yet
        """
        if not self._unread:
            return
        running = self.progress.running
        first = self.progress.step + after - len(self._unread)
        for place, values in enumerate(self._unread):
            for key, value in values.items():
                running[key] = running.get(key, 0.0) + float(value)
            self._watch.step(float(values["loss"]), first + place)
        self._unread.clear()
        now = time.perf_counter()
        running["seconds"] = running.get("seconds", 0.0) + now - self._read_at
        self._read_at = now
        self.line = _line(running) + self._alarm

    def _end_epoch(self, log: RunLog) -> None:
        """Validate, log, keep the best weights, save; stop what cannot come to anything."""
        progress = self.progress
        epoch = progress.step // self._task.steps_per_epoch
        row = {"epoch": float(epoch), **_figures(progress.running), **_parts(progress.running)}
        row["learning_rate"] = float(self._optimiser.param_groups[0]["lr"])
        validation, view = self._validated()
        log.scalars(progress.step, "validation", validation)
        row |= {f"val_{key}": value for key, value in validation.items()}
        progress.history.append(row)
        progress.running.clear()
        log.history(progress.history)
        log.epoch(progress.step, view)
        alarms = self._watch.epoch(progress.history, self._plan.facts)
        if not alarms:
            self._alarm = ""
        log.alarms(progress.step, alarms)
        logger.info("epoch %d: %s", epoch, {k: round(v, 4) for k, v in row.items()})
        if isinstance(self._task, Remembers):
            self._task.end_epoch()
        if self._plan.stop is not None:
            self._judge(self._plan.stop, validation, epoch)
        self._save()
        if self._plan.on_epoch is not None:
            self._plan.on_epoch(progress.history)
        self._read_at = time.perf_counter()
        self._watch.stop(alarms)

    def _validated(self) -> tuple[dict[str, float], EpochView | None]:
        """Validate with the weights that would be used; the first process does it for all."""
        if not self._plan.team.leads:
            return self._plan.team.tell({}), None
        self._network.eval()
        average = self._plan.average
        last: dict[str, Tensor] = {}
        if average is not None:
            last = {k: v.detach().clone() for k, v in self._network.state_dict().items()}
            self._network.load_state_dict(average.weights())
        figures = self._task.validate(self._network)
        view = self._task.view(self._network) if isinstance(self._task, Shows) else None
        if average is not None:
            self._network.load_state_dict(last)
        return self._plan.team.tell(figures), view

    def _judge(self, stop: Stop, validation: Mapping[str, float], epoch: int) -> None:
        """Keep the weights when they are the best so far; end the run when none came for long."""
        if stop.figure not in validation:
            known = ", ".join(sorted(validation)) or "none: there are no validation tiles"
            raise TrainingError(
                f"The run should stop by the validation figure {stop.figure!r}, and there is no "
                f"such figure; there are: {known}."
            )
        value, best = validation[stop.figure], self.progress.best
        rising = -1 if stop.figure in LOWER_IS_BETTER else 1
        if isfinite(value) and (best is None or rising * value > rising * best.value):
            best = Best(epoch, value)
            average = self._plan.average
            weights = average.weights() if average else self._network.state_dict()
            if self._plan.team.leads:
                save_best(self._folder, weights, best)
            self.progress.best = best
        if epoch - (0 if best is None else best.epoch) >= stop.patience:
            self.progress.is_over = True
            logger.info("epoch %d: %s was not better for %d", epoch, stop.figure, stop.patience)

    def _save(self) -> None:
        self._saved_at = self.progress.step
        if not self._plan.team.leads:
            return
        extra: dict[str, Tensor] = {}
        if self._plan.average is not None:
            extra |= {f"{AVERAGE}{k}": v for k, v in self._plan.average.state().items()}
        if isinstance(self._task, Remembers):
            extra |= {f"{TASK}{k}": v for k, v in self._task.state().items()}
        self.progress.extra = extra
        save_checkpoint(self._folder, self._network, self._optimiser, self.progress, self._digest)


def _figures(running: dict[str, float]) -> dict[str, float]:
    """Figures of the epoch so far, from its sums."""
    tp, fp, tn, fn = (running[key] for key in ("tp", "fp", "tn", "fn"))
    return {
        "loss": running["loss"] / running["size"],
        "accuracy": (tp + tn) / max(1.0, tp + fp + tn + fn),
        "recall": tp / max(1.0, tp + fn),
        "precision": tp / max(1.0, tp + fp),
        "f1": 2 * tp / max(1.0, 2 * tp + fp + fn),
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
