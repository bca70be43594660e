"""Where made lesions go: inside the breast, apart from each other, agreeing between the views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import BadValueError
from mammoscope.core.vocabulary import Laterality, ViewPosition
from mammoscope.simulate.lesions import LesionLook, LesionPlan, draw_look
from mammoscope.simulate.outline import GRID_MM, Silhouette
from mammoscope.simulate.tissue import Tissue

Key = tuple[Laterality, ViewPosition]
Film = tuple[Silhouette, Tissue]
Point = tuple[float, float]

_STEP = 5
_AGREE_MM = 1.5
_MARGINS = (1.0, 0.7, 0.4)
_MOST_TRIES = 40


@dataclass(frozen=True, slots=True)
class Placed:
    """A lesion's look and its place on one scan, (row, column) in mm."""

    look: LesionLook
    place: Point


def place_all(
    films: Mapping[Key, Film], plans: Sequence[LesionPlan], rng: np.random.Generator
) -> dict[Key, tuple[Placed, ...]]:
    """Find a place for every planned lesion on each of its views.

    Raises
    ------
    BadValueError
        The breast has no room for that many lesions.
    """
    placed: dict[Key, tuple[Placed, ...]] = dict.fromkeys(films, ())
    for plan in plans:
        look = draw_look(plan.kind, plan.pathology, rng)
        keys = [(plan.laterality, view) for view in dict.fromkeys(plan.views)]
        grounds = [films[key] for key in keys]
        others = [placed[key] for key in keys]
        for key, place in zip(keys, _agreeing(grounds, others, look, rng), strict=True):
            placed[key] += (Placed(look, place),)
    return placed


def _agreeing(
    grounds: Sequence[Film],
    others: Sequence[tuple[Placed, ...]],
    look: LesionLook,
    rng: np.random.Generator,
) -> list[Point]:
    """Return one place on each view, all as far from the nipple within `_AGREE_MM`."""
    for margin in _MARGINS:
        rooms = [
            _room(ground, taken, look.size_mm, margin)
            for ground, taken in zip(grounds, others, strict=True)
        ]
        if any(len(room[0]) == 0 for room in rooms):
            continue
        for _ in range(_MOST_TRIES):
            found = _one_each(rooms, rng)
            if found is not None:
                return found
    raise BadValueError(
        f"A lesion of {look.size_mm:.0f} mm finds no room beside the others in its breast; "
        "ask for fewer lesions."
    )


Room = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _room(film: Film, taken: tuple[Placed, ...], size_mm: float, margin: float) -> Room:
    """Return the places (n, 2), their distances from the nipple and how likely each is."""
    shape, tissue = film
    depth = tissue.depth[::_STEP, ::_STEP]
    rows = np.arange(depth.shape[0])[:, None] * (_STEP * GRID_MM)
    columns = np.arange(depth.shape[1])[None, :] * (_STEP * GRID_MM)
    away = margin * (0.6 * size_mm + 3)
    free = (depth > away) & (tissue.muscle[::_STEP, ::_STEP] < 0.3)
    free &= (columns > away) & (rows > away) & (rows < shape.film_mm[0] - away)
    for other in taken:
        apart = np.hypot(rows - other.place[0], columns - other.place[1])
        free &= apart > 0.8 * (size_mm + other.look.size_mm) + 4
    at = (np.argwhere(free) * (_STEP * GRID_MM)).astype(np.float64)
    far: NDArray[np.float64] = np.hypot(*(at - shape.nipple).T)
    likely = 0.12 + tissue.glands[::_STEP, ::_STEP][free].astype(np.float64)
    return at, far, likely


def _one_each(rooms: Sequence[Room], rng: np.random.Generator) -> list[Point] | None:
    at, far, likely = rooms[0]
    first = int(rng.choice(len(at), p=likely / likely.sum()))
    found = [(float(at[first, 0]), float(at[first, 1]))]
    for at_too, far_too, likely_too in rooms[1:]:
        near = np.flatnonzero(np.abs(far_too - far[first]) < _AGREE_MM)
        if len(near) == 0:
            return None
        weights = likely_too[near]
        pick = int(rng.choice(near, p=weights / weights.sum()))
        found.append((float(at_too[pick, 0]), float(at_too[pick, 1])))
    return found
