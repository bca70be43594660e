"""Networks as ONNX files, with their contract in the metadata.

The batch is free in every file. Rows and columns are free, in steps, where the network is fully
convolutional. A file is written only when ONNX Runtime answers from it as the network does.
"""

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from mammoscope.core.errors import ContractError, MissingDecoderError
from mammoscope.formats.files import write_atomic
from mammoscope.models.fixed_padding import fix_padding
from mammoscope.models.onnx_run import (
    GRID_KEY,
    INPUT,
    MULTIPLE_KEY,
    OUTPUT,
    OnnxNetwork,
    onnx_runtime,
)
from mammoscope.models.weights import HEADER_KEY, Model

TOLERANCE = 1e-4
"""Largest difference of the two answers, as a share of the largest answer or of 1."""
EXAMPLES = 2
LONGEST_PX = 16384


@dataclass(frozen=True, slots=True)
class _Exported:
    network: nn.Module
    metadata: dict[str, str]


class _Grid(nn.Module):
    """A network's grid, without the step that drops rows and columns of a single place."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.grid: Callable[[Tensor], Tensor] = network.grid  # type: ignore[assignment] # a method

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.grid(x)
        return answer


def export_onnx(
    network: nn.Module | Model, path: str | Path, *, side_px: int, multiple_px: int | None = None
) -> None:
    """Write a network as an ONNX file that takes any number of images at once.

    Parameters
    ----------
    network : a module, or a model, whose contract then goes into the file's metadata
    path : the file to write
    side_px : side of the images of the network, or, where `multiple_px` is given, of an example
    multiple_px : None for images of `side_px` alone; else rows and columns are free as long as
        they are multiples of this; a model for whole scans takes its contract's

    Raises
    ------
    MissingDecoderError
        When the packages of the extra `onnx` are not installed.
    ContractError
        When ONNX Runtime does not answer as the network does; no file is written then.
    OSError
        When the file cannot be written.
    """
    _require_exporter()
    if isinstance(network, Model) and network.contract.output.stride_px is not None:
        multiple_px = network.contract.input.multiple_px
    given = _described(network)
    if multiple_px is not None:
        given.metadata[MULTIPLE_KEY] = str(multiple_px)
    example = _example(side_px, side_px)
    data = _serialise(given, example, multiple_px)
    session = OnnxNetwork(data)
    _check_equal(given.network, session, example, path)
    if multiple_px is not None:
        _check_equal(given.network, session, _example(side_px, side_px + multiple_px), path)
    write_atomic(path, data)


def _example(rows: int, columns: int) -> Tensor:
    return torch.rand((EXAMPLES, 1, rows, columns), generator=torch.Generator().manual_seed(0))


def _described(network: nn.Module | Model) -> _Exported:
    """Copy a network onto the processor for evaluation, with what the file shall say of it."""
    metadata = {HEADER_KEY: network.contract.to_json()} if isinstance(network, Model) else {}
    bare = network.network if isinstance(network, Model) else network
    if hasattr(bare, "grid"):
        metadata[GRID_KEY] = "true"
    return _Exported(network=copy.deepcopy(bare).cpu().float().eval(), metadata=metadata)


def _serialise(given: _Exported, example: Tensor, multiple_px: int | None) -> bytes:
    sides: dict[int, Any] = {0: Dim("batch")}
    network = given.network
    if multiple_px is not None:
        network = copy.deepcopy(network)
        fix_padding(network, example)
        most = LONGEST_PX // multiple_px
        sides |= {
            axis: multiple_px * Dim(name, min=2, max=most)
            for axis, name in ((2, "row_steps"), (3, "column_steps"))
        }
    traced = _Grid(network) if GRID_KEY in given.metadata else network
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            traced,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=(sides,),
        )
    assert program is not None
    proto = program.model_proto
    for key, value in given.metadata.items():
        proto.metadata_props.add(key=key, value=value)
    return bytes(proto.SerializeToString())


def _check_equal(
    network: nn.Module, session: OnnxNetwork, example: Tensor, path: str | Path
) -> None:
    with torch.inference_mode():
        expected = network(example)
    found = session(example)
    allowed = TOLERANCE * max(1.0, float(expected.abs().max()))
    # Written this way round so that a NaN fails too.
    if not (found.shape == expected.shape and float((found - expected).abs().max()) <= allowed):
        raise ContractError(
            f"{path}: was not written, because ONNX Runtime does not answer as the network does; "
            "its weights may be damaged, else please report this with the network's name."
        )


def _require_exporter() -> None:
    onnx_runtime()
    try:
        import onnx  # noqa: F401 looked for only
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingDecoderError(
            "Writing ONNX files needs packages that are missing; "
            "install them with: pip install 'mammoscope[onnx]'"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the exporter tells its own developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
