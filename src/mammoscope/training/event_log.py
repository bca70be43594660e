"""TensorBoard's event files, written record by record as the run goes.

Torch makes the summaries. Its own writer has a thread that prints a trace when the disk is full;
here a record is written when it is given, and what cannot be written whole is taken back.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mammoscope.core.errors import MissingDecoderError
from mammoscope.formats.tfrecord import FOOT, masked_crc32c
from mammoscope.training.epoch_view import EpochView, kernels_picture, worst_sheet

THRESHOLDS = 101
"""Of a PR curve: 0, 0.01 and so on to 1, so that 0.5 is one of them."""


class EventLog:
    """Writes one event file into a folder.

    Parameters
    ----------
    folder : made where it is missing
    resumed_at : steps that were done before; TensorBoard then drops what an earlier file of the
        folder holds of later steps. None for a log that drops nothing.
    """

    def __init__(self, folder: Path, resumed_at: int | None = None) -> None:
        try:
            from tensorboard.compat.proto import event_pb2  # heavy, training only
            from torch.utils.tensorboard import summary
        except ImportError as error:
            raise MissingDecoderError(
                "training writes TensorBoard events, and the package tensorboard is missing; "
                "install it with: pip install 'mammoscope[train]'"
            ) from error
        self._event: Any = event_pb2.Event
        self._summary: Any = summary
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads files in the order of their names; two may begin in one second.
        number = len(list(folder.glob("*tfevents*")))
        self._path = folder / f"events.out.tfevents.{int(time.time()):010d}.{number:05d}"
        self._stream = self._path.open("xb", buffering=0)
        self._write(0, file_version="brain.Event:2")
        if resumed_at is not None:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._write(resumed_at + 1, session_log=start)

    def close(self) -> None:
        """Close the file; nothing is held back, so nothing can be lost here."""
        self._stream.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers by tag."""
        for tag, value in values.items():
            self._write(step, summary=self._summary.scalar(tag, value))

    def view(self, step: int, view: EpochView) -> None:
        """Write kernels and worst tiles as pictures and the scores as a PR curve.

        What there is nothing of is left out, and so is the curve when a score is no number.
        """
        pictures = {
            "train/kernels": kernels_picture(view.kernels) if len(view.kernels) else None,
            "validation/worst_tiles": worst_sheet(view) if len(view.worst_titles) else None,
        }
        for tag, picture in pictures.items():
            if picture is not None:
                made = self._summary.image(tag, picture[..., None], dataformats="HWC")
                self._write(step, summary=made)
        # A curve without the tiles whose score is no number would show fewer tiles than there are.
        if len(view.scores) and np.isfinite(view.scores).all():
            curve = self._summary.pr_curve(
                "validation/pr_curve", view.truth, np.clip(view.scores, 0, 1), THRESHOLDS
            )
            self._write(step, summary=curve)

    def _write(self, step: int, **fields: Any) -> None:
        """Append an event as a record of a TFRecord file, whole or not at all."""
        data = self._event(wall_time=time.time(), step=step, **fields).SerializeToString()
        length = len(data).to_bytes(8, "little")
        record = length + FOOT.pack(masked_crc32c(length)) + data + FOOT.pack(masked_crc32c(data))
        begun, written = self._stream.tell(), 0
        try:
            while written < len(record):
                written += self._stream.write(record[written:])
        except OSError as error:
            os.ftruncate(self._stream.fileno(), begun)
            raise OSError(error.errno, error.strerror, str(self._path)) from error
