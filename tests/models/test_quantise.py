"""ONNX networks in 8 bits."""

import sys

import numpy as np
import onnx
import pytest
import torch

from mammoscope.core.errors import MissingDecoderError, ShapeError
from mammoscope.models import tilenet
from mammoscope.models.export import export_onnx
from mammoscope.models.onnx_run import OnnxNetwork
from mammoscope.models.quantise import quantise_onnx

SIDE = 64


def spots(number, seed):
    """Noise, every second tile with a bright spot of growing size."""
    rng = np.random.default_rng(seed)
    tiles = (0.4 + 0.05 * rng.standard_normal((number, 1, SIDE, SIDE))).astype(np.float32)
    for index in range(1, number, 2):
        side = 4 + index % 12
        tiles[index, 0, 20 : 20 + side, 20 : 20 + side] += 0.3
    return tiles


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch.manual_seed(6)
    network = tilenet.build_s(2).train()
    with torch.no_grad():
        for seed in range(20):
            network(torch.from_numpy(spots(8, seed)))
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    export_onnx(network, path, side_px=SIDE)
    return path


def test_answers_in_8_bits_follow_those_in_single_precision(exported, tmp_path):
    small = tmp_path / "small.onnx"
    quantise_onnx(exported, small, [spots(16, 100), spots(16, 101)])
    x = torch.from_numpy(spots(40, 200))
    full, quick = OnnxNetwork(exported)(x), OnnxNetwork(small)(x)
    for channel in range(2):
        assert np.corrcoef(full[:, channel], quick[:, channel])[0, 1] > 0.97
    assert not torch.equal(full, quick)
    assert small.stat().st_size < 0.4 * exported.stat().st_size


def test_the_output_layer_stays_in_single_precision(exported, tmp_path):
    quantise_onnx(exported, tmp_path / "small.onnx", [spots(4, 1)])
    graph = onnx.load(tmp_path / "small.onnx").graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    (last,) = [node for node in graph.node if node.op_type == "Gemm"]
    assert [made_by.get(name) for name in last.input[1:]] == [None, None]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert convolutions
    assert all(made_by[node.input[1]] == "DequantizeLinear" for node in convolutions)


def test_metadata_goes_with_it(exported, tmp_path):
    proto = onnx.load(exported)
    onnx.helper.set_model_props(proto, {"contract": "kept"})
    onnx.save(proto, tmp_path / "given.onnx")
    quantise_onnx(tmp_path / "given.onnx", tmp_path / "small.onnx", [spots(4, 1)])
    assert OnnxNetwork(tmp_path / "small.onnx").metadata == {"contract": "kept"}


def test_without_images_or_with_others_nothing_is_written(exported, tmp_path):
    target = tmp_path / "small.onnx"
    with pytest.raises(ShapeError, match="none were given"):
        quantise_onnx(exported, target, [])
    with pytest.raises(ShapeError, match="not \\(1, 1, 32, 64\\)"):
        quantise_onnx(exported, target, [spots(2, 1), spots(2, 1)[:, :, :32]])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDecoderError, match=r"pip install 'mammoscope\[onnx\]'"):
        quantise_onnx(exported, tmp_path / "small.onnx", [spots(2, 1)])
