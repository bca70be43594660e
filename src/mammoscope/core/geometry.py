"""Boxes and circles on a scan's grid, in pixels: (row, column), origin top-left.

Integers are pixel centres. A box is (top, left, height, width) and covers the rows
``top <= row < top + height``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot


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


Roi = Box | Circle


def bounding_box(roi: Roi) -> Box:
    """Return the box round any Roi."""
    return roi.box if isinstance(roi, Circle) else roi


def suppress(boxes: Sequence[Box], scores: Sequence[float], most_iou: float) -> list[int]:
    """Non-maximum suppression: indices of the boxes to keep, best score first.

    A box is dropped when its intersection over union with a better kept one exceeds `most_iou`.
    """
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(boxes[index].iou(boxes[other]) <= most_iou for other in kept):
            kept.append(index)
    return kept
