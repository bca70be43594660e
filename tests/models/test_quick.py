"""Reading through ONNX Runtime where a file of it is at hand, and through PyTorch else."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.errors import MissingDecoderError
from mammoscope.models import quick
from mammoscope.models.onnx_run import OnnxNetwork
from mammoscope.models.quick import cached_path, load_to_read, quickened
from mammoscope.models.weights import Model

CONTRACT = ModelContract(
    name="made",
    version="1",
    architecture="lite0-dense",
    input=InputSpec(spacing_mm=0.3, grey_rule="made", grey_numbers={}, multiple_px=32),
    output=OutputSpec(targets=("lesion", "malignant"), activation="sigmoid", stride_px=8),
)


class Tiny(nn.Module):
    """One layer with an answer for each 8 x 8 pixels."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 8, stride=8)

    def forward(self, x):
        return self.layer(x)


def make_model(seed=0):
    torch.manual_seed(seed)
    return Model(contract=CONTRACT, network=Tiny().eval(), digest=f"{seed:064d}")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The ONNX file of the model of seed 0, which takes seconds to make."""
    pytest.importorskip("onnxruntime", reason="extra `onnx`")
    pytest.importorskip("onnxscript", reason="extra `onnx`")
    from mammoscope.models.export import export_onnx

    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    export_onnx(make_model(), path, side_px=64)
    return path.read_bytes()


def put_into_cache(model, content):
    path = cached_path(model)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


@pytest.mark.slow
def test_a_file_in_the_cache_answers_as_the_weights_do(exported):
    model = make_model()
    put_into_cache(model, exported)
    found = quickened(model, make=False)
    assert isinstance(found.network, OnnxNetwork)
    assert (found.digest, found.contract) == (model.digest, model.contract)
    # Of the network in the file it is known how far it looks, so that it can go in strips.
    assert found.network.architecture == "lite0-dense"
    x = torch.rand((1, 1, 96, 32), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(found.network(x), model.network(x), rtol=0, atol=1e-4)


@pytest.mark.slow
def test_other_weights_under_the_right_name_are_not_used(exported):
    other = replace(make_model(seed=1), digest="1" * 64)
    put_into_cache(other, exported)
    assert quickened(other, make=False) is other


@pytest.mark.slow
def test_a_damaged_file_is_made_anew_where_it_is_worth_it(exported, monkeypatch):
    model = make_model()
    path = put_into_cache(model, b"damaged")
    assert quickened(model, make=False) is model
    monkeypatch.setattr(quick, "_make", lambda model, path: path.write_bytes(exported))
    assert isinstance(quickened(model, make=True).network, OnnxNetwork)
    assert path.read_bytes() == exported


def test_without_onnx_runtime_pytorch_answers(monkeypatch):
    def missing(*_):
        raise MissingDecoderError("not installed")

    monkeypatch.setattr(quick, "_make", missing)
    monkeypatch.setattr(quick, "load_onnx", missing)
    model = make_model()
    assert quickened(model, make=True) is model
    put_into_cache(model, b"a file of another day")
    assert quickened(model, make=False) is model


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(own_cache):
    own_cache.write_text("a file where a folder belongs")
    model = make_model()
    assert quickened(model, make=True) is model


@pytest.mark.parametrize(
    ("scans", "explained", "expected"),
    [(quick.WORTH_SCANS, False, [True]), (1, False, [False]), (quick.WORTH_SCANS, True, [])],
)
def test_the_file_is_made_for_many_scans_only_and_never_for_explanations(
    monkeypatch, scans, explained, expected
):
    asked = []

    def note(model, *, make):
        asked.append(make)
        return model

    monkeypatch.setattr(quick, "load_model", lambda name: make_model())
    monkeypatch.setattr(quick, "quickened", note)
    load_to_read("made", scans=scans, explained=explained)
    assert asked == expected
