"""When a place on a scan counts as a hit: one rule for FROC, pointing game and operating points."""

from math import hypot, sqrt

from mammoscope.core.geometry import Circle, MaskFile, Roi, bounding_box
from mammoscope.core.records import Spacing
from mammoscope.evaluation.outcomes import Peak, ScanOutcome

MARGIN_MM = 2.4
"""Archives place boxes and circles by hand, no better than a few millimetres."""


def hit_rule(margin_mm: float) -> str:
    """Say the rule in words, for results that name it."""
    return (
        f"a peak hits a finding when it lies inside the finding's box or circle grown by "
        f"{margin_mm:g} mm (an outline or a mask counts as the box round it)"
    )


def lies_in(
    roi: Roi, place: tuple[float, float], spacing_mm: Spacing, margin_mm: float = MARGIN_MM
) -> bool:
    """Tell whether a place lies inside a Roi grown by a margin, its border included.

    Parameters
    ----------
    roi : in pixels of the scan's grid
    place : (row, column) in pixels of the same grid
    spacing_mm : (row, column) of the grid
    margin_mm : how far the Roi is grown on every side, in millimetres

    Raises
    ------
    TypeError
        When the Roi is a mask in a file, which `mammoscope.formats.masks.boxed` opens.

    Notes
    -----
    A box grows to a box, and an outline counts as its box. A circle is taken as a circle in the
    breast, also where rows and columns differ in size: its radius is scaled by the geometric mean
    of both, which keeps its area.
    """
    if isinstance(roi, MaskFile):
        raise TypeError(f"{roi.path}: a mask must be opened before places are compared with it")
    row, column = place
    row_mm, column_mm = spacing_mm
    if isinstance(roi, Circle):
        distance_mm = hypot((row - roi.row) * row_mm, (column - roi.column) * column_mm)
        return distance_mm <= roi.radius * sqrt(row_mm * column_mm) + margin_mm
    return bounding_box(roi).grown(margin_mm / row_mm, margin_mm / column_mm).holds(row, column)


def hits(outcome: ScanOutcome, peak: Peak, margin_mm: float = MARGIN_MM) -> tuple[int, ...]:
    """Return the positions of the scan's findings that a peak hits; findings without a place none.

    A peak may hit several findings where they overlap.
    """
    return tuple(
        index
        for index, finding in enumerate(outcome.findings or ())
        if finding.roi is not None
        and lies_in(finding.roi, (peak.row, peak.column), outcome.spacing_mm, margin_mm)
    )
