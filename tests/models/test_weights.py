"""Weights with their contract in one file."""

import pytest
import torch
from safetensors.torch import save_file

from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.errors import UnknownNameError, WeightsError
from mammoscope.models import dense
from mammoscope.models.weights import load_model, save_weights

GREYS = {"low": 2.0, "high": 99.5, "middle": 0.5, "bend": 2.5}
CONTRACT = ModelContract(
    name="tried",
    version="1",
    architecture="lite0-dense",
    input=InputSpec(spacing_mm=0.3, grey_rule="breast-percentiles", grey_numbers=GREYS),
    output=OutputSpec(targets=dense.TARGETS, activation="sigmoid", stride_px=8),
)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(3)
    network = dense.build().eval()
    path = tmp_path / "m.safetensors"
    save_weights(path, network, CONTRACT)
    return path, network


def test_a_model_comes_back_with_its_contract_and_its_answers(saved):
    path, network = saved
    model = load_model(path)
    assert model.contract == CONTRACT
    x = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        # Half precision keeps eleven bits of each weight.
        assert torch.allclose(model.network(x), network(x), atol=0.05)
    assert path.stat().st_size < 12e6


def test_the_digest_is_that_of_the_file(saved):
    import hashlib

    path, _ = saved
    assert load_model(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_saving_again_gives_the_same_bytes(saved, tmp_path):
    path, network = saved
    save_weights(tmp_path / "again.safetensors", network, CONTRACT)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.safetensors: the weight file is missing"):
        load_model(tmp_path / "none.safetensors")


def test_a_file_cut_short_is_refused(saved):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="no whole safetensors file"):
        load_model(path)


def test_weights_without_a_contract_are_refused(tmp_path):
    path = tmp_path / "bare.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="carry no contract"):
        load_model(path)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_weights(path, torch.nn.Linear(2, 2), CONTRACT)
    with pytest.raises(WeightsError, match="do not fit the architecture lite0-dense"):
        load_model(path)


def test_an_unknown_name_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="default"):
        load_model("defualt")


def test_the_shipped_model_is_whole_small_and_attributed():
    model = load_model("default")
    assert model.contract.output.stride_px == 8
    assert "CC BY 3.0" in model.contract.origin["licence"]
    assert model.contract.operating_point is not None
    assert model.contract.limits
