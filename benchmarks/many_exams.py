"""Whether an exam is lost, or read twice, while workers are killed at random.

Usage: python benchmarks/many_exams.py [--kills 100] [--exams 420] [--roads processes cluster]

Makes small exams (one scan each, drawn from noise in the shape of a breast), reads each of them
once undisturbed in this process, and then, for each road, on two workers that are killed by the
system (SIGKILL) in the middle of an exam: after every 1 to 6 finished exams, by a seeded draw, one
of the workers that are reading. "processes" are the program's own, "cluster" is a Dask cluster of
two processes on this machine (extra `cluster`). A road begins with a run that is given up after a
third of the exams, and goes on with a second one, which must not read these again.

Prints, as JSON: kills, exams, how many were lost (neither read nor named), named as unreadable,
read by both runs or given out twice by one, kept from the first run, and whose findings differ from
those of the undisturbed reading; and the seconds it took.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mammoscope.read.exam import find_exams
from mammoscope.read.many import Crew, ToRead, read_many
from mammoscope.report.page import write_report

ROWS, COLUMNS, SPACING_UM = 480, 304, 400.0
LEAST_APART, MOST_APART = 1, 6
WORKERS = 2
LOADED_MIB = 300.0
Pids = Callable[[], list[int]]


def make_exams(folder: Path, count: int) -> None:
    """Write exams of one scan: a half ellipse of noise, another for each."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    inside = ((row - ROWS / 2) / (0.42 * ROWS)) ** 2 + (column / (0.7 * COLUMNS)) ** 2 < 1
    for number in range(count):
        rng = np.random.default_rng(number)
        noise = rng.normal(110, 40, (ROWS // 8, COLUMNS // 8)).repeat(8, 0).repeat(8, 1)
        image = np.where(inside, noise.clip(30, 250), 2).astype(np.uint8)
        place = folder / f"exam-{number:04d}"
        place.mkdir()
        Image.fromarray(image).save(place / "L_CC.png")


def told(findings: Any) -> str:
    """Return what must be the same however an exam was read."""
    return json.dumps([findings["scans"], findings["exam"]], sort_keys=True)


class Killer:
    """Kills one of the workers that are reading, some exams after the last."""

    def __init__(self, pids: Pids, kills: int) -> None:
        self._pids, self._left = pids, kills
        self._random = random.Random(0)  # noqa: S311 no secret
        self._wait = 1
        self.kills = 0

    def exam_finished(self) -> None:
        """Count an exam, and kill when it is time."""
        self._wait -= 1
        if self._wait > 0 or self._left == 0:
            return
        self._wait = self._random.randint(LEAST_APART, MOST_APART)
        self._left -= 1
        delay = self._random.uniform(0, 0.3)
        threading.Timer(delay, self._kill).start()

    def _kill(self) -> None:
        # Workers that are just being started are waited for.
        for _ in range(600):
            pids = self._pids()
            if pids:
                os.kill(self._random.choice(pids), signal.SIGKILL)
                self.kills += 1
                return
            time.sleep(0.05)


def own_pids() -> list[int]:
    """List the processes of the program's own that have begun to read: they hold the model."""
    pids = [child.pid for child in multiprocessing.active_children() if child.pid]
    return [pid for pid in pids if memory_mib(pid) > LOADED_MIB]


def memory_mib(pid: int) -> float:
    """Return the memory that a process holds; 0 where it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


@contextmanager
def dask_cluster() -> Iterator[tuple[str, Pids]]:
    """Start a cluster on this machine; gives its address and those of its workers that read."""
    import dask
    from distributed import LocalCluster

    # A cluster of this kind, for trying things out, else gives up a worker that comes back under
    # another port, which is what its keeper does with one that was killed.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "10h"}),
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made,  # type: ignore[no-untyped-call] # Dask has no types
    ):

        def pids() -> list[int]:
            busy = {w.address for w in list(made.scheduler.workers.values()) if w.processing}
            return [
                n.pid for n in list(made.workers.values()) if n.pid and n.worker_address in busy
            ]

        yield made.scheduler_address, pids


def disturbed(
    to_read: list[ToRead], out: Path, crew: Crew, killer: Killer, expected: dict[str, str]
) -> dict[str, Any]:
    """Read in two runs, the first of which is given up, and count what went wrong."""
    began = time.perf_counter()
    given: Counter[str] = Counter()
    told_of: set[str] = set()
    kept = named = differ = 0
    for part in (len(to_read) // 3, None):
        run = read_many(to_read, out, "default", write_report, crew)
        for number, one in enumerate(run, start=1):
            kept += one.kept
            told_of.add(one.exam.exam_id)
            if not one.kept:
                given[one.exam.exam_id] += one.findings is not None
                killer.exam_finished()
            named += one.findings is None
            if one.findings is not None and told(one.findings) != expected[one.exam.exam_id]:
                differ += 1
            if number == part:
                break
        run.close()  # type: ignore[attr-defined] # a generator
    return {
        "kills": killer.kills,
        "exams": len(to_read),
        "lost": len({exam.exam_id for exam, _ in to_read} - told_of),
        "named_unreadable": named,
        "read_twice": sum(count > 1 for count in given.values()),
        "kept_from_the_first_run": kept,
        "findings_differ": differ,
        "seconds": round(time.perf_counter() - began),
    }


def measure(road: str, exams: int, kills: int) -> dict[str, Any]:
    """Make exams, read them undisturbed, and then by a road whose workers are killed."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "scans").mkdir()
        make_exams(place / "scans", exams)
        found, _ = find_exams([place / "scans"], spacing_um=SPACING_UM)
        found = [replace(exam, anyway=True) for exam in found]
        calm = [(exam, place / "calm" / exam.exam_id) for exam in found]
        undisturbed = read_many(calm, place / "calm", "default", write_report, Crew(workers=1))
        expected = {one.exam.exam_id: told(one.findings) for one in undisturbed}
        to_read = [(exam, place / road / exam.exam_id) for exam in found]
        out = place / road
        if road == "processes":
            crew, killer = Crew(workers=WORKERS), Killer(own_pids, kills)
            return disturbed(to_read, out, crew, killer, expected)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with dask_cluster() as (address, pids):
                killer = Killer(pids, kills)
                return disturbed(to_read, out, Crew(cluster=address), killer, expected)


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--exams", type=int, default=420)
    parser.add_argument("--roads", nargs="+", default=["processes", "cluster"])
    given = parser.parse_args()
    torch.set_num_threads(1)
    for road in given.roads:
        print(json.dumps({road: measure(road, given.exams, given.kills)}, indent=1), flush=True)


if __name__ == "__main__":
    main()
