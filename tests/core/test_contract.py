"""The contract: what is written is read back, and what is no contract is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mammoscope.core.contract import (
    Calibration,
    InputSpec,
    ModelContract,
    OperatingPoint,
    OutputSpec,
)
from mammoscope.core.errors import UnknownNameError, WeightsError

ISOTONIC = Calibration(
    kind="isotonic",
    points=((0.2, 0.0), (0.5, 0.5), (0.7, 0.5)),
    fitted_on="folds",
    meaning="malignant",
)
TEMPERATURE = Calibration(
    kind="temperature", slope=0.5, intercept=0.0, fitted_on="folds", meaning="breast"
)


def make_contract(**changes):
    full = ModelContract(
        name="default",
        version="1",
        architecture="lite0-dense",
        input=InputSpec(
            spacing_mm=0.3,
            grey_rule="breast-percentiles",
            grey_numbers={"low": 2.0, "high": 99.5},
            value_range=(-1.0, 1.0),
        ),
        output=OutputSpec(targets=("lesion", "malignant"), activation="sigmoid", stride_px=8),
        operating_point=OperatingPoint(threshold=0.25, chosen_by="0.5 false positives a scan"),
        calibration=Calibration(slope=1.2, intercept=-0.1, fitted_on="folds", meaning="malignant"),
        breast_calibration=Calibration(slope=1, intercept=0, fitted_on="folds", meaning="breast"),
        origin={"archives": "cbis-ddsm-800", "licence": "CC BY 3.0"},
        figures={"auc": {"value": 0.8, "low": 0.7, "high": 0.9, "n": 10, "n_patients": 5}},
        limits=("film only", "masses only"),
    )
    return replace(full, **changes)


def changed(contract, change):
    values = json.loads(contract.to_json())
    change(values)
    return json.dumps(values)


@pytest.mark.parametrize(
    "contract",
    [
        make_contract(),
        make_contract(operating_point=None, calibration=None, breast_calibration=None),
        make_contract(limits=(), origin={}, figures={}),
        make_contract(calibration=ISOTONIC, breast_calibration=TEMPERATURE),
    ],
    ids=["everything", "no calibration", "bare", "other calibrations"],
)
def test_a_contract_comes_back_as_it_was_written(contract):
    assert ModelContract.from_json(contract.to_json()) == contract


def test_the_same_contract_is_written_the_same_way():
    assert make_contract().to_json() == make_contract().to_json()


def test_figures_that_are_no_numbers_cannot_be_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        make_contract(figures={"auc": {"value": float("nan")}}).to_json()


def test_a_newer_schema_is_refused_by_name():
    text = changed(make_contract(), lambda v: v.update(schema="mammoscope.contract/2"))
    with pytest.raises(WeightsError, match=r"mammoscope\.contract/2"):
        ModelContract.from_json(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.pop("schema"),
        lambda v: v.pop("input"),
        lambda v: v.pop("name"),
        lambda v: v["input"].pop("spacing_mm"),
        lambda v: v["input"].update(surprise=1),
        lambda v: v["output"].update(targets=None),
        lambda v: v.update(surprise=1),
        lambda v: v.update(operating_point=[0.5]),
        lambda v: v.update(calibration={"slope": 1}),
        lambda v: v["calibration"].update(kind="isotonic"),
        lambda v: v["calibration"].update(kind="magic"),
        lambda v: v["calibration"].update(points=[[0.1]]),
        lambda v: v["calibration"].pop("slope"),
    ],
)
def test_a_contract_with_a_part_lost_or_added_is_refused(change):
    with pytest.raises(WeightsError, match="cannot be read"):
        ModelContract.from_json(changed(make_contract(), change))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"text"'])
def test_text_that_is_no_contract_is_refused(text):
    with pytest.raises(WeightsError, match="cannot be read"):
        ModelContract.from_json(text)


def test_a_contract_of_before_there_were_kinds_is_read_as_platts():
    def as_of_old(values):
        for name in ("calibration", "breast_calibration"):
            del values[name]["kind"]
            del values[name]["points"]

    assert ModelContract.from_json(changed(make_contract(), as_of_old)) == make_contract()


def test_platts_probabilities_are_as_by_hand():
    plain = Calibration(slope=1.0, intercept=0.0, fitted_on="", meaning="")
    assert plain.probabilities([0.0, 0.3, 1.0]) == pytest.approx([1e-6, 0.3, 1 - 1e-6])
    # logit(.9) is log 9: twice that less log 9 is log 9 again; .5 has logit 0.
    steep = Calibration(slope=2.0, intercept=-np.log(9), fitted_on="", meaning="")
    assert steep.probabilities([0.9, 0.5]) == pytest.approx([0.9, 0.1])


def test_half_the_logit_is_a_temperature_of_two():
    # The odds of .9 are 9; their root is 3.
    assert TEMPERATURE.probabilities([0.9, 0.5]) == pytest.approx([0.75, 0.5])
    assert TEMPERATURE.numbers == "temperature 2.000"


def test_isotonic_is_straight_between_points_and_flat_outside():
    asked = [0.0, 0.2, 0.35, 0.6, 0.7, 1.0]
    assert ISOTONIC.probabilities(asked) == pytest.approx([0, 0, 0.25, 0.5, 0.5, 0.5])
    assert ISOTONIC.numbers == "isotonic, 3 points"


def test_steep_slopes_neither_overflow_nor_round_to_nothing():
    steep = Calibration(slope=100.0, intercept=0.0, fitted_on="", meaning="")
    low, high = steep.probabilities([0.001, 1.0])
    assert 0 < low < 1e-200
    assert high == 1.0


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_a_score_outside_its_range_has_no_probability(score):
    with pytest.raises(ValueError, match="lie in"):
        TEMPERATURE.probabilities([score])


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "temperature", "slope": 0.0, "intercept": 0.0},
        {"kind": "temperature", "slope": 1.0, "intercept": 0.1},
        {"kind": "isotonic", "points": ((0.5, 0.1), (0.4, 0.2))},
        {"kind": "isotonic", "points": ((0.4, 0.3), (0.5, 0.2))},
        {"kind": "isotonic", "points": ((0.4, 0.3), (0.5, 1.2))},
        {"kind": "isotonic", "points": ((0.4, 0.3),), "slope": 1.0, "intercept": 0.0},
        {"kind": "platt", "points": ((0.4, 0.3),)},
    ],
)
def test_numbers_that_make_no_calibration_are_refused(wrong):
    with pytest.raises(ValueError, match="calibration"):
        Calibration(fitted_on="", meaning="", **wrong)


SENSITIVE = OperatingPoint(
    name="high-sensitivity",
    threshold=0.1,
    chosen_by="a sensitivity of 0.9 on folds",
    sensitivity={"value": 0.9, "low": 0.8, "high": 0.95, "n": 10, "n_patients": 5},
    fp_per_scan={"value": 3.0, "low": 2.0, "high": 4.0, "n": 10, "n_patients": 5},
    measured_on="folds",
)


def test_several_operating_points_come_back_as_they_were_written():
    contract = make_contract()
    several = replace(contract, operating_points=(SENSITIVE, contract.operating_point))
    assert ModelContract.from_json(several.to_json()) == several


def test_a_contract_of_before_scans_were_turned_over_is_read_as_answering_once():
    def as_of_old(values):
        assert values["output"].pop("also_upside_down") is False

    assert ModelContract.from_json(changed(make_contract(), as_of_old)) == make_contract()


def test_a_contract_of_before_there_were_several_points_has_its_one():
    def as_of_old(values):
        del values["operating_points"]
        values["operating_point"] = {"threshold": 0.25, "chosen_by": "0.5 false positives a scan"}

    old = ModelContract.from_json(changed(make_contract(), as_of_old))
    assert old == make_contract()
    assert [point.name for point in old.points] == ["balanced"]
    assert old.using("balanced") == old


def test_another_operating_point_is_used_by_its_name():
    contract = make_contract()
    several = replace(contract, operating_points=(SENSITIVE, contract.operating_point))
    assert several.using("high-sensitivity").operating_point == SENSITIVE
    assert several.using("high-sensitivity").using("balanced") == several


def test_an_unknown_operating_point_is_told_with_the_known():
    with pytest.raises(UnknownNameError, match="operating point of this model called 'highest'"):
        make_contract().using("highest")


def test_two_operating_points_of_one_name_are_refused():
    text = changed(
        replace(make_contract(), operating_points=(SENSITIVE,)),
        lambda v: v["operating_points"].append(v["operating_points"][0]),
    )
    with pytest.raises(WeightsError, match="one name"):
        ModelContract.from_json(text)
