"""Four made scans of one patient: two breasts, alike but not equal, each in two views.

Everything is drawn from the generator that is passed in; the same seed gives the same bits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.core.errors import BadValueError
from mammoscope.core.vocabulary import Assessment, FindingKind, Laterality, Pathology, ViewPosition
from mammoscope.simulate.lesions import LesionPlan, draw_lesion
from mammoscope.simulate.outline import GRID_MM, breast_mask, draw_shape, silhouette, vary
from mammoscope.simulate.place import Film, Key, Placed, place_all
from mammoscope.simulate.tissue import make_tissue

__all__ = ["LesionPlan", "MadeExam", "MadeLesion", "MadeScan", "make_exam"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

SPACINGS_MM = (0.03, 0.8)
"""Spacings that exams are made at, from and to."""
_ORDER = (
    (Laterality.RIGHT, ViewPosition.CC),
    (Laterality.LEFT, ViewPosition.CC),
    (Laterality.RIGHT, ViewPosition.MLO),
    (Laterality.LEFT, ViewPosition.MLO),
)


@dataclass(frozen=True, slots=True)
class MadeLesion:
    """A lesion on one made scan, in the words of DDSM's overlays ("" where a word does not apply).

    `mask` is a bool array of the scan's shape: every pixel that the lesion changed lies in it.
    """

    kind: FindingKind
    shape: str
    margins: str
    calc_type: str
    calc_distribution: str
    pathology: Pathology
    assessment: Assessment
    subtlety: int
    mask: Mask


@dataclass(frozen=True, slots=True)
class MadeScan:
    """One made scan before any film or detector.

    Attributes
    ----------
    density : (rows, columns) float32 in [0, 1]: how much each place weakens the beam; 0 is air
    breast : (rows, columns) bool, the breast with its muscle
    nipple_px : (row, column) of the nipple
    """

    laterality: Laterality
    view: ViewPosition
    spacing_mm: float
    density: Floats
    lesions: tuple[MadeLesion, ...]
    breast: Mask
    nipple_px: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MadeExam:
    """A made exam: scans in the order R CC, L CC, R MLO, L MLO.

    `breast_density` is BI-RADS 1 (fatty) to 4 (extremely dense), `age` in years.
    """

    scans: tuple[MadeScan, ...]
    breast_density: int
    age: int


def make_exam(
    rng: np.random.Generator,
    *,
    spacing_mm: float,
    breast_density: int | None = None,
    lesions: tuple[LesionPlan, ...] = (),
) -> MadeExam:
    """Make the four scans of an exam.

    Parameters
    ----------
    spacing_mm : pixel size of the scans
    breast_density : BI-RADS 1 to 4; None draws one
    lesions : what to put in; a lesion seen on both views lies as far from the nipple on each

    Raises
    ------
    BadValueError
        `spacing_mm` or `breast_density` is out of range, or the lesions do not fit into a breast.
    """
    _check(spacing_mm, breast_density)
    density = breast_density or int(rng.choice([1, 2, 3, 4], p=[0.12, 0.40, 0.36, 0.12]))
    patient = draw_shape(rng)
    sides = {side: vary(patient, rng) for side in (Laterality.RIGHT, Laterality.LEFT)}
    seeds = {view: int(rng.integers(2**62)) for view in (ViewPosition.CC, ViewPosition.MLO)}
    films = {}
    for side, view in _ORDER:
        shape = silhouette(sides[side], view, rng)
        films[side, view] = shape, make_tissue(shape, density, seeds[view], rng)
    placed = place_all(films, lesions, rng)
    scans = tuple(_scan(key, films[key], placed[key], spacing_mm, rng) for key in _ORDER)
    age = int(np.clip(rng.normal(68 - 4 * density, 10), 35, 88))
    return MadeExam(scans, density, age)


def _check(spacing_mm: float, breast_density: int | None) -> None:
    if not SPACINGS_MM[0] <= spacing_mm <= SPACINGS_MM[1]:
        raise BadValueError(
            f"Exams are made at spacings from {SPACINGS_MM[0]} to {SPACINGS_MM[1]} mm, "
            f"not {spacing_mm}; ask for one in between."
        )
    if breast_density is not None and breast_density not in (1, 2, 3, 4):
        raise BadValueError(f"A BI-RADS density is 1, 2, 3 or 4, not {breast_density}.")


def _scan(
    key: Key,
    film: Film,
    placed: tuple[Placed, ...],
    spacing_mm: float,
    rng: np.random.Generator,
) -> MadeScan:
    """Bring one film to its spacing and side and put its lesions in."""
    shape, tissue = film
    size = round(shape.film_mm[0] / spacing_mm), round(shape.film_mm[1] / spacing_mm)
    mirrored = key[0] is Laterality.RIGHT
    breast = breast_mask(shape, size, spacing_mm)
    if mirrored:
        breast = np.ascontiguousarray(breast[:, ::-1])
    density = enlarged(tissue.density, size, spacing_mm, mirrored=mirrored) * breast
    np.clip(density, 0, 1, out=density)
    grid = _Grid(size, spacing_mm, mirrored)
    nipple = grid.at(shape.nipple)
    lesions = tuple(_named(one, _put(density, breast, one, (grid, nipple), rng)) for one in placed)
    return MadeScan(key[0], key[1], spacing_mm, density, lesions, breast, nipple)


@dataclass(frozen=True, slots=True)
class _Grid:
    """A scan's grid on its film."""

    size: tuple[int, int]
    spacing_mm: float
    mirrored: bool

    def at(self, place_mm: tuple[float, float]) -> tuple[float, float]:
        """Return the (row, column) of a place on the film, in pixels."""
        row, column = place_mm[0] / self.spacing_mm, place_mm[1] / self.spacing_mm
        return row, self.size[1] - 1 - column if self.mirrored else column


def enlarged(coarse: Floats, size: tuple[int, int], spacing_mm: float, *, mirrored: bool) -> Floats:
    """Bring a map on the grid of `GRID_MM` to (rows, columns) at `spacing_mm`, smoothly."""
    scale = spacing_mm / GRID_MM
    # Pixel centres lie at whole multiples of the spacing on both grids: both begin half a pixel
    # before their first centre.
    start = 0.5 - 0.5 * scale
    top, bottom = max(start, 0), min(start + size[0] * scale, coarse.shape[0])
    left, right = max(start, 0), min(start + size[1] * scale, coarse.shape[1])
    if mirrored:
        coarse = np.ascontiguousarray(coarse[:, ::-1])
        left, right = coarse.shape[1] - right, coarse.shape[1] - left
    picture = Image.fromarray(coarse).resize(
        (size[1], size[0]), Image.Resampling.BICUBIC, box=(left, top, right, bottom)
    )
    return np.asarray(picture, dtype=np.float32)


def _put(
    density: Floats,
    breast: Mask,
    placed: Placed,
    frame: tuple[_Grid, tuple[float, float]],
    rng: np.random.Generator,
) -> Mask:
    """Add a lesion to `density` where the breast is, and return its mask."""
    grid, nipple = frame
    row, column = grid.at(placed.place)
    heading = float(np.arctan2(nipple[0] - row, nipple[1] - column))
    added, drawn = draw_lesion(placed.look, grid.spacing_mm, heading, rng)
    half = len(added) // 2
    here, there = overlap(density.shape, added.shape, (round(row) - half, round(column) - half))
    density[here] = np.minimum(density[here] + added[there] * breast[here], 1)
    mask = np.zeros(density.shape, dtype=bool)
    mask[here] = drawn[there] & breast[here]
    return mask


def overlap(
    whole: tuple[int, ...], part: tuple[int, ...], at: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the slices of `whole` and of `part` where the two meet, `part` lying at `at`."""
    pairs = []
    for size, length, start in zip(whole, part, at, strict=True):
        first, last = max(start, 0), max(min(start + length, size), 0)
        pairs.append(
            (slice(first, max(first, last)), slice(first - start, max(first, last) - start))
        )
    (rows, part_rows), (columns, part_columns) = pairs
    return (rows, columns), (part_rows, part_columns)


def _named(placed: Placed, mask: Mask) -> MadeLesion:
    look = placed.look
    return MadeLesion(
        kind=look.kind,
        shape=look.shape,
        margins=look.margins,
        calc_type=look.calc_type,
        calc_distribution=look.calc_distribution,
        pathology=look.pathology,
        assessment=look.assessment,
        subtlety=look.subtlety,
        mask=mask,
    )
