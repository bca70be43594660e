"""The views of an exam as radiologists hang them: chest walls together, one scale for all.

Right breasts stand with the chest wall at their right edge, left ones at their left; all have the
same size in pixels and the same millimetres for a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.geometry import Box
from mammoscope.core.reading import ScanReading
from mammoscope.core.records import Detection
from mammoscope.core.vocabulary import Laterality, ViewPosition

ORDER = (
    (Laterality.RIGHT, ViewPosition.CC),
    (Laterality.LEFT, ViewPosition.CC),
    (Laterality.RIGHT, ViewPosition.MLO),
    (Laterality.LEFT, ViewPosition.MLO),
)
MARGIN_MM = 6.0
Value = TypeVar("Value", np.uint8, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class HungView:
    """One place on the light box.

    Attributes
    ----------
    title : e.g. "R MLO"
    reading : None for a standard view that the exam does not have
    picture, heat : ndarrays of one shape for all views, uint8 and float32 in [0, 1]
    boxes : of the reading's detections, in pixels of `picture`
    mirrored : whether left and right were exchanged against the file
    """

    title: str
    reading: ScanReading | None
    picture: NDArray[np.uint8]
    heat: NDArray[np.float32]
    boxes: tuple[Box, ...]
    mirrored: bool


def hang(scans: Sequence[ScanReading]) -> tuple[HungView, ...]:
    """Hang the scans of an exam: the four standard views in order, then whatever else there is.

    A standard view that is missing leaves an empty place, unless no scan says which view it is.
    """
    cut = {id(scan): _window(scan) for scan in scans}
    height = max(bottom - top for top, _, bottom, _ in cut.values())
    width = max(right - left for _, left, _, right in cut.values())
    shape = (height, width)
    remaining = list(scans)
    views: list[HungView] = []
    known = any((scan.laterality, scan.view) in ORDER for scan in scans)
    for pair in ORDER if known else ():
        own = [scan for scan in remaining if (scan.laterality, scan.view) == pair]
        if own:
            remaining.remove(own[0])
            views.append(_hung(own[0], cut[id(own[0])], shape))
        else:
            views.append(_empty(f"{pair[0]} {pair[1]}", shape))
    return (*views, *(_hung(scan, cut[id(scan)], shape) for scan in remaining))


def title_of(scan: ScanReading) -> str:
    """Short name of a scan's view, with question marks for what is not known."""
    return f"{scan.laterality or '?'} {scan.view or '?'}"


def _window(scan: ScanReading) -> tuple[int, int, int, int]:
    """Find the part of a picture round the breast: top, left, bottom, right."""
    if not scan.breast.any():
        return 0, 0, scan.breast.shape[0], scan.breast.shape[1]
    rows, columns = np.flatnonzero(scan.breast.any(1)), np.flatnonzero(scan.breast.any(0))
    margin = round(MARGIN_MM / scan.picture_spacing_mm)
    return (
        max(0, int(rows[0]) - margin),
        max(0, int(columns[0]) - margin),
        min(scan.breast.shape[0], int(rows[-1]) + 1 + margin),
        min(scan.breast.shape[1], int(columns[-1]) + 1 + margin),
    )


def _wall_is_left(breast: NDArray[np.bool_]) -> bool:
    """Tell whether the chest wall is at the left: the half of the breast that holds more of it."""
    columns = np.flatnonzero(breast.any(axis=0))
    if not columns.size:
        return True
    middle = (columns[0] + columns[-1] + 1) // 2
    return int(breast[:, :middle].sum()) >= int(breast[:, middle:].sum())


def _hung(scan: ScanReading, window: tuple[int, int, int, int], shape: tuple[int, int]) -> HungView:
    top, left, bottom, right = window
    wall_left = _wall_is_left(scan.breast)
    wanted_left = wall_left if scan.laterality is None else scan.laterality is Laterality.LEFT
    mirrored = wall_left != wanted_left
    picture, heat = scan.picture[top:bottom, left:right], scan.heat[top:bottom, left:right]
    if mirrored:
        picture, heat = picture[:, ::-1], heat[:, ::-1]
    down = (shape[0] - picture.shape[0]) // 2
    across = 0 if wanted_left else shape[1] - picture.shape[1]
    boxes = []
    for detection in scan.detections:
        box = picture_box(scan, detection)
        start = right - box.right if mirrored else box.left - left
        boxes.append(Box(box.top - top + down, start + across, box.height, box.width))
    return HungView(
        title=title_of(scan),
        reading=scan,
        picture=_laid(picture, shape, down, across),
        heat=_laid(heat, shape, down, across),
        boxes=tuple(boxes),
        mirrored=mirrored,
    )


def _laid(part: NDArray[Value], shape: tuple[int, int], down: int, across: int) -> NDArray[Value]:
    whole = np.zeros(shape, part.dtype)
    whole[down : down + part.shape[0], across : across + part.shape[1]] = part
    return whole


def _empty(title: str, shape: tuple[int, int]) -> HungView:
    return HungView(
        title=title,
        reading=None,
        picture=np.zeros(shape, np.uint8),
        heat=np.zeros(shape, np.float32),
        boxes=(),
        mirrored=False,
    )


def picture_box(scan: ScanReading, detection: Detection) -> Box:
    """Carry a detection's box from the scan's file to the reading's picture."""
    rows, columns = (side / scan.picture_spacing_mm for side in scan.spacing_mm)
    # Both grids begin at the same corner, and so do a box and its first pixel: no half pixels here.
    return detection.box_px.scaled(rows, columns)
