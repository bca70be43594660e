"""The same places of MIAS read by networks of both sets: what the way of building changes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.evaluation.delong import compare_paired
from mammoscope.tiles.store import TileSet
from mammoscope.tiles.tile import NORMAL


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What a run's network says of the tiles of a set.

    Attributes
    ----------
    tiles : the set
    scores : ndarray of shape (tiles,), 1 - p(normal)
    """

    tiles: TileSet
    scores: NDArray[np.float64]


def difference_at_places(strict: Read, paper: Read) -> dict[str, Any] | None:
    """Compare the areas of two networks at the same places, whose greys each has its own way.

    Paired, with DeLong's interval over patients: the places cancel.

    Parameters
    ----------
    strict, paper : of sets of which one was cut at the other's places

    Returns
    -------
    dict or None
        `a` (area of `strict`), `b` (of `paper`), `difference`, `low`, `high`, `p_value`, `n`,
        `n_patients`, `method`; None where the tiles are not those of the same places.
    """
    of_strict, of_paper = _by_scan(strict.tiles), _by_scan(paper.tiles)
    for name in ("scan_id", "label"):
        first, second = _column(strict.tiles, name), _column(paper.tiles, name)
        if not np.array_equal(first[of_strict], second[of_paper]):
            return None
    return compare_paired(
        strict.scores[of_strict],
        paper.scores[of_paper],
        _column(strict.tiles, "label")[of_strict] != NORMAL,
        _column(strict.tiles, "patient_id")[of_strict].tolist(),
    ).to_json()


def _by_scan(tiles: TileSet) -> NDArray[np.intp]:
    """Order the rows by scan; within a scan both sets hold the places in the same order."""
    return np.argsort(_column(tiles, "scan_id"), kind="stable")


def _column(tiles: TileSet, name: str) -> NDArray[Any]:
    return tiles.table[name].to_numpy()
