"""`tilenet`, small networks for tiles of any side."""

import pytest
import torch

from mammoscope.models import tilenet


@pytest.mark.parametrize(
    ("build", "millions"), [(tilenet.build_s, 0.3), (tilenet.build_m, 1), (tilenet.build_l, 3)]
)
def test_a_size_has_about_the_parameters_it_says(build, millions):
    with torch.device("meta"):
        count = sum(p.numel() for p in build(2).parameters())
    assert count == pytest.approx(millions * 1e6, rel=0.15)


def test_the_pyramid_is_the_same_layers_stage_by_stage():
    size = tilenet.SIZES["tilenet-m"]
    torch.manual_seed(3)
    whole = tilenet.TileNet(size, 2).eval()
    pyramid = tilenet.Pyramid(size).eval()
    pyramid.stem.load_state_dict(whole.stem.state_dict())
    blocks = [block for stage in pyramid.stages for block in stage]
    for ours, theirs in zip(blocks, whole.stages, strict=True):
        ours.load_state_dict(theirs.state_dict())
    x = torch.rand(2, 1, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        levels = pyramid(x)
        last = whole.stages(torch.relu(whole.stem(x - 0.5)))
    assert [tuple(level.shape[1:]) for level in levels] == [(48, 8, 12), (96, 4, 6), (192, 2, 3)]
    assert torch.equal(levels[-1], last)


@pytest.mark.parametrize("sides", [(299, 299), (32, 32), (64, 131)])
def test_any_side_works(sides):
    network = tilenet.build_s(5).eval()
    with torch.inference_mode():
        answer = network(torch.rand(2, 1, *sides))
    assert answer.shape == (2, 5)
    assert answer.isfinite().all()


def test_it_learns_where_the_bright_spot_is_absent_or_there():
    """A class told by a few bright pixels, as grains of calcification are."""
    torch.manual_seed(4)
    generator = torch.Generator().manual_seed(4)
    tiles = 0.5 + 0.05 * torch.randn(32, 1, 64, 64, generator=generator)
    labels = torch.arange(32) % 2
    for number in range(1, 32, 2):
        row, column = torch.randint(4, 58, (2,), generator=generator).tolist()
        tiles[number, 0, row : row + 3, column : column + 3] += 0.4
    network = tilenet.build_s(2).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(25):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(tiles), labels).backward()
        optimiser.step()
    with torch.inference_mode():
        assert (network(tiles).argmax(1) == labels).float().mean() > 0.9
