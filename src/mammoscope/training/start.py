"""Where a network's weights come from before the first step, and which of them stay as they are.

The paper's scripts start from another model by `-m` (all but the dense layers), go on with one by
`-r` (everything, the step too) and freeze by `-f`. Their `-f` trains what is called "fc...", so the
output layer and the dense layers' batch norm stay at what they were drawn as (method facts 4); here
what is frozen is what should be: everything before the dense layers, or before the output layer.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from mammoscope.core.contract import InputSpec, ModelContract
from mammoscope.core.errors import ContractError, TrainingError, WeightsError
from mammoscope.models.transfer import load_features
from mammoscope.models.weights import HEADER_KEY
from mammoscope.training.checkpoint import (
    NETWORK,
    part_of,
    read_checkpoint,
    restore,
    save_checkpoint,
)
from mammoscope.training.tile_input import SPACING_TOLERANCE

OUTPUT_LAYER = "logits"
DENSE_LAYERS = ("fc", "bn_fc", OUTPUT_LAYER)
"""First letters of the names of what comes after the features."""


class Keep(StrEnum):
    """What is taken of the weights that a run starts from."""

    FEATURES = "features"
    """All but the dense layers, their norms and the output layer: the paper's `-m`."""
    ALL_BUT_OUTPUT = "all-but-output"
    """What is usual where the classes change."""
    ALL = "all"
    RUN = "run"
    """Everything of a run's checkpoint, optimiser, step and history too: the paper's `-r`."""
    IMAGENET = "imagenet"
    """Published ImageNet features of the networks that have some; all but the output layer."""


class Freeze(StrEnum):
    """What stays as it is during training."""

    NOTHING = "nothing"
    FEATURES = "features"
    ALL_BUT_OUTPUT = "all-but-output"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSettings:
    """Start from weights of another run, and freeze some.

    `weights` is a weight file with its contract, or the checkpoint of a run; with ImageNet features
    a file of them, or None for those that are installed.
    """

    weights: str | None = None
    keep: Keep = Keep.ALL_BUT_OUTPUT
    freeze: Freeze = Freeze.NOTHING


def begin(
    network: nn.Module, settings: StartSettings, spec: InputSpec, targets: tuple[str, ...]
) -> None:
    """Put the weights into a network that the settings name; random ones stay where they name none.

    Going on with a run is left to `take_up`, which needs the optimiser too.

    Raises
    ------
    MammoscopeError
        When the weights cannot be had or do not fit, see `take_weights` and
        `mammoscope.models.transfer.load_features`.
    """
    if settings.keep is Keep.IMAGENET:
        load_features(network, settings.weights)
    elif settings.weights is not None and settings.keep is not Keep.RUN:
        take_weights(network, Path(settings.weights), settings.keep, spec, targets)


def take_weights(
    network: nn.Module, path: Path, keep: Keep, spec: InputSpec, targets: tuple[str, ...]
) -> None:
    """Put the weights of a file into a network, all or those that `keep` says.

    Parameters
    ----------
    spec, targets : of the network; where all weights are taken the file's contract must have the
        same targets, and its black and white must always be the network's

    Raises
    ------
    WeightsError
        When the file is missing, damaged or of another architecture, or a weight is not finite.
    ContractError
        When its contract does not fit.
    """
    tensors, contract = read_weights(path)
    if contract is not None:
        _check_contract(path, contract, spec, targets if keep is Keep.ALL else None)
    wanted = network.state_dict()
    chosen: dict[str, Tensor] = {}
    for name, now in wanted.items():
        if not _is_kept(name, keep):
            continue
        found = tensors.get(name)
        if found is None or found.shape != now.shape:
            what = "has no such weights" if found is None else f"has {tuple(found.shape)}"
            raise WeightsError(
                f"{path}: is of another architecture: the network has {name!r} of "
                f"{tuple(now.shape)}, and the file {what}; start from weights of the same network, "
                "or keep fewer of them."
            )
        if found.is_floating_point() and not torch.isfinite(found).all():
            raise WeightsError(
                f"{path}: the weights {name!r} are not all finite numbers; start from an earlier "
                "checkpoint."
            )
        chosen[name] = found.to(now.dtype)
    if not chosen:
        raise WeightsError(f"{path}: nothing of it would be kept; choose another `keep`.")
    network.load_state_dict({**wanted, **chosen})


def take_up(
    path: Path,
    folder: Path,
    parts: tuple[nn.Module, torch.optim.Optimizer],
    steps_per_epoch: int,
    digest: str,
) -> None:
    """Make another run's checkpoint the one that a new run goes on from.

    Parameters
    ----------
    path : the other run's checkpoint
    folder : of the new run
    parts : network and optimiser of the new run
    digest : of the new run's settings

    Raises
    ------
    WeightsError
        When it is no checkpoint, of another network, or of epochs of another length.
    """
    header, tensors = read_checkpoint(path)
    network, optimiser = parts
    progress = restore(path, header, tensors, network, optimiser)
    if progress.steps_per_epoch != steps_per_epoch:
        raise WeightsError(
            f"{path}: its epochs have {progress.steps_per_epoch} steps, and here they have "
            f"{steps_per_epoch}, so it cannot be gone on with; take its weights alone with "
            'keep = "all".'
        )
    # Another run may stop by another figure, and a run that stopped may well go on here.
    progress.best, progress.is_over = None, False
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder, network, optimiser, progress, digest)


def read_weights(path: Path) -> tuple[dict[str, Tensor], ModelContract | None]:
    """Read a network's weights from a weight file or a checkpoint, with their contract if any.

    Raises
    ------
    WeightsError
        When the file is missing or damaged.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file of weights to start from.")
    try:
        with safe_open(path, framework="pt") as stored:
            told = stored.metadata() or {}
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 no iterator
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: no whole safetensors file ({error}); give a file that mammoscope wrote."
        ) from error
    if HEADER_KEY in told:
        return tensors, ModelContract.from_json(told[HEADER_KEY])
    return part_of(tensors, NETWORK) or tensors, None


def freeze(network: nn.Module, what: Freeze) -> None:
    """Take what is frozen out of training; `hold_frozen_norms` does the rest.

    Raises
    ------
    TrainingError
        When nothing would be trained.
    """
    for name, parameter in network.named_parameters():
        parameter.requires_grad = _is_trained(name, what)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise TrainingError(
            f"freeze = {str(what)!r} leaves nothing to train in this network; freeze less."
        )


def hold_frozen_norms(network: nn.Module) -> None:
    """Keep the statistics of frozen batch norms: call it after `network.train()`.

    A frozen layer whose norm still followed the batches would not answer as it did.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            own = list(module.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                module.eval()


def _check_contract(
    path: Path, contract: ModelContract, spec: InputSpec, targets: tuple[str, ...] | None
) -> None:
    if contract.input.value_range != spec.value_range:
        raise ContractError(
            f"{path}: these weights take values from {contract.input.value_range[0]:g} to "
            f"{contract.input.value_range[1]:g}, and the run feeds {spec.value_range[0]:g} to "
            f"{spec.value_range[1]:g}; set input.scaling to theirs."
        )
    # Features may be taken to another spacing on purpose, a whole network not.
    if (
        targets is not None
        and abs(contract.input.spacing_mm / spec.spacing_mm - 1) > SPACING_TOLERANCE
    ):
        raise ContractError(
            f"{path}: these weights take {contract.input.spacing_mm:.4g} mm a pixel, and the tiles "
            f'have {spec.spacing_mm:.4g}; use tiles of that spacing, or keep = "all-but-output".'
        )
    if targets is not None and contract.output.targets != targets:
        raise ContractError(
            f"{path}: these weights answer {', '.join(contract.output.targets)}, and the run asks "
            f'for {", ".join(targets)}; use that head, or keep = "all-but-output".'
        )


def _is_output(name: str) -> bool:
    return OUTPUT_LAYER in name.split(".")


def _is_dense(name: str) -> bool:
    return any(part.startswith(DENSE_LAYERS) for part in name.split("."))


def _is_kept(name: str, keep: Keep) -> bool:
    match keep:
        case Keep.FEATURES:
            return not _is_dense(name)
        case Keep.ALL_BUT_OUTPUT:
            return not _is_output(name)
        case Keep.ALL | Keep.RUN | Keep.IMAGENET:
            return True


def _is_trained(name: str, what: Freeze) -> bool:
    match what:
        case Freeze.NOTHING:
            return True
        case Freeze.FEATURES:
            return _is_dense(name)
        case Freeze.ALL_BUT_OUTPUT:
            return _is_output(name)
