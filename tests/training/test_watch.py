"""The watch tells each alarm once, at once, and ends a run only where that is wanted."""

import logging
import math

import pytest

from mammoscope.core.errors import CollapseError, NotFiniteError, TrainingError
from mammoscope.training.watch import Watch

GOOD = {"predicted_share": 0.3}
NONE = {"predicted_share": 0.0}
LAGS = {"predicted_share": 0.3, "val_predicted_share": 0.0}


def test_an_alarm_is_told_in_the_log_and_beside_the_bar(caplog):
    shown = []
    with caplog.at_level(logging.WARNING):
        (alarm,) = Watch(show=shown.append).epoch([GOOD, NONE, NONE])
    assert shown == [alarm.sentence]
    assert caplog.messages == [f"epoch 3: {alarm.sentence}"]


def test_an_alarm_that_goes_on_is_told_once_and_given_each_time(caplog):
    watch = Watch(on_alarm="tell")
    rows = [NONE, NONE]
    assert len(watch.epoch(rows)) == 1
    assert len(watch.epoch([*rows, NONE])) == 1
    assert len(caplog.messages) == 1


def test_an_alarm_that_comes_back_is_told_again(caplog):
    watch = Watch(on_alarm="tell")
    rows = [NONE, NONE, GOOD, NONE, NONE]
    for end in range(1, len(rows) + 1):
        watch.epoch(rows[:end])
    assert len(caplog.messages) == 2


def test_stop_ends_the_run_and_tell_does_not():
    alarms = Watch().epoch([NONE, NONE])
    with pytest.raises(CollapseError, match="one class whatever it sees"):
        Watch(on_alarm="stop").stop(alarms)
    Watch(on_alarm="tell").stop(alarms)
    Watch(on_alarm="stop").stop(())


def test_an_alarm_that_is_not_grave_never_ends_a_run():
    watch = Watch(on_alarm="stop")
    alarms = watch.epoch([LAGS, LAGS])
    assert [alarm.kind for alarm in alarms] == ["validation-one-class"]
    watch.stop(alarms)


def test_facts_hold_for_each_epoch_and_a_row_goes_before_them():
    row = {"accuracy": 0.8, "tiles": 1000.0}
    watch = Watch(on_alarm="stop")
    alarms = watch.epoch([row, row], {"majority": 0.8})
    assert [alarm.kind for alarm in alarms] == ["baseline"]
    with pytest.raises(TrainingError, match="always guessing"):
        watch.stop(alarms)
    assert watch.epoch([{**row, "majority": 0.5}] * 2, {"majority": 0.8}) == ()


@pytest.mark.parametrize("on_alarm", ["stop", "tell"])
def test_a_loss_that_is_no_number_ends_every_run(on_alarm):
    with pytest.raises(NotFiniteError):
        Watch(on_alarm=on_alarm).step(math.nan, 3)
    Watch(on_alarm=on_alarm).step(0.1, 3)
