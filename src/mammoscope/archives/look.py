"""Looking into the files of many scans at once, in processes that can be killed.

A damaged file can make a foreign decoder hang or crash. Each scan is therefore looked into by a
worker process, one at a time; a worker that takes too long or dies is replaced, and the scan gets a
problem of its own.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from mammoscope.core.processes import without_main
from mammoscope.core.records import Problem, Scan

SECONDS = 120.0
"""How long one scan may take; the largest film of DDSM takes about two."""
FEW = 16
"""So few scans are looked into by one worker: starting another would take longer than the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen in the files of one scan.

    Attributes
    ----------
    problems : what is wrong with them
    digest : of the scan's pixels; two scans of one digest are one picture. None where unknown
    """

    problems: tuple[Problem, ...] = ()
    digest: str | None = None


LookAt = Callable[[Scan], Look]


def look_into(
    scans: Sequence[Scan],
    look: LookAt,
    *,
    workers: int | None = None,
    seconds: float = SECONDS,
    on_done: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Scan, Look]]:
    """Look into scans in worker processes.

    Parameters
    ----------
    scans : records
    look : a function of a module, since it is sent to other processes
    workers : how many processes; None: one a core
    seconds : how long one scan may take before its worker is killed
    on_done : called with (scans done, scans in all)

    Yields
    ------
    Each scan with what was seen, in the order in which the scans are given.
    """
    if not scans:
        return
    count = workers or (1 if len(scans) <= FEW else os.cpu_count() or 1)
    crew = [_Worker(look) for _ in range(min(count, len(scans)))]
    waiting: dict[int, Look] = {}
    sent = told = 0
    try:
        while told < len(scans):
            # A slow scan holds the others' answers back: they are kept, but not without end.
            most = min(len(scans), told + 64 * len(crew))
            for worker in crew:
                if worker.index is None and sent < most:
                    worker.send(sent, scans[sent])
                    sent += 1
            for worker in _answering(crew, seconds):
                index, seen = worker.receive(seconds)
                waiting[index] = seen
            while told in waiting:
                yield scans[told], waiting.pop(told)
                told += 1
                if on_done is not None:
                    on_done(told, len(scans))
    finally:
        for worker in crew:
            worker.stop()


class _Worker:
    """One process and the scan that it was given."""

    def __init__(self, look: LookAt) -> None:
        self._look = look
        self.index: int | None = None
        self.since = 0.0
        self._scan: Scan | None = None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.line: Connection = ours
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, self._look), daemon=True
        )
        with without_main():
            self._process.start()
        theirs.close()

    def send(self, index: int, scan: Scan) -> None:
        self.index, self._scan, self.since = index, scan, time.monotonic()
        try:
            # A read-only mapping cannot be sent to another process.
            self.line.send(replace(scan, facts=dict(scan.facts)))
        except OSError:
            # The process died while it had nothing to do; its line says so when it is read.
            return

    def is_late(self, seconds: float) -> bool:
        return self.index is not None and time.monotonic() - self.since > seconds

    def receive(self, seconds: float) -> tuple[int, Look]:
        """Return the answer; a worker that hangs or died is replaced and answers for itself."""
        index, scan = self.index, self._scan
        if index is None or scan is None:
            raise RuntimeError("a worker without a scan was asked for its answer")
        self.index = None
        late = f"it could not be decoded within {seconds:g} s"
        try:
            if self.line.poll():
                seen: Look = self.line.recv()
                return index, seen
            what = late
        except (EOFError, OSError):
            what = "the decoder crashed on it"
        self.stop()
        self._start()
        problem = Problem(where=str(scan.path), what=what, remedy="get it again: it is damaged")
        return index, Look(problems=(problem,))

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self.line.close()


def _answering(crew: Sequence[_Worker], seconds: float) -> list[_Worker]:
    """Wait until a worker has answered, died, or is late."""
    busy = [worker for worker in crew if worker.index is not None]
    left = min(worker.since for worker in busy) + seconds - time.monotonic()
    # A little over the limit, so that whoever is late is seen to be.
    ready = wait([worker.line for worker in busy], timeout=max(left, 0.0) + 0.05)
    return [worker for worker in busy if worker.line in ready or worker.is_late(seconds)]


def _serve(line: Connection, look: LookAt) -> None:
    """Answer one scan after the other until the line is closed."""
    while True:
        try:
            scan = line.recv()
        except EOFError:
            return
        try:
            seen = look(scan)
        except OSError as error:
            seen = Look(problems=(_unopened(scan, error),))
        line.send(seen)


def _unopened(scan: Scan, error: OSError) -> Problem:
    return Problem(
        where=str(error.filename or scan.path),
        what=f"it cannot be opened ({error.strerror or error})",
        remedy="change its permissions, or get it again",
    )
