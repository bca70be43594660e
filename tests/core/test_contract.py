"""The contract: what is written is read back, and what is no contract is refused."""

import json
from dataclasses import replace

import pytest

from mammoscope.core.contract import (
    Calibration,
    InputSpec,
    ModelContract,
    OperatingPoint,
    OutputSpec,
)
from mammoscope.core.errors import WeightsError


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
    ],
    ids=["everything", "no calibration", "bare"],
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
    ],
)
def test_a_contract_with_a_part_lost_or_added_is_refused(change):
    with pytest.raises(WeightsError, match="cannot be read"):
        ModelContract.from_json(changed(make_contract(), change))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"text"'])
def test_text_that_is_no_contract_is_refused(text):
    with pytest.raises(WeightsError, match="cannot be read"):
        ModelContract.from_json(text)
