"""The model's card: everything that the run knows is in it, and nothing that it does not."""

import pytest

from mammoscope.core.contract import InputSpec, ModelContract, OperatingPoint, OutputSpec
from mammoscope.training.card import RunFacts, card_of, energy_of


def figure(value, low=None, high=None, **more):
    return {"value": value, "low": low, "high": high, "n": 90, "n_patients": 80, **more}


POINT = OperatingPoint(
    name="balanced",
    threshold=0.4551,
    chosen_by="0.5 false positives a scan on made folds",
    sensitivity=figure(0.687, 0.656, 0.715),
    fp_per_scan=figure(0.5, 0.462, 0.537),
    measured_on="made folds",
)
CONTRACT = ModelContract(
    name="made",
    version="1",
    architecture="lite0-dense",
    input=InputSpec(spacing_mm=0.3, grey_rule="as-stored", grey_numbers={"divisor": 255.0}),
    output=OutputSpec(targets=("lesion", "malignant"), activation="sigmoid", stride_px=8),
    operating_point=POINT,
    operating_points=(POINT,),
    origin={"licence": "made licence and attribution"},
    figures={"made folds: AUC": figure(0.78, 0.74, 0.81)},
    limits=("Knows masses alone.",),
)
SUMMARY = {
    "scans": {"joined_by": "each scan by itself", "auc_malignant": figure(0.76, 0.73, 0.79)},
    "froc": {"points": [{"fp_per_scan": 0.25, "sensitivity": figure(0.6, 0.56, 0.63)}]},
    "breasts": {"auc_finding": None},
    "strata": {"view": {"CC": {"n": 90, "auc_malignant": figure(0.9, warning="too few patients")}}},
}


def test_the_contract_alone_makes_a_card():
    card = card_of(CONTRACT)
    assert (
        "| balanced (default) | 0.455 | 0.687 (0.656 to 0.715) | 0.500 (0.462 to 0.537) |" in card
    )
    assert "| AUC | 0.780 | 0.740 to 0.810 | 90 (80) |" in card
    assert "* Licence: made licence and attribution" in card
    assert card.endswith("* Knows masses alone.\n")
    assert "Time and energy" not in card
    assert "Steps that were tried" not in card


def test_the_run_gives_every_figure_and_every_group():
    facts = RunFacts(own=SUMMARY, own_name="made folds", digest="ab12", patients=691)
    card = card_of(CONTRACT, facts)
    assert "| scans, auc malignant | 0.760 | 0.730 to 0.790 | 90 (80) |" in card
    assert "at 0.25 false positives a scan, sensitivity | 0.600 | 0.560 to 0.630 |" in card
    assert "### By group on made folds" in card
    assert "| view, CC, auc malignant | 0.900 | none: too few patients | 90 (80) |" in card
    assert "ab12" in card
    assert "691" in card


def test_steps_that_were_tried_are_a_table():
    card = card_of(CONTRACT, RunFacts(ablation=({"step": "a | b", "value": "0.7"},)))
    # A bar in a cell would part it.
    assert "| step | value |\n|---|---|\n| a / b | 0.7 |" in card


def test_energy_is_as_by_hand():
    # An hour of two cores at 10 W is .02 kWh; at .48 kg that is 9.6 g.
    assert energy_of(3600) == pytest.approx((0.02, 0.0096))
    card = card_of(CONTRACT, RunFacts(seconds=3600))
    assert "60 minutes" in card
    assert "0.020 kWh" in card
    assert "10 g CO2e" in card
    assert "nothing was metered" in card


def test_a_contract_of_one_bare_threshold_has_no_table_of_points():
    bare = OperatingPoint(threshold=0.5, chosen_by="a wish")
    old = ModelContract(
        name="old",
        version="1",
        architecture="lite0-dense",
        input=CONTRACT.input,
        output=CONTRACT.output,
        operating_point=bare,
    )
    card = card_of(old)
    assert "Threshold of the lesion score: 0.500, which gave a wish." in card
    assert "## Operating points" not in card
    assert "Nothing was measured." in card
