"""Everything that a run needs to go on exactly where it was: safetensors and JSON, no pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mammoscope.core.errors import TrainingError, WeightsError
from mammoscope.formats.files import write_atomic

FILE = "checkpoint.safetensors"
BEST_FILE = "best.safetensors"
NETWORK, OPTIMISER, EXTRA, RANDOM = "network/", "optimiser/", "extra/", "random/"


@dataclass(frozen=True, slots=True)
class Best:
    """The best epoch so far: its number from 1, and the figure by which it is the best."""

    epoch: int
    value: float


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a run has come: the next step to do, and what was logged so far.

    Attributes
    ----------
    history : a row an epoch
    running : sums of the epoch that is under way
    best : of the epochs so far, where the best one is kept
    is_over : the run was stopped early and is not to go on
    extra : tensors of other parts, such as averaged weights and what a task remembers
    """

    step: int = 0
    steps_per_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)
    best: Best | None = None
    is_over: bool = False
    extra: dict[str, Tensor] = field(default_factory=dict)


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    digest: str,
) -> None:
    """Write network, optimiser, random state and progress to one file, whole or not at all.

    Raises
    ------
    TrainingError
        When it cannot be written; the file of an earlier step is kept then.
    """
    tensors: dict[str, Tensor] = _named(NETWORK, network.state_dict())
    for index, values in optimiser.state_dict()["state"].items():
        tensors |= _named(
            f"{OPTIMISER}{index}/", {key: torch.as_tensor(v) for key, v in values.items()}
        )
    tensors |= _named(EXTRA, progress.extra)
    tensors |= _named(RANDOM, _random_state())
    header = {
        "step": progress.step,
        "steps_per_epoch": progress.steps_per_epoch,
        "history": progress.history,
        "running": progress.running,
        "best": None if progress.best is None else [progress.best.epoch, progress.best.value],
        "is_over": progress.is_over,
        "settings": digest,
    }
    _write(folder / FILE, tensors, json.dumps(header), progress.step)


def load_checkpoint(
    folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, digest: str
) -> Progress:
    """Put a run back where `save_checkpoint` left it; a fresh `Progress` where there is no file.

    Raises
    ------
    WeightsError
        When the file is damaged, or was written under other settings or for another network.
    """
    path = folder / FILE
    if not path.exists():
        return Progress()
    header, tensors = read_checkpoint(path)
    if header["settings"] != digest:
        raise WeightsError(
            f"{path}: the checkpoint was written under other settings; choose another --out "
            "folder, or remove it to begin again."
        )
    return restore(path, header, tensors, network, optimiser)


def restore(
    path: Path,
    header: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> Progress:
    """Put network, optimiser and random state to what `read_checkpoint` read.

    Parameters
    ----------
    path : of the file, for messages

    Raises
    ------
    WeightsError
        When the file is of another network.
    """
    try:
        network.load_state_dict(part_of(tensors, NETWORK))
        known = optimiser.state_dict()
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in part_of(tensors, OPTIMISER).items():
            index, name = key.split("/", 1)
            state.setdefault(int(index), {})[name] = value
        optimiser.load_state_dict({"state": state, "param_groups": known["param_groups"]})
        best = header["best"]
        progress = Progress(
            step=header["step"],
            steps_per_epoch=header["steps_per_epoch"],
            history=header["history"],
            running=header["running"],
            best=None if best is None else Best(int(best[0]), float(best[1])),
            is_over=header["is_over"],
            extra=part_of(tensors, EXTRA),
        )
        _set_random_state(part_of(tensors, RANDOM))
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path}: the checkpoint is of another network or another version; choose another "
            "--out folder, or remove it to begin again."
        ) from error
    return progress


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a checkpoint's header and its tensors, by names such as "network/conv1.weight".

    Raises
    ------
    WeightsError
        When there is no such file, or it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            header: dict[str, Any] = json.loads(stored.metadata()["progress"])
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 no iterator
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path}: the checkpoint cannot be read ({error}); remove it to begin the run again."
        ) from error
    return header, tensors


def save_best(folder: Path, tensors: Mapping[str, Tensor], best: Best) -> None:
    """Write the weights of the best epoch, whole or not at all.

    Raises
    ------
    TrainingError
        When they cannot be written.
    """
    header = json.dumps({"epoch": best.epoch, "value": best.value})
    _write(folder / BEST_FILE, _named(NETWORK, tensors), header, None)


def load_best(folder: Path, best: Best) -> dict[str, Tensor]:
    """Read the weights of the best epoch.

    Raises
    ------
    WeightsError
        When the file is missing or damaged, or of another epoch than `best`.
    """
    path = folder / BEST_FILE
    header, tensors = read_checkpoint(path)
    if header.get("epoch") != best.epoch:
        raise WeightsError(
            f"{path}: holds epoch {header.get('epoch')}, and epoch {best.epoch} was the best; "
            "remove the run's folder to begin again."
        )
    return part_of(tensors, NETWORK)


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in tensors.items()}


def _random_state() -> dict[str, Tensor]:
    """Random states that dropout draws from."""
    states = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random_state(states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def _write(path: Path, tensors: Mapping[str, Tensor], header: str, step: int | None) -> None:
    whole = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    try:
        write_atomic(path, save(whole, metadata={"progress": header}))
    except OSError as error:
        what = "the best weights" if step is None else f"the checkpoint of step {step}"
        kept = (
            "the last whole one is still there, so the same command goes on from it"
            if (path.parent / FILE).exists()
            else "the same command begins again"
        )
        raise TrainingError(
            f"{path}: {what} could not be written ({error.strerror or error}); {kept} once there "
            "is room."
        ) from error
