"""A whole run on tiles: from an archive to weights with figures."""

import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn

from mammoscope.archives.archive import Archive
from mammoscope.core.config import read_settings
from mammoscope.core.contract import ModelContract
from mammoscope.core.errors import ArchiveError, BadValueError, TrainingError
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.tiles.build import build_tiles
from mammoscope.training.tile_run import TileSettings, check_splits, tell_verdict, train_tiles

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "paper-mias-9.toml"
TEXT = """
name = "made"
task = "tiles"
epochs = 4
batch_size = 8
[archive]
name = "mini-mias"
folder = "."
[optimiser]
learning_rate = 0.05
"""


def make_archive(folder, patients=20):
    """Every second patient has a finding, and a brighter breast than the others."""
    scans = []
    for number in range(patients):
        scan_id, sick = f"mdb{number:03d}", number % 2 == 1
        rng = np.random.default_rng(number)
        image = rng.normal(150 if sick else 90, 15, (512, 512)).clip(1, 220)
        image[:, 300:] = 0
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{scan_id}.png")
        finding = Finding(
            finding_id=f"{scan_id}-1",
            scan_id=scan_id,
            kind=FindingKind.MASS,
            pathology=Pathology.BENIGN,
            roi=Circle(200, 120, 30),
        )
        scans.append(
            Scan(
                scan_id=scan_id,
                archive="mini-mias",
                path=folder / f"{scan_id}.png",
                patient_id=f"p{number}",
                exam_id=f"p{number}",
                findings=(finding,) if sick else (),
            )
        )
    return Archive(name="mini-mias", folder=folder, licence="", citation="", records=tuple(scans))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("scans"))


class Small(nn.Module):
    """Stands in for the paper's network, whose checkpoints have 400 MB."""

    def __init__(self, classes=2):
        super().__init__()
        self.layers = nn.Sequential(
            nn.AvgPool2d(299), nn.Flatten(), nn.BatchNorm1d(1), nn.Linear(1, classes)
        )

    def forward(self, x):
        return self.layers(x)


@pytest.fixture
def _small(archive, monkeypatch):
    monkeypatch.setattr("mammoscope.training.tile_run.open_archive", lambda *_: archive)
    monkeypatch.setattr("mammoscope.models.zoo.build", lambda _name: Small())


def show(_total, _title):
    return nullcontext(lambda _text: None)


def run(folder, text=TEXT):
    return train_tiles(read_settings(text, TileSettings), "digest", folder, show)


@pytest.mark.usefixtures("_small")
def test_a_run_learns_measures_on_test_patients_and_says_so_in_its_contract(tmp_path):
    path = run(tmp_path / "run")
    figures = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    # Brightness tells the two kinds apart, so nothing less than all is right.
    assert figures["tiles"]["auc"]["value"] == 1.0
    assert figures["tiles"]["accuracy"]["value"] == 1.0
    assert figures["counts"]["patients"] == 2
    assert figures["counts"]["abnormal"] == 3
    told = json.loads((tmp_path / "run" / "tiles" / "audit.json").read_text())
    assert figures["dataset"]["audit_verdict"] == told["verdict"]
    share = 1 - 3 / figures["counts"]["tiles"]
    assert figures["tiles"]["majority_baseline"]["value"] == pytest.approx(max(share, 1 - share))
    with safe_open(path, "pt") as stream:
        contract = ModelContract.from_json(stream.metadata()["contract"])
    assert contract.architecture == "1.0.0.35"
    assert contract.input.spacing_mm == pytest.approx(0.2 / 2.58)
    provenance = json.loads((tmp_path / "run" / "tiles" / "provenance.json").read_text())
    assert contract.origin["split"] == provenance["split"]


@pytest.mark.usefixtures("_small")
def test_a_run_prints_the_verdict_of_its_tiles(tmp_path, capsys):
    run(tmp_path / "run")
    said = " ".join(capsys.readouterr().err.split())
    # Brightness goes with the label here, and no lesion explains that.
    assert "are suspect: audit.json in that folder says why" in said


def test_tiles_that_changed_after_their_audit_count_as_not_audited(archive, tmp_path, capsys):
    tiles = build_tiles(archive, "9", tmp_path / "set")
    path = tmp_path / "set" / "audit.json"
    path.write_text(path.read_text().replace('"set_digest": "', '"set_digest": "0'))
    tell_verdict(tiles)
    assert "were not audited" in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("_small")
def test_the_same_settings_give_the_same_weights(tmp_path):
    assert run(tmp_path / "a").read_bytes() == run(tmp_path / "b").read_bytes()


@pytest.mark.usefixtures("_small")
def test_a_run_leaves_torchs_random_numbers_as_they_were(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run(tmp_path / "run")
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.usefixtures("_small")
def test_tiles_of_other_settings_are_never_trained_on(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(BadValueError, match="built with seed 0, not 3"):
        run(tmp_path / "run", "seed = 3\n" + TEXT)


def test_a_part_of_an_archive_is_not_trained_on(tmp_path, monkeypatch):
    (tmp_path / "scans").mkdir()
    broken = make_archive(tmp_path / "scans")
    broken.records[3].path.unlink()
    monkeypatch.setattr("mammoscope.training.tile_run.open_archive", lambda *_: broken)
    with pytest.raises(ArchiveError, match=r"1 scans could not be read.*mdb003\.png"):
        run(tmp_path / "run")


def test_a_split_of_one_kind_is_refused(archive, tmp_path):
    few = Archive(
        name="mini-mias", folder=Path(), licence="", citation="", records=archive.records[:6]
    )
    tiles = build_tiles(few, "9", tmp_path / "set")
    with pytest.raises(TrainingError, match="validation patients have 0 abnormal tiles of 6"):
        check_splits(tiles, 2)


def test_a_batch_larger_than_the_training_part_is_refused(archive, tmp_path):
    tiles = build_tiles(archive, "9", tmp_path / "set")
    with pytest.raises(TrainingError, match="lower batch_size"):
        check_splits(tiles, 10_000)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("batch_size = 1", "batch_size 2 or more"),
        ("epochs = 0", "epochs must be 1 or more"),
        ("seed = -1", "seed 0 or more"),
        ("positive_weight = 0.0", "positive_weight must be above 0"),
        ('architecture = "lite0-dense"', "must be one for tiles"),
        ("optimiser.decay = 1.5", r"decay in \(0, 1\]"),
        ("optimiser.epochs_a_stair = 0", "above 0"),
    ],
)
def test_settings_outside_their_range_are_refused(line, message):
    archive = 'archive = {name = "mini-mias", folder = "."}\nname = "a"\n'
    with pytest.raises(BadValueError, match=message):
        read_settings(archive + line, TileSettings)


def test_the_packaged_settings_are_the_papers():
    settings = read_settings(CONFIG.read_text(encoding="utf-8"), TileSettings)
    assert (settings.architecture, settings.batch_size) == ("1.0.0.35", 32)
    assert (settings.optimiser.learning_rate, settings.optimiser.decay) == (0.001, 0.8)
    assert settings.radius_as_side
