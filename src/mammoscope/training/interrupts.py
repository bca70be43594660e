"""Ctrl-C that waits for the end of a step."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """Notes Ctrl-C instead of breaking off in the middle of a step; the second one does break off.

    A context manager. Only where Ctrl-C would raise `KeyboardInterrupt` in this thread: a program
    round this one that has its own way keeps it.
    """

    def __init__(self) -> None:
        self.noted = False
        self._takes = False

    def __enter__(self) -> Self:
        is_main = threading.current_thread() is threading.main_thread()
        self._takes = is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._takes:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._takes:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.noted:
            signal.default_int_handler(number, frame)
        self.noted = True
