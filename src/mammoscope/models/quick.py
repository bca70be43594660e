"""The quicker road for reading: a model's network through ONNX Runtime, where that is installed.

Making the ONNX file takes longer than reading some hundred scans saves. It is made once for a model
and kept in the cache; without it, or without ONNX Runtime, PyTorch answers as ever.
"""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

import mammoscope
from mammoscope.core.errors import ContractError, MammoscopeError, WeightsError
from mammoscope.models.onnx_run import OnnxNetwork, load_onnx
from mammoscope.models.weights import Model, load_model

WORTH_SCANS = 130
"""Reading fewer scans gains less than making the file costs (18 s against 0.15 s a scan)."""
CLOSE = 1e-4
"""Largest difference of two probabilities by the two roads."""


def load_to_read(name_or_path: str | Path, *, scans: int = 0, explained: bool = False) -> Model:
    """Load a model for reading: a shipped one by name, a weight file, or an ONNX file.

    Parameters
    ----------
    scans : how many will be read; an ONNX file is made where it is worth it
    explained : detections will be explained, for which PyTorch's own layers are needed

    Raises
    ------
    UnknownNameError, WeightsError, MissingDecoderError
        When the model cannot be loaded.
    """
    if Path(name_or_path).suffix == ".onnx":
        return load_onnx(name_or_path)
    model = load_model(name_or_path)
    return model if explained else quickened(model, make=scans >= WORTH_SCANS)


def quickened(model: Model, *, make: bool) -> Model:
    """Return a model that answers through ONNX Runtime, or the model itself where that cannot be.

    Contract and digest stay those of the weights, whose network this is: it is used only where it
    answers a small image as they do, to `CLOSE`.

    Parameters
    ----------
    make : make the ONNX file where there is none yet
    """
    if model.contract.output.stride_px is None or isinstance(model.network, OnnxNetwork):
        return model
    path = cached_path(model)
    # Whatever is wrong with this road, the other one is open.
    with suppress(MammoscopeError, OSError):
        found = _stored(model, path)
        if found is None and make:
            _make(model, path)
            found = _stored(model, path)
        if found is not None:
            return replace(model, network=found)
    return model


def _stored(model: Model, path: Path) -> nn.Module | None:
    """Return the network in the cache; None where there is none, or not that of these weights."""
    if not path.is_file():
        return None
    try:
        network = load_onnx(path).network
    except (WeightsError, ContractError):
        return None
    return network if _same(model, network) else None


def cached_path(model: Model) -> Path:
    """Where a model's ONNX file is kept: below $XDG_CACHE_HOME or ~/.cache."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "mammoscope" / "onnx" / f"{model.digest[:32]}-{mammoscope.__version__}.onnx"


def _make(model: Model, path: Path) -> None:
    from mammoscope.models.export import export_onnx  # a second and more, and seldom needed

    path.parent.mkdir(parents=True, exist_ok=True)
    export_onnx(model, path, side_px=4 * model.contract.input.multiple_px)


def _same(model: Model, network: nn.Module) -> bool:
    """Tell whether a network out of the cache is that of the model's weights."""
    side = 2 * model.contract.input.multiple_px
    x = torch.rand((1, 1, side, side), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        apart = (torch.sigmoid(network(x)) - torch.sigmoid(model.network(x))).abs().max()
    # Written this way round so that a NaN fails too.
    return bool(apart <= CLOSE)
