"""Checkpoints that TensorFlow wrote become weights that answer as TensorFlow did.

`tests/models/tf1/make_checkpoints.py` made the files and says what stands in them. The network of
the zoo is replaced by one of the same naming for tiles of 19 x 19 pixels.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mammoscope.core.errors import (
    BadValueError,
    CorruptFileError,
    UnknownFormatError,
    UnknownNameError,
    WeightsError,
)
from mammoscope.formats.sstable import read_table
from mammoscope.formats.tf_checkpoint import open_checkpoint
from mammoscope.models import zoo
from mammoscope.models.import_tf1 import fill, import_checkpoint, write_imported
from mammoscope.models.weights import load_model

TF1 = Path(__file__).with_name("tf1")
TINY = TF1 / "tiny.ckpt"
SIDE_PX = 19
writer = SimpleNamespace(
    **run_path(str(Path(__file__).parents[1] / "formats" / "sstable_writer.py"))
)


def pattern(name, shape):
    """What the script put into a variable: sixteenths, or eighths that are positive."""
    values = (np.arange(np.prod(shape, dtype=int)) * 7 + sum(name.encode()) % 11) % 13
    positive = name.endswith(("gamma", "moving_variance"))
    return ((values + 4) / 8 if positive else (values - 6) / 16).reshape(shape).astype(np.float32)


class Tiny(nn.Module):
    """The graph of the script in PyTorch; pooling that pads behind is the ceiling mode."""

    def __init__(self, classes=2):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4, eps=1.001e-5)
        self.conv1_1, self.bn1_1 = nn.Conv2d(4, 4, 3, 1, 1), nn.BatchNorm2d(4, eps=1.001e-5)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2_1, self.bn2_1 = nn.Conv2d(4, 6, 3, 1, 1), nn.BatchNorm2d(6, eps=1.001e-5)
        self.pool2 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.fc1, self.bn_fc1 = nn.Linear(54, 8), nn.BatchNorm1d(8, eps=1e-8)
        self.fc2, self.bn_fc2 = nn.Linear(8, 8), nn.BatchNorm1d(8, eps=1e-8)
        self.logits = nn.Linear(8, classes)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.pool1(functional.relu(self.bn1_1(self.conv1_1(x))))
        x = self.pool2(functional.relu(self.bn2_1(self.conv2_1(x)))).flatten(1)
        x = functional.relu(self.bn_fc1(self.fc1(x)))
        return self.logits(functional.relu(self.bn_fc2(self.fc2(x))))


@dataclass
class Facts:
    kind: str = "tile"
    scaling: str = "unit"
    side_px: int = SIDE_PX
    source: str = "a test"


def filled(network, prefix=TINY):
    return fill(network, open_checkpoint(prefix), (SIDE_PX, SIDE_PX), "tiny")


@pytest.fixture
def as_tiny(monkeypatch):
    """Let the zoo know one network, "tiny", ."""

    def use(scaling="unit"):
        monkeypatch.setattr(zoo, "build", lambda name, classes: Tiny(classes))
        monkeypatch.setattr(zoo, "facts", lambda name: Facts(scaling=scaling))

    return use


@pytest.fixture
def changed(tmp_path):
    """Write the tiny checkpoint again with entries of its index moved, dropped or copied."""

    def make(change):
        for file in TF1.glob("tiny.ckpt*"):
            shutil.copy(file, tmp_path)
        prefix = tmp_path / "tiny.ckpt"
        index = prefix.with_name("tiny.ckpt.index")
        entries = dict(read_table(index))
        change(entries)
        index.write_bytes(writer.table(sorted(entries.items())))
        return prefix

    return make


def renamed(old, new):
    def change(entries):
        for name in [n for n in entries if n.startswith(old)]:
            entries[new + name[len(old) :]] = entries.pop(name)

    return change


def test_the_network_answers_as_tensorflow_did():
    network = Tiny()
    told = filled(network)
    theirs = torch.tensor(json.loads((TF1 / "tiny.json").read_text())["logits"])
    tile = torch.from_numpy(pattern("tile", (1, 1, SIDE_PX, SIDE_PX)))
    with torch.no_grad():
        ours = network.eval()(tile)
    assert theirs.abs().min() > 0.01
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert told.step == 56006


def test_each_value_lies_where_its_axes_say():
    network = Tiny()
    filled(network)
    kernel = pattern("conv2.1/kernel", (3, 3, 4, 6))
    assert network.conv2_1.weight[5, 3, 0, 2] == kernel[0, 2, 3, 5]
    dense = pattern("fc1/kernel", (54, 8))
    # Maps are 3 x 3 x 6: channel 4 at row 2, column 1 is row (2 * 3 + 1) * 6 + 4 of his kernel.
    assert network.fc1.weight[7, 4 * 9 + 2 * 3 + 1] == dense[46, 7]
    assert network.fc2.weight[1, 6] == pattern("fc2/kernel", (8, 8))[6, 1]
    assert network.bn1_1.running_var[2] == pattern("bn1.1/moving_variance", (4,))[2]
    assert network.bn_fc1.bias[3] == pattern("bn_fc1/beta", (8,))[3]


def test_the_optimisers_variables_are_left_out_and_named():
    of_adam = filled(Tiny()).of_adam
    assert len(of_adam) == 2 + 2 * 22
    assert {"beta1_power", "conv1.1/kernel/Adam_1"} <= set(of_adam)


def test_looking_at_a_network_leaves_it_in_its_mode_and_without_hooks():
    network = Tiny().train()
    filled(network)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"logits/", b"fc_logits/"),
        (b"bn_fc1/", b"fc1_bn/"),
        (b"bn_fc2/", b"bn_fc_2/"),
    ],
)
def test_names_of_the_authors_other_networks_find_their_layers(changed, old, new):
    by_other_names, plain = Tiny(), Tiny()
    filled(by_other_names, changed(renamed(old, new)))
    filled(plain)
    for ours, theirs in zip(plain.parameters(), by_other_names.parameters(), strict=True):
        assert torch.equal(ours, theirs)


class OneByOne(nn.Module):
    """A fully convolutional network whose output layer is a convolution of 1 x 1."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        return self.logits(x.expand(-1, 8, -1, -1))


def test_a_dense_layer_on_maps_becomes_a_convolution_of_one_by_one(changed):
    def change(entries):
        for name in [n for n in entries if n and not n.startswith(b"logits/")]:
            del entries[name]

    network = OneByOne()
    filled(network, changed(change))
    kernel = pattern("logits/kernel", (8, 2))
    assert np.array_equal(network.logits.weight[:, :, 0, 0].detach().numpy(), kernel.T)


class Pooled(nn.Module):
    """Two branches joined, then pooled to one place: nothing is flattened."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv1_1 = nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.logits = nn.Linear(8, 2)

    def forward(self, x):
        x = self.conv1(x)
        return self.logits(self.pool(torch.cat([x, self.conv1_1(x)], 1)).flatten(1))


class Joined(Tiny):
    """Its last maps are two halves that no layer joins; they are flattened at once."""

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.pool1(functional.relu(self.bn1_1(self.conv1_1(x))))
        x = self.pool2(functional.relu(self.bn2_1(self.conv2_1(x))))
        x = torch.cat([x[:, :2], x[:, 2:]], 1).flatten(1)
        x = functional.relu(self.bn_fc1(self.fc1(x)))
        return self.logits(functional.relu(self.bn_fc2(self.fc2(x))))


def test_maps_that_no_layer_made_are_flattened_in_the_same_order():
    joined, plain = Joined(), Tiny()
    filled(joined)
    filled(plain)
    assert torch.equal(joined.fc1.weight, plain.fc1.weight)


def test_a_dense_layer_behind_global_pooling_keeps_its_order(changed):
    def change(entries):
        kept = (b"conv1/", b"conv1.1/", b"logits/")
        for name in [n for n in entries if n and not n.startswith(kept)]:
            del entries[name]

    network = Pooled()
    filled(network, changed(change))
    kernel = pattern("logits/kernel", (8, 2))
    assert np.array_equal(network.logits.weight.detach().numpy(), kernel.T)


def test_no_order_of_flattened_maps_is_guessed():
    class Summed(Pooled):
        def forward(self, x):
            x = self.conv1(x).reshape(-1, 8, 50)
            return self.logits(x.mean(2))

    with pytest.raises(ValueError, match=r"logits takes 8 values.*\(4, 10, 10\)"):
        filled(Summed())


def test_a_checkpoint_of_a_smaller_network_is_refused_by_what_is_missing():
    network = Tiny()
    network.conv3, network.bn3 = nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6)
    fault = r"tiny\.ckpt\.index: .*lacks 6 variables of that network \(conv3/kernel, conv3/bias, bn"
    with pytest.raises(WeightsError, match=fault):
        filled(network)


def test_a_checkpoint_of_a_larger_network_is_refused_by_what_is_surplus(changed):
    class Smaller(Tiny):
        def __init__(self):
            super().__init__()
            del self.bn_fc2

        def forward(self, x):
            self.bn_fc2 = nn.Identity()
            return super().forward(x)

    with pytest.raises(WeightsError, match=r"has 4 that it does not have \(bn_fc2/beta, bn_fc2/g"):
        filled(Smaller())


@pytest.mark.parametrize("classes", [3, 5])
def test_a_variable_of_another_shape_is_refused_with_both_shapes(classes):
    fault = rf"2 of its variables are.*logits/bias has the shape \(2,\) instead of \({classes},\)"
    with pytest.raises(WeightsError, match=fault):
        filled(Tiny(classes))


def test_two_variables_that_would_fill_one_layer_are_refused(changed):
    def change(entries):
        entries[b"conv1_1/bias"] = entries[b"conv1.1/bias"]

    with pytest.raises(WeightsError, match=r"has 1 that it does not have \(conv1_1/bias\)"):
        filled(Tiny(), changed(change))


def swapped(values, prefix):
    """Put other values in place of `conv1/bias`, with a right checksum in the index."""
    checkpoint = open_checkpoint(prefix)
    name = next(iter(values))
    offset, raw = checkpoint.entries[name].offset, values[name].tobytes()
    data = bytearray(checkpoint.files[1].read_bytes())
    data[offset : offset + len(raw)] = raw
    checkpoint.files[1].write_bytes(data)
    entries = dict(read_table(checkpoint.files[0]))
    entry = bytearray(entries[name.encode()])
    entry[-4:] = writer.checksum(raw).to_bytes(4, "little")
    entries[name.encode()] = bytes(entry)
    checkpoint.files[0].write_bytes(writer.table(sorted(entries.items())))
    return prefix


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("conv1/bias", np.nan, "no finite numbers"),
        ("fc2/bias", np.inf, "no finite numbers"),
        ("bn1/moving_variance", -0.5, "negative variance"),
    ],
)
def test_values_that_no_sound_training_leaves_are_refused(changed, name, value, fault):
    size = 8 if name.startswith("fc2") else 4
    prefix = swapped({name: np.full(size, value, np.float32)}, changed(lambda entries: None))
    with pytest.raises(WeightsError, match=f"the variable {name} holds .*{fault}"):
        filled(Tiny(), prefix)


def test_whole_numbers_in_place_of_weights_are_refused(changed):
    def change(entries):
        entry = bytearray(entries[b"conv1/bias"])
        assert entry[:2] == b"\x08\x01"
        entry[1] = 3  # int32, of the same size
        entries[b"conv1/bias"] = bytes(entry)

    with pytest.raises(WeightsError, match="conv1/bias holds int32"):
        filled(Tiny(), changed(change))


def test_a_wanted_variable_in_slices_is_refused_by_name(changed):
    def change(entries):
        entries[b"fc1/kernel"] += b"\x3a\x00"

    with pytest.raises(UnknownFormatError, match="fc1/kernel is stored in slices"):
        filled(Tiny(), changed(change))


def test_a_spoilt_value_is_refused(changed):
    prefix = changed(lambda entries: None)
    file = open_checkpoint(prefix).files[1]
    data = bytearray(file.read_bytes())
    data[open_checkpoint(prefix).entries["fc1/kernel"].offset + 40] ^= 1
    file.write_bytes(data)
    with pytest.raises(CorruptFileError, match="values of fc1/kernel are not"):
        filled(Tiny(), prefix)


@pytest.mark.parametrize(
    ("scaling", "black", "white"),
    [("raw", 0, 255), ("unit", 0, 1), ("centred", -0.408374, 0.591626)],
)
def test_the_contract_says_what_the_checkpoint_was_and_what_it_takes(
    as_tiny, scaling, black, white
):
    as_tiny(scaling)
    imported = import_checkpoint(TINY, "tiny", "binary")
    contract = imported.contract
    assert (contract.name, contract.version, contract.architecture) == (
        "tiny",
        "step 56006",
        "tiny",
    )
    assert contract.output.targets == ("normal", "abnormal")
    assert contract.input.value_range == pytest.approx((black, white), abs=1e-6)
    assert contract.input.spacing_mm == pytest.approx(0.0775, abs=1e-4)
    assert contract.origin["spacing"].startswith("assumed")
    digests = [key for key in contract.origin if key.startswith("SHA-256")]
    assert digests == [
        "SHA-256 of tiny.ckpt.index",
        "SHA-256 of tiny.ckpt.data-00000-of-00001",
    ]
    assert not imported.network.training


def test_written_weights_are_loaded_to_the_very_same_answers(as_tiny, tmp_path):
    as_tiny()
    imported = import_checkpoint(TINY, "tiny", spacing_mm=0.1)
    write_imported(imported, tmp_path / "tiny.safetensors")
    model = load_model(tmp_path / "tiny.safetensors")
    assert model.contract == imported.contract
    assert model.contract.origin["spacing"] == "as given"
    for name, tensor in imported.network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor)


def test_a_head_of_another_size_is_refused(as_tiny):
    as_tiny()
    with pytest.raises(BadValueError, match=r"head five has 5 answers, and .* has 2"):
        import_checkpoint(TINY, "tiny", "five")
    with pytest.raises(UnknownNameError, match="binary"):
        import_checkpoint(TINY, "tiny", "binery")


@pytest.mark.parametrize(
    ("size", "fault"), [(3, "mass-calcification or benign-malignant"), (7, "no head has that many")]
)
def test_a_head_that_the_size_does_not_tell_has_to_be_named(as_tiny, changed, size, fault):
    def change(entries):
        entries[b"logits/bias"] = entries[b"logits/bias"].replace(b"\x08\x02", bytes([8, size]))

    as_tiny()
    with pytest.raises(BadValueError, match=f"has {size} answers.*{fault}"):
        import_checkpoint(changed(change), "tiny")


def test_a_network_that_answers_for_places_is_refused(monkeypatch):
    monkeypatch.setattr(zoo, "facts", lambda name: Facts(kind="dense"))
    with pytest.raises(BadValueError, match="only checkpoints of classifiers"):
        import_checkpoint(TINY, "3.9.4.01")


def test_a_checkpoint_without_an_output_layer_is_none_of_a_classifier(as_tiny):
    as_tiny()
    with pytest.raises(WeightsError, match=r"types\.ckpt\.index.*no output layer"):
        import_checkpoint(TF1 / "types.ckpt", "tiny")
