"""What the paper's training does with a batch of tiles."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.models.paper import build_1_0_0_35
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import Tile
from mammoscope.training.tile_task import (
    TileBatch,
    TileTask,
    abnormal_scores,
    batch_of,
    flipped,
    staircase,
    weighted_cross_entropy,
)

SPLIT = {f"p{number}": "train" for number in range(12)}


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """Twelve tiles of 4 x 4, bright ones abnormal; each pixel of a tile differs."""
    made = [
        Tile(
            pixels=(np.arange(16).reshape(4, 4) + 100 * (number % 3 == 0) + number).astype(
                np.uint8
            ),
            scan=Scan(
                scan_id=f"s{number}",
                archive="made",
                path=Path("s.png"),
                patient_id=f"p{number}",
                exam_id="e",
            ),
            finding_id=None,
            box=Box(0, 0, 4, 4),
            label="MALIGNANT_mass" if number % 3 == 0 else "NORMAL",
        )
        for number in range(12)
    ]
    folder = tmp_path_factory.mktemp("tiles") / "set"
    write_tiles(folder, made, SPLIT, {"recipe": "9", "seed": 0})
    return load_tiles(folder)


class Brightness(nn.Module):
    """Calls a tile abnormal when it is brighter than a level; counts how it was called."""

    def __init__(self, level):
        super().__init__()
        self.level = level
        self.modes = []

    def forward(self, x):
        self.modes.append(self.training)
        over = 50 * (x.mean(dim=(1, 2, 3)) - self.level)
        return torch.stack([-over, over], dim=1)


def make_task(tiles, **changes):
    settings = {
        "training": np.arange(8),
        "validation": np.arange(8, 12),
        "batch_size": 3,
        "positive_weight": 6.0,
        "seed": 1,
    }
    return TileTask(tiles=tiles, **(settings | changes))


def test_the_loss_by_hand():
    # Chances of the truth: 1/2, 1/4 and 3/4, the second and third tile abnormal, weighing six.
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [0.0, math.log(3)]])
    loss = weighted_cross_entropy(logits, torch.tensor([0, 1, 1]), 6)
    # Divided by three tiles, not by thirteen, the sum of their weights.
    by_hand = (math.log(2) + 6 * math.log(4) + 6 * math.log(4 / 3)) / 3
    assert loss.item() == pytest.approx(by_hand)


def test_every_abnormal_class_of_five_has_the_weight():
    truth = torch.tensor([0, 1, 2, 3, 4])
    loss = weighted_cross_entropy(torch.zeros(5, 5), truth, 3)
    assert loss.item() == pytest.approx(math.log(5) * (1 + 4 * 3) / 5)


def test_a_weight_of_one_is_plain_cross_entropy():
    logits, truth = torch.randn(9, 2), torch.arange(9) % 2
    plain = nn.functional.cross_entropy(logits, truth)
    assert weighted_cross_entropy(logits, truth, 1).item() == pytest.approx(plain.item())


def test_the_learning_rate_is_that_of_the_papers_headline_run():
    rates = [0.001 * staircase(step, 1366, 5, 0.8) for step in (0, 6829, 6830, 40 * 1366)]
    # .000168 is what the author's log has after 40 epochs.
    assert rates == pytest.approx([0.001, 0.001, 0.0008, 0.000168], abs=5e-7)


def test_flips_by_hand():
    tile = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    batch = tile.expand(4, 1, 2, 2)
    horizontal = torch.tensor([False, True, False, True])
    vertical = torch.tensor([False, False, True, True])
    turned = flipped(batch, horizontal, vertical)[:, 0].tolist()
    assert turned == [[[1, 2], [3, 4]], [[2, 1], [4, 3]], [[3, 4], [1, 2]], [[4, 3], [2, 1]]]


@given(flags=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6))
def test_flipping_twice_changes_nothing(flags):
    images = torch.randn(len(flags), 1, 5, 7)
    horizontal, vertical = torch.tensor(flags).T
    once = flipped(images, horizontal, vertical)
    assert torch.equal(flipped(once, horizontal, vertical), images)


def test_grey_levels_are_divided_by_255(tiles):
    batch = batch_of(tiles, np.array([3, 1]))
    assert batch.images.shape == (2, 1, 4, 4)
    np.testing.assert_allclose(batch.images[:, 0, 0, 0].numpy(), [103 / 255, 1 / 255], rtol=1e-6)
    assert batch.abnormal.tolist() == [True, False]


def test_an_epoch_shows_each_training_tile_once_and_no_other(tiles):
    task = make_task(tiles, batch_size=2)
    for epoch in range(3):
        levels = [
            round(float(image.min()) * 255)
            for step in range(task.steps_per_epoch)
            for image in task.batch(epoch, step).images
        ]
        assert sorted(levels) == sorted(int(tiles.pixels([n]).min()) for n in range(8))


def test_a_batch_depends_on_seed_epoch_and_step_alone(tiles):
    task = make_task(tiles)
    first = task.batch(2, 1).images
    task.batch(0, 0)
    assert torch.equal(make_task(tiles).batch(2, 1).images, first)
    assert not torch.equal(make_task(tiles, seed=2).batch(2, 1).images, first)
    assert not torch.equal(task.batch(3, 1).images, first)


def test_flips_are_drawn_for_each_tile_and_each_way_is_as_likely(tiles):
    corners = [
        int(image.argmin())
        for epoch in range(150)
        for image in make_task(tiles, batch_size=4).batch(epoch, 0).images
    ]
    shares = [corners.count(place) / len(corners) for place in (0, 3, 12, 15)]
    assert sum(shares) == 1
    assert shares == pytest.approx([0.25] * 4, abs=0.06)


def test_validation_counts_over_all_tiles_by_hand(tiles):
    # Means of the four: 15.5, 116.5, 17.5, 18.5 grey levels; only the second is abnormal.
    network = Brightness(18 / 255)
    assert make_task(tiles).validate(network) == {
        "accuracy": 0.75,
        "recall": 1.0,
        "precision": 0.5,
        "predicted_share": 0.5,
    }
    # In inference mode, or batch norm and dropout would falsify it.
    assert network.modes == [False]


def test_nothing_is_said_without_validation_tiles(tiles):
    assert make_task(tiles, validation=np.array([], dtype=np.intp)).validate(Brightness(0)) == {}


def test_scores_do_not_depend_on_how_many_tiles_are_read_at_once(tiles, monkeypatch):
    at_once = abnormal_scores(Brightness(0.1), tiles, np.arange(12))
    monkeypatch.setattr("mammoscope.training.tile_task.TILES_AT_ONCE", 5)
    np.testing.assert_array_equal(abnormal_scores(Brightness(0.1), tiles, np.arange(12)), at_once)


def test_a_step_counts_its_tiles_and_weighs_the_loss(tiles):
    task, network = make_task(tiles, batch_size=8), Brightness(60 / 255)
    result = task.result(network, task.batch(0, 0))
    # Tiles 0, 3 and 6 of the eight are abnormal, and brighter than 60.
    assert (result.counts.true_positive, result.counts.true_negative) == (3, 5)
    assert result.size == 8
    assert result.parts["penalty"] == 0
    assert result.loss.item() == pytest.approx(result.parts["cross_entropy"])


def test_the_papers_network_pays_for_its_weights_and_learns():
    torch.manual_seed(0)
    network = build_1_0_0_35()
    batch = TileBatch(images=torch.rand(4, 1, 299, 299), abnormal=torch.tensor([True, False] * 2))
    batch.images[::2] *= 0.3
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    network.train()
    losses = []
    for _ in range(4):
        result = make_task(None).result(network, batch)
        assert result.parts["penalty"] > 0
        assert result.loss.item() == pytest.approx(sum(result.parts.values()), rel=1e-5)
        losses.append(result.loss.item())
        optimiser.zero_grad()
        result.loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0]
