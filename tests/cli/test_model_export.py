"""`mammoscope model export`."""

import pytest
import torch

from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.models import tilenet
from mammoscope.models.onnx_run import load_onnx
from mammoscope.models.weights import load_model, save_weights

CONTRACT = ModelContract(
    name="small",
    version="1",
    architecture="tilenet-s",
    input=InputSpec(spacing_mm=0.2, grey_rule="as-stored", grey_numbers={"divisor": 255.0}),
    output=OutputSpec(targets=("normal", "abnormal"), activation="softmax"),
)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(5)
    save_weights(tmp_path / "small.safetensors", tilenet.build_s(2), CONTRACT)
    return tmp_path / "small.safetensors"


def test_a_weight_file_becomes_an_onnx_file_that_answers_the_same(run, weights, tmp_path):
    out = tmp_path / "small.onnx"
    ended = run("model", "export", weights, "--onnx", out)
    assert (ended.code, ended.err) == (0, "")
    assert "small 1 as ONNX" in ended.out
    exported, model = load_onnx(out), load_model(weights)
    assert exported.contract == CONTRACT
    tiles = torch.rand(3, 1, 299, 299)
    with torch.inference_mode():
        expected = model.network(tiles)
    torch.testing.assert_close(exported.network(tiles), expected, rtol=1e-4, atol=1e-4)


def test_a_missing_folder_is_told_in_a_sentence(run, weights, tmp_path):
    ended = run("model", "export", weights, "--onnx", tmp_path / "none" / "small.onnx")
    assert ended.code == 2
    assert "there is no such folder" in ended.err


def test_an_unknown_model_is_told_in_a_sentence(run, tmp_path):
    ended = run("model", "export", "defualt", "--onnx", tmp_path / "x.onnx")
    assert ended.code == 2
    assert "default" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_another_ending_is_refused(run, weights, tmp_path):
    ended = run("model", "export", weights, "--onnx", tmp_path / "small.pth")
    assert ended.code == 2
    assert "small.pth: ONNX files are written as .onnx" in ended.err
