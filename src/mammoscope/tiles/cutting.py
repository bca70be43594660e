"""Cutting all scans of a tile set into parts: what is there already, in which order, with whom."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mammoscope.core.errors import BadValueError, FormatError
from mammoscope.core.records import Scan
from mammoscope.tiles.choose import SmallestLots, normals_to_keep
from mammoscope.tiles.engine import (
    Jobs,
    Outcome,
    cut_here,
    cut_in_processes,
    part_path,
)
from mammoscope.tiles.engine_cluster import cut_on_cluster
from mammoscope.tiles.parts import Job, Part, is_whole, read_part, stamp_of
from mammoscope.tiles.recipes import Recipe
from mammoscope.tiles.tile import NORMAL

FEW = 16
"""So few scans are cut in this process: starting another would take longer than the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Who cuts.

    Attributes
    ----------
    workers : how many processes; None: one a core, 1: this one
    cluster : address of a Dask scheduler, whose workers then cut
    on_done : called with (scans done, scans in all)
    """

    workers: int | None = None
    cluster: str | None = None
    on_done: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise BadValueError(f"There must be 1 worker or more, not {self.workers}.")
        if self.workers is not None and self.cluster is not None:
            raise BadValueError("A cluster has its own workers; give their number to it.")


def cut_all(
    scans: Sequence[Scan], recipe: Recipe, seed: int, parts: Path, crew: Crew
) -> dict[int, str]:
    """Cut every scan that the recipe takes and that has no part yet.

    Scans with findings come first: then it is known how many normal tiles the set can have, and
    of the others only what can still be chosen is kept on disk.

    Parameters
    ----------
    parts : folder of the part files, each named by its scan's place in `scans`

    Returns
    -------
    Why a scan could not be read, by its place.

    Raises
    ------
    OSError
        When a part cannot be written.
    RuntimeError
        When a recipe raises what it should not; with the worker's trace.
    """
    cutting = _Cutting(scans, recipe, seed, parts, crew)
    left = not_taken(scans, recipe)
    wanted = [index for index in range(len(scans)) if index not in left]
    cutting.of = len(wanted)
    first = [index for index in wanted if scans[index].findings != ()]
    cutting.cut(first, None)
    lots = cutting.lots_to_keep(first)
    cutting.cut([index for index in wanted if scans[index].findings == ()], lots)
    return cutting.unreadable


def not_taken(scans: Sequence[Scan], recipe: Recipe) -> frozenset[int]:
    """Places of the scans whose record alone tells that the recipe takes no tile of them."""
    if recipe.takes is None:
        return frozenset()
    return frozenset(index for index, scan in enumerate(scans) if not recipe.takes(scan))


class _Cutting:
    """What was cut so far."""

    def __init__(
        self, scans: Sequence[Scan], recipe: Recipe, seed: int, parts: Path, crew: Crew
    ) -> None:
        self._scans, self._recipe, self._seed = scans, recipe, seed
        self._parts, self._crew = parts, crew
        self._done = 0
        self.of = len(scans)
        self.unreadable: dict[int, str] = {}

    def cut(self, indices: Sequence[int], lots: SmallestLots | None) -> None:
        """Cut some of the scans; `lots` says which normal tiles are kept, and learns of them."""
        # What counts is what a limit may be now, not what it was when a part was cut.
        normals = None if lots is None else lots.normals
        missing: list[int] = []
        for index in indices:
            part = self._part(index, normals)
            if part is None:
                missing.append(index)
            else:
                self._advance(part, lots)
        queue = iter(missing)

        def jobs() -> Job | None:
            index = next(queue, None)
            return None if index is None else self._job(index, lots)

        for outcome in self._outcomes(jobs, len(missing)):
            self._take(outcome, lots)

    def lots_to_keep(self, indices: Sequence[int]) -> SmallestLots | None:
        """Count the abnormal tiles of these scans; None where no candidate can be left out yet."""
        if self._recipe.normals_per_abnormal is None or self._recipe.choose is not None:
            return None
        parts = [self._read(index) for index in indices if index not in self.unreadable]
        abnormal = sum(
            count for part in parts for label, count in part.candidates.items() if label != NORMAL
        )
        lots = SmallestLots(normals_to_keep(abnormal, self._recipe.normals_per_abnormal))
        for part in parts:
            lots.add(part.normal_lots)
        return lots

    def _outcomes(self, jobs: Jobs, count: int) -> Iterator[Outcome]:
        if self._crew.cluster is not None and count:
            return cut_on_cluster(jobs, self._parts, self._crew.cluster)
        workers = self._crew.workers or (1 if count <= FEW else os.cpu_count() or 1)
        if workers == 1:
            return cut_here(jobs, self._parts)
        return cut_in_processes(jobs, self._parts, workers)

    def _job(self, index: int, lots: SmallestLots | None) -> Job:
        return Job(
            index=index,
            scan=self._scans[index],
            cut=self._recipe.cut,
            seed=self._seed,
            limit=None if lots is None else lots.limit(),
        )

    def _take(self, outcome: Outcome, lots: SmallestLots | None) -> None:
        if outcome.bug is not None:
            scan = self._scans[outcome.index]
            raise RuntimeError(f"{scan.path}: cutting it failed\n{outcome.bug}")
        if outcome.disk is not None:
            raise OSError(outcome.disk, os.strerror(outcome.disk))
        if outcome.why is not None:
            self.unreadable[outcome.index] = outcome.why
            self._advance(None, lots)
        else:
            self._advance(self._read(outcome.index), lots)

    def _advance(self, part: Part | None, lots: SmallestLots | None) -> None:
        if part is not None and lots is not None:
            if any(label != NORMAL for label in part.candidates):
                raise ValueError(f"{part.scan_id}: has no findings, but an abnormal tile")
            lots.add(part.normal_lots)
        self._done += 1
        if self._crew.on_done is not None:
            self._crew.on_done(self._done, self.of)

    def _read(self, index: int) -> Part:
        return read_part(part_path(self._parts, index))

    def _part(self, index: int, normals: int | None) -> Part | None:
        """Return the part of an earlier try; None where the scan has to be cut (again)."""
        scan, path = self._scans[index], part_path(self._parts, index)
        with suppress(FormatError, OSError):
            part = self._read(index)
            # Where more normal tiles can be chosen than then, some may be missing in it.
            enough = part.normals is None or (normals is not None and normals <= part.normals)
            same = (part.archive, part.scan_id) == (scan.archive, scan.scan_id)
            if same and enough and part.stamp == stamp_of(scan.path) and is_whole(path):
                return part
        return None
