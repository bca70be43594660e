"""A whole run from an archive: its scans are cut, and the tiles trained on."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from torch import nn

from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive
from mammoscope.core.config import read_settings
from mammoscope.core.contract import ModelContract
from mammoscope.core.errors import ArchiveError, BadValueError, UnknownNameError
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.models.facts import NetworkFacts
from mammoscope.tiles.build import build_tiles
from mammoscope.training.settings import TileSettings
from mammoscope.training.tile_run import _tell_once, tell_verdict, train_tiles

TEXT = """
name = "made"
task = "tiles"
archive = {name = "mini-mias", folder = "."}
epochs = 4
batch_size = 8
device = "cpu"
on_alarm = "tell"
"""


class Small(nn.Module):
    """Stands in for the paper's network: judges a tile by its brightness."""

    def __init__(self, classes=2):
        super().__init__()
        self.layers = nn.Sequential(nn.AvgPool2d(299), nn.Flatten(), nn.BatchNorm1d(1))
        self.logits = nn.Linear(1, classes)

    def forward(self, x):
        return self.logits(self.layers(x))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    build = "mammoscope.models.zoo.build"
    monkeypatch.setattr(build, lambda _name, classes, **_drop: Small(classes))
    monkeypatch.setattr("mammoscope.models.zoo.facts", lambda _name: NetworkFacts())


def run(out, overrides=()):
    settings = read_settings(TEXT, TileSettings, overrides=overrides)
    return train_tiles(settings, "digest", out, lambda *_: nullcontext(lambda _text: None))


def contract_of(path):
    with safe_open(path, "pt") as stream:
        return ModelContract.from_json(stream.metadata()["contract"])


def figures_in(out):
    return json.loads((out / "evaluation.json").read_text())


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
                spacing_mm=(0.2, 0.2),
                spacing_source=SpacingSource.ARCHIVE,
                findings=(finding,) if sick else (),
            )
        )
    return Archive(name="mini-mias", folder=folder, licence="", citation="", records=tuple(scans))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("scans"))


@pytest.fixture
def _opened(archive, monkeypatch):
    monkeypatch.setattr("mammoscope.training.tile_run.open_archive", lambda *_: archive)


@pytest.mark.usefixtures("_opened")
def test_a_run_from_an_archive_cuts_learns_measures_and_tells_the_verdict(tmp_path, capsys):
    path = run(tmp_path, overrides=["epochs=8", "optimiser.learning_rate=0.05"])
    told = figures_in(tmp_path)
    # Brightness tells the two kinds apart, so nothing less than all is right.
    assert told["tiles"]["auc"]["value"] == 1.0
    assert told["counts"]["patients"] == 2
    audit = json.loads((tmp_path / "tiles" / "audit.json").read_text())
    assert told["dataset"]["audit_verdict"] == audit["verdict"]
    # Brightness goes with the label here, and no lesion explains that.
    said = " ".join(capsys.readouterr().err.split())
    assert "are suspect: audit.json in that folder says why" in said
    # 598 pixels of an enlarged scan make a tile of 299.
    contract = contract_of(path)
    assert contract.input.spacing_mm == pytest.approx(0.2 / 2.58, rel=0.01)
    provenance = json.loads((tmp_path / "tiles" / "provenance.json").read_text())
    assert contract.origin["split"] == provenance["split"]
    # Another seed would give other tiles, which are in the way.
    with pytest.raises(BadValueError, match="built with seed 0, not 3"):
        run(tmp_path, overrides=["seed=3"])


@pytest.mark.usefixtures("_opened")
def test_options_of_the_recipe_reach_it_and_foreign_ones_are_refused(tmp_path, monkeypatch):
    plans = []

    def noted(plan, *_):
        plans.append(plan)
        raise KeyboardInterrupt

    monkeypatch.setattr("mammoscope.training.tile_run.carry_out", noted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, overrides=["recipe.radius_as_side=false", "seed=5"])
    assert plans[0].recipe.settings["radius_as_side"] is False
    assert plans[0].seed == 5
    with pytest.raises(BadValueError, match="Recipe 9 has no option 'tile_mm'"):
        run(tmp_path, overrides=["recipe.tile_mm=20"])
    with pytest.raises(UnknownNameError, match="recipe called '99'"):
        run(tmp_path, overrides=["recipe.name=99"])


def test_tiles_that_changed_after_their_audit_count_as_not_audited(archive, tmp_path, capsys):
    few = replace(archive, records=archive.records[:4])
    tiles = build_tiles(few, "9", tmp_path / "set")
    path = tmp_path / "set" / "audit.json"
    path.write_text(path.read_text().replace('"set_digest": "', '"set_digest": "0'))
    tell_verdict(tiles.folder)
    assert "were not audited" in " ".join(capsys.readouterr().err.split())


def test_the_verdict_of_a_set_is_told_once_for_all_runs_on_it(tmp_path, capsys):
    for _ in range(3):
        _tell_once(tmp_path, "digest")
    _tell_once(tmp_path, "another digest")
    assert capsys.readouterr().err.count("Tiles in") == 2


def test_a_part_of_an_archive_is_not_trained_on(tmp_path, monkeypatch):
    (tmp_path / "scans").mkdir()
    broken = make_archive(tmp_path / "scans", patients=4)
    broken.records[3].path.unlink()
    monkeypatch.setattr("mammoscope.training.tile_run.open_archive", lambda *_: broken)
    with pytest.raises(ArchiveError, match=r"1 scans could not be read.*mdb003\.png"):
        run(tmp_path / "run")


@pytest.mark.real
def test_real_scans_become_tiles_and_weights(tmp_path, shared_data, monkeypatch):
    whole = open_archive("mini-mias", shared_data / "mini-mias")
    scans = whole.scans()
    sick = [scan for scan in scans if scan.findings][:12]
    well = [scan for scan in scans if scan.findings == ()][:12]
    few = replace(whole, records=tuple(sick + well))
    monkeypatch.setattr("mammoscope.training.tile_run.open_archive", lambda *_: few)
    path = run(tmp_path, overrides=["epochs=1", "input.scaling=centred"])
    assert contract_of(path).input.spacing_mm == pytest.approx(0.2 / 2.58, rel=0.01)
    told = figures_in(tmp_path)
    assert 0 < told["counts"]["abnormal"] < told["counts"]["tiles"]
    (row,) = json.loads((tmp_path / "run" / "history.json").read_text())
    # The author's mean, of another archive, is not far from this one's.
    assert abs(row["input_mean"]) < 0.4
    assert row["val_input_mean"] == pytest.approx(row["input_mean"], abs=0.15)
