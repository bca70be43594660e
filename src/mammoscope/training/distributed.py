"""Several processes, on one machine or many, that train one network together.

Each takes its share of every batch; gradients, batch norm and figures are those of the whole batch.
What is said between them besides goes through a small store that the first process or the launcher
keeps: so the others may wait for hours while the first one cuts tiles or validates.
"""

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from mammoscope.core.errors import BadValueError, TrainingError
from mammoscope.training.launch import OtherProcessError, Place, place_of
from mammoscope.training.synced_norm import sync_norms

JOIN_S = 300
"""How long processes wait for each other at the start."""
STEP_S = 1800
"""How long one may be late at a step before the others give up."""
LEAVE_S = 60
LOOK_S = 0.02
AGREE_EVERY = 10
"""Steps between questions whether Ctrl-C was pressed in any process."""
_KEPT: list[dist.ProcessGroup] = []
"""Groups that were left. A group must not die with what averages gradients: that holds Python's
lock while it waits for the group's threads, which may wait for that lock (PyTorch 2.13)."""


class Team:
    """The processes that train one network; this one is number `rank` of `size`.

    Every process must call the same methods in the same order.

    Parameters
    ----------
    place : which process this is
    store : what they talk through; None where it is alone
    """

    def __init__(self, place: Place, store: Store | None = None) -> None:
        self._place, self._store = place, store
        self._said = 0

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        return self._place.rank

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self._place.size

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Return which of `count` tiles of a batch are this process's."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def sum(self, values: Tensor) -> Tensor:
        """Add a tensor over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def agree(self, step: int, *, wanted: bool) -> bool:
        """Tell whether any process wants to stop; all are asked every few steps."""
        if self.size == 1:
            return wanted
        return step % AGREE_EVERY == 0 and bool(self.sum(torch.tensor(float(wanted))) > 0)

    def tell(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Give the first process's figures to every one, which wait for them."""
        if self._store is None:
            return dict(figures)
        key = self._next_key()
        if self.leads:
            self._store.set(key, json.dumps(dict(figures)))
            return dict(figures)
        self._wait_for(key)
        told: dict[str, float] = json.loads(self._store.get(key))
        return told

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Let the first process do something before the others do it too."""
        if self._store is None:
            yield
            return
        key = self._next_key()
        if not self.leads:
            self._wait_for(key)
        yield
        if self.leads:
            self._store.set(key, "done")

    def check_step(self, step: int, folder: Path) -> None:
        """Refuse to go on where the processes do not find the same checkpoint.

        Raises
        ------
        TrainingError
            In every process whose step is not the first one's.
        """
        first = self.tell({"step": step})["step"]
        if first != step:
            raise TrainingError(
                f"{folder}: process {self.rank} finds a checkpoint of step {step} there, and the "
                f"first process one of step {first:.0f}; give --out a folder that all machines "
                "share."
            )

    def together(self, network: nn.Module) -> nn.Module:
        """Wrap a network so that its gradients are those of the whole batch.

        The network itself keeps its weights, and its batch norms change in place.

        Raises
        ------
        BadValueError
            When there are more processes on this machine than graphics processors.
        """
        if self.size == 1:
            return network
        if any(parameter.is_cuda for parameter in network.parameters()):
            self._check_processors()
        return DistributedDataParallel(sync_norms(network))

    def may_speak(self) -> bool:
        """Tell whether this is the first process that has to say why it ends."""
        if self._store is None:
            return True
        # Where the store is gone, nobody can be asked.
        with suppress(RuntimeError), _hushed():
            first = self._store.compare_set("ended", "", str(self.rank))
            return bool(first == str(self.rank).encode())
        return True

    def leave(self) -> None:
        """Go, the first process last, since the store may be with it."""
        if self._store is None:
            return
        with suppress(RuntimeError):
            self._store.set(f"left {self.rank}", "yes")
            late = time.monotonic() + LEAVE_S
            keys = [f"left {rank}" for rank in range(self.size)]
            while self.leads and not self._store.check(keys) and time.monotonic() < late:
                time.sleep(LOOK_S)

    def _next_key(self) -> str:
        self._said += 1
        return f"said {self._said}"

    def _wait_for(self, key: str) -> None:
        assert self._store is not None
        while not self._store.check([key]):
            if self._store.check(["ended"]):
                raise OtherProcessError("Another process of this run ended first and said why.")
            time.sleep(LOOK_S)

    def _check_processors(self) -> None:
        there = torch.cuda.device_count()
        if self._place.local_rank >= there and not self._place.is_bound:
            raise BadValueError(
                f"Process {self._place.local_rank + 1} of this machine has no graphics processor: "
                f"there are {there}; start as many processes, or use --set device=cpu."
            )


ALONE = Team(Place(rank=0, size=1, local_rank=0, address="", port=0))


@contextmanager
def joined(environ: Mapping[str, str] = os.environ) -> Iterator[Team]:
    """Join the other processes of a run, as ``torchrun`` or SLURM started them.

    One process says why a run ended: the one that failed first, or, where one was killed, the
    first to notice. `OtherProcessError` is raised in the others.

    Raises
    ------
    TrainingError
        When the others cannot be found, or one of them is gone.
    """
    place = place_of(environ)
    if place is None:
        yield ALONE
        return
    team = Team(place, _meet(place))
    try:
        with _quiet(wanted=not team.leads), warnings.catch_warnings():
            # A kernel of one channel has two ways to say how it lies; the sums are the same.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
            yield team
        team.leave()
    except KeyboardInterrupt:
        raise
    except Exception as error:
        if not team.may_speak():
            raise OtherProcessError("Another process of this run ended first.") from error
        if _is_of_others(error):
            raise TrainingError(
                f"One of the {team.size} processes is gone (killed, or its machine lost), so all "
                "ended; the same command goes on from the last checkpoint."
            ) from error
        raise
    finally:
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _meet(place: Place) -> Store:
    """Find the others, and make ready what sums over all of them."""
    has_cuda = torch.cuda.is_available()
    if has_cuda:
        torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
    try:
        url = f"tcp://{place.address}:{place.port}"
        wait = timedelta(seconds=JOIN_S)
        store, _, _ = next(rendezvous(url, place.rank, place.size, timeout=wait))
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if has_cuda else "gloo",
            store=PrefixStore("group", store),
            rank=place.rank,
            world_size=place.size,
            timeout=timedelta(seconds=STEP_S),
        )
    except (RuntimeError, OSError) as error:
        first = str(error).strip().partition("\n")[0].rstrip(".")
        raise TrainingError(
            f"Process {place.rank} of {place.size} did not find the others at {place.address}:"
            f"{place.port} ({first}); start them all with torchrun or srun, or one without."
        ) from error
    assert dist.group.WORLD is not None
    _KEPT.append(dist.group.WORLD)
    return PrefixStore("mammoscope", store)


def _is_of_others(error: Exception) -> bool:
    """Tell whether an error comes from what connects the processes."""
    if not isinstance(error, RuntimeError):
        return False
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep PyTorch's library from printing a trace of its own when the store is gone."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _quiet(*, wanted: bool) -> Iterator[None]:
    """Log errors alone: what the first process says holds for all."""
    ours = logging.getLogger("mammoscope")
    before = ours.level
    if wanted:
        ours.setLevel(logging.ERROR)
    try:
        yield
    finally:
        ours.setLevel(before)
