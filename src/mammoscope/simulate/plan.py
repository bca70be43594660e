"""What is asked of a simulation, and what one patient's part of it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from mammoscope.simulate.truth import TrueScan

Layout = Literal["classic", "uid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A simulated archive to be.

    Attributes
    ----------
    name : the archive whose file formats are used
    patients : how many
    seed : the same seed gives the same files, bit for bit
    spacing_mm : side of a pixel; None takes each scanner's own
    defects : whether the archive's known defects are planted
    layout : of CBIS-DDSM's folders
    workers : processes; None takes as many as there are cores, at most 8
    """

    name: str
    patients: int
    seed: int
    spacing_mm: float | None = None
    defects: bool = False
    layout: Layout = "classic"
    workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One patient of a plan: `index` counts from 0, `seed` is the patient's own."""

    plan: Plan
    index: int
    seed: np.random.SeedSequence
    folder: Path
    truth: Path

    def generator(self) -> np.random.Generator:
        """Make the patient's generator."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written for one patient: the truth, and the rows for the archive's tables."""

    scans: tuple[TrueScan, ...]
    rows: tuple[Mapping[str, str], ...] = field(default=(MappingProxyType({}),) * 0)
