"""TensorBoard's event files: figures, pictures and PR curves, read without TensorFlow.

An event file is TFRecords of the message Event. Written by hand after the published descriptions
(tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto and tensor.proto, and
TensorBoard's plug-ins "scalars", "images" and "pr_curves")::

    Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
            SessionLog session_log = 7; }
    Summary { repeated Value value = 1; }
    Value { string tag = 1; float simple_value = 2; Image image = 4; TensorProto tensor = 8;
            SummaryMetadata metadata = 9; }
    Image { int32 height = 1; int32 width = 2; bytes encoded_image_string = 4; }
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.formats.protobuf import fields, message, whole_number
from mammoscope.formats.tf_tensor import read_tensor
from mammoscope.formats.tfrecord import Record, read_records

_VERSION = "brain.Event:"
_SESSION_STARTS = 1
_PR_ROWS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A figure over the steps of a run.

    Attributes
    ----------
    steps : (points,), int64, in the order of writing
    values : (points,), float64
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a step, encoded (PNG as a rule), with its size in pixels."""

    step: int
    encoded: bytes
    shape_px: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class PrCurve:
    """A PR curve of a step.

    Attributes
    ----------
    counts : (4, thresholds), float64; true and false positives, true and false negatives at
        thresholds that are even from 0 to 1
    precision, recall : (thresholds,), float64
    """

    step: int
    counts: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Events:
    """What event files hold, by tag, and what of them could not be read."""

    scalars: Mapping[str, Series]
    pictures: Mapping[str, tuple[Picture, ...]]
    pr_curves: Mapping[str, tuple[PrCurve, ...]]
    problems: tuple[str, ...]


def read_events(paths: Iterable[str | Path]) -> Events:
    """Read the event files of one run, in the given order.

    Where a run was taken up again, what an earlier start wrote of the same steps is dropped, as
    TensorBoard does. A file that was cut short, as that of a run that is still going may be, or
    that is damaged, gives what comes before; a sentence in `problems` says so.

    Raises
    ------
    MissingFileError
        When there is no such file.
    UnknownFormatError
        When a file is no event file.
    CorruptFileError
        When a file is damaged from its first record on.
    """
    found = _Found()
    for path in paths:
        _read_file(Path(path), found)
    return found.events()


def event_files(path: str | Path) -> list[Path]:
    """List the event files at a path: the file itself, or those of a folder in order of names.

    Raises
    ------
    MissingFileError
        When there is nothing at the path, or no event file in the folder.
    """
    place = Path(path)
    if place.is_dir():
        files = sorted(one for one in place.glob("*tfevents*") if one.is_file())
        if not files:
            raise MissingFileError(
                f"{place}: the folder holds no event file; give one whose files have tfevents in "
                "their names."
            )
        return files
    if not place.exists():
        raise MissingFileError(f"{place}: there is no such file; give an event file.")
    return [place]


@dataclass(slots=True)
class _Found:
    """What was read so far; each entry of a tag begins with its step."""

    scalars: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    pictures: dict[str, list[Picture]] = field(default_factory=dict)
    pr_curves: dict[str, list[PrCurve]] = field(default_factory=dict)
    plugins: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def drop_from(self, step: int) -> None:
        """Drop what is of `step` or later."""
        for points in self.scalars.values():
            points[:] = [one for one in points if one[0] < step]
        for pictures in self.pictures.values():
            pictures[:] = [one for one in pictures if one.step < step]
        for curves in self.pr_curves.values():
            curves[:] = [one for one in curves if one.step < step]

    def events(self) -> Events:
        """Give all of it in its final form; tags that nothing is left of are gone."""
        return Events(
            scalars={
                tag: Series(
                    np.array([step for step, _ in points], dtype=np.int64),
                    np.array([value for _, value in points], dtype=np.float64),
                )
                for tag, points in self.scalars.items()
                if points
            },
            pictures={tag: tuple(those) for tag, those in self.pictures.items() if those},
            pr_curves={tag: tuple(those) for tag, those in self.pr_curves.items() if those},
            problems=tuple(self.problems),
        )


def _read_file(path: Path, found: _Found) -> None:
    if path.is_file() and not path.stat().st_size:
        found.problems.append(f"{path}: the file is empty; the run may have just begun.")
        return
    number = -1
    try:
        for record in read_records(path):
            _event(path, record, found)
            number = record.number
    except CorruptFileError as error:
        if number < 0:
            raise
        found.problems.append(f"{error} What comes before was read.")


def _event(path: Path, record: Record, found: _Found) -> None:
    where = f"{path}: record {record.number} at byte {record.offset}"
    try:
        parts = dict(fields(record.data))
        step = whole_number(parts.get(2, 0))
        if record.number == 0 and not _text(parts.get(3)).startswith(_VERSION):
            raise ValueError(f"it does not begin with {_VERSION}")  # noqa: TRY301 as any other
        if 7 in parts and _is_start(message(parts[7])):
            found.drop_from(step)
        if 5 in parts:
            _summary(message(parts[5]), step, found, where)
    except (ValueError, struct.error) as error:
        if record.number == 0:
            raise UnknownFormatError(
                f"{path}: a TFRecord file whose first record is no event ({error}); give a file "
                "that has tfevents in its name."
            ) from error
        raise CorruptFileError(f"{where} is no event ({error}); get the file again.") from error


def _text(value: int | memoryview | None) -> str:
    return "" if value is None else bytes(message(value)).decode("utf-8")


def _is_start(session_log: memoryview) -> bool:
    return any(number == 1 and value == _SESSION_STARTS for number, value in fields(session_log))


def _summary(summary: memoryview, step: int, found: _Found, where: str) -> None:
    for number, value in fields(summary):
        if number == 1:
            parts = dict(fields(message(value)))
            tag = _text(parts.get(1))
            if 9 in parts:
                # Metadata may stand with a tag's first value only.
                found.plugins[tag] = _plugin(message(parts[9]))
            try:
                _keep(parts, tag, step, found)
            except (ValueError, struct.error) as error:
                found.problems.append(f"{where}: {tag} at step {step} was left out ({error}).")


def _plugin(metadata: memoryview) -> str:
    for number, value in fields(metadata):
        if number == 1:
            for inner, name in fields(message(value)):
                if inner == 1:
                    return _text(name)
    return ""


def _keep(parts: Mapping[int, int | memoryview], tag: str, step: int, found: _Found) -> None:
    """Keep a value as what it is; kinds that no page shows (histograms, audio) are passed by."""
    if 2 in parts:
        (number,) = struct.unpack("<f", message(parts[2]))
        found.scalars.setdefault(tag, []).append((step, number))
    elif 4 in parts:
        found.pictures.setdefault(tag, []).append(_picture(message(parts[4]), step))
    elif 8 in parts:
        _keep_tensor(message(parts[8]), tag, step, found)


def _keep_tensor(data: memoryview, tag: str, step: int, found: _Found) -> None:
    plugin, tensor = found.plugins.get(tag, ""), read_tensor(data)
    if isinstance(tensor, tuple):
        if plugin == "images":
            found.pictures.setdefault(tag, []).extend(_encoded(tensor, step))
    elif plugin == "pr_curves":
        found.pr_curves.setdefault(tag, []).append(_pr_curve(tensor, step))
    elif tensor.size == 1:
        found.scalars.setdefault(tag, []).append((step, float(tensor.reshape(()))))


def _picture(image: memoryview, step: int) -> Picture:
    parts = dict(fields(image))
    height, width = (whole_number(parts.get(number, 0)) for number in (1, 2))
    encoded = bytes(message(parts.get(4, memoryview(b""))))
    if not encoded:
        raise ValueError("a picture without content")
    return Picture(step, encoded, (height, width))


def _encoded(strings: tuple[bytes, ...], step: int) -> list[Picture]:
    """Pictures of the plug-in "images": width and height as text, then each picture."""
    if len(strings) < 3:
        raise ValueError("pictures without size or content")
    shape = (int(strings[1]), int(strings[0]))
    return [Picture(step, encoded, shape) for encoded in strings[2:]]


def _pr_curve(table: NDArray[np.float64], step: int) -> PrCurve:
    if table.ndim != 2 or len(table) != _PR_ROWS or table.shape[1] < 2:
        raise ValueError(f"a PR curve of shape {table.shape}, not (6, thresholds)")
    return PrCurve(step, table[:4], table[4], table[5])
