"""Networks out of ONNX files, run by ONNX Runtime with the same call as a torch module."""

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from mammoscope.core.contract import ModelContract
from mammoscope.core.errors import MissingDecoderError, ShapeError, WeightsError
from mammoscope.models.weights import HEADER_KEY, Model

INPUT, OUTPUT = "image", "logits"
MULTIPLE_KEY = "multiple_px"
"""Metadata of a network of free rows and columns: what they are multiples of."""
GRID_KEY = "grid"
"""Metadata of a network that answers for a tile without rows and columns, and else with them."""


def onnx_runtime() -> ModuleType:
    """Import ONNX Runtime.

    Raises
    ------
    MissingDecoderError
        When it is not installed.
    """
    try:
        return import_module("onnxruntime")
    except ImportError as error:
        raise MissingDecoderError(
            "ONNX files need packages that are missing; "
            "install them with: pip install 'mammoscope[onnx]'"
        ) from error


class OnnxNetwork(nn.Module):
    """A network in an ONNX file: called as the module that it was made from, always evaluating.

    Parameters
    ----------
    source : the file, or its bytes
    threads : of ONNX Runtime; None takes as many as torch has

    Attributes
    ----------
    metadata : what the file says of itself, as text by name
    architecture : name of the network, where the file carries a contract

    Raises
    ------
    MissingDecoderError
        When ONNX Runtime is not installed.
    WeightsError
        When the file is missing or no ONNX file of ours.
    """

    def __init__(self, source: str | Path | bytes, *, threads: int | None = None) -> None:
        super().__init__()
        runtime = onnx_runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.log_severity_level = 3
        self._failures = _failures(runtime)
        self._session = self._open(runtime, source, options)
        self.metadata: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.architecture: str | None = None
        self.eval()

    def _open(self, runtime: ModuleType, source: str | Path | bytes, options: Any) -> Any:
        name = "The ONNX file" if isinstance(source, bytes) else str(source)
        if not isinstance(source, bytes) and not Path(source).is_file():
            raise WeightsError(f"{name}: there is no such ONNX file; make one by model export.")
        given = source if isinstance(source, bytes) else str(source)
        try:
            session = runtime.InferenceSession(given, options, ["CPUExecutionProvider"])
        except self._failures as error:
            raise WeightsError(f"{name}: no whole ONNX file; export the model again.") from error
        names = [port.name for port in (*session.get_inputs(), *session.get_outputs())]
        if names != [INPUT, OUTPUT]:
            raise WeightsError(
                f"{name}: an ONNX file of another program (it takes and gives {names}); "
                "use one that mammoscope exported."
            )
        return session

    def forward(self, x: Tensor) -> Tensor:
        """Answer for a batch.

        Parameters
        ----------
        x : (batch, 1, rows, columns), float32, as the network takes them

        Returns
        -------
        Tensor of the network's shape

        Raises
        ------
        ShapeError
            When the network does not take images of this shape.
        """
        multiple = int(self.metadata.get(MULTIPLE_KEY, 1))
        # ONNX Runtime does not hold a file to the steps of its sides.
        if any(side % multiple for side in x.shape[2:]):
            raise self._misfit(x)
        try:
            (answer,) = self._session.run([OUTPUT], {INPUT: x.detach().numpy()})
        except self._failures as error:
            raise self._misfit(x) from error
        found = torch.from_numpy(answer)
        tile = GRID_KEY in self.metadata and found.shape[2:] == (1, 1)
        return found.flatten(1) if tile else found

    def _misfit(self, x: Tensor) -> ShapeError:
        wanted = self._session.get_inputs()[0].shape
        return ShapeError(
            f"This ONNX network takes images of shape {wanted}, not {tuple(x.shape)}; "
            "pad them, or export it for that shape."
        )


def load_onnx(path: str | Path) -> Model:
    """Load an exported model with its contract; it is used as any other model.

    Raises
    ------
    MissingDecoderError
        When ONNX Runtime is not installed.
    WeightsError
        When the file is missing, damaged, or carries no contract.
    """
    network = OnnxNetwork(path)
    text = network.metadata.get(HEADER_KEY)
    if text is None:
        raise WeightsError(
            f"{path}: this ONNX file carries no contract, so it is not known what it takes; "
            "export a model, not a bare network."
        )
    contract = ModelContract.from_json(text)
    network.architecture = contract.architecture
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return Model(contract=contract, network=network, digest=digest)


def _failures(runtime: ModuleType) -> tuple[type[Exception], ...]:
    """List what ONNX Runtime raises; its errors have no common class of their own."""
    state = runtime.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile")
    more = ("NotImplemented", "RuntimeException", "NoModel", "ModelLoaded", "EngineError")
    known = [getattr(state, name) for name in (*names, *more) if hasattr(state, name)]
    return (*known, RuntimeError, ValueError)
