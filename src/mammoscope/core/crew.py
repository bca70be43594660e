"""Work shared out to processes of our own, a piece at a time.

A process that dies takes one piece of work with it: that piece is tried again in a new process, a
few times.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, Literal, TypeVar

from mammoscope.core.processes import without_main

J = TypeVar("J")
"""A piece of work: a record that can be sent to another process."""
R = TypeVar("R")
"""What comes of it, which can be sent back."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing came of a piece of work: its processes were "ended" again and again, or it is "late".

    A late piece is not tried again: it would be late once more.
    """

    how: Literal["ended", "late"]


def work_in_processes(
    jobs: Callable[[], J | None],
    work: Callable[[J], R],
    workers: int,
    *,
    seconds: float,
    attempts: int,
) -> Iterator[tuple[J, R | Lost]]:
    """Do pieces of work in processes.

    Parameters
    ----------
    jobs : gives the next piece each time a process is free, None where there is none now
    work : a function of a module, since it is sent to the processes; it raises nothing
    workers : how many processes
    seconds : how long one piece may take before its process is killed
    attempts : how often a piece is begun whose process dies

    Yields
    ------
    Each piece with what came of it, once, in the order in which they are finished.
    """
    crew: list[_Worker[J, R]] = []
    try:
        while True:
            for worker in crew:
                if worker.job is None and (job := jobs()) is not None:
                    worker.send(job)
            # No more processes are started than there are pieces of work.
            while len(crew) < workers and (job := jobs()) is not None:
                crew.append(_Worker(work, attempts))
                crew[-1].send(job)
            if all(worker.job is None for worker in crew):
                return
            for worker in _answering(crew, seconds):
                finished = worker.receive(seconds)
                if finished is not None:
                    yield finished
    finally:
        for worker in crew:
            worker.stop()


class _Worker(Generic[J, R]):
    """One process and the piece of work that it was given."""

    def __init__(self, work: Callable[[J], R], attempts: int) -> None:
        self._work, self._most = work, attempts
        self.job: J | None = None
        self.since = 0.0
        self._attempts = 0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.line: Connection = ours
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, self._work), daemon=True
        )
        with without_main():
            self._process.start()
        theirs.close()

    def send(self, job: J) -> None:
        self.job, self._attempts = job, 0
        self._send()

    def _send(self) -> None:
        self.since = time.monotonic()
        self._attempts += 1
        try:
            self.line.send(self.job)
        except OSError:
            # The process died while it had nothing to do; its line says so when it is read.
            return

    def is_late(self, seconds: float) -> bool:
        return self.job is not None and time.monotonic() - self.since > seconds

    def receive(self, seconds: float) -> tuple[J, R | Lost] | None:
        """Return what came; None where the process died and a new one tries again."""
        job = self.job
        if job is None:
            raise RuntimeError("a process without work was asked for its answer")
        try:
            if self.line.poll():
                found: R = self.line.recv()
                self.job = None
                return job, found
        except (EOFError, OSError):
            pass
        late = self.is_late(seconds)
        self.stop()
        self._start()
        if not late and self._attempts < self._most:
            self._send()
            return None
        self.job = None
        return job, Lost("late" if late else "ended")

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self.line.close()


def _answering(crew: Sequence[_Worker[J, R]], seconds: float) -> list[_Worker[J, R]]:
    """Wait until a worker has answered, died, or is late."""
    busy = [worker for worker in crew if worker.job is not None]
    left = min(worker.since for worker in busy) + seconds - time.monotonic()
    # A little over the limit, so that whoever is late is seen to be.
    ready = wait([worker.line for worker in busy], timeout=max(left, 0.0) + 0.05)
    return [worker for worker in busy if worker.line in ready or worker.is_late(seconds)]


def _serve(line: Connection, work: Callable[[Any], Any]) -> None:
    """Work until the line is closed, as it also is when the process at its other end is killed."""
    # Ctrl-C reaches that one too, which ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            line.send(work(line.recv()))
