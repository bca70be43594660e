"""Cutting scans on a running Dask cluster; the parts come back and are written here.

The workers need to see the archive's files under the same paths; they need no place to write.
"""

from collections.abc import Iterator
from pathlib import Path

from mammoscope.core.cluster import work_on_cluster
from mammoscope.core.crew import Lost
from mammoscope.tiles.engine import Jobs, Outcome, pack, portable_ones, write_part

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
    done = work_on_cluster(
        portable_ones(jobs), pack, address, ahead=AHEAD, seconds_to_connect=SECONDS_TO_CONNECT
    )
    for job, found in done:
        if isinstance(found, Lost):
            why = f"{job.scan.path}: every worker that cut it was ended; is it damaged?"
            yield Outcome(index=job.index, why=why)
        else:
            yield found if isinstance(found, Outcome) else write_part(folder, job.index, found)
