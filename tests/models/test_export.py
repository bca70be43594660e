"""Networks as ONNX files: equal answers, free sides, the contract inside, clear refusals."""

import sys

import numpy as np
import onnx
import pytest
import torch

from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.errors import ContractError, MissingDecoderError, ShapeError, WeightsError
from mammoscope.models import dense_prediction, export, fcn, tilenet
from mammoscope.models.export import export_onnx
from mammoscope.models.onnx_run import OnnxNetwork, load_onnx
from mammoscope.models.weights import Model, load_model
from mammoscope.models.whole_scan import answer
from mammoscope.scans.prepare import Prepared

SIDE = 64
CONTRACT = ModelContract(
    name="small",
    version="1",
    architecture="tilenet-s",
    input=InputSpec(spacing_mm=0.2, grey_rule="as-stored", grey_numbers={"divisor": 255.0}),
    output=OutputSpec(targets=("normal", "abnormal"), activation="softmax"),
)


def images(number, rows=SIDE, columns=SIDE, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(number, 1, rows, columns, generator=generator)


@pytest.fixture(scope="module")
def network():
    """A small network whose norms are not the identity."""
    torch.manual_seed(6)
    made = tilenet.build_s(2).train()
    with torch.no_grad():
        for seed in range(10):
            made(images(8, seed=seed))
    return made.eval()


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    model = Model(contract=CONTRACT, network=network, digest="0")
    export_onnx(model, path, side_px=SIDE)
    return path


def assert_answers_equal(ours, theirs, x):
    with torch.inference_mode():
        expected = theirs(x)
    found = ours(x)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    return expected


@pytest.mark.parametrize("number", [1, 2, 7])
def test_any_number_of_images_is_answered_as_the_module_does(network, file, number):
    assert_answers_equal(OnnxNetwork(file), network, images(number, seed=9))


def test_the_contract_travels_in_the_file(file):
    loaded = load_onnx(file)
    assert loaded.contract == CONTRACT
    assert len(loaded.digest) == 64
    assert loaded.network(images(1)).shape == (1, 2)


def test_a_bare_network_has_no_contract_and_is_no_model(network, tmp_path):
    export_onnx(network, tmp_path / "bare.onnx", side_px=32)
    assert OnnxNetwork(tmp_path / "bare.onnx")(images(1, 32, 32)).shape == (1, 2)
    with pytest.raises(WeightsError, match=r"bare\.onnx: .* carries no contract"):
        load_onnx(tmp_path / "bare.onnx")


def test_exporting_leaves_the_network_as_it_was(network, tmp_path):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.train()
    export_onnx(network, tmp_path / "n.onnx", side_px=32)
    assert network.training
    network.eval()
    after = network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.slow
def test_a_fully_convolutional_network_takes_tiles_and_scans(tmp_path):
    """Narrow layers in place of 2,048 wide ones: shapes and padding are those of 2.0.0.35."""
    torch.manual_seed(7)
    whole = fcn.build(2)
    whole.fc1, whole.bn_fc1 = torch.nn.Conv2d(512, 32, 5, 5), torch.nn.BatchNorm2d(32)
    whole.fc2, whole.bn_fc2 = torch.nn.Conv2d(32, 32, 1), torch.nn.BatchNorm2d(32)
    whole.logits = torch.nn.Linear(32, 2)
    whole.eval()
    export_onnx(whole, tmp_path / "f.onnx", side_px=640, multiple_px=64)
    session = OnnxNetwork(tmp_path / "f.onnx")
    assert assert_answers_equal(session, whole, images(1, 320, 320)).shape == (1, 2)
    assert assert_answers_equal(session, whole, images(1, 704, 960)).shape == (1, 2, 2, 3)
    # The very tiles of 1.0.0.35, from a file for their side.
    export_onnx(whole, tmp_path / "t.onnx", side_px=299)
    assert_answers_equal(OnnxNetwork(tmp_path / "t.onnx"), whole, images(2, 299, 299))


@pytest.mark.slow
def test_a_network_for_every_pixel_takes_scans_of_any_whole_number_of_steps(tmp_path):
    torch.manual_seed(8)
    dense = dense_prediction.build(1).eval()
    export_onnx(dense, tmp_path / "d.onnx", side_px=96, multiple_px=32)
    session = OnnxNetwork(tmp_path / "d.onnx")
    for rows, columns in ((64, 64), (96, 160)):
        assert_answers_equal(session, dense, images(1, rows, columns))


@pytest.mark.slow
def test_the_shipped_model_answers_for_whole_scans_through_the_same_functions(tmp_path):
    model = load_model("default")
    export_onnx(model, tmp_path / "default.onnx", side_px=128)
    loaded = load_onnx(tmp_path / "default.onnx")
    assert loaded.contract == model.contract
    assert_answers_equal(loaded.network, model.network, images(1, 256, 96))
    prepared = Prepared(
        image=images(1, 320, 192)[0, 0].numpy(),
        breast=np.ones((320, 192), bool),
        spacing_mm=0.3,
        origin_px=(0, 0),
        grid_px=(320, 192),
        mirrored=False,
        scan_spacing_mm=(0.3, 0.3),
    )
    ours, theirs = (answer(m.network, m.contract.output, prepared) for m in (loaded, model))
    np.testing.assert_allclose(ours.lesion, theirs.lesion, atol=1e-5)
    with pytest.raises(ShapeError, match="321"):
        loaded.network(images(1, 320, 321))


def test_images_of_another_side_are_refused(file):
    with pytest.raises(ShapeError, match=r"takes images of shape .*64.*not \(1, 1, 64, 65\)"):
        OnnxNetwork(file)(images(1, 64, 65))
    with pytest.raises(ShapeError):
        OnnxNetwork(file)(torch.rand(1, 3, 64, 64))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_cut_short_is_refused(file, tmp_path, share):
    data = file.read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(WeightsError, match=r"cut\.onnx"):
        OnnxNetwork(cut)


def test_a_file_that_is_not_there_or_not_ours_is_refused(file, tmp_path):
    with pytest.raises(WeightsError, match=r"none\.onnx: there is no such"):
        OnnxNetwork(tmp_path / "none.onnx")
    proto = onnx.load(file)
    proto.graph.input[0].name = "pixels"
    proto.graph.node[0].input[0] = "pixels"
    for node in proto.graph.node:
        for position, name in enumerate(node.input):
            if name == "image":
                node.input[position] = "pixels"
    onnx.save(proto, tmp_path / "other.onnx")
    with pytest.raises(WeightsError, match=r"other\.onnx: an ONNX file of another program"):
        OnnxNetwork(tmp_path / "other.onnx")


def test_a_file_that_would_answer_otherwise_is_not_written(network, tmp_path, monkeypatch):
    serialise = export._serialise
    other = export._Exported(tilenet.build_s(2).eval(), {})
    monkeypatch.setattr(export, "_serialise", lambda *_: serialise(other, images(2), None))
    with pytest.raises(ContractError, match=r"n\.onnx: was not written"):
        export_onnx(network, tmp_path / "n.onnx", side_px=SIDE)
    assert list(tmp_path.iterdir()) == []


def test_a_network_with_a_weight_that_is_no_number_is_not_written(tmp_path):
    network = tilenet.build_s(2).eval()
    with torch.no_grad():
        network.logits.weight[0, 0] = torch.nan
    with pytest.raises(ContractError, match="weights may be damaged"):
        export_onnx(network, tmp_path / "n.onnx", side_px=32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(network, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDecoderError, match=r"pip install 'mammoscope\[onnx\]'"):
        export_onnx(network, tmp_path / "n.onnx", side_px=32)
