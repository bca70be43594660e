"""A whole run on tiles: from a folder or an archive to weights with figures."""

import json
from contextlib import nullcontext
from dataclasses import fields
from inspect import Parameter, signature
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from mammoscope.core.config import read_settings
from mammoscope.core.contract import ModelContract
from mammoscope.core.errors import (
    BadValueError,
    ContractError,
    MissingFileError,
    ShapeError,
    SpacingError,
    SpacingMissingError,
    TrainingError,
    WeightsError,
)
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import SpacingSource
from mammoscope.models.facts import NetworkFacts
from mammoscope.models.heads import HEADS
from mammoscope.tiles.recipes import RECIPES
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import CLASSES, NORMAL, Tile
from mammoscope.training import tile_task
from mammoscope.training.checkpoint import FILE
from mammoscope.training.settings import Device, RecipeSettings, TileSettings
from mammoscope.training.tile_checks import check_splits
from mammoscope.training.tile_run import device_of, train_tiles

SIDE = 12
PLACE = 'archive = {name = "mini-mias", folder = "."}\n'
TEXT = """
name = "made"
task = "tiles"
epochs = 4
batch_size = 8
device = "cpu"
on_alarm = "tell"
"""


class Small(nn.Module):
    """Stands in for the paper's network, whose checkpoints have 400 MB."""

    def __init__(self, classes=2):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(3)
        self.fc1 = nn.Linear(3, 8)
        self.dropout = nn.Dropout(0.1)
        self.logits = nn.Linear(8, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu().mean(dim=(2, 3))
        return self.logits(self.dropout(self.fc1(x).relu()))


class Flat(nn.Module):
    """A network that flattens its maps, as the paper's do: it takes tiles of one side alone."""

    def __init__(self, classes=2):
        super().__init__()
        self.logits = nn.Linear(SIDE * SIDE, classes)

    def forward(self, x):
        return self.logits(x.flatten(1))


def use(monkeypatch, network):
    """Let every architecture be this network."""
    build = "mammoscope.models.zoo.build"
    monkeypatch.setattr(build, lambda _name, classes, **_drop: network(classes))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    use(monkeypatch, Small)
    facts = NetworkFacts(kind="tile", side_px=SIDE, scaling="unit", conv_l2=1e-5)
    monkeypatch.setattr("mammoscope.models.zoo.facts", lambda _name: facts)


def write(folder, labels=CLASSES, patients=40, spacing=0.2, noise=20):
    """Each patient has two tiles of a class of its own; the brighter, the graver the class."""
    rng = np.random.default_rng(0)
    names = list(labels)
    made, split_of = [], {}
    for number in range(patients):
        index = number % len(names)
        split_of[f"p{number}"] = ("train", "train", "validation", "test")[number // len(names) % 4]
        for view in ("cc", "mlo"):
            level = 40 + 40 * CLASSES.index(names[index])
            pixels = rng.normal(level, noise, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)
            scan = Scan(
                scan_id=f"s{number}-{view}",
                archive="made",
                path=Path("s.png"),
                patient_id=f"p{number}",
                exam_id=f"e{number}",
                spacing_mm=spacing and (spacing, spacing),
                spacing_source=SpacingSource.ARCHIVE if spacing else None,
            )
            box = Box(0, 0, SIDE, SIDE)
            made.append(
                Tile(pixels=pixels, scan=scan, finding_id=None, box=box, label=names[index])
            )
    write_tiles(folder, made, split_of, {"recipe": "9", "seed": 0, "split": "digest of it"})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("tiles") / "set")


def show(_total, _title):
    return nullcontext(lambda _text: None)


def run(out, tiles, text=TEXT, overrides=()):
    source = f'tiles = "{tiles}"\n' if tiles else PLACE
    settings = read_settings(source + text, TileSettings, overrides=overrides)
    return train_tiles(settings, "digest", out, show)


def contract_of(path):
    with safe_open(path, "pt") as stream:
        return ModelContract.from_json(stream.metadata()["contract"])


def figures_in(out):
    return json.loads((out / "evaluation.json").read_text())


@pytest.mark.parametrize("head", HEADS)
def test_every_head_is_trained_measured_and_named_in_the_contract(tmp_path, folder, head):
    settings = [f"head={head}", "epochs=12", "optimiser.learning_rate=0.05"]
    path = run(tmp_path, folder, overrides=settings)
    contract = contract_of(path)
    assert contract.output.targets == HEADS[head].targets
    assert contract.input.spacing_mm == pytest.approx(0.2)
    assert contract.origin["split"] == "digest of it"
    told = figures_in(tmp_path)
    # Ten test patients with two tiles each, one patient in five normal.
    assert told["counts"]["tiles"] == 20
    assert told["counts"]["abnormal"] == 16
    assert told["tiles"]["majority_baseline"]["value"] == pytest.approx(0.8)
    # The normal tiles are the darkest by far.
    assert told["tiles"]["auc"]["value"] == 1.0
    for name in ("accuracy", "recall", "precision"):
        figure = told["tiles"][name]
        assert figure["low"] <= figure["value"] <= figure["high"]
    extra = {name for name in told["tiles"] if name.startswith(("class_", "recall of"))}
    named = {f"recall of {t}" for t in HEADS[head].targets}
    assert extra == (set() if head == "binary" else {"class_accuracy", "class_baseline"} | named)


def test_figures_of_the_test_are_those_of_the_answers_by_hand(tmp_path, folder, monkeypatch):
    shares = np.zeros((20, 5))
    tiles = load_tiles(folder)
    truth = HEADS["five"].truth(tiles.table["label"].to_numpy()[tiles.rows_of("test")])
    shares[np.arange(20), truth] = 1.0
    # One normal tile passes for a malignant mass, one benign mass for normal, and one benign
    # mass for a malignant one.
    normals, masses = np.flatnonzero(truth == 0), np.flatnonzero(truth == 2)
    for place, said in ((normals[0], 4), (masses[0], 0), (masses[1], 4)):
        shares[place] = np.eye(5)[said]
    answers = tile_task.Answers(shares=shares, input_mean=0.0, input_deviation=1.0)
    monkeypatch.setattr("mammoscope.training.tile_measure.answers_of", lambda *_: answers)
    run(tmp_path, folder, overrides=["head=five", "epochs=1"])
    got = {name: figure["value"] for name, figure in figures_in(tmp_path)["tiles"].items()}
    assert got["accuracy"] == pytest.approx(18 / 20)
    assert got["recall"] == pytest.approx(15 / 16)
    assert got["precision"] == pytest.approx(15 / 16)
    assert got["class_accuracy"] == pytest.approx(17 / 20)
    assert got["class_baseline"] == pytest.approx(4 / 20)
    assert got["recall of benign mass"] == pytest.approx(2 / 4)
    # Of 16 x 4 pairs: the hit positives beat 3 normals and tie with one; the missed one ties
    # with 3 normals and loses to one.
    assert got["auc"] == pytest.approx((15 * 3.5 + 1.5) / 64)
    (curves,) = figures_in(tmp_path)["curves"].values()
    assert (curves["n"], curves["n_positive"]) == (20, 16)
    # Rows are the truth: three of four normals, fifteen of sixteen abnormal ones.
    assert [point["confusion"] for point in curves["points"]] == [[[3, 1], [1, 15]]]


def test_a_score_at_the_threshold_is_called_abnormal_in_training_and_after_alike():
    shares = np.array([[0.5, 0.5], [0.75, 0.25]])
    truth = np.array([1, 1])
    assert tile_task.figures_of(shares, truth, 0.5)["recall"] == pytest.approx(0.5)


def test_the_same_settings_give_the_same_weights_bit_for_bit(tmp_path, folder):
    first = run(tmp_path / "a", folder)
    assert first.read_bytes() == run(tmp_path / "b", folder).read_bytes()
    other = run(tmp_path / "c", folder, overrides=["seed=1"])
    assert first.read_bytes() != other.read_bytes()


EVERYTHING = (
    "mixup.alpha=0.4",
    "average.decay=0.9",
    "sampling.kind=hard-negative",
    "stop.patience=4",
    "loss.label_smoothing=0.1",
    "clip_norm=1.0",
    "regular.dense_l2=0.01",
    "threshold=0.4",
)


@pytest.mark.parametrize("stop_at", [(0, 3), (2, 0), (2, 3)])
def test_a_run_with_every_option_goes_on_after_a_kill_to_the_same_weights(
    tmp_path, folder, monkeypatch, stop_at
):
    overrides = [*EVERYTHING, "epochs=3"]
    whole = run(tmp_path / "whole", folder, overrides=overrides)
    batch = tile_task.TileTask.batch

    def killed(self, epoch, step):
        if (epoch, step) == stop_at:
            raise KeyboardInterrupt
        return batch(self, epoch, step)

    with monkeypatch.context() as patch:
        patch.setattr(tile_task.TileTask, "batch", killed)
        patch.setattr("mammoscope.training.tile_run.CHECKPOINT_EVERY", 2)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", folder, overrides=overrides)
    resumed = run(tmp_path / "cut", folder, overrides=overrides)
    assert whole.read_bytes() == resumed.read_bytes()


def test_a_run_leaves_torchs_random_numbers_as_they_were(tmp_path, folder):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run(tmp_path, folder, overrides=["epochs=1"])
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("overrides", "range_"),
    [
        (["input.scaling=raw"], (0, 255)),
        (["input.scaling=centred"], (-104.1353 / 255, 150.8647 / 255)),
        ([], (0, 1)),
    ],
)
def test_the_scaling_is_the_settings_or_else_the_networks(tmp_path, folder, overrides, range_):
    path = run(tmp_path, folder, overrides=["epochs=1", *overrides])
    assert contract_of(path).input.value_range == pytest.approx(range_)


def test_contrast_holds_in_the_contract_and_at_the_test(tmp_path, folder, monkeypatch):
    seen = []
    answers = tile_task.answers_of

    def noted(network, tiles, positions, spec):
        seen.append(dict(spec.grey_numbers))
        return answers(network, tiles, positions, spec)

    monkeypatch.setattr("mammoscope.training.tile_measure.answers_of", noted)
    monkeypatch.setattr("mammoscope.training.tile_task.answers_of", noted)
    path = run(tmp_path, folder, overrides=["epochs=1", "input.contrast=1.5"])
    # Once for the validation and once for the test.
    assert seen == [{"divisor": 255.0, "contrast": 1.5}] * 2
    assert contract_of(path).input.grey_numbers["contrast"] == 1.5


def test_training_writes_what_was_asked_for_beside_its_log(tmp_path, folder):
    run(tmp_path, folder, overrides=["epochs=1"])
    told = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (told["architecture"], told["epochs"]) == ("1.0.0.35", 1)
    (row,) = json.loads((tmp_path / "run" / "history.json").read_text())
    for name in ("cross_entropy", "accuracy", "recall", "precision", "input_mean", "penalty"):
        assert name in row
    assert row["input_mean"] == pytest.approx(row["val_input_mean"], rel=0.05)


def test_a_run_starts_from_another_runs_features_and_freezes_them(tmp_path, folder):
    first = run(tmp_path / "a", folder, overrides=["head=five", "epochs=1"])
    # A checkpoint holds full precision; the weight file half.
    source = tmp_path / "a" / "run" / FILE
    assert first.exists()
    path = run(
        tmp_path / "b",
        folder,
        overrides=[f"start.weights={source}", "start.keep=features", "start.freeze=features"],
    )
    with safe_open(source, "pt") as before, safe_open(path, "pt") as after:
        for name in ("conv1.weight", "bn1.running_mean"):
            kept = before.get_tensor(f"network/{name}").half()
            assert torch.equal(after.get_tensor(name), kept)
        fc1 = before.get_tensor("network/fc1.weight").half()
        assert not torch.equal(after.get_tensor("fc1.weight"), fc1)


def test_a_run_goes_on_from_another_with_all_that_it_had(tmp_path, folder):
    long = run(tmp_path / "long", folder, overrides=["epochs=3"])
    run(tmp_path / "short", folder, overrides=["epochs=2"])
    source = tmp_path / "short" / "run" / FILE
    on = [f"start.weights={source}", "start.keep=run", "epochs=3"]
    path = run(tmp_path / "on", folder, overrides=on)
    with safe_open(long, "pt") as one, safe_open(path, "pt") as other:
        for name in one.keys():  # noqa: SIM118 no iterator
            assert torch.equal(one.get_tensor(name), other.get_tensor(name))
    rows = json.loads((tmp_path / "on" / "run" / "history.json").read_text())
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_weights_of_another_scale_are_not_started_from(tmp_path, folder):
    source = run(tmp_path / "a", folder, overrides=["epochs=1", "input.scaling=raw"])
    with pytest.raises(ContractError, match=r"set input\.scaling to theirs"):
        run(tmp_path / "b", folder, overrides=[f"start.weights={source}"])


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path, folder, monkeypatch):
    source = run(tmp_path / "a", folder, overrides=["epochs=1"])
    use(monkeypatch, Flat)
    with pytest.raises(WeightsError, match="is of another architecture"):
        run(tmp_path / "b", folder, overrides=[f"start.weights={source}", "start.keep=all"])


def test_a_set_that_was_built_again_does_not_go_on_from_the_old_ones_checkpoint(tmp_path):
    place = write(tmp_path / "set")
    run(tmp_path / "run", place, overrides=["epochs=1"])
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    write(place, noise=21)
    with pytest.raises(WeightsError, match="under other settings"):
        run(tmp_path / "run", place, overrides=["epochs=1"])


def test_a_class_that_is_missing_from_a_split_is_named(tmp_path):
    place = write(tmp_path / "set", labels=(NORMAL, "BENIGN_mass", "MALIGNANT_mass"))
    with pytest.raises(TrainingError, match="train patients have 0 benign calcification tiles of"):
        run(tmp_path / "run", place, overrides=["head=five"])
    with pytest.raises(TrainingError, match="head 'mass-calcification' needs every class"):
        run(tmp_path / "run", place, overrides=["head=mass-calcification"])
    run(tmp_path / "run", place, overrides=["head=benign-malignant", "epochs=1"])


def test_a_batch_larger_than_the_training_part_is_refused(folder):
    with pytest.raises(TrainingError, match="a batch of 50 needs more than 40 tiles; lower"):
        check_splits(load_tiles(folder), HEADS["binary"], 50)


def test_tiles_without_a_spacing_need_one_from_the_user(tmp_path):
    place = write(tmp_path / "set", spacing=None)
    with pytest.raises(SpacingMissingError, match=r"--set input\.spacing_mm"):
        run(tmp_path / "run", place)
    path = run(tmp_path / "run", place, overrides=["input.spacing_mm=0.3", "epochs=1"])
    contract = contract_of(path)
    assert contract.input.spacing_mm == 0.3
    assert any("given by hand" in limit for limit in contract.limits)


def test_a_spacing_that_is_not_the_tiles_is_refused(tmp_path, folder):
    with pytest.raises(SpacingError, match=r"have 0\.2 mm a pixel, and input\.spacing_mm says"):
        run(tmp_path / "run", folder, overrides=["input.spacing_mm=0.3"])


def facts_of(monkeypatch, **changes):
    facts = NetworkFacts(**{"kind": "tile", "side_px": SIDE, "scaling": "unit", **changes})
    monkeypatch.setattr("mammoscope.models.zoo.facts", lambda _name: facts)


def test_tiles_of_another_side_are_taken_where_the_network_pools_and_else_refused(
    tmp_path, folder, monkeypatch
):
    facts_of(monkeypatch, side_px=299)
    run(tmp_path / "pools", folder, overrides=["epochs=1"])
    use(monkeypatch, Wide)
    with pytest.raises(ShapeError, match=r"12 x 12 pixels, and this network takes 299 x 299"):
        run(tmp_path / "flat", folder)


class Wide(Flat):
    """Flattens maps of 299 x 299."""

    def __init__(self, classes=2):
        super().__init__(classes)
        self.logits = nn.Linear(299 * 299, classes)


def test_a_network_for_whole_scans_is_no_classifier_of_tiles(tmp_path, folder, monkeypatch):
    facts_of(monkeypatch, kind="dense")
    with pytest.raises(BadValueError, match="takes no tiles; choose a classifier"):
        run(tmp_path, folder)


def test_dropouts_and_penalties_of_the_settings_reach_the_network(tmp_path, folder, monkeypatch):
    asked = []

    def build(name, classes, *, pool_dropout, dense_dropout):
        asked.append((name, classes, pool_dropout, dense_dropout))
        return Small(classes)

    monkeypatch.setattr("mammoscope.models.zoo.build", build)
    changed = ["epochs=1", "architecture=vgg_16.3", "regular.dense_dropout=0.2"]
    plain = run(tmp_path / "a", folder, overrides=changed)
    assert asked == [("vgg_16.3", 2, None, 0.2)]
    strong = run(tmp_path / "b", folder, overrides=[*changed, "regular.conv_l2=1.0"])
    rows = [json.loads((tmp_path / n / "run" / "history.json").read_text())[0] for n in "ab"]
    assert rows[1]["penalty"] > 100 * rows[0]["penalty"]
    assert plain.exists()
    assert strong.exists()


def test_a_missing_folder_of_tiles_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="no whole tile set"):
        run(tmp_path / "run", tmp_path / "nothing")


def test_a_graphics_processor_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadValueError, match="finds no graphics processor"):
        device_of(Device.CUDA)
    assert device_of(Device.AUTO).type == "cpu"


@pytest.mark.parametrize("recipe", RECIPES.names)
def test_every_option_of_every_recipe_is_a_key(recipe):
    taken = signature(RECIPES.get(recipe)).parameters.values()
    options = {one.name for one in taken if one.kind is Parameter.KEYWORD_ONLY}
    assert options <= {field.name for field in fields(RecipeSettings)}


def test_a_network_that_cannot_have_the_head_is_told(tmp_path, folder, monkeypatch):
    def build(_name, classes, **_drop):
        raise ValueError(f"it has 2 classes, not {classes}")

    monkeypatch.setattr("mammoscope.models.zoo.build", build)
    with pytest.raises(BadValueError, match=r"cannot have the head 'five': it has 2 classes"):
        run(tmp_path, folder, overrides=["head=five"])


def test_a_network_is_compiled_where_that_is_asked_for(tmp_path, folder, monkeypatch):
    asked = []
    monkeypatch.setattr(nn.Module, "compile", lambda network: asked.append(type(network)))
    plain = run(tmp_path / "a", folder, overrides=["epochs=1"])
    assert asked == []
    compiled = run(tmp_path / "b", folder, overrides=["epochs=1", "compile=true"])
    assert asked == [Small]
    # The names of the weights are the same.
    with safe_open(plain, "pt") as one, safe_open(compiled, "pt") as other:
        assert set(one.keys()) == set(other.keys())


def test_a_compiler_that_fails_is_told_in_a_sentence(tmp_path, folder, monkeypatch):
    failure = type("Failure", (RuntimeError,), {"__module__": "torch._inductor.exc"})

    def compile_nothing(network):
        def fails(_x):
            raise failure("No working C++ compiler found\nand much more")

        network.forward = fails

    monkeypatch.setattr(nn.Module, "compile", compile_nothing)
    with pytest.raises(TrainingError, match=r"compiled \(No working C\+\+ compiler found\); go on"):
        run(tmp_path, folder, overrides=["compile=true"])
