"""The paper's sweep: what a network calls at every threshold, of pictures of every contrast.

The paper's second report raises the contrast of the test pictures and moves the threshold (its
Figure 8). A network that decides by tissue would hardly mind; one that follows brightness calls
everything abnormal. All cells of one table come from the same resamples of patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mammoscope.evaluation.intervals import Figure, weighted_mean
from mammoscope.evaluation.metrics import Mask, Measure, Told, called_measures, measure
from mammoscope.evaluation.roc import checked

PAPER_THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.65, 0.75, 0.85, 0.95)
PAPER_CONTRASTS = (1.0, 1.5, 2.0)
FIGURES = ("accuracy", "recall", "precision", "specificity")
"""What a cell holds besides `called`, the share called positive."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one threshold does at one contrast.

    Attributes
    ----------
    contrast : factor by which the pictures' contrast was changed; 1 leaves them as they are
    threshold : a unit is called positive at a score of at least this
    figures : `called` (share called positive) and those of `FIGURES`, by name
    """

    contrast: float
    threshold: float
    figures: Mapping[str, Figure]

    def to_json(self) -> dict[str, Any]:
        """Return the cell as plain values, NaN as None."""
        figures = {name: figure.to_json() for name, figure in self.figures.items()}
        return {"contrast": self.contrast, "threshold": self.threshold, **figures}


@dataclass(frozen=True, slots=True)
class Sweep:
    """The whole table.

    Attributes
    ----------
    cells : by contrast, then by threshold, both rising
    majority : accuracy of calling every unit what most are, which stands beside every accuracy
    """

    cells: tuple[Cell, ...]
    majority: Figure

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain values, NaN as None."""
        cells = [cell.to_json() for cell in self.cells]
        return {"majority": self.majority.to_json(), "cells": cells}


def sweep(
    scores: Mapping[float, ArrayLike],
    truth: ArrayLike,
    patients: Sequence[str],
    *,
    thresholds: Sequence[float] = PAPER_THRESHOLDS,
    draws: tuple[int, int] = (1000, 0),
) -> Sweep:
    """Measure every threshold at every contrast.

    Parameters
    ----------
    scores : contrast -> scores of shape (units,), finite; the same units at every contrast
    truth : shape (units,), True for the positive class
    patients : patient of each unit
    thresholds : in any order
    draws : number of resamples (at least 40) and seed of the bootstrap over patients

    Raises
    ------
    ValueError
        When there is no contrast, no threshold or no unit, shapes differ, a score is not finite, or
        there are fewer than 40 resamples.
    """
    if not scores or not thresholds or not len(patients):
        raise ValueError("a sweep needs contrasts, thresholds and units")
    resamples, seed = draws
    places = [(contrast, at) for contrast in sorted(scores) for at in sorted(thresholds)]
    measures: list[Measure] = []
    for place, (contrast, threshold) in enumerate(places):
        values, positive = checked(scores[contrast], truth)
        measures += _of_cell(place, values >= threshold, positive)
    found = measure(measures, patients, resamples, np.random.default_rng(seed))
    cells = tuple(
        Cell(
            float(contrast),
            float(threshold),
            {name: found[_key(place, name)] for name in ("called", *FIGURES)},
        )
        for place, (contrast, threshold) in enumerate(places)
    )
    return Sweep(cells, found[_key(0, "majority")])


def _of_cell(place: int, called: Mask, positive: Mask) -> list[Measure]:
    """Return the measures of a cell, their names marked with its place in the table."""
    share = weighted_mean(called.astype(np.float64))
    every = np.ones(len(called), dtype=bool)
    measures = [
        Measure(
            (Told("called", every, "undefined: there is no unit", is_share=True),),
            lambda weights: share(weights)[:, None],
        ),
        *called_measures(called, positive),
    ]
    return [
        replace(one, told=tuple(replace(t, name=_key(place, t.name)) for t in one.told))
        for one in measures
    ]


def _key(place: int, name: str) -> str:
    return f"{place}/{name}"
