"""Boxes, circles, outlines and masks on a scan's grid, in pixels: (row, column), origin top-left.

Integers are pixel centres. A box is (top, left, height, width) and covers the rows
``top <= row < top + height``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import hypot
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-parallel rectangle in pixels; height and width are positive."""

    top: float
    left: float
    height: float
    width: float

    def __post_init__(self) -> None:
        if not (self.height > 0 and self.width > 0):
            raise ValueError(f"a box needs a positive height and width, got {self}")

    @property
    def bottom(self) -> float:
        """First row below the box."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """First column right of the box."""
        return self.left + self.width

    @property
    def centre(self) -> tuple[float, float]:
        """Centre as (row, column)."""
        return self.top + self.height / 2, self.left + self.width / 2

    def grown(self, rows: float, columns: float) -> "Box":
        """Return the box with `rows` added above and below and `columns` left and right."""
        return Box(
            self.top - rows, self.left - columns, self.height + 2 * rows, self.width + 2 * columns
        )

    def scaled(self, rows: float, columns: float) -> "Box":
        """Return the box on a grid whose coordinates are `rows` and `columns` times as large."""
        return Box(self.top * rows, self.left * columns, self.height * rows, self.width * columns)

    def holds(self, row: float, column: float) -> bool:
        """Tell whether a point lies in the box, its border included."""
        return self.top <= row <= self.bottom and self.left <= column <= self.right

    def iou(self, other: "Box") -> float:
        """Intersection over union with another box, in [0, 1]."""
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        width = min(self.right, other.right) - max(self.left, other.left)
        if height <= 0 or width <= 0:
            return 0.0
        shared = height * width
        return shared / (self.height * self.width + other.height * other.width - shared)


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle in pixels of a grid with square pixels; the radius is positive."""

    row: float
    column: float
    radius: float

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise ValueError(f"a circle needs a positive radius, got {self}")

    @property
    def centre(self) -> tuple[float, float]:
        """Centre as (row, column)."""
        return self.row, self.column

    @property
    def box(self) -> Box:
        """The square that the circle fills."""
        return Box(
            self.row - self.radius, self.column - self.radius, 2 * self.radius, 2 * self.radius
        )

    def holds(self, row: float, column: float) -> bool:
        """Tell whether a point lies in the circle, its border included."""
        return hypot(row - self.row, column - self.column) <= self.radius


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Outline:
    """A closed outline in pixels; what it encloses, its own pixels included, is the Roi.

    Attributes
    ----------
    points : ndarray of shape (n, 2), float32, read-only: (row, column) of each, n at least 1; the
        last is joined to the first
    cores : outlines of denser parts inside, as DDSM draws them; they belong to the Roi
    """

    points: NDArray[np.float32]
    cores: tuple["Outline", ...] = ()

    def __post_init__(self) -> None:
        points = np.array(self.points, np.float32)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(f"an outline needs points of shape (n, 2), got {points.shape}")
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Outline):
            return NotImplemented
        return np.array_equal(self.points, other.points) and self.cores == other.cores

    def __hash__(self) -> int:
        return hash((self.points.tobytes(), self.cores))

    def __repr__(self) -> str:
        digest = sha256(self.points.tobytes()).hexdigest()[:16]
        return f"Outline(box={self.box}, points={len(self.points)}, sha256={digest}, {self.cores})"

    @property
    def box(self) -> Box:
        """The box of the pixels that the outline runs through."""
        top, left = (float(v) for v in self.points.min(axis=0))
        bottom, right = (float(v) for v in self.points.max(axis=0))
        return Box(top, left, bottom - top + 1, right - left + 1)


@dataclass(frozen=True, slots=True)
class MaskFile:
    """The part of a scan where a mask is not zero; the mask lies in a file of its own.

    The file is opened only when its pixels are asked for (`mammoscope.formats.masks`).
    """

    path: Path


Roi = Box | Circle | Outline | MaskFile


def bounding_box(roi: Box | Circle | Outline) -> Box:
    """Return the box round a Roi that is known without opening a file."""
    return roi if isinstance(roi, Box) else roi.box


def suppress(boxes: Sequence[Box], scores: Sequence[float], most_iou: float) -> list[int]:
    """Non-maximum suppression: indices of the boxes to keep, best score first.

    A box is dropped when its intersection over union with a better kept one exceeds `most_iou`.
    """
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(boxes[index].iou(boxes[other]) <= most_iou for other in kept):
            kept.append(index)
    return kept
