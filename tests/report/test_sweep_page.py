"""The page of a sweep shows every trial, what failed, and warns of the best one."""

import json

import pytest

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.report.sweep_page import make_page, sweep_rows, write_sweep_page


def trial(number, state="done", value=None, **changes):
    return {
        "number": number,
        "state": state,
        "value": value,
        "epochs": 2,
        "seconds": 61.0,
        "why": None,
        "options": {"optimiser.learning_rate": 10.0**-number, "loss.kind": "focal", "x": True},
        "curve": [[1, 0.5], [2, value or 0.4]],
        **changes,
    }


def make_record(**changes):
    return {
        "schema": "mammoscope.sweep/1",
        "name": "made",
        "metric": "auc",
        "direction": "maximize",
        "search": {
            "optimiser.learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
            "loss.kind": {"values": ["cross-entropy", "focal"]},
            "x": {"values": [1, True]},
        },
        "best": 3,
        "trials": [
            trial(1, value=0.75),
            trial(2, "failed", why="every <prediction> was negative.", curve=[]),
            trial(3, value=0.875),
            trial(4, "stopped early"),
        ],
        **changes,
    }


def write(tmp_path, record):
    (tmp_path / "sweep.json").write_text(json.dumps(record))
    write_sweep_page(tmp_path / "sweep.json", tmp_path / "sweep.html")
    return (tmp_path / "sweep.html").read_text()


def test_the_best_trial_stands_first_and_those_without_a_figure_last():
    assert [row[0] for row in sweep_rows(make_record())] == ["3", "1", "2", "4"]
    assert [row[0] for row in sweep_rows(make_record(direction="minimize"))][:2] == ["1", "3"]
    (first, *_) = sweep_rows(make_record())
    assert first == ("3", "done", "0.875", "2", "61", "0.001", "focal", "True")


def test_the_page_holds_drawings_and_names_what_failed(tmp_path):
    page = write(tmp_path, make_record())
    assert page.count("<svg") == 3
    assert "2 done, 1 stopped early, 1 failed" in page
    # Texts of a user are shown, not obeyed.
    assert "Trial 2 failed: every &lt;prediction&gt; was negative." in page
    assert "Trial 3 is the best of 2, so its figure is too good" in page
    assert "There are few trials" in page
    assert "src=" not in page
    assert "<script" not in page
    # Drawings show no formulas: numbers on the scale of powers are plain.
    assert "mathdefault" not in page


def test_true_and_one_are_two_choices():
    page = make_page(make_record())
    (options,) = [one for one in page.drawings if one.title == "What each option does"]
    assert {">1<", ">True<"} <= {
        f">{text}<" for text in ("1", "True") if f">{text}<" in options.svg
    }


def test_a_sweep_without_any_figure_has_a_table_alone(tmp_path):
    page = write(tmp_path, make_record(best=None, trials=[trial(1, "failed", why="no.", curve=[])]))
    assert "<svg" not in page
    assert "Trial 1 failed: no." in page


def test_a_record_that_is_missing_damaged_or_of_another_kind_is_told(tmp_path):
    with pytest.raises(MissingFileError, match=r"sweep\.json: there is no such file"):
        write_sweep_page(tmp_path / "sweep.json", tmp_path / "a.html")
    for text, said in (
        ("{", "cannot be read"),
        ("[1]", "cannot be read"),
        ('{"schema": "b"}', "'b'"),
    ):
        (tmp_path / "sweep.json").write_text(text)
        with pytest.raises(CorruptFileError, match=said):
            write_sweep_page(tmp_path / "sweep.json", tmp_path / "a.html")
