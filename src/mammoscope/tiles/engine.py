"""Cutting many scans: here, in processes of our own, or on a Dask cluster; a part file a scan.

A worker that dies takes one scan with it: that scan is tried again in a new worker, a few times.
"""

import errno
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mammoscope.core.crew import Lost, work_in_processes
from mammoscope.core.errors import MammoscopeError
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
    work = partial(carry_out, folder=folder)
    done = work_in_processes(portable_ones(jobs), work, workers, seconds=seconds, attempts=ATTEMPTS)
    for job, found in done:
        if not isinstance(found, Lost):
            yield found
            continue
        why = {
            "late": f"it could not be cut within {seconds:g} s",
            "ended": f"the process that cut it was ended {ATTEMPTS} times",
        }[found.how]
        yield Outcome(index=job.index, why=f"{job.scan.path}: {why}; is it damaged?")


def portable_ones(jobs: Jobs) -> Jobs:
    """Give the same jobs in a form that can be sent to another process."""

    def given() -> Job | None:
        job = jobs()
        return None if job is None else portable(job)

    return given


def portable(job: Job) -> Job:
    """Make a job that can be sent to another process: a read-only mapping cannot."""
    return replace(job, scan=replace(job.scan, facts=dict(job.scan.facts)))
