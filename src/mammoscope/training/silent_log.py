"""The log of a process that is not the first of its run: it takes everything and keeps nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mammoscope.training.epoch_view import EpochView
from mammoscope.training.guard import Alarm
from mammoscope.training.log import RunLog


class SilentLog(RunLog):
    """Takes what `RunLog` takes; a run's folder has one writer."""

    def __init__(
        self, folder: Path, *, steps_per_epoch: int | None = None, resumed_at: int | None = None
    ) -> None:
        """Open nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is open."""

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Keep nothing."""

    def epoch(self, step: int, view: EpochView | None) -> None:
        """Keep nothing."""

    def alarms(self, step: int, alarms: Sequence[Alarm]) -> None:
        """Keep nothing."""

    def settings(self, values: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Keep nothing."""

    def save(self) -> None:
        """Keep nothing."""
