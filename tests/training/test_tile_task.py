"""What the training of a classifier does with batches of tiles."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import nn

from mammoscope.core.errors import ShapeError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.models.heads import HEADS
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import CLASSES, NORMAL, Tile
from mammoscope.training import tile_task
from mammoscope.training.augment import AugmentSettings
from mammoscope.training.guard import scale_alarm
from mammoscope.training.losses import LossSettings, tile_loss
from mammoscope.training.mixup import MixupSettings
from mammoscope.training.sampling import SamplingSettings
from mammoscope.training.settings import TileSettings
from mammoscope.training.tile_input import network_input, tile_spec
from mammoscope.training.tile_task import Penalty, TileTask, answers_of, figures_of

SIDE = 6
STILL = AugmentSettings(flip_horizontal=0.0, flip_vertical=0.0)


def write(folder, labels, seed=0):
    """Twenty tiles or so, darker and brighter ones, each pixel drawn; abnormal ones brighter."""
    rng = np.random.default_rng(seed)
    made = [
        Tile(
            pixels=rng.integers(0, 120, (SIDE, SIDE)).astype(np.uint8) + 100 * (label != NORMAL),
            scan=Scan(
                scan_id=f"s{number}",
                archive="made",
                path=Path("s.png"),
                patient_id=f"p{number}",
                exam_id="e",
            ),
            finding_id=None,
            box=Box(0, 0, SIDE, SIDE),
            label=label,
            lesion_share=0.25 if label != NORMAL else None,
        )
        for number, label in enumerate(labels)
    ]
    split = {f"p{number}": "train" for number in range(len(labels))}
    write_tiles(folder, made, split, {"recipe": "9", "seed": 0})
    return load_tiles(folder)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return write(tmp_path_factory.mktemp("tiles") / "set", [*CLASSES, *[NORMAL] * 3] * 3)


class Brightness(nn.Module):
    """Calls a tile abnormal when it is brighter than a level; notes how it was called."""

    def __init__(self, level, classes=2):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.conv.weight)
        self.level, self.classes, self.modes = level, classes, []

    def forward(self, x):
        self.modes.append(self.training)
        over = 50 * (self.conv(x).mean(dim=(1, 2, 3)) - self.level)
        return torch.stack([-over, over, *[over - 1] * (self.classes - 2)], dim=1)


def make_task(tiles, head="binary", spec=None, **changes):
    given = {"name": "a", "tiles": "set", "batch_size": 6, "augment": STILL} | changes
    return TileTask(
        tiles=tiles,
        training=np.arange(16),
        validation=np.arange(16, len(tiles)),
        head=HEADS[head],
        spec=spec or tile_spec("unit", 0.1),
        settings=TileSettings(**given),
        penalty=Penalty(convolutions=0.0, dense=0.0),
        device=torch.device("cpu"),
    )


def test_an_epoch_shows_each_training_tile_at_most_once_and_no_other(tiles):
    task = make_task(tiles, batch_size=4)
    for epoch in range(3):
        places = np.concatenate([task.batch(epoch, step).places for step in range(4)])
        assert sorted(places.tolist()) == list(range(16))


def test_a_batch_depends_on_seed_epoch_and_step_alone(tiles):
    changed = {"augment": AugmentSettings(), "mixup": MixupSettings(alpha=0.4)}
    task = make_task(tiles, **changed)
    first = task.batch(2, 1)
    task.batch(0, 0)
    again = make_task(tiles, **changed).batch(2, 1)
    assert torch.equal(again.images, first.images)
    assert torch.equal(again.targets, first.targets)
    assert not torch.equal(make_task(tiles, seed=2, **changed).batch(2, 1).images, first.images)
    assert not torch.equal(task.batch(3, 1).images, first.images)


def test_a_batch_holds_the_tiles_and_the_labels_of_its_places(tiles):
    batch = make_task(tiles, head="five").batch(0, 1)
    for image, truth, place in zip(batch.images, batch.truth, batch.places, strict=True):
        pixels = tiles.pixels([int(place)])[0]
        assert torch.equal(image[0], torch.from_numpy(pixels).float() / 255)
        assert CLASSES[int(truth)] == tiles.table["label"][int(place)]


def first_layer(network, call):
    """Mean and deviation of everything that reached the first convolution during `call`."""
    seen = []
    (layer,) = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    hook = layer.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0].detach()))
    call()
    hook.remove()
    values = torch.cat([s.flatten() for s in seen])
    return float(values.mean()), float(values.std())


def statistics(task, network):
    """Of a whole epoch of training batches, and of the validation, at the first layer."""

    def train():
        for step in range(task.steps_per_epoch):
            task.result(network, task.batch(0, step))

    return first_layer(network, train), first_layer(network, lambda: task.validate(network))


def same_tiles_twice(folder):
    """A set of which the validation tiles are the very training tiles."""
    tiles = write(folder, [NORMAL, "BENIGN_mass"] * 8 + [NORMAL, "BENIGN_mass"] * 8)
    pixels = tiles.shards[0].copy()
    pixels[16:] = pixels[:16]
    object.__setattr__(tiles, "_plain", (pixels,))
    return tiles


@pytest.mark.parametrize("scaling", ["raw", "unit", "centred"])
@pytest.mark.parametrize("contrast", [1.0, 1.5])
def test_validation_reaches_the_first_layer_with_the_statistics_of_training(
    tmp_path, scaling, contrast
):
    tiles = same_tiles_twice(tmp_path / "set")
    task = make_task(tiles, spec=tile_spec(scaling, 0.1, contrast), batch_size=4)
    training, validation = statistics(task, Brightness(0.4))
    assert validation == pytest.approx(training, rel=1e-5)


def test_the_papers_bug_would_be_seen_at_the_first_layer(tmp_path, monkeypatch):
    tiles = same_tiles_twice(tmp_path / "set")
    task = make_task(tiles, spec=tile_spec("centred", 0.1), batch_size=4)
    network = Brightness(0.4)

    def bypass(pixels, spec, change=None):
        # 1.0.0.33 fed validation tiles past the centring and the division.
        centred = network_input(pixels, spec, change)
        return centred if network.training else pixels[:, None].float()

    monkeypatch.setattr(tile_task, "network_input", bypass)
    network.train()
    training, validation = statistics(task, network)
    assert validation != pytest.approx(training, rel=0.5)
    # And the guard tells it in a run.
    network.train()
    parts = task.result(network, task.batch(0, 0)).parts
    row = {key: float(parts[key]) for key in ("input_mean", "input_deviation")}
    row |= {f"val_{key}": value for key, value in task.validate(network).items()}
    assert scale_alarm(row).kind == "scale"


def test_what_is_told_of_the_input_is_what_reaches_the_first_layer(tiles):
    task, network = make_task(tiles, batch_size=16), Brightness(0.4)
    batch = task.batch(0, 0)
    mean, _ = first_layer(network, lambda: task.result(network, batch))
    parts = task.result(network, batch).parts
    assert float(parts["input_mean"]) == pytest.approx(mean, rel=1e-6)
    assert float(parts["input_deviation"]) == pytest.approx(float(batch.images.std(correction=0)))


@pytest.mark.parametrize("head", HEADS)
def test_figures_agree_with_those_of_scikit_learn(head):
    rng = np.random.default_rng(1)
    classes = len(HEADS[head].targets)
    truth = rng.integers(0, classes, 200)
    shares = rng.dirichlet(np.ones(classes), 200)
    shares[np.arange(200), truth] += 0.4
    shares /= shares.sum(axis=1, keepdims=True)
    got = figures_of(shares, truth, 0.6)
    said, is_so = 1 - shares[:, 0] > 0.6, truth > 0
    assert got["accuracy"] == pytest.approx(metrics.accuracy_score(is_so, said))
    assert got["recall"] == pytest.approx(metrics.recall_score(is_so, said))
    assert got["precision"] == pytest.approx(metrics.precision_score(is_so, said))
    assert got["f1"] == pytest.approx(metrics.f1_score(is_so, said))
    assert got["auc"] == pytest.approx(metrics.roc_auc_score(is_so, 1 - shares[:, 0]))
    labels = range(classes)
    assert got["cross_entropy"] == pytest.approx(metrics.log_loss(truth, shares, labels=labels))
    if classes > 2:
        assert got["class_accuracy"] == pytest.approx(
            metrics.accuracy_score(truth, shares.argmax(axis=1))
        )


def test_validation_is_made_in_evaluation_mode_on_the_validation_tiles(tiles):
    network = Brightness(0.4)
    network.train()
    figures = make_task(tiles).validate(network)
    assert figures["tiles"] == len(tiles) - 16
    assert set(network.modes) == {False}


def test_nothing_is_said_without_validation_tiles(tiles):
    task = make_task(tiles)
    task._validation = np.array([], dtype=np.intp)
    assert task.validate(Brightness(0)) == {}
    assert task.view(Brightness(0)) is None


def test_answers_do_not_depend_on_how_many_tiles_are_read_at_once(tiles, monkeypatch):
    spec, rows = tile_spec("unit", 0.1), np.arange(len(tiles))
    at_once = answers_of(Brightness(0.1), tiles, rows, spec)
    monkeypatch.setattr(tile_task, "TILES_AT_ONCE", 5)
    in_parts = answers_of(Brightness(0.1), tiles, rows, spec)
    np.testing.assert_array_equal(in_parts.shares, at_once.shares)
    assert in_parts.input_mean == pytest.approx(at_once.input_mean)


def test_a_step_counts_its_tiles_by_the_threshold(tiles):
    network = Brightness(0.45)
    for threshold, said in ((0.01, 16), (1 - 1e-12, 0)):
        task = make_task(tiles, batch_size=16, threshold=threshold)
        network.level = 0.45 if said == 0 else -9.0
        result = task.result(network, task.batch(0, 0))
        counts = result.counts
        assert counts.true_positive + counts.false_positive in (said, *range(17))
        assert result.size == 16
    network.level = 0.45
    task = make_task(tiles, batch_size=16)
    batch = task.batch(0, 0)
    counts = task.result(network, batch).counts
    truth = batch.truth > 0
    said = batch.images.mean(dim=(1, 2, 3)) > 0.45
    assert counts.true_positive == int((said & truth).sum())
    assert counts.false_negative == int((~said & truth).sum())


def test_the_loss_of_a_step_is_that_of_its_settings_and_the_penalty(tiles):
    loss = LossSettings(positive_weight=6.0)
    task, network = make_task(tiles, batch_size=16, loss=loss), Brightness(0.45)
    task._penalty = Penalty(convolutions=0.5, dense=0.0)
    batch = task.batch(0, 0)
    result = task.result(network, batch)
    entropy = tile_loss(network(batch.images), batch.truth, loss)
    # One kernel of one weight, 1: 0.5 * 1 / 2.
    assert float(result.parts["penalty"]) == pytest.approx(0.25)
    assert result.loss.item() == pytest.approx(entropy.item() + 0.25)


def test_labels_are_softened_by_how_much_of_the_lesion_a_tile_shows(tiles):
    batch = make_task(tiles, head="five", soft_labels=True, batch_size=16).batch(0, 0)
    for target, truth in zip(batch.targets, batch.truth, strict=True):
        by_hand = torch.zeros(5)
        by_hand[int(truth)] = 1.0 if truth == 0 else 0.25
        by_hand[0] += 0.0 if truth == 0 else 0.75
        assert torch.allclose(target, by_hand)


def test_hard_negatives_are_drawn_by_the_scores_of_the_epochs_before(tiles):
    sampling = SamplingSettings(kind="hard-negative")
    task = make_task(tiles, sampling=sampling, batch_size=4)
    network = Brightness(0.3)
    first = [task.batch(0, step).places.tolist() for step in range(4)]
    for step in range(4):
        task.result(network, task.batch(0, step))
    # Within the epoch nothing changes, or a resumed run would see other tiles.
    assert [task.batch(0, step).places.tolist() for step in range(4)] == first
    state = {key: value.clone() for key, value in task.state().items()}
    task.end_epoch()
    second = [task.batch(1, step).places.tolist() for step in range(4)]
    resumed = make_task(tiles, sampling=sampling, batch_size=4)
    resumed.restore(state)
    assert [resumed.batch(0, step).places.tolist() for step in range(4)] == first
    resumed.end_epoch()
    assert [resumed.batch(1, step).places.tolist() for step in range(4)] == second


def test_what_was_remembered_of_other_tiles_is_refused(tiles):
    state = {"scores": torch.zeros(3), "latest": torch.zeros(3)}
    with pytest.raises(ShapeError, match="of 3 training tiles, and here are 16"):
        make_task(tiles).restore(state)


def test_an_epoch_shows_kernels_scores_and_the_worst_tiles(tiles):
    task, network = make_task(tiles), Brightness(-1.0)
    task.validate(network)
    view = task.view(network)
    assert view.kernels.shape == (1, 1, 1)
    labels = tiles.table["label"].to_numpy()[16:]
    assert view.truth.tolist() == (labels != NORMAL).tolist()
    # Everything passes for abnormal here, so the worst tiles are the normal ones.
    assert len(view.worst_titles) == int((labels == NORMAL).sum())
    assert all(title.startswith("NORMAL, score 1.00") for title in view.worst_titles)
    assert view.worst_pixels.shape[1:] == (SIDE, SIDE)
