"""Cutting scans on a running Dask cluster; the parts come back and are written here.

The workers need to see the archive's files under the same paths; they need no place to write.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from mammoscope.core.errors import BadValueError, MissingDecoderError
from mammoscope.tiles.engine import Jobs, Outcome, pack, portable, write_part
from mammoscope.tiles.parts import Job

SECONDS_TO_CONNECT = 10
AHEAD = 2
"""Scans that wait at each thread of the cluster, so that none is idle while parts travel."""


def cut_on_cluster(jobs: Jobs, folder: Path, address: str) -> Iterator[Outcome]:
    """Cut scans on the workers of a Dask cluster.

    Parameters
    ----------
    jobs : asked for one scan after the other, each time a worker is free
    folder : where the parts go, on this machine
    address : of the scheduler, e.g. "tcp://10.0.0.1:8786"

    Yields
    ------
    Outcome
        In the order in which they come. A scan whose workers die is tried again by the cluster.

    Raises
    ------
    MissingDecoderError
        When Dask is not installed.
    BadValueError
        When no scheduler answers, or it has no workers.
    """
    with _connected(address) as client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise BadValueError(
                f"{address}: the Dask cluster has no workers; start some with `dask worker`."
            )
        waiting: dict[Any, Job] = {}
        ready = import_module("distributed").as_completed(loop=client.loop)
        while True:
            while len(waiting) < AHEAD * threads and (job := jobs()) is not None:
                # Impure: two builds of one set are two pieces of work.
                future = client.submit(pack, portable(job), pure=False)
                waiting[future] = job
                ready.add(future)
            if not waiting:
                return
            done = next(ready)
            yield _collected(done, waiting.pop(done), folder)


def _connected(address: str) -> Any:
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise MissingDecoderError(
            "Cutting on a cluster needs Dask; install it with: pip install 'mammoscope[cluster]'"
        ) from error
    try:
        return distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadValueError(
            f"{address}: no Dask scheduler answers there; start one with `dask scheduler`, or "
            "leave the cluster out."
        ) from error


def _collected(future: Any, job: Job, folder: Path) -> Outcome:
    killed = import_module("distributed").KilledWorker
    try:
        packed = future.result()
    except killed:
        why = f"{job.scan.path}: every worker that cut it was ended; is it damaged?"
        return Outcome(index=job.index, why=why)
    return packed if isinstance(packed, Outcome) else write_part(folder, job.index, packed)
