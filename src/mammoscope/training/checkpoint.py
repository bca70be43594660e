"""Everything that a run needs to go on exactly where it was: safetensors and JSON, no pickle."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mammoscope.core.errors import WeightsError
from mammoscope.formats.files import write_atomic

FILE = "checkpoint.safetensors"


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a run has come: the next step to do, and what was logged so far."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    digest: str,
) -> None:
    """Write network, optimiser, random state and progress to one file, whole or not at all."""
    tensors: dict[str, Tensor] = {f"network/{k}": v for k, v in network.state_dict().items()}
    state = optimiser.state_dict()["state"]
    for index, values in state.items():
        tensors |= {f"optimiser/{index}/{key}": torch.as_tensor(v) for key, v in values.items()}
    tensors["random/torch"] = torch.get_rng_state()
    header = {
        "step": progress.step,
        "history": progress.history,
        "running": progress.running,
        "settings": digest,
    }
    whole = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    write_atomic(folder / FILE, save(whole, metadata={"progress": json.dumps(header)}))


def load_checkpoint(
    folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, digest: str
) -> Progress:
    """Put a run back where `save_checkpoint` left it; a fresh `Progress` where there is no file.

    Raises
    ------
    WeightsError
        When the file is damaged or was written under other settings.
    """
    path = folder / FILE
    if not path.exists():
        return Progress()
    try:
        with safe_open(path, framework="pt") as stored:
            header: dict[str, Any] = json.loads(stored.metadata()["progress"])
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 no iterator
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path}: the checkpoint cannot be read ({error}); remove it to begin the run again."
        ) from error
    if header["settings"] != digest:
        raise WeightsError(
            f"{path}: the checkpoint was written under other settings; choose another --out "
            "folder, or remove it to begin again."
        )
    network.load_state_dict(_part(tensors, "network/"))
    known = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _part(tensors, "optimiser/").items():
        index, name = key.split("/", 1)
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": known["param_groups"]})
    torch.set_rng_state(tensors["random/torch"])
    return Progress(step=header["step"], history=header["history"], running=header["running"])


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
