"""Event files as TensorBoard reads them, and a disk that fills."""

import errno
from dataclasses import replace

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mammoscope.formats.tfrecord import read_records
from mammoscope.training.epoch_view import EpochView
from mammoscope.training.event_log import THRESHOLDS, EventLog

ALL = {"scalars": 0, "images": 0, "tensors": 0}


def read(folder):
    accumulator = EventAccumulator(str(folder), size_guidance=ALL)
    accumulator.Reload()
    return accumulator


def make_view():
    rng = np.random.default_rng(0)
    return EpochView(
        kernels=rng.normal(size=(4, 3, 3)).astype(np.float32),
        scores=np.array([0.2, 0.5, 0.499, 0.7, 1.0]),
        truth=np.array([False, True, True, False, True]),
        worst_pixels=rng.integers(0, 255, (2, 32, 32)).astype(np.uint8),
        worst_titles=("MASS 0.50", "NORMAL 0.70"),
    )


def test_tensorboard_reads_figures_and_pictures(tmp_path):
    log = EventLog(tmp_path)
    log.scalars(50, {"train/loss": 0.5, "train/recall": 0.25})
    log.scalars(100, {"train/loss": 0.375})
    log.view(100, make_view())
    log.close()
    found = read(tmp_path)
    assert [(one.step, one.value) for one in found.Scalars("train/loss")] == [
        (50, 0.5),
        (100, 0.375),
    ]
    assert found.Tags()["images"] == ["train/kernels", "validation/worst_tiles"]


def test_the_pr_curve_holds_the_counts_at_each_threshold(tmp_path):
    log = EventLog(tmp_path)
    log.view(7, make_view())
    log.close()
    found = read(tmp_path)
    assert found.SummaryMetadata("validation/pr_curve").plugin_data.plugin_name == "pr_curves"
    (event,) = found.Tensors("validation/pr_curve")
    table = np.array(event.tensor_proto.float_val).reshape(6, THRESHOLDS)
    # At one half, counted by hand: 0.5, 0.7 and 1.0 are called abnormal.
    half = THRESHOLDS // 2
    assert table[:4, half].tolist() == [2, 1, 1, 1]
    assert table[4:, half] == pytest.approx([2 / 3, 2 / 3])
    assert table[:4, 0].tolist() == [3, 2, 0, 0]


def test_steps_past_the_one_taken_up_again_are_dropped_by_tensorboard(tmp_path):
    log = EventLog(tmp_path, resumed_at=0)
    for step in (50, 100, 150):
        log.scalars(step, {"train/loss": 1.0})
    log.close()
    log = EventLog(tmp_path, resumed_at=100)
    log.scalars(150, {"train/loss": 2.0})
    log.close()
    points = [(one.step, one.value) for one in read(tmp_path).Scalars("train/loss")]
    assert points == [(50, 1.0), (100, 1.0), (150, 2.0)]


def test_an_epoch_without_kernels_scores_or_wrong_tiles_writes_none(tmp_path):
    log = EventLog(tmp_path)
    log.view(
        1,
        EpochView(
            kernels=np.empty((0, 3, 3), np.float32),
            scores=np.empty(0),
            truth=np.empty(0, bool),
            worst_pixels=np.empty((0, 8, 8), np.uint8),
            worst_titles=(),
        ),
    )
    log.close()
    assert len(list(read_records(next(tmp_path.iterdir())))) == 1


def test_scores_that_are_no_number_give_no_curve(tmp_path):
    log = EventLog(tmp_path)
    log.view(1, replace(make_view(), scores=np.array([0.2, np.nan, 0.4, 0.5, 0.6])))
    log.close()
    assert read(tmp_path).Tags()["tensors"] == []
    assert read(tmp_path).Tags()["images"] == ["train/kernels", "validation/worst_tiles"]


def test_a_full_disk_names_the_file_and_leaves_it_whole(tmp_path):
    log = EventLog(tmp_path)
    log.scalars(50, {"train/loss": 1.0})
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    log._stream = Full(log._stream)
    with pytest.raises(OSError, match="No space") as caught:
        log.scalars(100, {"train/loss": 2.0})
    log.close()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert path.read_bytes() == whole


class Full:
    """A file that takes half of a record and no more."""

    def __init__(self, stream):
        self.stream = stream
        self.taken = False

    def write(self, data):
        if self.taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.taken = True
        return self.stream.write(data[: len(data) // 2])

    def __getattr__(self, name):
        return getattr(self.stream, name)
