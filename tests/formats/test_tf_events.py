"""Event files against TensorBoard's own reader, the author's files, and damaged ones."""

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.util.tensor_util import make_tensor_proto
from torch.utils.tensorboard.writer import SummaryWriter

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.formats.tf_events import event_files, read_events
from mammoscope.formats.tfrecord import write_records

ALL = {"scalars": 0, "images": 0, "tensors": 0}
AUTHOR = (
    "pr_curves_demo_events.out.tfevents.1522848386.LISAANDERIC",
    "te_model_s0.0.02_events.out.tfevents.1521819005.LISAANDERIC",
    "tr_model_s0.0.02_events.out.tfevents.1521803794.LISAANDERIC",
)


@pytest.fixture
def author_events(shared_data):
    folder = shared_data.parent / "reference" / "author" / "tensorboard"
    if not folder.is_dir():
        pytest.skip(f"the author's event files are not here ({folder})")
    return folder


def accumulated(path):
    accumulator = EventAccumulator(str(path), size_guidance=ALL)
    accumulator.Reload()
    return accumulator


def event(step, **values):
    return event_pb2.Event(step=step, **values).SerializeToString()


def value(step, **parts):
    return event(step, summary=summary_pb2.Summary(value=[summary_pb2.Summary.Value(**parts)]))


FIRST = event_pb2.Event(file_version="brain.Event:2").SerializeToString()


def write(path, *events):
    write_records(path, [FIRST, *events])
    return path


@pytest.mark.real
@pytest.mark.parametrize("name", AUTHOR)
def test_the_authors_files_read_as_tensorboard_reads_them(author_events, name):
    path = author_events / name
    ours, theirs = read_events([path]), accumulated(path)
    assert ours.problems == ()
    tags = theirs.Tags()
    assert sorted(ours.scalars) == sorted(tags["scalars"])
    for tag in tags["scalars"]:
        points = theirs.Scalars(tag)
        assert ours.scalars[tag].steps.tolist() == [one.step for one in points]
        assert ours.scalars[tag].values.tolist() == [one.value for one in points]
    assert sorted(ours.pr_curves) == sorted(tags["tensors"])
    for tag in tags["tensors"]:
        for curve, theirs_of in zip(ours.pr_curves[tag], theirs.Tensors(tag), strict=True):
            content = theirs_of.tensor_proto.tensor_content
            values = theirs_of.tensor_proto.float_val or np.frombuffer(content, "<f4")
            table = np.array(values, dtype=np.float64).reshape(6, -1)
            assert curve.step == theirs_of.step
            assert (np.vstack([curve.counts, curve.precision, curve.recall]) == table).all()


def test_what_torch_writes_reads_as_tensorboard_reads_it(tmp_path):
    rng = np.random.default_rng(0)
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(0, 30, 10):
            writer.add_scalar("train/loss", rng.random(), step)
            writer.add_scalar("train/new", rng.random(), step, new_style=True)
            writer.add_image("kernels", rng.random((1, 8, 9)), step)
            writer.add_pr_curve("pr", rng.random(20) > 0.5, rng.random(20), step, 21)
            writer.add_histogram("weights", rng.normal(size=50), step)
    ours, theirs = read_events(event_files(tmp_path)), accumulated(tmp_path)
    assert ours.problems == ()
    for tag in ("train/loss",):
        assert ours.scalars[tag].values.tolist() == [one.value for one in theirs.Scalars(tag)]
    new = [one.tensor_proto.float_val[0] for one in theirs.Tensors("train/new")]
    assert ours.scalars["train/new"].values.tolist() == new
    for picture, one in zip(ours.pictures["kernels"], theirs.Images("kernels"), strict=True):
        assert (picture.step, picture.encoded) == (one.step, one.encoded_image_string)
        assert picture.shape_px == (8, 9)
        assert Image.open(io.BytesIO(picture.encoded)).size == (9, 8)
    assert [curve.counts.shape for curve in ours.pr_curves["pr"]] == [(4, 21)] * 3
    assert sorted(ours.scalars) == ["train/loss", "train/new"]


def test_pictures_of_the_newer_kind_are_read(tmp_path):
    metadata = summary_pb2.SummaryMetadata(
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="images")
    )
    strings = make_tensor_proto([b"9", b"8", b"one", b"two"])
    path = write(
        tmp_path / "tfevents",
        value(5, tag="kernels", tensor=strings, metadata=metadata),
        # Later values of a tag may come without metadata.
        value(6, tag="kernels", tensor=strings),
    )
    pictures = read_events([path]).pictures["kernels"]
    assert [(one.step, one.encoded, one.shape_px) for one in pictures] == [
        (5, b"one", (8, 9)),
        (5, b"two", (8, 9)),
        (6, b"one", (8, 9)),
        (6, b"two", (8, 9)),
    ]


def test_a_run_taken_up_again_drops_the_steps_it_does_again(tmp_path):
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    first = write(
        tmp_path / "1.tfevents", *(value(s, tag="loss", simple_value=1) for s in (1, 2, 3))
    )
    second = write(
        tmp_path / "2.tfevents",
        event(2, session_log=start),
        value(2, tag="loss", simple_value=5),
    )
    series = read_events([first, second]).scalars["loss"]
    assert series.steps.tolist() == [1, 2]
    assert series.values.tolist() == [1, 5]


def test_a_file_that_was_cut_short_gives_what_is_whole(tmp_path):
    path = write(
        tmp_path / "tfevents", *(value(s, tag="loss", simple_value=s) for s in range(1, 9))
    )
    whole = path.read_bytes()
    for cut in range(len(FIRST) + 17, len(whole)):
        path.write_bytes(whole[:cut])
        events = read_events([path])
        steps = events.scalars["loss"].steps.tolist() if events.scalars else []
        assert steps == list(range(1, len(steps) + 1))
        assert len(events.problems) == (0 if _ends_a_record(whole, cut) else 1)
        assert all("What comes before was read." in one for one in events.problems)


def _ends_a_record(whole, cut):
    end = 0
    while end < cut:
        end += 16 + int.from_bytes(whole[end : end + 8], "little")
    return end == cut


@given(place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_a_changed_byte_never_changes_a_figure(tmp_path_factory, place, change):
    path = tmp_path_factory.mktemp("log") / "tfevents"
    data = bytearray(write(path, *(value(s, tag="a", simple_value=s) for s in (1, 2))).read_bytes())
    data[place % len(data)] ^= change
    path.write_bytes(data)
    with suppress(CorruptFileError):
        events = read_events([path])
        assert events.problems
        values = events.scalars["a"].values.tolist() if events.scalars else []
        assert values == [1, 2][: len(values)]


@given(st.data())
def test_any_bytes_in_a_sound_record_give_figures_or_an_error_of_ours(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("log") / "tfevents"
    sound = bytearray(value(5, tag="pr", tensor=make_tensor_proto(np.ones((6, 3), np.float32))))
    for _ in range(data.draw(st.integers(1, 4))):
        sound[data.draw(st.integers(0, len(sound) - 1))] = data.draw(st.integers(0, 255))
    write(path, bytes(sound), value(9, tag="after", simple_value=1))
    events = read_events([path])
    assert "after" in events.scalars or "is no event" in events.problems[-1]


def test_a_value_that_makes_no_sense_is_left_out_and_named(tmp_path):
    metadata = summary_pb2.SummaryMetadata(
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="pr_curves")
    )
    wrong = make_tensor_proto(np.zeros((5, 7), np.float32))
    path = write(
        tmp_path / "tfevents",
        value(3, tag="pr", tensor=wrong, metadata=metadata),
        value(4, tag="picture", image=summary_pb2.Summary.Image(height=2, width=2)),
        value(5, tag="loss", simple_value=1),
    )
    events = read_events([path])
    assert events.scalars["loss"].steps.tolist() == [5]
    assert events.pr_curves == {}
    assert events.pictures == {}
    assert [("pr at step 3" in a, "picture at step 4" in a) for a in events.problems] == [
        (True, False),
        (False, True),
    ]


def test_an_empty_file_is_told_of(tmp_path):
    path = tmp_path / "tfevents"
    path.touch()
    events = read_events([path])
    assert events.scalars == {}
    assert "the file is empty" in events.problems[0]


def test_other_files_are_refused(tmp_path):
    text = tmp_path / "text.tfevents"
    text.write_text("not a record in sight, and long enough for a head")
    with pytest.raises(CorruptFileError, match="no TFRecord file"):
        read_events([text])
    records = tmp_path / "records.tfevents"
    for content in (b"\x1a\x03abc", b"\xff\xff"):
        write_records(records, [content])
        with pytest.raises(UnknownFormatError, match="first record is no event"):
            read_events([records])
    write_records(records, [FIRST, b"\xff\xff"])
    assert "record 1" in read_events([records]).problems[0]


def test_the_files_of_a_folder_come_in_order_of_their_names(tmp_path):
    for name in ("events.out.tfevents.2.b", "events.out.tfevents.1.a", "notes.txt"):
        (tmp_path / name).touch()
    names = [path.name for path in event_files(tmp_path)]
    assert names == ["events.out.tfevents.1.a", "events.out.tfevents.2.b"]
    assert event_files(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_a_place_without_event_files_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="holds no event file"):
        event_files(tmp_path)
    with pytest.raises(MissingFileError, match="no such file"):
        event_files(tmp_path / "nothing")
