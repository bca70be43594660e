"""Does a heat map show what the score rests on? Deletion and insertion (Petsiuk et al. 2018, RISE).

A picture is cut into squares. *Deletion* takes them away, hottest first, and asks for the score
after each step: a good map makes it fall at once, so the area under the curve is small. *Insertion*
starts from a picture without content and gives them back, hottest first: a good map makes the area
large. Both areas depend on the picture, the squares and on what stands in for a square taken away,
so they mean something only beside those of other orders on the same picture: a random one, and one
by blurred intensity, which is what a map that merely follows dense tissue would give.

The network is not known here; a function from an image to its score is passed in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from mammoscope.evaluation.intervals import (
    Array,
    Draws,
    Figure,
    divided,
    draw,
    figure_of,
)

STEPS = 30
OUTSIDE = -1
"""The label of pixels that belong to no square and are never changed."""

Image = NDArray[np.floating]
Labels = NDArray[np.intp]
Order = NDArray[np.intp]
Score = Callable[[Image], float]


@dataclass(frozen=True, slots=True, eq=False)
class StepCurve:
    """Scores while squares are taken away or given back.

    Attributes
    ----------
    shares : ndarray of shape (steps + 1,), from 0 to 1: share of the squares changed so far
    scores : ndarray of shape (steps + 1,): the score at each
    """

    shares: Array
    scores: Array

    @property
    def area(self) -> float:
        """Area under the scores by trapezoids: their mean along the way."""
        return float(np.trapezoid(self.scores, self.shares))


@dataclass(frozen=True, slots=True, eq=False)
class HeatMapTest:
    """Both tests of one order of squares: of deletion a small area is good, of insertion a large.

    `gain` is insertion less deletion: what the order adds over one that says nothing, about 0.
    """

    deletion: StepCurve
    insertion: StepCurve

    @property
    def gain(self) -> float:
        """Area of insertion less area of deletion."""
        return self.insertion.area - self.deletion.area


def square_labels(
    shape_px: tuple[int, int], square_px: int, inside: NDArray[np.bool_] | None = None
) -> Labels:
    """Label each pixel with the number of its square, row by row from 0.

    Parameters
    ----------
    shape_px : rows and columns
    square_px : side of a square; those at the bottom and right may be smaller
    inside : ndarray of `shape_px`, bool: squares without a pixel of it (air) are left out and
        never changed; all pixels when not given

    Returns
    -------
    ndarray of `shape_px`, int
        The number of each pixel's square, -1 in squares left out.

    Raises
    ------
    ValueError
        When the square has no size, shapes differ, or no square is left.
    """
    if square_px < 1:
        raise ValueError(f"a square cannot have a side of {square_px} pixels")
    rows, columns = shape_px
    across = -(-columns // square_px)
    labels = np.arange(rows)[:, None] // square_px * across + np.arange(columns) // square_px
    if inside is None:
        return labels.astype(np.intp)
    if inside.shape != shape_px:
        raise ValueError(f"a mask of shape {inside.shape} does not fit an image of {shape_px}")
    kept = np.unique(labels[inside])
    if not len(kept):
        raise ValueError("no pixel is inside, so there is no square to change")
    numbers = np.full(labels.max() + 1, OUTSIDE, dtype=np.intp)
    numbers[kept] = np.arange(len(kept))
    return np.asarray(numbers[labels], dtype=np.intp)


def order_by(heat_map: ArrayLike, labels: Labels, rng: np.random.Generator) -> Order:
    """Order squares by their mean heat, hottest first; equal ones come in random order.

    Parameters
    ----------
    heat_map : finite, of the shape of `labels`
    labels : from `square_labels`

    Returns
    -------
    ndarray of shape (squares,), int

    Raises
    ------
    ValueError
        When shapes differ or a value is not finite.
    """
    heat = np.asarray(heat_map, dtype=np.float64)
    if heat.shape != labels.shape:
        raise ValueError(f"a heat map of {heat.shape} does not fit squares of {labels.shape}")
    inside = labels != OUTSIDE
    if not np.isfinite(heat[inside]).all():
        raise ValueError("a value of the heat map is not a finite number")
    means = np.bincount(labels[inside], heat[inside]) / np.bincount(labels[inside])
    # Without chance in it, a map that is flat would be read from top left to bottom right.
    shuffled = rng.permutation(len(means))
    return shuffled[np.argsort(-means[shuffled], kind="stable")]


def random_order(labels: Labels, rng: np.random.Generator) -> Order:
    """Return the squares in random order: what a map without any content is worth."""
    return rng.permutation(int(labels.max()) + 1)


def blurred_intensity(image: Image, sigma_px: float) -> NDArray[np.float64]:
    """Return the image smoothed (Gaussian): the map of somebody who points at bright tissue."""
    return np.asarray(
        ndimage.gaussian_filter(np.asarray(image, dtype=np.float64), sigma_px, mode="nearest")
    )


def judge_order(
    pictures: tuple[Image, Image], labels: Labels, order: Order, score: Score, steps: int = STEPS
) -> HeatMapTest:
    """Delete and insert squares in an order, and score the picture after each step.

    Parameters
    ----------
    pictures : the image, and what stands in for it where squares are taken away (blurred so far
        that no lesion is left, or a constant); same shape and type, and neither is changed
    labels : from `square_labels`, of the same shape
    order : ndarray of shape (squares,): every square once, the first changed first
    score : from an image of that shape to a number; called 2 x steps times
    steps : how many times the squares are changed on the way, at most one time a square

    Raises
    ------
    ValueError
        When shapes or types differ, the order does not hold every square once, there is no step,
        or a score is not finite.
    """
    image, stand_in = pictures
    _check(pictures, labels, order, steps)
    cuts = np.unique(np.linspace(0, len(order), min(steps, len(order)) + 1).round().astype(np.intp))
    emptied = np.where(labels == OUTSIDE, image, stand_in)
    deleted = _scores(image, emptied, labels, (order, cuts), score)
    # The ends of one way are those of the other.
    inserted = _scores(emptied, image, labels, (order, cuts[1:-1]), score)
    shares = cuts / len(order)
    return HeatMapTest(
        StepCurve(shares, deleted),
        StepCurve(shares, np.concatenate([deleted[-1:], inserted, deleted[:1]])),
    )


def compare_maps(
    tests: Sequence[Mapping[str, HeatMapTest]],
    patients: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Figure]]:
    """Average the areas of several maps over scans, and set the first map against the others.

    Parameters
    ----------
    tests : one a scan, by the map's name; the same names in the same order on every scan
    patients : patient of each scan
    resamples : of the bootstrap over patients, at least 40
    seed : the same seed gives the same intervals

    Returns
    -------
    dict
        By map: `deletion`, `insertion` and `gain`, means over scans; and by "A less B" the paired
        differences of the first map from each other one, whose intervals come from the same
        resamples. A difference whose interval holds 0 is no proof of either.

    Raises
    ------
    ValueError
        When there is no scan, or scans differ in their maps or number.
    """
    if not tests or len(tests) != len(patients):
        raise ValueError("there must be a patient for every scan, and a scan")
    names = list(tests[0])
    if any(list(scan) != names for scan in tests):
        raise ValueError("every scan must have the same maps in the same order")
    areas = np.array([[_areas(scan[name]) for name in names] for scan in tests])
    rows = {name: areas[:, i] for i, name in enumerate(names)}
    rows |= {f"{names[0]} less {name}": rows[names[0]] - rows[name] for name in names[1:]}
    flat = np.concatenate(list(rows.values()), axis=1)
    draws = draw(_means(flat), patients, resamples, np.random.default_rng(seed))
    keys = [(row, what) for row in rows for what in ("deletion", "insertion", "gain")]
    figures: dict[str, dict[str, Figure]] = {row: {} for row in rows}
    for at, (row, what) in enumerate(keys):
        one = Draws(draws.values[at], draws.samples[:, at], draws.left_out[:, at])
        figures[row][what] = figure_of(one, n=len(patients), n_patients=len(set(patients)))
    return figures


def _check(pictures: tuple[Image, Image], labels: Labels, order: Order, steps: int) -> None:
    image, stand_in = pictures
    if not image.shape == stand_in.shape == labels.shape:
        raise ValueError("the image, its stand-in and the squares must have one shape")
    if image.dtype != stand_in.dtype:
        raise ValueError("the image and its stand-in must have one type")
    if not np.array_equal(np.sort(order), np.arange(int(labels.max()) + 1)):
        raise ValueError("an order must hold every square once")
    if steps < 1:
        raise ValueError("there must be at least one step")


def _scores(
    start: Image, goal: Image, labels: Labels, way: tuple[Order, Order], score: Score
) -> Array:
    """Return the scores of `start` with the first squares of an order taken from `goal`."""
    order, cuts = way
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    # A square left out comes after all cuts, so it always shows the start.
    ranks = np.where(labels == OUTSIDE, len(order), rank[labels])
    given = [float(score(np.where(ranks < cut, goal, start))) for cut in cuts]
    if not np.isfinite(given).all():
        raise ValueError("a score is not a finite number")
    return np.array(given, dtype=np.float64)


def _areas(test: HeatMapTest) -> tuple[float, float, float]:
    return test.deletion.area, test.insertion.area, test.gain


def _means(values: Array) -> Callable[[Array], Array]:
    """Return weights to the means of columns; `values` has shape (scans, figures)."""
    return lambda weights: divided(weights @ values, weights.sum(axis=1)[:, None])
