"""Thin lines of the breast: ducts, vessels and fibrous strands, drawn as soft curves.

A curve is a walk whose direction drifts; its points are put on the grid and blurred to the line's
width. Places are in millimetres as in `outline`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mammoscope.simulate.outline import GRID_MM, Silhouette

Floats = NDArray[np.float32]
_STEP_MM = 0.12


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves of one kind: `n` walks with as many points each.

    Attributes
    ----------
    points : (n, m, 2) float32, (row, column) in mm
    strength : (n, m) float32, how bright the line is at each point
    """

    points: Floats
    strength: Floats


def walk(
    starts: NDArray[np.floating],
    headings: NDArray[np.floating],
    length_mm: float,
    wander: float,
    rng: np.random.Generator,
) -> Floats:
    """Return curves that begin at `starts` and drift from their headings.

    Parameters
    ----------
    starts : (n, 2), (row, column) in mm
    headings : (n,) in radians; 0 points along the columns, pi / 2 down
    wander : drift of the direction, radians per square root of a millimetre

    Returns
    -------
    (n, m, 2) float32
    """
    count, steps = len(starts), max(2, int(length_mm / _STEP_MM))
    turns = rng.standard_normal((count, steps), dtype=np.float32) * (wander * _STEP_MM**0.5)
    # Two sums make a path that bends slowly, not one that trembles.
    bend = np.cumsum(turns, axis=1)
    slow = np.cumsum(bend, axis=1) * (_STEP_MM / 12.0)
    # Some bend from the start: the sums begin straight.
    arc = rng.normal(0, 0.12 * wander, (count, 1)) * np.arange(steps) * _STEP_MM
    angle = headings[:, None] + 0.35 * bend + slow + arc
    moves = np.stack([np.sin(angle), np.cos(angle)], axis=-1) * _STEP_MM
    path: Floats = (starts[:, None, :] + np.cumsum(moves, axis=1)).astype(np.float32)
    return path


def faded(curves: Floats, strength: NDArray[np.floating], rng: np.random.Generator) -> Curves:
    """Let curves begin and end softly and vary in brightness on the way."""
    count, steps = curves.shape[:2]
    along = np.linspace(0, 1, steps, dtype=np.float32)
    ends = np.minimum(1, 3 * np.minimum(along, 1 - along))
    phase = rng.uniform(0, 2 * np.pi, (count, 1))
    pulse = 0.75 + 0.25 * np.sin(phase + rng.uniform(2, 9, (count, 1)) * along)
    return Curves(curves, (strength[:, None] * ends * pulse).astype(np.float32))


def branched(curves: Floats, rng: np.random.Generator, share: float = 0.6) -> Floats:
    """Return the starts and headings of side branches as an (n, 3) array: row, column, heading."""
    count, steps = curves.shape[:2]
    at = rng.integers(steps // 6, max(steps // 6 + 1, int(steps * 0.85)), count)
    which = np.flatnonzero(rng.random(count) < share)
    at = at[which]
    here, before = curves[which, at], curves[which, at - 1]
    heading = np.arctan2(here[:, 0] - before[:, 0], here[:, 1] - before[:, 1])
    turn = rng.choice([-1.0, 1.0], len(which)) * rng.uniform(0.3, 0.8, len(which))
    return np.column_stack([here, heading + turn]).astype(np.float32)


def draw(curves: Curves, width_mm: float, shape: tuple[int, int], grid_mm: float) -> Floats:
    """Draw curves on a grid as soft lines of `width_mm` (full width at half height).

    Returns
    -------
    float32 of `shape`; a lone line of strength 1 has a height near 1.
    """
    sigma = max(width_mm / 2.355 / grid_mm, 0.5)
    at = np.rint(curves.points.reshape(-1, 2) / grid_mm).astype(np.intp)
    inside = ((at >= 0) & (at < shape)).all(axis=1)
    flat = at[inside, 0] * shape[1] + at[inside, 1]
    ink = np.bincount(flat, curves.strength.reshape(-1)[inside], minlength=shape[0] * shape[1])
    # A line of weight 1 per step has 1 / step weight a pixel; its blurred height follows from that.
    height = (grid_mm / _STEP_MM) / (sigma * np.sqrt(2 * np.pi))
    drawn = gaussian_filter(ink.reshape(shape).astype(np.float32), sigma, truncate=3.0)
    lines: Floats = drawn / np.float32(height)
    return lines


def draw_lines(
    shape: Silhouette, glands: Floats, breast_density: int, rng: np.random.Generator
) -> Floats:
    """Draw the ducts, vessels and strands of one breast.

    Parameters
    ----------
    glands : (rows, columns) in [0, 1] on the grid of `GRID_MM`; lines drown in them
    breast_density : BI-RADS 1 to 4; fatty breasts show more strands

    Returns
    -------
    (rows, columns) float32, what the lines add to the density, at most 0.13
    """
    size = glands.shape
    hair = draw(_strands(shape, 150 - 15 * breast_density, (9, 20), rng), 0.3, size, GRID_MM)
    thin = draw(_strands(shape, 70 - 8 * breast_density, (14, 34), rng), 0.5, size, GRID_MM)
    broad = draw(_strands(shape, 34, (12, 30), rng), 1.0, size, GRID_MM)
    broad += 1.1 * draw(_joined(_ducts(shape, rng), _vessels(shape, rng)), 1.2, size, GRID_MM)
    total: Floats = (1 - 0.55 * glands) * (0.034 * hair + 0.044 * thin + 0.036 * broad)
    return np.minimum(total, np.float32(0.13))


def _strands(
    shape: Silhouette, count: int, lengths_mm: tuple[float, float], rng: np.random.Generator
) -> Curves:
    """Return fibrous strands towards the nipple; three in ten are ligaments that cross the rest."""
    nipple = np.array(shape.nipple)
    behind = np.abs(rng.normal(0.55, 0.36, count)) * nipple[1]
    angle = rng.normal(0, 0.85, count)
    starts = nipple + np.column_stack([np.sin(angle), -np.cos(angle)]) * behind[:, None]
    heading = np.pi - angle + rng.normal(0, 0.3, count)
    heading += (rng.random(count) < 0.3) * rng.choice([-1.0, 1.0], count) * rng.normal(1, 0.3)
    sets = []
    for part in np.array_split(np.arange(count), 4):
        length = float(rng.uniform(*lengths_mm))
        curves = walk(starts[part], heading[part], length, 0.09, rng)
        more = branched(curves, rng)
        twigs = walk(more[:, :2], more[:, 2], 0.6 * length, 0.09, rng)
        sets.append(faded(curves, rng.lognormal(-0.7, 0.55, len(part)), rng))
        sets.append(faded(twigs, 0.7 * rng.lognormal(-0.7, 0.5, len(twigs)), rng))
    return _joined(*sets)


def _ducts(shape: Silhouette, rng: np.random.Generator) -> Curves:
    """Return ducts that run together at the nipple."""
    count = int(rng.integers(7, 13))
    starts = np.array(shape.nipple) - [0, 2] + rng.normal(0, 1.4, (count, 2))
    heading = np.pi + np.linspace(-0.75, 0.75, count) + rng.normal(0, 0.12, count)
    curves = walk(starts, heading, 0.4 * shape.nipple[1], 0.09, rng)
    more = branched(curves, rng, 1.0)
    twigs = walk(more[:, :2], more[:, 2], 16, 0.1, rng)
    first = faded(curves, rng.lognormal(-0.5, 0.5, count), rng)
    return _joined(first, faded(twigs, rng.lognormal(-0.8, 0.4, len(twigs)), rng))


def _vessels(shape: Silhouette, rng: np.random.Generator) -> Curves:
    """Return vessels that come from the chest wall and the axilla."""
    count = int(rng.integers(2, 6))
    rows = shape.film_mm[0] * rng.uniform(0.1, 0.85, count)
    starts = np.column_stack([rows, rng.uniform(-2, 8, count)])
    goal = np.array(shape.nipple)
    heading = np.arctan2(goal[0] - rows, goal[1] - starts[:, 1]) + rng.normal(0, 0.3, count)
    curves = walk(starts, heading, 0.85 * goal[1], 0.1, rng)
    more = branched(curves, rng, 1.0)
    twigs = walk(more[:, :2], more[:, 2], 0.4 * goal[1], 0.1, rng)
    first = faded(curves, rng.uniform(0.6, 1.1, count), rng)
    return _joined(first, faded(twigs, rng.uniform(0.3, 0.7, len(twigs)), rng))


def _joined(*sets: Curves) -> Curves:
    """Put sets of curves into one, as loose points."""
    return Curves(
        np.concatenate([one.points.reshape(1, -1, 2) for one in sets], axis=1),
        np.concatenate([one.strength.reshape(1, -1) for one in sets], axis=1),
    )
