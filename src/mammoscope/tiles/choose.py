"""Which candidate tiles a set keeps: the normal ones of the smallest lots; pure.

Every normal candidate carries a lot, drawn uniformly in [0, 1) when it was cut. Keeping the
smallest lots is a uniform draw that does not depend on the order in which scans were cut, and
while a set is built it tells early which candidates can no longer be chosen.
"""

import heapq
from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.tiles.parts import Limit
from mammoscope.tiles.tile import NORMAL


def normals_to_keep(abnormal: int, per_abnormal: float) -> int:
    """How many normal tiles stand beside `abnormal` ones; fractions are dropped.

    Examples
    --------
    >>> normals_to_keep(7, 5.0), normals_to_keep(3, 0.5)
    (35, 1)
    """
    return int(abnormal * per_abnormal)


def choose_smallest_lots(table: pl.DataFrame, per_abnormal: float | None) -> NDArray[np.bool_]:
    """Choose all abnormal candidates and so many normal ones of the smallest lots.

    Parameters
    ----------
    table : a row a candidate, with columns label and lot; of equal lots the earlier row is taken
    per_abnormal : normal tiles for each abnormal one; None keeps all

    Returns
    -------
    ndarray of shape (rows,), bool.
    """
    normal = (table["label"] == NORMAL).to_numpy()
    if per_abnormal is None:
        return np.ones(table.height, dtype=bool)
    wanted = normals_to_keep(int((~normal).sum()), per_abnormal)
    at = np.flatnonzero(normal)
    order = np.argsort(table["lot"].to_numpy()[at], kind="stable")
    chosen = ~normal
    chosen[at[order[:wanted]]] = True
    return chosen


class SmallestLots:
    """The smallest `normals` lots that were seen so far."""

    def __init__(self, normals: int) -> None:
        self.normals = normals
        # The largest of them first: heapq keeps the smallest first, so they are negative.
        self._kept: list[float] = []

    def add(self, lots: Iterable[float]) -> None:
        """Take in lots, in any order."""
        for lot in lots:
            if len(self._kept) < self.normals:
                heapq.heappush(self._kept, -lot)
            elif self._kept:
                heapq.heappushpop(self._kept, -lot)

    def limit(self) -> Limit | None:
        """Say what a candidate needs to be chosen still; None while any may be."""
        if self.normals == 0:
            return Limit(normals=0, lot=-1.0)
        if len(self._kept) < self.normals:
            return None
        return Limit(normals=self.normals, lot=-self._kept[0])
