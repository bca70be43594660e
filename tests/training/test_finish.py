"""A finished run gets operating points and a card: weights untouched, nothing mixed up."""

import json

import pytest
import torch

from mammoscope.core.contract import InputSpec, ModelContract, OperatingPoint, OutputSpec
from mammoscope.core.errors import CorruptFileError, MissingFileError, TrainingError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.evaluation.calibrate import choose_threshold
from mammoscope.evaluation.outcomes import Peak, ScanOutcome, outcome_to_json
from mammoscope.models import dense
from mammoscope.models.weights import load_model, save_weights
from mammoscope.training.finish import finish, training_seconds
from mammoscope.training.settings import ArchiveSettings, DenseSettings

SETTINGS = DenseSettings(
    name="made", archive=ArchiveSettings(name="made-archive", folder="none"), folds=2
)


def outcome(number):
    """One hit and one false positive on a scan of patient `number`."""
    finding = Finding(
        finding_id=f"f{number}",
        scan_id=f"s{number}",
        kind=FindingKind.MASS,
        roi=Box(10, 10, 10, 10),
        pathology=Pathology.MALIGNANT if number % 2 else Pathology.BENIGN,
    )
    hit, miss = 0.3 + 0.02 * number, 0.2 + 0.02 * number
    return ScanOutcome(
        scan_id=f"s{number}",
        patient_id=f"p{number}",
        breast_id=f"p{number}/L",
        exam_id=f"p{number}",
        spacing_mm=(1.0, 1.0),
        score=hit,
        malignancy=hit,
        peaks=(Peak(15, 15, hit, 0.5), Peak(60, 60, miss, 0.5)),
        findings=(finding,),
    )


@pytest.fixture
def run_folder(tmp_path):
    """A run of two folds of ten patients, as training leaves it."""
    outcomes = [outcome(n) for n in range(20)]
    for fold in range(2):
        rows = [outcome_to_json(one) for one in outcomes[10 * fold : 10 * fold + 10]]
        part = tmp_path / f"fold-{fold}"
        part.mkdir()
        (part / "outcomes.json").write_text(json.dumps({"settings": "d", "outcomes": rows}))
        (part / "history.json").write_text(json.dumps([{"per_second": 5.0}]))
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "history.json").write_text(
        json.dumps([{"per_second": 10.0}, {"per_second": 20.0}])
    )
    (tmp_path / "split.json").write_text(json.dumps({f"p{n}": n // 10 for n in range(20)}))
    contract = ModelContract(
        name="made",
        version="1",
        architecture="lite0-dense",
        input=InputSpec(
            spacing_mm=0.3,
            grey_rule="breast-percentiles",
            grey_numbers={"low": 2.0, "high": 99.5, "middle": 0.5, "bend": 2.5},
        ),
        output=OutputSpec(targets=dense.TARGETS, activation="sigmoid", stride_px=8),
        operating_point=OperatingPoint(
            threshold=choose_threshold(outcomes, 0.5), chosen_by="0.5 false positives a scan"
        ),
        limits=("made",),
    )
    torch.manual_seed(1)
    save_weights(tmp_path / "model.safetensors", dense.build(), contract)
    return tmp_path


def test_the_weights_stay_and_only_the_points_are_new(run_folder):
    before = load_model(run_folder / "model.safetensors")
    after = load_model(finish(run_folder, SETTINGS))
    old, new = before.network.state_dict(), after.network.state_dict()
    assert all(torch.equal(old[key], new[key]) for key in old)
    names = [point.name for point in after.contract.operating_points]
    assert names == ["high-sensitivity", "balanced", "high-specificity"]
    used = after.contract.operating_point
    assert used == after.contract.operating_points[1]
    assert used.threshold == before.contract.operating_point.threshold
    assert after.contract.limits == before.contract.limits


def test_the_figures_are_measured_anew_from_the_outcomes(run_folder):
    finish(run_folder, SETTINGS)
    measured = json.loads((run_folder / "evaluation.json").read_text())
    assert measured["counts"]["scans"] == 20
    # Every hit is higher than the false positive of its scan.
    assert measured["pointing_game"]["share"]["value"] == 1.0
    assert "| pointing game, share | 1.000 |" in (run_folder / "model.md").read_text()


def test_finishing_twice_gives_the_same_bytes(run_folder):
    once = finish(run_folder, SETTINGS).read_bytes()
    card = (run_folder / "model.md").read_text()
    assert finish(run_folder, SETTINGS).read_bytes() == once
    assert (run_folder / "model.md").read_text() == card


def test_the_card_has_digest_patients_and_the_steps_tried(run_folder, tmp_path):
    table = tmp_path / "steps.csv"
    table.write_text("step,value\nother view,0.5\n")
    path = finish(run_folder, SETTINGS, [table])
    card = path.with_name("model.md").read_text()
    assert load_model(path).digest in card
    assert "Patients in the split: 20" in card
    assert "| other view | 0.5 |" in card


def test_outcomes_of_another_run_are_refused_and_nothing_is_written(run_folder):
    stored = run_folder / "fold-1" / "outcomes.json"
    content = json.loads(stored.read_text())
    for row in content["outcomes"]:
        row["peaks"] = [[15, 15, 0.95, 0.5], [60, 60, 0.1, 0.5]]
    stored.write_text(json.dumps(content))
    before = (run_folder / "model.safetensors").read_bytes()
    with pytest.raises(TrainingError, match="not of one run"):
        finish(run_folder, SETTINGS)
    assert (run_folder / "model.safetensors").read_bytes() == before
    assert not (run_folder / "model.md").exists()


def test_folds_of_different_settings_are_refused(run_folder):
    stored = run_folder / "fold-1" / "outcomes.json"
    content = json.loads(stored.read_text())
    stored.write_text(json.dumps({**content, "settings": "e"}))
    with pytest.raises(TrainingError, match="different settings"):
        finish(run_folder, SETTINGS)


@pytest.mark.parametrize("name", ["fold-0/outcomes.json", "split.json"])
def test_a_missing_part_is_named(run_folder, name):
    (run_folder / name).unlink()
    before = (run_folder / "model.safetensors").read_bytes()
    with pytest.raises(MissingFileError, match=name):
        finish(run_folder, SETTINGS)
    assert (run_folder / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"settings": 1}', "null"])
def test_a_damaged_part_is_named(run_folder, text):
    (run_folder / "fold-1" / "outcomes.json").write_text(text)
    with pytest.raises(CorruptFileError, match=r"fold-1.outcomes\.json"):
        finish(run_folder, SETTINGS)


def test_the_seconds_of_training_are_as_by_hand(run_folder):
    # Final: 20 / 10 + 20 / 20; each fold saw the ten of the other: 10 / 5.
    assert training_seconds(run_folder, 2) == pytest.approx(2 + 1 + 2 + 2)


def test_the_time_is_not_known_where_a_history_is_missing(run_folder):
    (run_folder / "final" / "history.json").unlink()
    assert training_seconds(run_folder, 2) is None


def test_a_run_without_folds_has_no_points(run_folder):
    with pytest.raises(TrainingError, match="train with folds"):
        finish(run_folder, DenseSettings(name="made", archive=SETTINGS.archive, folds=0))


def test_the_shipped_points_are_measured_and_rise():
    sensitive, balanced, specific = load_model("default").contract.operating_points
    assert sensitive.threshold < balanced.threshold < specific.threshold
    assert sensitive.sensitivity["value"] >= 0.9
    assert balanced.fp_per_scan["value"] <= 0.5
    assert specific.fp_per_scan["value"] <= 0.1
