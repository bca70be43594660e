"""What a page gathers of a run: from its folder, from event files, and from spoilt ones."""

import json
import math
import shutil

import numpy as np
import polars as pl
import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.formats.tfrecord import write_records
from mammoscope.report.run_record import (
    TRAIN,
    VALIDATION,
    Curve,
    Told,
    load_runs,
    running_mean,
)

FIRST = event_pb2.Event(file_version="brain.Event:2").SerializeToString()


def event(step, tag, number):
    value = summary_pb2.Summary.Value(tag=tag, simple_value=number)
    return event_pb2.Event(
        step=step, summary=summary_pb2.Summary(value=[value])
    ).SerializeToString()


def write_run(folder, *, epochs=3, **files):
    """Write a run of 100 steps an epoch, logged every 50."""
    folder.mkdir(parents=True, exist_ok=True)
    history = [
        {"epoch": float(n), "accuracy": 0.5 + n / 10, "val_accuracy": 0.4 + n / 10,
         "majority": 0.75, "val_majority": 0.8}
        for n in range(1, epochs + 1)
    ]  # fmt: skip
    (folder / "history.json").write_text(json.dumps(files.get("history", history)))
    rows = [(s, -(-s // 100), "train", "accuracy", s / 1000) for s in range(50, 100 * epochs, 50)]
    rows += [(100 * n, n, "validation", "accuracy", 0.5) for n in range(1, epochs + 1)]
    table = pl.DataFrame(rows, ["step", "epoch", "group", "name", "value"], orient="row")
    table.write_parquet(folder / "log.parquet")
    for name in ("alarms", "settings"):
        if name in files:
            (folder / f"{name}.json").write_text(json.dumps(files[name]))
    return folder


def test_a_run_folder_gives_curves_over_epochs_and_what_lies_between(tmp_path):
    (run,) = load_runs([write_run(tmp_path / "mine")])
    assert (run.name, run.unit) == ("mine", "epoch")
    assert run.curves[VALIDATION, "accuracy"].x.tolist() == [1, 2, 3]
    assert run.curves[VALIDATION, "accuracy"].y == pytest.approx([0.5, 0.6, 0.7])
    assert run.traces[TRAIN, "accuracy"].x.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5]
    assert (VALIDATION, "accuracy") not in run.traces
    assert run.baselines == {TRAIN: 0.75, VALIDATION: 0.8}


def test_the_folder_above_a_run_stands_for_it(tmp_path):
    write_run(tmp_path / "out" / "run")
    (run,) = load_runs([tmp_path / "out"])
    assert run.name == "out"


def test_a_run_in_its_first_epoch_shows_its_steps(tmp_path):
    folder = write_run(tmp_path / "mine", epochs=1, history=[])
    (run,) = load_runs([folder])
    assert run.unit == "step"
    assert run.curves[TRAIN, "accuracy"].x.tolist() == [50]
    assert run.traces == {}


def test_a_figure_that_is_null_or_missing_is_not_a_number(tmp_path):
    history = [{"epoch": 1.0, "val_auc": None}, {"epoch": 2.0}, {"epoch": 3.0, "val_auc": 0.5}]
    (run,) = load_runs([write_run(tmp_path / "mine", history=history)])
    assert np.isnan(run.curves[VALIDATION, "auc"].y).tolist() == [True, True, False]


def test_alarms_of_epochs_in_a_row_are_one(tmp_path):
    alarms = [
        {"step": 100 * epoch, "epoch": epoch, "kind": kind, "sentence": f"{kind} now."}
        for epoch, kind in [(2, "baseline"), (3, "baseline"), (3, "scale"), (6, "baseline")]
    ]
    (run,) = load_runs([write_run(tmp_path / "mine", alarms=alarms)])
    assert run.alarms == (
        Told(sentence="baseline: baseline now.", first=2, last=3),
        Told(sentence="scale: scale now.", first=3, last=3),
        Told(sentence="baseline: baseline now.", first=6, last=6),
    )


def test_nested_settings_are_laid_out_flat(tmp_path):
    settings = {"name": "a", "optimiser": {"learning_rate": 0.001, "kind": "adam"}, "ema": None}
    (run,) = load_runs([write_run(tmp_path / "mine", settings=settings)])
    assert run.settings == (
        ("name", "a"),
        ("optimiser.learning_rate", "0.001"),
        ("optimiser.kind", "adam"),
        ("ema", "null"),
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("history.json", "[{", "is not JSON"),
        ("history.json", "{}", "should hold a list"),
        ("history.json", "[1, 2]", "no records"),
        ("settings.json", "[]", "should hold a dict"),
        ("alarms.json", '[{"kind": "a"}]', "lacks its kind, sentence or epoch"),
        ("log.parquet", "nonsense", "cannot be read"),
    ],
)
def test_a_damaged_file_of_a_run_is_named(tmp_path, name, content, words):
    folder = write_run(tmp_path / "mine")
    (folder / name).write_text(content)
    with pytest.raises(CorruptFileError, match=rf"{name}: .*{words}"):
        load_runs([folder])


def test_a_page_is_made_though_the_runs_events_are_damaged(tmp_path):
    folder = write_run(tmp_path / "mine")
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events.out.tfevents.1").write_text("nothing like a record at all")
    (run,) = load_runs([folder])
    assert "no TFRecord file" in run.problems[0]
    assert run.kernels is None


def test_event_files_of_training_and_validation_are_one_run(tmp_path):
    train, test = (tmp_path / f"{g}_net_events.out.tfevents.1.HOST" for g in ("tr", "te"))
    write_records(train, [FIRST, event(50, "recall_1", 0.25), event(100, "recall_1", 0.5)])
    write_records(test, [FIRST, event(100, "recall_1", 0.75)])
    (run,) = load_runs([train, test])
    assert (run.name, run.unit) == ("net", "step")
    assert run.curves[TRAIN, "recall"].y.tolist() == [0.25, 0.5]
    assert run.curves[VALIDATION, "recall"].x.tolist() == [100]
    assert run.problems == ()


def test_event_files_take_their_name_from_their_folder(tmp_path):
    for name in ("tr_net", "te_net", "other"):
        (tmp_path / name).mkdir()
        write_records(tmp_path / name / "events.out.tfevents.1", [FIRST, event(1, "accuracy", 1)])
    runs = load_runs([tmp_path / "tr_net", tmp_path / "te_net", tmp_path / "other"])
    assert [run.name for run in runs] == ["net", "other"]
    assert sorted(runs[0].curves) == [(TRAIN, "accuracy"), (VALIDATION, "accuracy")]


def test_a_tag_that_says_its_group_goes_before_the_name_of_the_file(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    write_records(path, [FIRST, event(1, "validation/loss", 1), event(1, "train/loss", 2)])
    (run,) = load_runs([path])
    assert sorted(run.curves) == [(TRAIN, "loss"), (VALIDATION, "loss")]


def test_steps_that_were_counted_apart_are_told_of(tmp_path):
    train, test = (tmp_path / f"{g}_net_events.out.tfevents.1" for g in ("tr", "te"))
    write_records(train, [FIRST, event(854, "accuracy", 0.5)])
    for last, apart in ((13, True), (854, False)):
        write_records(test, [FIRST, event(last, "accuracy", 0.75)])
        (run,) = load_runs([train, test])
        assert run.are_apart is apart
        assert ["854" in one and "13" in one for one in run.problems] == [True] * apart


def test_folders_without_a_run_are_refused(tmp_path):
    with pytest.raises(MissingFileError, match=r"neither a run .* nor event files"):
        load_runs([tmp_path])
    with pytest.raises(MissingFileError, match="no such file or folder"):
        load_runs([tmp_path / "nothing"])
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_records(tmp_path / name / "events.out.tfevents.1", [FIRST])
    with pytest.raises(MissingFileError, match="several folders"):
        load_runs([tmp_path])
    write_records(tmp_path / "text", [b"\x0a\x01a"])
    with pytest.raises(UnknownFormatError, match="no event"):
        load_runs([tmp_path / "text"])


def test_the_running_mean_is_of_those_neighbours_that_are_there():
    y = np.arange(81.0)
    mean = running_mean(Curve(y, y))
    # 81 points make a window of 3; at the ends two points are left.
    assert mean.y[:3].tolist() == [0.5, 1.0, 2.0]
    assert mean.y[-1] == 79.5
    y[10] = math.nan
    assert running_mean(Curve(y, y)).y[[9, 10, 11]].tolist() == [8.5, 10.0, 11.5]


@pytest.mark.real
def test_the_authors_event_files_make_two_runs(shared_data):
    folder = shared_data.parent / "reference" / "author" / "tensorboard"
    if not folder.is_dir():
        pytest.skip(f"the author's event files are not here ({folder})")
    runs = {run.name: run for run in load_runs(sorted(folder.iterdir()))}
    model = runs["model_s0.0.02"]
    # As TensorBoard shows them: a cross entropy in the hundreds on validation alone, the paper's
    # pixels that were scaled in one place only.
    assert model.curves[TRAIN, "cross_entropy"].y[-1] == pytest.approx(0.277, abs=1e-3)
    assert model.curves[VALIDATION, "cross_entropy"].y[-1] == pytest.approx(304.35, abs=0.01)
    assert len(runs["pr_curves_demo"].pr_curves) == 2


def test_loading_twice_gives_the_same(tmp_path):
    folder = write_run(tmp_path / "mine")
    copy = shutil.copytree(folder, tmp_path / "copy" / "mine")
    first, second = load_runs([folder, copy])
    assert first.curves.keys() == second.curves.keys()
    assert first.name == second.name
