"""Outlines of made breasts on the film, by view, in millimetres.

All lengths are on the film, (row, column), origin at the top of the chest wall: the breast stands
on the left border and points right, as on a scan of the left breast. Scans of the right breast are
mirrored at the end.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.interpolate import CubicSpline
from scipy.ndimage import distance_transform_edt, gaussian_filter

from mammoscope.core.vocabulary import ViewPosition

Floats = NDArray[np.float32]

GRID_MM = 0.2
"""Grid on which tissue is made, in millimetres."""

_PAD_MM = 40.0
_FAR_MM = 60.0


@dataclass(frozen=True, slots=True)
class BreastShape:
    """Size and build of one breast under compression, in millimetres.

    `depth_mm` is the way from the chest wall to the nipple, `half_mm` half the height of the CC
    outline where it is highest; `pointed` in [0, 1] tells a cone from a ball; `nipple_mm` is how
    far the nipple stands out; `muscle_mm` the width and height of the pectoral muscle's triangle.
    `droop` in [-0.4, 1] tells how far the MLO breast hangs; `fold_mm` how much of the belly below
    the fold under the breast is on MLO films, 0 for none.
    """

    depth_mm: float
    half_mm: float
    pointed: float
    nipple_mm: float
    muscle_mm: tuple[float, float]
    axilla_mm: float
    droop: float
    fold_mm: float


@dataclass(frozen=True, slots=True)
class Silhouette:
    """One breast on one film.

    Attributes
    ----------
    film_mm : (rows, columns) of the film in millimetres
    skin : (n, 2) float32, (row, column) of the skin line in millimetres from above to below
    nipple : (row, column) in millimetres
    muscle : (m, 2) float32, edge of the pectoral muscle from above to below; None in CC views
    """

    film_mm: tuple[float, float]
    skin: Floats
    nipple: tuple[float, float]
    muscle: Floats | None


def draw_shape(rng: np.random.Generator) -> BreastShape:
    """Draw the build of a patient's breasts."""
    depth = float(np.clip(rng.normal(88, 18), 56, 116))
    return BreastShape(
        depth_mm=depth,
        half_mm=float(np.clip(depth * rng.uniform(0.82, 1.15), 58, 96)),
        pointed=float(rng.uniform(0, 1)),
        nipple_mm=float(rng.choice([1.0, 4.5], p=[0.2, 0.8]) * rng.uniform(0.8, 1.3)),
        muscle_mm=(float(rng.uniform(26, 50)), float(rng.uniform(75, 150))),
        axilla_mm=float(rng.uniform(6, 26)),
        droop=float(rng.uniform(-0.4, 1)),
        fold_mm=float(rng.choice([0.0, 1.0], p=[0.45, 0.55]) * rng.uniform(4, 14)),
    )


def vary(shape: BreastShape, rng: np.random.Generator) -> BreastShape:
    """Return a breast like `shape` but not equal: the other side of the same patient."""
    change = np.exp(rng.normal(0, 0.025, 4))
    return replace(
        shape,
        depth_mm=float(shape.depth_mm * change[0]),
        half_mm=float(min(shape.half_mm * change[1], 98)),
        pointed=float(np.clip(shape.pointed + rng.normal(0, 0.06), 0, 1)),
        muscle_mm=(
            float(shape.muscle_mm[0] * change[2] ** 2),
            float(shape.muscle_mm[1] * change[3] ** 2),
        ),
        axilla_mm=float(shape.axilla_mm * change[2] ** 2),
    )


def silhouette(shape: BreastShape, view: ViewPosition, rng: np.random.Generator) -> Silhouette:
    """Draw a breast's outline on the film of a CC or MLO view."""
    return _mlo(shape, rng) if view is ViewPosition.MLO else _cc(shape, rng)


def _cc(shape: BreastShape, rng: np.random.Generator) -> Silhouette:
    # The chest wall cuts the oval before its widest place, so the outline flares towards it.
    behind = shape.depth_mm * rng.uniform(0.12, 0.35)
    power = 1.0 - 0.22 * shape.pointed
    angle = np.linspace(-np.pi / 2, np.pi / 2, 401)
    column = (shape.depth_mm + behind) * np.cos(angle) ** (1 / power) - behind
    tilt = rng.normal(0, 0.05)
    row = shape.half_mm * (np.sin(angle) + tilt * np.cos(angle) ** 2)
    film = _film(2 * shape.half_mm + 24, shape.depth_mm, rng)
    middle = film[0] * 0.5 + rng.normal(0, 3)
    skin = np.stack([row + middle, column], axis=1)
    skin = _waved(skin, rng)
    return Silhouette(film, *_with_nipple(skin, shape.nipple_mm, rng), None)


def _mlo(shape: BreastShape, rng: np.random.Generator) -> Silhouette:
    depth, half = shape.depth_mm * rng.uniform(0.97, 1.05), shape.half_mm
    upper, lower = 1.2 * half, 0.88 * half
    top = shape.muscle_mm[0] + shape.axilla_mm
    level = max(upper * rng.uniform(0.98, 1.12), 95.0) + 6 * shape.droop
    end = level + (1.36 if shape.fold_mm else 1.18) * lower
    film = _film(end + 0.1 * lower, depth, rng)
    full, hang = 0.06 * (1 - shape.pointed), 0.07 * shape.droop
    neck = min(top, 0.62 * depth)
    points = np.array(
        [
            (-_FAR_MM, neck * 0.95),
            (-15, neck * 0.98),
            (0.30 * level, neck * 1.0 + 0.10 * depth),
            (level - 0.47 * upper, (0.79 + full - hang) * depth),
            (level, depth),
            (level + 0.47 * lower, (0.83 + full + hang) * depth),
            (level + 0.88 * lower, (0.42 + full + 1.4 * hang) * depth),
            *_lower_end(shape, level, lower),
        ]
    )
    skin = _waved(_smooth(points), rng)
    return Silhouette(
        film, *_with_nipple(skin, shape.nipple_mm, rng), _muscle_edge(shape.muscle_mm, rng)
    )


def _lower_end(shape: BreastShape, level: float, lower: float) -> list[tuple[float, float]]:
    """Return where the skin line leaves the film: straight, or by a fold and the belly below it."""
    if not shape.fold_mm:
        return [
            (level + 1.10 * lower, 0.10 * shape.depth_mm),
            (level + 1.18 * lower, -0.08 * shape.depth_mm),
        ]
    return [
        (level + 1.12 * lower, shape.fold_mm),
        (level + 1.24 * lower, 0.9 * shape.fold_mm),
        (level + 1.36 * lower, -0.08 * shape.depth_mm),
    ]


def _film(rows_mm: float, depth_mm: float, rng: np.random.Generator) -> tuple[float, float]:
    rows = max(rows_mm, float(rng.uniform(196, 222)))
    columns = max(depth_mm + float(rng.uniform(18, 40)), float(rng.uniform(104, 124)))
    return rows, columns


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 401 points of the cubic spline through `points`, by the length of its chords."""
    chords = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(chords)])
    curve: NDArray[np.float64] = CubicSpline(along, points)(np.linspace(0, along[-1], 401))
    return curve


def _waved(skin: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Move the outline by a few slow waves of about a millimetre: no skin is a drawn curve."""
    along = np.linspace(0, 1, len(skin))
    wave = sum(
        rng.normal(0, 1.3 / k) * np.sin(2 * np.pi * (k * along + rng.uniform())) for k in (1, 2, 3)
    )
    moved = skin.copy()
    moved[:, 1] += wave
    return moved


def _with_nipple(
    skin: NDArray[np.float64], length_mm: float, rng: np.random.Generator
) -> tuple[Floats, tuple[float, float]]:
    """Return the skin line with a nipple at its foremost place, and the nipple's place."""
    tip = int(np.argmax(skin[:, 1]))
    row = skin[tip, 0]
    away = (skin[:, 0] - row) / rng.uniform(4.0, 5.5)
    bumped = skin.copy()
    bumped[:, 1] += length_mm * np.exp(-(away**4))
    return bumped.astype(np.float32), (float(row), float(skin[tip, 1]))


def _muscle_edge(muscle_mm: tuple[float, float], rng: np.random.Generator) -> Floats:
    """Return the slightly bent edge of the muscle from the upper border to the chest wall."""
    width, height = muscle_mm
    along = np.linspace(-0.4, 1.3, 120)
    bend = rng.uniform(-0.05, 0.27) * width
    column = width * (1 - along) + bend * np.sin(np.pi * np.clip(along, 0, 1))
    return np.stack([height * along, column], axis=1).astype(np.float32)


def depth_below_skin(shape: Silhouette, grid_mm: float) -> Floats:
    """Return how deep each place lies below the skin line, negative in the air.

    Returns
    -------
    (rows, columns) float32 in mm on a grid of `grid_mm` that covers the film; distances are in the
    plane of the film, and only to the skin, not to the film's borders.
    """
    above, below = shape.skin[0, 0], shape.skin[-1, 0]
    line = np.concatenate([[[above, -_FAR_MM]], shape.skin, [[below, -_FAR_MM]]])
    inside = _filled(line, shape.film_mm, grid_mm)
    deep = distance_transform_edt(inside) - distance_transform_edt(~inside)
    # The filled polygon has steps; the distance between them is known better than to a pixel.
    smooth = gaussian_filter(np.asarray(deep * grid_mm, dtype=np.float32), 0.9 / grid_mm)
    return _cropped(smooth, shape.film_mm, grid_mm)


def breast_mask(shape: Silhouette, size: tuple[int, int], spacing_mm: float) -> NDArray[np.bool_]:
    """Return where the breast is, muscle included, as bool of `size` (rows, columns)."""
    above, below = shape.skin[0, 0], shape.skin[-1, 0]
    line = np.concatenate([[[above, -_FAR_MM]], shape.skin, [[below, -_FAR_MM]]]) / spacing_mm
    canvas = Image.new("L", (size[1], size[0]))
    ImageDraw.Draw(canvas).polygon([(float(c), float(r)) for r, c in line], fill=1)
    return np.array(canvas, dtype=np.uint8).view(np.bool_)


def muscle_cover(shape: Silhouette, grid_mm: float) -> Floats:
    """Return how much of each place the pectoral muscle covers, in [0, 1], with a soft edge."""
    if shape.muscle is None:
        return np.zeros(grid_of(shape.film_mm, grid_mm), np.float32)
    edge = shape.muscle
    corner = np.array([[edge[-1, 0], -_FAR_MM], [edge[0, 0], -_FAR_MM]], np.float32)
    inside = _filled(np.concatenate([edge, corner]), shape.film_mm, grid_mm)
    soft = gaussian_filter(inside.astype(np.float32), 1.6 / grid_mm)
    return _cropped(soft, shape.film_mm, grid_mm)


def grid_of(film_mm: tuple[float, float], grid_mm: float) -> tuple[int, int]:
    """Return (rows, columns) of a grid of `grid_mm` that covers a film."""
    return int(np.ceil(film_mm[0] / grid_mm)) + 1, int(np.ceil(film_mm[1] / grid_mm)) + 1


def _filled(
    line_mm: NDArray[np.floating], film_mm: tuple[float, float], grid_mm: float
) -> NDArray[np.bool_]:
    """Fill a polygon on the film's grid, with a margin that keeps distances from its borders."""
    rows, columns = grid_of(film_mm, grid_mm)
    pad = round(_PAD_MM / grid_mm)
    canvas = Image.new("1", (columns + 2 * pad, rows + 2 * pad))
    points = [(float(c) / grid_mm + pad, float(r) / grid_mm + pad) for r, c in line_mm]
    ImageDraw.Draw(canvas).polygon(points, fill=1)
    return np.asarray(canvas, dtype=bool)


def _cropped(padded: Floats, film_mm: tuple[float, float], grid_mm: float) -> Floats:
    rows, columns = grid_of(film_mm, grid_mm)
    pad = round(_PAD_MM / grid_mm)
    return np.ascontiguousarray(padded[pad : pad + rows, pad : pad + columns])
