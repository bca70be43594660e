"""Cutting many scans: here, in processes of our own, or on a Dask cluster; a part file a scan.

A worker that dies takes one scan with it: that scan is tried again in a new worker, a few times.
"""

import errno
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from mammoscope.core.errors import MammoscopeError
from mammoscope.core.processes import without_main
from mammoscope.formats.files import write_atomic
from mammoscope.tiles.parts import Job, make_part

ATTEMPTS = 3
"""How often a scan is tried whose worker dies; the third death is no accident."""
SECONDS = 600.0
"""How long one scan may take; the largest film takes about five."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one scan.

    Attributes
    ----------
    why : why it could not be read; None where its part was written
    disk : the system's number of an error of the disk that the part was written to
    bug : the trace of an error of ours
    """

    index: int
    why: str | None = None
    disk: int | None = None
    bug: str | None = None


Jobs = Callable[[], Job | None]
"""Gives the next scan to cut, None where there is none now."""


def part_path(folder: Path, index: int) -> Path:
    """Where the part of a scan lies."""
    return folder / f"{index:07d}.part"


def pack(job: Job) -> bytes | Outcome:
    """Make a part; what is wrong with the scan becomes words."""
    try:
        return make_part(job)
    except (MammoscopeError, OSError) as error:
        # A file on a failing disk can be opened, and raises only when it is read.
        return Outcome(index=job.index, why=str(error))
    except MemoryError:
        why = f"{job.scan.path}: it does not fit into memory; give fewer workers."
        return Outcome(index=job.index, why=why)
    except Exception:  # noqa: BLE001 shown with its trace by whoever started us
        return Outcome(index=job.index, bug=traceback.format_exc())


def carry_out(job: Job, folder: Path) -> Outcome:
    """Cut one scan and write its part."""
    packed = pack(job)
    return packed if isinstance(packed, Outcome) else write_part(folder, job.index, packed)


def write_part(folder: Path, index: int, packed: bytes) -> Outcome:
    """Write a part; an error of the disk becomes its number."""
    try:
        write_atomic(part_path(folder, index), packed)
    except OSError as error:
        return Outcome(index=index, disk=error.errno or errno.EIO)
    return Outcome(index=index)


def cut_here(jobs: Jobs, folder: Path) -> Iterator[Outcome]:
    """Cut scans one after the other in this process."""
    while (job := jobs()) is not None:
        yield carry_out(job, folder)


def cut_in_processes(
    jobs: Jobs, folder: Path, workers: int, *, seconds: float = SECONDS
) -> Iterator[Outcome]:
    """Cut scans in processes.

    Parameters
    ----------
    jobs : asked for one scan after the other, each time a worker is free
    folder : where the parts go
    workers : how many processes
    seconds : how long one scan may take before its worker is killed

    Yields
    ------
    Outcome
        In the order in which they come.
    """
    crew: list[_Worker] = []
    try:
        while True:
            for worker in crew:
                if worker.job is None and (job := jobs()) is not None:
                    worker.send(job)
            # No more processes are started than there are scans.
            while len(crew) < workers and (job := jobs()) is not None:
                crew.append(_Worker(folder))
                crew[-1].send(job)
            if all(worker.job is None for worker in crew):
                return
            for worker in _answering(crew, seconds):
                outcome = worker.receive(seconds)
                if outcome is not None:
                    yield outcome
    finally:
        for worker in crew:
            worker.stop()


class _Worker:
    """One process and the scan that it was given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.job: Job | None = None
        self.since = 0.0
        self._attempts = 0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.line: Connection = ours
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, self._folder), daemon=True
        )
        with without_main():
            self._process.start()
        theirs.close()

    def send(self, job: Job) -> None:
        self.job, self._attempts = job, 0
        self._send()

    def _send(self) -> None:
        self.since = time.monotonic()
        self._attempts += 1
        if self.job is None:
            raise RuntimeError("a worker without a scan was told to begin")
        try:
            self.line.send(portable(self.job))
        except OSError:
            # The process died while it had nothing to do; its line says so when it is read.
            return

    def is_late(self, seconds: float) -> bool:
        return self.job is not None and time.monotonic() - self.since > seconds

    def receive(self, seconds: float) -> Outcome | None:
        """Return the answer; None where the worker died and a new one tries again."""
        job = self.job
        if job is None:
            raise RuntimeError("a worker without a scan was asked for its answer")
        try:
            if self.line.poll():
                outcome: Outcome = self.line.recv()
                self.job = None
                return outcome
            why = f"it could not be cut within {seconds:g} s"
        except (EOFError, OSError):
            why = f"the process that cut it was ended {ATTEMPTS} times"
        late = self.is_late(seconds)
        self.stop()
        self._start()
        if not late and self._attempts < ATTEMPTS:
            self._send()
            return None
        self.job = None
        return Outcome(index=job.index, why=f"{job.scan.path}: {why}; is it damaged?")

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self.line.close()


def portable(job: Job) -> Job:
    """Make a job that can be sent to another process: a read-only mapping cannot."""
    return replace(job, scan=replace(job.scan, facts=dict(job.scan.facts)))


def _answering(crew: Sequence[_Worker], seconds: float) -> list[_Worker]:
    """Wait until a worker has answered, died, or is late."""
    busy = [worker for worker in crew if worker.job is not None]
    left = min(worker.since for worker in busy) + seconds - time.monotonic()
    # A little over the limit, so that whoever is late is seen to be.
    ready = wait([worker.line for worker in busy], timeout=max(left, 0.0) + 0.05)
    return [worker for worker in busy if worker.line in ready or worker.is_late(seconds)]


def _serve(line: Connection, folder: Path) -> None:
    """Cut scans until the line is closed, as it also is when the builder is killed."""
    # Ctrl-C reaches the builder too, who ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            line.send(carry_out(line.recv(), folder))
