"""ONNX networks in 8 bits: weights by channel, maps by ranges seen on real images.

Ranges are those of some dozens of real tiles or a few scans, prepared as the contract says. What it
costs in AUC has to be measured before such a file is used; benchmarks/inference.py does.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mammoscope.core.errors import MissingDecoderError, ShapeError
from mammoscope.formats.files import write_atomic
from mammoscope.models.onnx_run import INPUT, OUTPUT, OnnxNetwork

LAYERS = frozenset({"Conv", "Gemm", "MatMul"})


def quantise_onnx(
    source: str | Path, target: str | Path, batches: Iterable[NDArray[np.float32]]
) -> None:
    """Write an exported network with weights and maps in 8 bits.

    Output layers stay in single precision: they cost nothing, and the scores hang on them.

    Parameters
    ----------
    source : an ONNX file of `mammoscope.models.export`
    target : the file to write; the metadata, with the contract, go with it
    batches : real inputs, each (images, 1, rows, columns), as the network takes them

    Raises
    ------
    MissingDecoderError
        When the packages of the extra `onnx` are not installed.
    WeightsError
        When the source is missing or no ONNX file of ours.
    ShapeError
        When there is no batch, or one of a shape that the network does not take.
    OSError
        When the file cannot be written.
    """
    network = OnnxNetwork(source)
    given = list(batches)
    if not given:
        raise ShapeError(
            f"{source}: 8 bits need real images to measure ranges on, and none were given; "
            "give some dozens of tiles or a few scans."
        )
    for shape in sorted({batch.shape[1:] for batch in given}):
        # The network itself names what does not fit.
        network(torch.zeros((1, *shape)))
    onnx, tools = _packages()
    with tempfile.TemporaryDirectory(prefix="mammoscope-int8-") as folder, _quiet():
        folded, made = Path(folder) / "folded.onnx", Path(folder) / "made.onnx"
        tools.quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        tools.quantize_static(
            str(folded),
            str(made),
            _reader(tools, given),
            per_channel=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            nodes_to_exclude=_output_layers(onnx.load(str(folded)).graph),
        )
        proto = onnx.load(str(made))
    onnx.helper.set_model_props(proto, dict(network.metadata))
    write_atomic(target, proto.SerializeToString())


def _packages() -> tuple[ModuleType, ModuleType]:
    try:
        return import_module("onnx"), import_module("onnxruntime.quantization")
    except ImportError as error:
        raise MissingDecoderError(
            "Writing 8-bit ONNX files needs packages that are missing; "
            "install them with: pip install 'mammoscope[onnx]'"
        ) from error


def _output_layers(graph: Any) -> list[str]:
    """Name the last layers with weights on every way to the output."""
    maker = {name: node for node in graph.node for name in node.output}
    found, open_ends = set(), [OUTPUT]
    while open_ends:
        node = maker.get(open_ends.pop())
        if node is None:
            continue
        if node.op_type in LAYERS:
            found.add(node.name)
        else:
            open_ends.extend(node.input)
    return sorted(found)


def _reader(tools: ModuleType, batches: Sequence[NDArray[np.float32]]) -> Any:
    """Give one batch after the other, as ONNX Runtime asks for them."""

    class Batches(tools.CalibrationDataReader):  # type: ignore[name-defined,misc] # imported late
        def __init__(self) -> None:
            self.left = iter(batches)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self.left, None)
            return None if batch is None else {INPUT: batch}

    return Batches()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back advice that is not for users."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.root.setLevel(level)
