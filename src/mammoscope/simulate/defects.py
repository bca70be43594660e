"""Faults that real copies of the archives have, planted on purpose; each is listed in the truth.

Which file gets which fault is fixed by the patients' order, not drawn: the faults stay apart, so
that a check's every word can be traced to one of them.
"""

from collections.abc import Callable
from pathlib import Path

from mammoscope.simulate import cbis_defects, ddsm_defects, dicom_defects, mias_defects
from mammoscope.simulate.plan import Plan
from mammoscope.simulate.truth import PlantedDefect, TrueScan

Planted = tuple[tuple[PlantedDefect, ...], tuple[TrueScan, ...]]
_PLANTERS: dict[str, tuple[int, Callable[[Path, tuple[TrueScan, ...]], Planted]]] = {
    "ddsm": (4, ddsm_defects.plant),
    "cbis-ddsm": (4, cbis_defects.plant),
    "mini-mias": (3, mias_defects.plant),
    "dicom": (2, dicom_defects.plant),
}


def fewest_patients(name: str) -> int:
    """Return how many patients an archive needs for all of its defects."""
    return _PLANTERS[name][0]


def plant_defects(plan: Plan, folder: Path, scans: tuple[TrueScan, ...]) -> Planted:
    """Plant the known defects of a plan's archive.

    Parameters
    ----------
    plan : at least `fewest_patients` patients; CBIS-DDSM in its classic layout
    folder : the archive, whole and sound
    scans : the truth of it

    Returns
    -------
    The defects, and the truth of the scans as they lie in the folder now: a few have got another
    name, and some are there twice.
    """
    return _PLANTERS[plan.name][1](folder, scans)
