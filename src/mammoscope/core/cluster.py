"""Work shared out to a running Dask cluster; what comes of it travels back.

Dask is asked for only when it is used; it is no package that mammoscope needs.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, TypeVar

from mammoscope.core.crew import Lost
from mammoscope.core.errors import BadValueError, MissingDecoderError

J = TypeVar("J")
R = TypeVar("R")
SECONDS_TO_CONNECT = 10.0


def work_on_cluster(
    jobs: Callable[[], J | None],
    work: Callable[[J], R],
    address: str,
    *,
    ahead: int,
    seconds_to_connect: float = SECONDS_TO_CONNECT,
) -> Iterator[tuple[J, R | Lost]]:
    """Do pieces of work on the workers of a Dask cluster.

    Parameters
    ----------
    jobs : gives the next piece each time one is free, None where there is none now
    work : a function of a module that the workers have, too; it raises nothing
    address : of the scheduler, e.g. "tcp://10.0.0.1:8786"
    ahead : pieces given out for each thread of the cluster; with 2 none is idle while answers
        travel, but a worker that dies counts against both
    seconds_to_connect : how long the scheduler is waited for

    Yields
    ------
    Each piece with what came of it, once, in the order in which they are finished. A piece whose
    worker dies is given to another by the cluster, as often as its scheduler allows (3 times).

    Raises
    ------
    MissingDecoderError
        When Dask is not installed.
    BadValueError
        When no scheduler answers, or it has no workers.
    """
    with _connected(address, seconds_to_connect) as client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise BadValueError(
                f"{address}: the Dask cluster has no workers; start some with `dask worker`."
            )
        killed = import_module("distributed").KilledWorker
        waiting: dict[Any, J] = {}
        ready = import_module("distributed").as_completed(loop=client.loop)
        while True:
            while len(waiting) < ahead * threads and (job := jobs()) is not None:
                # Impure: the same work asked for twice is two pieces of work.
                future = client.submit(work, job, pure=False)
                waiting[future] = job
                ready.add(future)
            if not waiting:
                return
            done = next(ready)
            job = waiting.pop(done)
            try:
                found: R | Lost = done.result()
            except killed:
                found = Lost("ended")
            yield job, found


def _connected(address: str, seconds: float) -> Any:
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise MissingDecoderError(
            "Working on a cluster needs Dask; install it with: pip install 'mammoscope[cluster]'"
        ) from error
    try:
        return distributed.Client(address, timeout=seconds, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadValueError(
            f"{address}: no Dask scheduler answers there; start one with `dask scheduler`, or "
            "leave the cluster out."
        ) from error
