"""`mammoscope evaluate MODEL --tiles`: one road in, the sweep, the validation tiles, refusals."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import Laterality, SpacingSource
from mammoscope.models.facts import NetworkFacts
from mammoscope.models.heads import HEADS
from mammoscope.models.weights import save_weights
from mammoscope.tiles.audit.report import set_digest
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import CLASSES, NORMAL, Tile

SIDE = 8
LEVELS = (100, 110, 120, 130, 140, 150, 160, 170)
"""Of the one bright pixel of a tile, whose others are 100."""


class Brightest(nn.Module):
    """Says "abnormal" by the brightest pixel: logit 8 x (level / 255 - 0.5), shared by classes."""

    def __init__(self, classes=2):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([8.0]))
        self.classes = classes

    def forward(self, x):
        abnormal = self.weight * (x.amax(dim=(1, 2, 3))[:, None] - 0.5)
        others = abnormal.expand(-1, self.classes - 1) - np.log(self.classes - 1)
        return torch.cat([torch.zeros_like(abnormal), others], dim=1)


def by_hand(levels, contrast=1.0):
    """The score of tiles with one pixel of a level, the others 100."""
    mean = (100 * (SIDE**2 - 1) + levels) / SIDE**2
    raised = (levels - mean) * contrast + mean
    grey = levels if contrast == 1 else np.floor(raised * 255.5 / 255)
    return 1 / (1 + np.exp(-8 * (grey / 255 - 0.5)))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(
        "mammoscope.models.zoo.build", lambda _name, classes, **_drop: Brightest(classes)
    )
    facts = NetworkFacts(kind="tile", side_px=SIDE, scaling="unit", conv_l2=0.0)
    monkeypatch.setattr("mammoscope.models.zoo.facts", lambda _name: facts)


@pytest.fixture
def tiles(tmp_path):
    """60 patients, a tile each; every third is in the test, every third abnormal, brighter."""
    made, split_of = [], {}
    for number in range(60):
        label = CLASSES[1 + number % 4] if number // 3 % 3 == 0 else NORMAL
        pixels = np.full((SIDE, SIDE), 100, np.uint8)
        pixels[3, 4] = LEVELS[(number * 5 + 3 * (label != NORMAL)) % len(LEVELS)]
        split_of[f"p{number}"] = ("train", "validation", "test")[number % 3]
        scan = Scan(
            scan_id=f"s{number}",
            archive="made",
            path=Path("s.png"),
            patient_id=f"p{number}",
            exam_id=f"e{number}",
            laterality=Laterality.LEFT,
            spacing_mm=(0.2, 0.2),
            spacing_source=SpacingSource.ARCHIVE,
        )
        box = Box(0, 0, SIDE, SIDE)
        made.append(Tile(pixels=pixels, scan=scan, finding_id=None, box=box, label=label))
    write_tiles(tmp_path / "set", made, split_of, {"recipe": "9", "seed": 0, "split": "its digest"})
    return tmp_path / "set"


@pytest.fixture
def weights(tmp_path):
    def write(head="binary", *, stride=None, spacing=0.2, contrast=None, origin=None):
        targets = HEADS[head].targets
        numbers = {"divisor": 255.0} | ({} if contrast is None else {"contrast": contrast})
        contract = ModelContract(
            name="made",
            version="1",
            architecture="1.0.0.29",
            input=InputSpec(spacing_mm=spacing, grey_rule="as-stored", grey_numbers=numbers),
            output=OutputSpec(targets=targets, activation="softmax", stride_px=stride),
            origin=origin or {},
        )
        path = tmp_path / "model.safetensors"
        save_weights(path, Brightest(len(targets)), contract)
        return path

    return write


def rows_of(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_every_test_tile_is_scored_by_the_contracts_road(run, tiles, weights, tmp_path):
    out = tmp_path / "out" / "evaluation.json"
    ended = run("evaluate", weights(), "--tiles", tiles, "--json", out, "--resamples", 40)
    assert ended.code == 0, ended.err
    rows = rows_of(out.parent / "scores.csv")
    assert [row["patient_id"] for row in rows] == [f"p{number}" for number in range(2, 60, 3)]
    table = load_tiles(tiles)
    at = [int(row["tile_id"].removeprefix("tile ")) for row in rows]
    levels = table.pixels(at).max(axis=(1, 2)).astype(float)
    np.testing.assert_allclose([float(row["score"]) for row in rows], by_hand(levels), atol=1e-6)
    truth = [str(int(label != NORMAL)) for label in table.table["label"].to_numpy()[at]]
    assert [row["truth"] for row in rows] == truth


def test_the_table_of_scores_gives_the_same_figures_again(run, tiles, weights, tmp_path):
    out = tmp_path / "out" / "evaluation.json"
    typed = ("--resamples", 40, "--json")
    assert run("evaluate", weights(), "--tiles", tiles, *typed, out).code == 0
    again = run("evaluate", "--scores", out.parent / "scores.csv", *typed, "-")
    first, second = json.loads(out.read_text(encoding="utf-8")), json.loads(again.out)
    for section in ("counts", "tiles", "patients", "calibration", "strata", "called_back"):
        assert first[section] == second[section]


def test_the_sweep_raises_contrast_as_tensorflow_does(run, tiles, weights):
    ended = run("evaluate", weights(), "--tiles", tiles, "--json", "-", "--resamples", 40)
    cells = json.loads(ended.out)["sweep"]["cells"]
    assert list(dict.fromkeys(cell["contrast"] for cell in cells)) == [1.0, 1.5, 2.0]
    table = load_tiles(tiles)
    levels = table.pixels(table.rows_of("test")).max(axis=(1, 2)).astype(float)
    for cell in cells:
        called = by_hand(levels, cell["contrast"]) >= cell["threshold"]
        assert cell["called"]["value"] == pytest.approx(called.mean())
    # Something is called at a higher contrast that is not at the tiles' own.
    by = {(cell["contrast"], cell["threshold"]): cell["called"]["value"] for cell in cells}
    assert by[2.0, 0.65] > by[1.0, 0.65]


def test_the_contracts_own_contrast_stays_and_is_multiplied(run, tiles, weights):
    typed = ("--tiles", tiles, "--contrast", "1.5", "--json", "-", "--resamples", 40)
    plain = json.loads(run("evaluate", weights(), *typed).out)["sweep"]["cells"]
    raised = json.loads(run("evaluate", weights(contrast=1.5), *typed).out)["sweep"]["cells"]
    said = [c["called"]["value"] for c in plain if c["contrast"] == 1.5]
    assert [c["called"]["value"] for c in raised if c["contrast"] == 1.0] == said


def test_a_threshold_and_a_calibration_are_fitted_on_validation_tiles(run, tiles, weights):
    typed = ("--threshold", "recall=1", "--calibrate", "platt", "--json", "-", "--resamples", 40)
    told = json.loads(run("evaluate", weights(), "--tiles", tiles, *typed).out)
    table = load_tiles(tiles)
    rows = table.rows_of("validation")
    abnormal = table.table["label"].to_numpy()[rows] != NORMAL
    levels = table.pixels(rows[abnormal]).max(axis=(1, 2)).astype(float)
    assert told["threshold"]["value"] == pytest.approx(by_hand(levels).min(), abs=1e-6)
    assert told["threshold"]["on_test"] is False
    fitted = told["calibration"]["tiles, calibrated by platt"]
    assert fitted["kind"] == "platt"
    assert fitted["fitted_on"] == "tiles of the validation patients of set"


def test_the_page_shows_the_worst_tiles_the_sweep_and_the_audit(run, tiles, weights, tmp_path):
    (tiles / "audit.json").write_text(
        json.dumps({"verdict": "suspect", "set_digest": set_digest(load_tiles(tiles).provenance)}),
        encoding="utf-8",
    )
    page = tmp_path / "e.html"
    typed = ("--page", page, "--resamples", 40)
    assert run("evaluate", weights(), "--tiles", tiles, *typed).code == 0
    text = page.read_text(encoding="utf-8")
    # Six positives of the lowest scores, and six negatives of the highest.
    assert text.count("data:image/jpeg;base64,") == 12
    assert "Thresholds and contrasts" in text
    assert "contrast x 1.5" in text
    assert "The audit of this set says" in text


def test_five_classes_are_measured_class_by_class(run, tiles, weights):
    told = json.loads(
        run("evaluate", weights("five"), "--tiles", tiles, "--json", "-", "--resamples", 40).out
    )
    assert told["classes"]["names"] == list(HEADS["five"].targets)
    assert np.sum(told["classes"]["confusion"]) == told["counts"]["tiles"]


def test_another_spacing_and_other_tiles_of_the_same_films_are_named(run, tiles, weights):
    typed = ("--tiles", tiles, "--resamples", 40)
    said = run("evaluate", weights(spacing=0.05, origin={"archives": "made"}), *typed).out
    assert "0.2 mm a pixel and the model was trained at 0.05" in said
    assert "another set of the same patients" in said
    digest = set_digest(load_tiles(tiles).provenance)
    said = run("evaluate", weights(origin={"archives": "made", "tiles": digest}), *typed).out
    assert "same patients" not in said


def test_patients_who_were_trained_on_are_refused(run, tiles, weights, tmp_path):
    trained = tmp_path / "trained.txt"
    trained.write_text("p2\np3\n", encoding="utf-8")
    ended = run("evaluate", weights(), "--tiles", tiles, "--trained-on", trained)
    assert ended.code == 2
    assert "1 of the 20 patients measured" in ended.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--archive", "mini-mias", "x"), "--archive does not go with --tiles"),
        (("--validation", "v.csv"), "--validation does not go with --tiles"),
        (("--contrast", "0"), "no list of factors"),
        (("--contrast", "1;2"), "no list of factors"),
        (("--calibrate", "best"), "best"),
        (("--threshold", "best"), "There is no rule"),
    ],
)
def test_what_does_not_go_with_tiles_is_refused(run, tiles, weights, options, words):
    ended = run("evaluate", weights(), "--tiles", tiles, *options)
    assert ended.code == 2
    assert words in ended.err


def test_a_network_of_whole_scans_takes_no_tiles(run, tiles, weights):
    ended = run("evaluate", weights(stride=8), "--tiles", tiles)
    assert ended.code == 2
    assert "takes no tiles" in ended.err


def test_a_set_without_test_patients_is_refused(run, tiles, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "mammoscope.tiles.store.TileSet.rows_of", lambda _self, _split: np.zeros(0, np.intp)
    )
    ended = run("evaluate", weights(), "--tiles", tiles)
    assert ended.code == 2
    assert "no tile of test patients" in ended.err
