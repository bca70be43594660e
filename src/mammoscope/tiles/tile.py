"""A tile and where it came from, and the classes that the paper names."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding, Scan, Spacing
from mammoscope.core.vocabulary import FindingKind, Pathology

NORMAL = "NORMAL"
CLASSES = (
    NORMAL,
    "BENIGN_calcification",
    "BENIGN_mass",
    "MALIGNANT_calcification",
    "MALIGNANT_mass",
)
"""The paper's five classes, in the order of its integers (method facts 2)."""


class Origin(StrEnum):
    """Why a tile was cut where it was."""

    LESION = "lesion"
    """Round a finding that has a place."""
    NORMAL = "normal"
    """Tissue that its archive calls free of findings, or that lies outside all of them."""
    NEGATIVE = "negative"
    """Normal tissue that a model took for a lesion."""
    REFUSED = "refused"
    """Tissue, film or air of a normal scan that a recipe's own tests refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A tile and where it came from.

    Attributes
    ----------
    pixels : ndarray of shape (side, side), uint8
    scan : the scan that it was cut from
    finding_id : the finding round which it was cut; None for normal tissue
    box : on the grid of the scan's file, in pixels
    label : one of `CLASSES`
    origin : why it was cut there
    lesion_share : share of the finding's area that the tile shows, in [0, 1]; None where the recipe
        does not measure it
    lot : drawn once, in [0, 1): where only so many tiles of a class are kept, the smallest lots
        stay, whatever the order in which scans were cut
    """

    pixels: NDArray[np.uint8]
    scan: Scan
    finding_id: str | None
    box: Box
    label: str
    origin: Origin = Origin.LESION
    lesion_share: float | None = None
    lot: float = 0.0

    @property
    def spacing_mm(self) -> Spacing | None:
        """(row, column) distance between the tile's pixel centres; None where nobody knows it."""
        if self.scan.spacing_mm is None:
            return None
        rows, columns = self.pixels.shape
        row_mm, column_mm = self.scan.spacing_mm
        return row_mm * self.box.height / rows, column_mm * self.box.width / columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A finding round which a recipe cuts no tile, given among the tiles of its scan.

    Attributes
    ----------
    why : what the report of a build says, without a full stop
    """

    finding_id: str
    why: str


def label_of(finding: Finding) -> str:
    """Name one of the paper's classes: kind and pathology; what is no calcification is a mass.

    Raises
    ------
    ValueError
        When nothing is proven of the finding: it cannot have a class.
    """
    if finding.pathology is None:
        raise ValueError(f"{finding.finding_id} has no pathology")
    nature = "MALIGNANT" if finding.pathology is Pathology.MALIGNANT else "BENIGN"
    kind = "calcification" if finding.kind is FindingKind.CALCIFICATION else "mass"
    return f"{nature}_{kind}"
