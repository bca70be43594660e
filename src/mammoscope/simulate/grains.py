"""Groups of calcifications as density that is added to the tissue.

Every grain is drawn as discs and strokes on a canvas finer than the scan, then brought to the
scan's grid and blurred as a film screen does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_fill_holes,
    distance_transform_edt,
    gaussian_filter,
    label,
)
from scipy.spatial import ConvexHull

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Points = NDArray[np.float64]

_MOST_PX = 2400
_FILM_BLUR_MM = 0.055
_FULL_MM = np.float32(0.35)
_LEAST = 0.004


@dataclass(frozen=True, slots=True)
class GrainType:
    """One BI-RADS type of calcification.

    Attributes
    ----------
    size_mm : diameters from the smallest to the largest
    count : how many grains a group has, from and to
    density : what the thickest grain adds
    form : how a grain is drawn, one of the names in `_FORMS`
    """

    size_mm: tuple[float, float]
    count: tuple[int, int]
    density: float
    form: str


TYPES = {
    "PLEOMORPHIC": GrainType((0.18, 0.70), (9, 36), 0.24, "blob"),
    "PUNCTATE": GrainType((0.14, 0.40), (6, 24), 0.20, "disc"),
    "AMORPHOUS": GrainType((0.14, 0.34), (24, 60), 0.17, "haze"),
    "FINE_LINEAR_BRANCHING": GrainType((0.10, 0.24), (10, 28), 0.20, "branch"),
    "ROUND_AND_REGULAR": GrainType((0.4, 1.0), (4, 14), 0.24, "disc"),
    "COARSE": GrainType((1.2, 3.2), (1, 4), 0.38, "popcorn"),
    "DYSTROPHIC": GrainType((0.7, 1.8), (2, 7), 0.34, "blob"),
    "LUCENT_CENTERED": GrainType((0.8, 2.2), (2, 6), 0.26, "ring"),
    "VASCULAR": GrainType((0.2, 0.4), (60, 120), 0.18, "tram"),
}


@dataclass(slots=True)
class _Canvas:
    """A fine drawing of grey 0 to 255 whose middle is the group's."""

    draw: ImageDraw.ImageDraw
    per_mm: float
    middle: float
    heading: float

    def disc(self, at: Points, radius_mm: float, grey: float) -> None:
        row, column = at * self.per_mm + self.middle
        reach = max(radius_mm * self.per_mm, 0.5)
        box = (column - reach, row - reach, column + reach, row + reach)
        self.draw.ellipse(box, fill=int(np.clip(grey * 255, 0, 255)))

    def splinter(self, at: Points, radius_mm: float, grey: float, rng: np.random.Generator) -> None:
        """Draw an uneven splinter: a polygon whose corners lie nearer or farther."""
        corners = int(rng.integers(7, 12))
        turns = np.sort(rng.uniform(0, 2 * np.pi, corners))
        reach = np.maximum(radius_mm * self.per_mm * rng.uniform(0.65, 1.2, corners), 0.5)
        rows = at[0] * self.per_mm + self.middle + reach * np.sin(turns)
        columns = at[1] * self.per_mm + self.middle + reach * np.cos(turns)
        points = [(float(c), float(r)) for r, c in zip(rows, columns, strict=True)]
        self.draw.polygon(points, fill=int(np.clip(grey * 255, 0, 255)))


Form = Callable[[_Canvas, Points, float, np.random.Generator], None]


def draw_grains(
    kind: GrainType,
    distribution: str,
    measures: tuple[float, float, float],
    rng: np.random.Generator,
) -> tuple[Floats, Mask]:
    """Draw a group of calcifications in the middle of a window of its own.

    Parameters
    ----------
    distribution : CLUSTERED, LINEAR, SEGMENTAL or REGIONAL, as in DDSM's overlays
    measures : the group's diameter in mm, the spacing in mm, the direction to the nipple in radians

    Returns
    -------
    (n, n) float32, added density, and (n, n) bool: the region of the group, which holds all of it
    """
    size_mm, spacing_mm, heading = measures
    places = _places(distribution, kind, (size_mm, heading), rng)
    places -= (places.min(axis=0) + places.max(axis=0)) / 2
    reach = float(np.abs(places).max()) + kind.size_mm[1] * 1.6 + 2.5
    half = int(np.ceil(reach / spacing_mm))
    drawn = _drawing(kind, places, (half, spacing_mm, heading), rng)
    blurred = gaussian_filter(drawn, max(_FILM_BLUR_MM / spacing_mm, 0.35))
    added = np.maximum(np.float32(kind.density) * blurred - np.float32(_LEAST), 0)
    return added, _region(added > 0, spacing_mm)


def _drawing(
    kind: GrainType, places: Points, grid: tuple[int, float, float], rng: np.random.Generator
) -> Floats:
    """Draw the grains finer than the grid, by as much as memory allows, and bring them to it."""
    half, spacing_mm, heading = grid
    side = 2 * half + 1
    finer = max(1, min(round(spacing_mm / 0.02), _MOST_PX // side))
    canvas = Image.new("L", (side * finer, side * finer))
    pen = _Canvas(ImageDraw.Draw(canvas), finer / spacing_mm, side * finer / 2, heading)
    form = _FORMS[kind.form]
    for place in places:
        low, high = kind.size_mm
        form(pen, place, float(low + (high - low) * rng.beta(1.3, 2.6)), rng)
    plain = np.asarray(canvas.reduce(finer) if finer > 1 else canvas, dtype=np.float32)
    return plain / np.float32(255) * _rounded(plain > 0, spacing_mm)


def _rounded(drawn: Mask, spacing_mm: float) -> Floats:
    """Return how thick grains are along the beam: thin at their edges, and small ones thin."""
    deep = distance_transform_edt(drawn).astype(np.float32) * np.float32(spacing_mm)
    thick: Floats = np.float32(0.5) + np.float32(0.5) * np.sqrt(np.clip(deep / _FULL_MM, 0, 1))
    return thick


def _region(seen: Mask, spacing_mm: float) -> Mask:
    """Return the ground that a group takes, as a reader draws round it: closed and a bit wider."""
    pad = int(3.0 / spacing_mm) + 2
    step = max(1, round(0.4 / spacing_mm))
    coarse = np.pad(seen, pad)
    rows, columns = (-(-n // step) * step for n in coarse.shape)
    whole = np.zeros((rows, columns), dtype=bool)
    whole[: coarse.shape[0], : coarse.shape[1]] = coarse
    small = np.asarray(whole.reshape(rows // step, step, columns // step, step).any(axis=(1, 3)))
    unit = step * spacing_mm
    joined = binary_closing(np.pad(small, 12), structure=_disc(2.4 / unit))[12:-12, 12:-12]
    wide = binary_dilation(binary_fill_holes(joined), structure=_disc(1.0 / unit))
    if label(wide)[1] > 1:
        wide = binary_dilation(_hull(small), structure=_disc(1.0 / unit))
    large = np.repeat(np.repeat(wide, step, axis=0), step, axis=1)
    ground = large[pad : pad + seen.shape[0], pad : pad + seen.shape[1]]
    return np.asarray(ground | seen, dtype=bool)


def _hull(seen: Mask) -> Mask:
    """Fill the convex outline round all points: a reader draws one line round a loose group."""
    at = np.argwhere(seen)
    # The four corners of every pixel: points in a row would have no hull.
    points = np.concatenate([at + np.array([r, c]) for r in (-0.4, 0.4) for c in (-0.4, 0.4)])
    corners = points[ConvexHull(points).vertices]
    canvas = Image.new("L", (seen.shape[1], seen.shape[0]))
    ImageDraw.Draw(canvas).polygon([(float(c), float(r)) for r, c in corners], fill=1)
    return np.asarray(np.asarray(canvas, dtype=bool) | seen, dtype=bool)


def _disc(radius_px: float) -> Mask:
    reach = max(1, round(radius_px))
    along = np.arange(-reach, reach + 1)
    return np.asarray(np.hypot(along[:, None], along[None, :]) <= reach + 0.3, dtype=bool)


def _places(
    distribution: str, kind: GrainType, frame: tuple[float, float], rng: np.random.Generator
) -> Points:
    """Return (n, 2) places of grains in mm from the group's middle."""
    size_mm, heading = frame
    count = int(rng.integers(kind.count[0], kind.count[1] + 1))
    if kind.form == "tram":
        return _tram(size_mm, heading, count, rng)
    spread = rng.normal(0, 0.24, (count, 2)) * size_mm
    along, aside = spread[:, 0], spread[:, 1] * rng.uniform(0.55, 1.0)
    match distribution:
        case "LINEAR":
            along = rng.uniform(-0.5, 0.5, count) * size_mm
            aside = rng.normal(0, 0.6, count) + 0.05 * along * np.sin(along)
        case "SEGMENTAL":
            # A wedge with its tip towards the nipple.
            along = (0.5 - np.sqrt(rng.random(count))) * size_mm
            aside = (0.5 * size_mm - along) * 0.32 * rng.uniform(-1, 1, count)
        case "CLUSTERED":
            pass  # as drawn
        case _:
            along, aside = (rng.uniform(-0.5, 0.5, (2, count))) * size_mm
    limit = 0.5 * size_mm
    along, aside = np.clip(along, -limit, limit), np.clip(aside, -limit, limit)
    row = along * np.sin(heading) + aside * np.cos(heading)
    column = along * np.cos(heading) - aside * np.sin(heading)
    return np.column_stack([row, column])


def _tram(size_mm: float, heading: float, count: int, rng: np.random.Generator) -> Points:
    """Return places on both walls of a bent vessel."""
    along = rng.uniform(-0.5, 0.5, count) * size_mm
    wall = rng.choice([-1.0, 1.0], count) * rng.uniform(0.5, 0.8)
    aside = wall + 0.08 * size_mm * np.sin(along * 3.5 / size_mm)
    row = along * np.sin(heading) + aside * np.cos(heading)
    column = along * np.cos(heading) - aside * np.sin(heading)
    return np.column_stack([row, column])


def _disc_grain(pen: _Canvas, at: Points, size: float, rng: np.random.Generator) -> None:
    grey, move = rng.uniform(0.5, 1.0), rng.normal(0, 0.06 * size, 2)
    pen.disc(at + move, 0.48 * size, grey)
    pen.disc(at - move, 0.48 * size, grey)


def _haze_grain(pen: _Canvas, at: Points, size: float, rng: np.random.Generator) -> None:
    for _ in range(4):
        pen.splinter(at + rng.normal(0, 0.35 * size, 2), size / 3, rng.uniform(0.35, 0.7), rng)


def _wall_grain(pen: _Canvas, at: Points, size: float, rng: np.random.Generator) -> None:
    """Draw a plaque in a vessel's wall, drawn out along it."""
    axis, grey = np.array([np.sin(pen.heading), np.cos(pen.heading)]), rng.uniform(0.4, 1.0)
    for step in range(int(rng.integers(2, 6))):
        move = axis * 0.5 * size * step + rng.normal(0, 0.1 * size, 2)
        pen.splinter(at + move, size * rng.uniform(0.25, 0.45), grey, rng)


def _blob_grain(pen: _Canvas, at: Points, size: float, rng: np.random.Generator) -> None:
    grey, turn = rng.uniform(0.4, 1.0), rng.uniform(0, np.pi)
    axis = np.array([np.sin(turn), np.cos(turn)])
    for _ in range(int(rng.integers(2, 6))):
        move = axis * rng.normal(0, 0.30 * size) + rng.normal(0, 0.10 * size, 2)
        pen.splinter(at + move, size * rng.uniform(0.18, 0.40), grey * rng.uniform(0.8, 1.0), rng)


def _popcorn_grain(pen: _Canvas, at: Points, size: float, rng: np.random.Generator) -> None:
    pen.splinter(at, 0.36 * size, rng.uniform(0.6, 0.8), rng)
    for _ in range(26):
        move = rng.normal(0, 0.24 * size, 2)
        pen.splinter(at + move, size * rng.uniform(0.06, 0.17), rng.uniform(0.5, 1.0), rng)


def _ring_grain(pen: _Canvas, at: Points, size: float, rng: np.random.Generator) -> None:
    grey, move = rng.uniform(0.5, 0.95), rng.normal(0, 0.05 * size, 2)
    pen.disc(at, 0.48 * size, grey)
    pen.disc(at + 1.2 * move, 0.46 * size, grey)
    hole = size * rng.uniform(0.24, 0.34)
    pen.disc(at + move, hole, rng.uniform(0.35, 0.6) * grey)
    pen.disc(at + move, 0.7 * hole, rng.uniform(0.25, 0.35) * grey)


def _branch_grain(pen: _Canvas, at: Points, size: float, rng: np.random.Generator) -> None:
    """Draw a cast of a duct: a broken, bent stroke that forks now and then."""
    grey, turn = rng.uniform(0.35, 0.95), pen.heading + rng.normal(0, 0.4)
    here, forks = at.copy(), rng.random() < 0.4
    steps = int(rng.integers(5, 18))
    for step in range(steps):
        turn += rng.normal(0, 0.13)
        here = here + 0.45 * size * np.array([np.sin(turn), np.cos(turn)])
        if rng.random() < 0.85:
            pen.splinter(here, size * rng.uniform(0.28, 0.55), grey * rng.uniform(0.5, 1.0), rng)
        if forks and step == steps // 2:
            side = turn + rng.choice([-0.7, 0.7])
            for far in range(1, steps // 2):
                move = 0.45 * far * size * np.array([np.sin(side), np.cos(side)])
                pen.splinter(here + move, 0.42 * size, grey * rng.uniform(0.6, 1.0), rng)


_FORMS: dict[str, Form] = {
    "disc": _disc_grain,
    "haze": _haze_grain,
    "blob": _blob_grain,
    "popcorn": _popcorn_grain,
    "ring": _ring_grain,
    "branch": _branch_grain,
    "tram": _wall_grain,
}
