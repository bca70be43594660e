"""Guards: each alarm rises for its own reason, and a sound run raises none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import CollapseError, NotFiniteError, TrainingError
from mammoscope.training.guard import (
    baseline_alarm,
    check_collapse,
    check_loss,
    find_alarms,
    scale_alarm,
    validation_warning,
)

SOUND = {
    "predicted_share": 0.2,
    "accuracy": 0.95,
    "majority": 0.8,
    "tiles": 1000.0,
    "val_predicted_share": 0.2,
    "val_accuracy": 0.93,
    "val_majority": 0.8,
    "val_tiles": 400.0,
    "input_mean": 0.4,
    "input_deviation": 0.25,
    "val_input_mean": 0.42,
    "val_input_deviation": 0.24,
}


def kinds(history):
    return [(alarm.kind, alarm.grave) for alarm in find_alarms(history)]


def test_a_sound_run_raises_no_alarm():
    assert find_alarms([]) == ()
    assert find_alarms([SOUND] * 5) == ()
    assert find_alarms([{"loss": 1.0}] * 3) == ()


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_refused_with_its_step(loss):
    with pytest.raises(NotFiniteError, match="step 7 is"):
        check_loss(loss, 7)


def test_a_large_loss_is_no_alarm():
    check_loss(1e30, 0)


@pytest.mark.parametrize(("share", "word"), [(0.0, "negative"), (1.0, "positive")])
def test_one_class_in_two_epochs_is_a_collapse(share, word):
    row = {**SOUND, "predicted_share": share}
    assert kinds([SOUND, row]) == []
    assert kinds([SOUND, row, row]) == [("one-class", True)]
    with pytest.raises(CollapseError, match=word):
        check_collapse([row, row])


def test_an_epoch_of_each_class_is_no_collapse():
    rows = [{**SOUND, "predicted_share": share} for share in (0.0, 1.0)]
    assert kinds(rows) == []


def test_one_class_on_validation_is_told_and_not_grave():
    row = {**SOUND, "val_predicted_share": 1.0}
    assert kinds([row, row]) == [("validation-one-class", False)]
    assert "batch norm" in validation_warning([row, row])


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        # The paper's own fault: training tiles divided by 255, validation tiles not.
        ({"val_input_mean": 0.42 * 255, "val_input_deviation": 0.24 * 255}, "divided"),
        ({"input_mean": 0.4 * 255, "input_deviation": 0.25 * 255}, "divided"),
        # Centred by 104.1353 in one place only.
        ({"val_input_mean": 0.42 - 1.3}, "centred"),
        ({"val_input_mean": math.nan}, "damaged pixels"),
        ({"val_input_deviation": 0.0}, "divided"),
    ],
)
def test_validation_on_another_scale_is_told_with_its_cause(changes, cause):
    alarm = scale_alarm({**SOUND, **changes})
    assert alarm.kind == "scale"
    assert alarm.grave
    assert cause in alarm.sentence


def test_splits_that_differ_a_little_are_on_one_scale():
    assert scale_alarm({**SOUND, "val_input_mean": 0.55, "val_input_deviation": 0.16}) is None


def test_equal_tiles_without_any_deviation_are_on_one_scale():
    flat = dict.fromkeys(("input_deviation", "val_input_deviation"), 0.0)
    assert scale_alarm({**SOUND, **flat, "val_input_mean": 0.4}) is None


@given(st.floats(0.01, 1000), st.floats(-500, 500))
def test_scale_does_not_depend_on_the_unit_of_both(unit, shift):
    def moved(row):
        return {
            key: value * unit + (shift if key.endswith("mean") else 0.0)
            for key, value in row.items()
            if "input" in key
        }

    assert scale_alarm(moved(SOUND)) is None
    assert scale_alarm(moved({**SOUND, "val_input_mean": 0.9})) is not None


def test_accuracy_at_the_baseline_for_two_epochs_is_told():
    at_it = {**SOUND, "accuracy": 0.805, "majority": 0.8}
    assert kinds([SOUND, at_it]) == []
    assert kinds([at_it, at_it]) == [("baseline", True)]
    assert "0.800" in baseline_alarm([at_it, at_it], "").sentence


def test_validation_accuracy_at_the_baseline_is_not_grave():
    at_it = {**SOUND, "val_accuracy": 0.81}
    assert kinds([at_it, at_it]) == [("validation-baseline", False)]


@pytest.mark.parametrize(
    ("accuracy", "is_at_it"),
    # Of 1000 tiles: Clopper-Pearson of 800 is 0.774 to 0.824, of 830 it is 0.805 to 0.853.
    [(0.800, True), (0.824, True), (0.830, False), (0.770, False)],
)
def test_the_baseline_counts_within_the_interval_of_the_accuracy(accuracy, is_at_it):
    row = {**SOUND, "accuracy": accuracy, "majority": 0.8}
    assert (baseline_alarm([row, row], "") is not None) is is_at_it


def test_a_figure_that_is_not_there_or_no_number_is_not_looked_at():
    row = {**SOUND, "accuracy": math.nan, "majority": 0.8}
    assert baseline_alarm([row, row], "") is None
    assert baseline_alarm([{"accuracy": 0.8}] * 2, "") is None
    empty = {**SOUND, "val_accuracy": 0.0, "val_tiles": 0.0}
    assert baseline_alarm([empty, empty], "val_") is None


def test_alarms_end_a_run_with_the_error_of_their_kind():
    at_it = {**SOUND, "accuracy": 0.8}
    (alarm,) = find_alarms([at_it, at_it])
    assert type(alarm.error()) is TrainingError
    none = {**SOUND, "predicted_share": 0.0}
    assert type(find_alarms([none, none])[0].error()) is CollapseError
