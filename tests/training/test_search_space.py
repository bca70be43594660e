"""The options that a sweep may change: every one of a run, in ranges that make sense."""

import pytest

from mammoscope.core.errors import BadValueError, UnknownKeyError
from mammoscope.training.search_space import Choices, Range, check_space, read_space, with_values
from mammoscope.training.settings import TileSettings


def read(tables):
    return read_space(tables, TileSettings, "plan.toml")


def test_names_with_dots_and_nested_tables_are_the_same():
    entry = {"low": 0.1, "high": 0.5}
    nested = read(
        {
            "regular": {"pool_dropout": entry, "dense_dropout": entry},
            "epochs": {"low": 1, "high": 3},
        }
    )
    dotted = read(
        {
            "regular.pool_dropout": entry,
            "regular.dense_dropout": entry,
            "epochs": {"low": 1, "high": 3},
        }
    )
    assert nested == dotted
    assert set(nested) == {"regular.pool_dropout", "regular.dense_dropout", "epochs"}


def test_the_option_decides_whether_numbers_are_whole():
    space = read(
        {"augment.shift": {"low": 0, "high": 1}, "batch_size": {"low": 8, "high": 64, "log": True}}
    )
    assert space["augment.shift"] == Range(low=0, high=1)
    assert space["augment.shift"].first == 0.0
    assert space["batch_size"] == Range(low=8, high=64, log=True, is_whole=True)
    assert space["batch_size"].first == 8


def test_choices_may_be_of_any_plain_type():
    space = read(
        {"soft_labels": {"choices": [True, False]}, "architecture": {"choices": ["a", "b"]}}
    )
    assert space["soft_labels"] == Choices(values=(True, False))
    assert space["architecture"].first == "a"


@pytest.mark.parametrize(
    ("tables", "error", "said"),
    [
        ({"epoch": {"low": 1, "high": 2}}, UnknownKeyError, "names 'epoch', and a run has no such"),
        ({"epochs.more": {"low": 1, "high": 2}}, UnknownKeyError, "names 'epochs.more'"),
        ({"epochs": 3}, BadValueError, "'epochs' in \\[search\\] must be {low, high} or"),
        ({"epochs": {}}, BadValueError, "has the keys none"),
        ({"epochs": {"low": 1}}, BadValueError, "has the keys low"),
        ({"epochs": {"low": 1, "high": 3, "log": True, "step": 1}}, BadValueError, "has the keys"),
        ({"epochs": {"low": 3, "high": 3}}, BadValueError, "low must be below high"),
        ({"epochs": {"low": 1, "high": 2.5}}, BadValueError, "takes whole numbers"),
        ({"epochs": {"low": True, "high": 2}}, BadValueError, "must be numbers"),
        ({"epochs": {"low": "a", "high": "b"}}, BadValueError, "must be numbers"),
        ({"epochs": {"low": 0, "high": 2, "log": True}}, BadValueError, "above 0 where log"),
        ({"epochs": {"low": 1, "high": 3, "step": 5}}, BadValueError, "step must be above 0 and"),
        ({"head": {"low": 1, "high": 3}}, BadValueError, "takes no numbers; use choices"),
        ({"head": {"choices": "binary"}}, BadValueError, "choices must be a list"),
        ({"head": {"choices": ["binary"]}}, BadValueError, "two or more different values"),
        ({"head": {"choices": ["a", "a"]}}, BadValueError, "two or more different values"),
        ({"head": {"choices": ["a", [1]]}}, BadValueError, "texts, numbers or true and false"),
        ({}, BadValueError, "names no option"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_option(tables, error, said):
    with pytest.raises(error, match=said):
        read(tables)


def test_chosen_values_are_laid_over_the_file_which_stays_as_it_was():
    values = {"name": "a", "loss": {"focus": 1.0}}
    laid = with_values(values, {"loss.kind": "focal", "epochs": 3, "stop.patience": 2})
    assert laid == {
        "name": "a",
        "loss": {"focus": 1.0, "kind": "focal"},
        "epochs": 3,
        "stop": {"patience": 2},
    }
    assert values == {"name": "a", "loss": {"focus": 1.0}}


def test_a_value_that_the_option_does_not_take_is_refused_beforehand():
    space = read({"loss.kind": {"choices": ["focus", "focal"]}})
    with pytest.raises(BadValueError, match=r"'loss\.kind' must be one of"):
        check_space(space, {"name": "a", "tiles": "set"}, TileSettings, "plan.toml")
