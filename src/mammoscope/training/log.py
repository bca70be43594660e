"""What a run writes down: TensorBoard events, a table of all figures, a row an epoch, alarms.

A run's folder then holds::

    tensorboard/     event files: figures, kernels, PR curve and worst tiles
    log.parquet      the figures again: step, epoch, group, name, value
    history.json     a row an epoch
    alarms.json      what was told of the run
    settings.json    what the run was asked to do
"""

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.files import write_atomic
from mammoscope.formats.one_line import one_line
from mammoscope.training.epoch_view import EpochView
from mammoscope.training.event_log import EventLog
from mammoscope.training.guard import Alarm

LOG_EVERY = 50
"""Steps between two logs of the figures of training."""
TABLE, HISTORY, ALARMS, SETTINGS = "log.parquet", "history.json", "alarms.json", "settings.json"
COLUMNS = {
    "step": pl.Int64(),
    "epoch": pl.Int32(),
    "group": pl.String(),
    "name": pl.String(),
    "value": pl.Float64(),
}


class RunLog:
    """Writes a run's figures into its folder; a context manager.

    A figure has one place, (step, group, name): when it is given again it replaces the old one, so
    that no step stands twice in the table after a run was taken up again.

    Parameters
    ----------
    folder : of the run; made where it is missing
    steps_per_epoch : gives figures their epoch, from 1; None leaves it out
    resumed_at : steps that are done already; what an earlier start logged of later steps is
        dropped. None keeps all of it.
    """

    def __init__(
        self, folder: Path, *, steps_per_epoch: int | None = None, resumed_at: int | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._steps_per_epoch = steps_per_epoch
        last = None if resumed_at is None else float(resumed_at)
        self._rows = {
            (step, group, name): (epoch, value)
            for step, epoch, group, name, value in _read_table(folder / TABLE)
            if last is None or step <= last
        }
        self._alarms = [
            row for row in read_alarms(folder / ALARMS) if last is None or row["step"] <= last
        ]
        self._events = EventLog(folder / "tensorboard", resumed_at)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._events.close()

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Write figures of a step; `group` is "train" or "validation"."""
        epoch = self._epoch_of(step)
        for name, value in values.items():
            self._rows[step, group, name] = (epoch, float(value))
        self._events.scalars(step, {f"{group}/{name}": value for name, value in values.items()})

    def epoch(self, step: int, view: EpochView | None) -> None:
        """Write what an epoch shows: kernels, PR curve and worst tiles; None writes nothing."""
        if view is not None:
            self._events.view(step, view)

    def alarms(self, step: int, alarms: Sequence[Alarm]) -> None:
        """Add the alarms of an epoch to ``alarms.json``; those that stand there go on standing."""
        self._alarms += [
            {
                "step": step,
                "epoch": self._epoch_of(step),
                "kind": alarm.kind,
                "sentence": alarm.sentence,
            }
            for alarm in alarms
        ]
        _write_json(self._folder / ALARMS, self._alarms)

    def settings(self, values: Mapping[str, Any]) -> None:
        """Write the run's settings to ``settings.json``, for whoever reads its page."""
        _write_json(self._folder / SETTINGS, dict(values))

    def history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write all epochs' rows so far to ``history.json``, and the table.

        What is not a finite number is null there, since JSON knows no other.
        """
        finite = [{k: v if math.isfinite(v) else None for k, v in row.items()} for row in rows]
        _write_json(self._folder / HISTORY, finite)
        self.save()

    def save(self) -> None:
        """Write the table of all figures so far to ``log.parquet``, whole or not at all.

        Raises
        ------
        OSError
            When the disk is full; the table written before stays.
        """
        rows = [
            (step, epoch, group, name, value)
            for (step, group, name), (epoch, value) in sorted(self._rows.items())
        ]
        stream = io.BytesIO()
        pl.DataFrame(rows, schema=COLUMNS, orient="row").write_parquet(stream)
        write_atomic(self._folder / TABLE, stream.getvalue())

    def _epoch_of(self, step: int) -> int | None:
        if self._steps_per_epoch is None:
            return None
        return max(0, step - 1) // self._steps_per_epoch + 1


def _read_table(path: Path) -> list[tuple[int, int | None, str, str, float]]:
    if not path.exists():
        return []
    try:
        return pl.read_parquet(path).select(list(COLUMNS)).rows()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CorruptFileError(
            f"{path}: the log of the run cannot be read ({one_line(error)}); remove it to go on "
            "without the figures logged so far."
        ) from error


def read_alarms(path: Path) -> list[dict[str, Any]]:
    """Read ``alarms.json``; empty where there is none.

    Raises
    ------
    CorruptFileError
        When it is damaged.
    """
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text("utf-8"))
        keys = ("step", "epoch", "kind", "sentence")
        return [{key: row[key] for key in keys} for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptFileError(
            f"{path}: the list of alarms cannot be read ({one_line(error)}); remove it to go on."
        ) from error


def _write_json(path: Path, content: Any) -> None:
    write_atomic(path, json.dumps(content, indent=1, default=str) + "\n")
