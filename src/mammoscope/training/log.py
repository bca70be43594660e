"""What a run writes down: TensorBoard events and one JSON row an epoch."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mammoscope.core.errors import MissingDecoderError
from mammoscope.formats.files import write_atomic


class RunLog:
    """Writes a run's figures into its folder; a context manager."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter  # heavy, training only
        except ImportError as error:
            raise MissingDecoderError(
                "training writes TensorBoard events, and the package tensorboard is missing; "
                "install it with: pip install 'mammoscope[train]'"
            ) from error
        self._folder = folder
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Write figures of a step; `group` is "train" or "validation"."""
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)

    def history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write all epochs' rows so far to ``history.json``."""
        write_atomic(self._folder / "history.json", json.dumps(list(rows), indent=1) + "\n")
