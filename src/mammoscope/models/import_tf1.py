"""The author's TensorFlow 1 checkpoints become weights with a contract; TensorFlow is not needed.

Every variable of the graph must find its tensor and every tensor its variable, of the right shape,
or nothing is made. The optimiser's own variables and the global step are left out and named.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

import mammoscope
from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.errors import BadValueError, WeightsError
from mammoscope.formats.files import write_atomic
from mammoscope.formats.tf_checkpoint import Checkpoint, open_checkpoint, read_tensor
from mammoscope.models import zoo
from mammoscope.models.facts import VALUE_RANGES, WHITE
from mammoscope.models.heads import HEADS, Head, head_of
from mammoscope.models.tf1_names import Target, is_of_adam, is_step, place_of, targets_of
from mammoscope.models.weights import HEADER_KEY

AUTHOR_SPACING_MM = 0.2 / 2.58
"""Side of a pixel of the author's tiles of mini-MIAS, the only ones whose spacing is known."""
NAMED = 3
"""So many variables are named in a message."""
LIMITS = (
    "Research software, not a medical device: not for diagnosis.",
    "A network for the paper's tiles, not for whole scans as they are.",
    "Its author chose among networks by their figures on test data, and his test tiles share "
    "patients with his training tiles.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What a checkpoint held beside a network's weights.

    Attributes
    ----------
    step : the global step at which it was saved; None where it has none
    of_adam : names of the optimiser's variables, which are not used
    """

    step: int | None
    of_adam: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A network with the weights of a checkpoint, its contract, and what was left out."""

    network: nn.Module
    contract: ModelContract
    filled: Filled


def import_checkpoint(
    path: str | Path,
    network: str,
    head: str | None = None,
    *,
    spacing_mm: float = AUTHOR_SPACING_MM,
) -> Imported:
    """Make a network of a checkpoint.

    Parameters
    ----------
    path : what the names of the checkpoint's files begin with, or one of the files
    network : name in the zoo, as "1.0.0.35"
    head : name in `mammoscope.models.heads.HEADS`; None takes it from the size of the output layer
    spacing_mm : side of a pixel of the tiles that the network was trained on

    Raises
    ------
    UnknownNameError
        When there is no such network or head.
    BadValueError
        When the network is no classifier of tiles, or the head does not fit the output layer or has
        to be named.
    MissingFileError, UnknownFormatError, CorruptFileError
        When the checkpoint cannot be read.
    WeightsError
        When it is not one of this network.
    """
    facts = zoo.facts(network)
    if facts.kind == "dense":
        raise BadValueError(
            f"The network {network} answers for each place of a scan, and only checkpoints of "
            "classifiers of tiles are imported; choose one of those."
        )
    checkpoint = open_checkpoint(path)
    chosen = _head(checkpoint, head)
    built = zoo.build(network, len(chosen.targets))
    filled = fill(built, checkpoint, (facts.side_px, facts.side_px), network)
    contract = ModelContract(
        name=checkpoint.prefix.name.removesuffix(".ckpt"),
        version="imported" if filled.step is None else f"step {filled.step}",
        architecture=network,
        input=InputSpec(
            spacing_mm=spacing_mm,
            grey_rule="as-stored",
            grey_numbers={"divisor": WHITE},
            value_range=VALUE_RANGES[facts.scaling],
            orientation="as-acquired",
        ),
        output=OutputSpec(targets=chosen.targets, activation="softmax"),
        origin=_origin(checkpoint, facts.source, spacing_mm),
        limits=LIMITS,
    )
    return Imported(network=built.eval(), contract=contract, filled=filled)


def write_imported(imported: Imported, out: str | Path) -> None:
    """Write the weights, in single precision as they were, with their contract.

    Raises
    ------
    OSError
        When the disk is full or the folder cannot be written; nothing is left behind then.
    """
    tensors = {k: v.detach().contiguous() for k, v in imported.network.state_dict().items()}
    header = {HEADER_KEY: imported.contract.to_json()}
    write_atomic(out, save(tensors, metadata=header))


def fill(network: nn.Module, checkpoint: Checkpoint, tile_px: tuple[int, int], name: str) -> Filled:
    """Put a checkpoint's values into a network.

    Parameters
    ----------
    network : changed in place; where an error is raised, some tensors may have changed already
    tile_px : (rows, columns) of the tiles that it takes
    name : what to call the network in a message

    Raises
    ------
    WeightsError
        When variables are missing, surplus or of another shape, or hold impossible values.
    UnknownFormatError, CorruptFileError
        When a variable cannot be read.
    """
    targets = targets_of(network, torch.zeros(1, 1, *tile_px))
    modules = {module for module, _ in targets}
    sources: dict[tuple[str, str], str] = {}
    step, of_adam, surplus = None, [], []
    for variable, entry in checkpoint.entries.items():
        place = place_of(variable, modules)
        if place in targets and place not in sources:
            sources[place] = variable
        elif is_of_adam(variable):
            of_adam.append(variable)
        elif is_step(variable) and entry.shape == () and step is None:
            step = int(read_tensor(checkpoint, variable))
        else:
            surplus.append(variable)
    _check_names(
        checkpoint, name, [f"{m}/{v}" for m, v in targets if (m, v) not in sources], surplus
    )
    _check_shapes(checkpoint, name, targets, sources)
    for place, variable in sources.items():
        values = read_tensor(checkpoint, variable)
        _check_values(checkpoint, variable, values)
        targets[place].fill(values)
    return Filled(step=step, of_adam=tuple(of_adam))


def _check_names(checkpoint: Checkpoint, name: str, missing: list[str], surplus: list[str]) -> None:
    said = []
    if missing:
        said.append(f"lacks {len(missing)} variables of that network ({_first(missing)})")
    if surplus:
        said.append(f"has {len(surplus)} that it does not have ({_first(surplus)})")
    if said:
        raise WeightsError(
            f"{checkpoint.files[0]}: no checkpoint of {name}, for it {' and '.join(said)}; name "
            "the network that it was saved from."
        )


def _check_shapes(
    checkpoint: Checkpoint,
    name: str,
    targets: Mapping[tuple[str, str], Target],
    sources: Mapping[tuple[str, str], str],
) -> None:
    wrong = [
        f"{variable} has the shape {checkpoint.entries[variable].shape} instead of "
        f"{targets[place].shape}"
        for place, variable in sources.items()
        if not targets[place].takes(checkpoint.entries[variable].shape)
    ]
    if wrong:
        raise WeightsError(
            f"{checkpoint.files[0]}: no checkpoint of {name}, for {len(wrong)} of its variables "
            f"are of another shape ({_first(wrong)}); name the network that it was saved from."
        )


def _check_values(checkpoint: Checkpoint, variable: str, values: NDArray[Any]) -> None:
    if values.dtype.kind != "f":
        raise WeightsError(
            f"{checkpoint.files[0]}: the variable {variable} holds {values.dtype} where weights "
            "are floats; give a checkpoint of the network itself."
        )
    if not np.isfinite(values).all():
        raise WeightsError(
            f"{checkpoint.files[0]}: the variable {variable} holds values that are no finite "
            "numbers, so the training had failed when it was saved; give an earlier checkpoint."
        )
    if variable.endswith("/moving_variance") and values.min(initial=0) < 0:
        raise WeightsError(
            f"{checkpoint.files[0]}: the variable {variable} holds a negative variance, which "
            "training cannot lead to; get the checkpoint again."
        )


def _first(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:NAMED]) + (", ..." if len(every) > NAMED else "")


def _head(checkpoint: Checkpoint, name: str | None) -> Head:
    """Find the head by the size of the output layer."""
    index, entries = checkpoint.files[0], checkpoint.entries
    sizes = [
        entry.shape[0]
        for variable, entry in entries.items()
        if place_of(variable, set()) == ("logits", "bias") and len(entry.shape) == 1
    ]
    if not sizes:
        raise WeightsError(
            f"{index}: the checkpoint has no output layer (logits/bias), so it is none of the "
            "author's classifiers of tiles; give one of those."
        )
    fitting = [head for head in HEADS.values() if len(head.targets) == sizes[0]]
    if name is not None:
        chosen = head_of(name)
        if chosen not in fitting:
            raise BadValueError(
                f"{index}: the head {name} has {len(chosen.targets)} answers, and the checkpoint's "
                f"output layer has {sizes[0]}; choose another head."
            )
        return chosen
    if len(fitting) != 1:
        names = " or ".join(head.name for head in fitting)
        advice = f"name its head: {names}" if names else "no head has that many"
        raise BadValueError(f"{index}: the output layer has {sizes[0]} answers; {advice}.")
    return fitting[0]


def _origin(checkpoint: Checkpoint, source: str, spacing_mm: float) -> dict[str, str]:
    digests = {f"SHA-256 of {file.name}": _digest(file) for file in checkpoint.files}
    spacing = "as given"
    if spacing_mm == AUTHOR_SPACING_MM:
        spacing = "assumed: that of the author's tiles of mini-MIAS, 0.2 mm / 2.58"
    return {
        "archives": "unknown; DDSM and CBIS-DDSM by the paper",
        "code": f"mammoscope {mammoscope.__version__}",
        "licence": "none stated by the author",
        "network": source,
        "spacing": spacing,
        "weights": "imported from a checkpoint of TensorFlow 1",
        **digests,
    }


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
