"""Made lesions: what one is (its words, size and contrast) and how it looks on a film.

The words are those of DDSM's overlays. How often each occurs follows the counts of DDSM's cases;
benign lesions are rather round and circumscribed, malignant ones irregular and spiculated, and
their calcifications pleomorphic or branching. A lesion is drawn on a window of its own; its mask
holds every pixel that it changes.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import BadValueError
from mammoscope.core.vocabulary import Assessment, FindingKind, Laterality, Pathology, ViewPosition
from mammoscope.simulate.grains import TYPES, draw_grains
from mammoscope.simulate.masses import draw_mass

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Shares = dict[str, float]
T = TypeVar("T")

BOTH_VIEWS = (ViewPosition.CC, ViewPosition.MLO)
DRAWN = (
    FindingKind.MASS,
    FindingKind.CALCIFICATION,
    FindingKind.ARCHITECTURAL_DISTORTION,
    FindingKind.ASYMMETRY,
)
"""Kinds of finding that can be drawn."""

_SHAPES: dict[Pathology, Shares] = {
    Pathology.BENIGN: {"OVAL": 0.40, "ROUND": 0.20, "LOBULATED": 0.32, "IRREGULAR": 0.08},
    Pathology.MALIGNANT: {"IRREGULAR": 0.72, "LOBULATED": 0.16, "OVAL": 0.06, "ROUND": 0.06},
}
_MARGINS: dict[Pathology, Shares] = {
    Pathology.BENIGN: {
        "CIRCUMSCRIBED": 0.54,
        "OBSCURED": 0.28,
        "ILL_DEFINED": 0.12,
        "MICROLOBULATED": 0.06,
    },
    Pathology.MALIGNANT: {
        "SPICULATED": 0.48,
        "ILL_DEFINED": 0.34,
        "MICROLOBULATED": 0.10,
        "OBSCURED": 0.08,
    },
}
_CALC_TYPES: dict[Pathology, Shares] = {
    Pathology.BENIGN: {
        "PLEOMORPHIC": 0.26,
        "PUNCTATE": 0.24,
        "AMORPHOUS": 0.20,
        "ROUND_AND_REGULAR": 0.10,
        "COARSE": 0.06,
        "LUCENT_CENTERED": 0.06,
        "VASCULAR": 0.05,
        "DYSTROPHIC": 0.03,
    },
    Pathology.MALIGNANT: {
        "PLEOMORPHIC": 0.66,
        "FINE_LINEAR_BRANCHING": 0.22,
        "AMORPHOUS": 0.10,
        "PUNCTATE": 0.02,
    },
}
_SPREADS: dict[str, Shares] = {
    "FINE_LINEAR_BRANCHING": {"LINEAR": 0.45, "SEGMENTAL": 0.35, "CLUSTERED": 0.20},
    "VASCULAR": {"LINEAR": 1.0},
    "COARSE": {"CLUSTERED": 0.6, "REGIONAL": 0.4},
}
_SPREAD: Shares = {"CLUSTERED": 0.74, "SEGMENTAL": 0.14, "LINEAR": 0.06, "REGIONAL": 0.06}
_ASSESSMENTS: dict[Pathology, dict[Assessment, float]] = {
    Pathology.BENIGN: {
        Assessment.BENIGN: 0.15,
        Assessment.PROBABLY_BENIGN: 0.35,
        Assessment.SUSPICIOUS: 0.50,
    },
    Pathology.MALIGNANT: {
        Assessment.SUSPICIOUS: 0.50,
        Assessment.HIGHLY_SUGGESTIVE: 0.50,
    },
}
_SUBTLETIES = {1: 0.07, 2: 0.18, 3: 0.26, 4: 0.25, 5: 0.24}


@dataclass(frozen=True, slots=True)
class LesionPlan:
    """A lesion to make: what it is, in which breast, and on which views it is seen."""

    kind: FindingKind
    pathology: Pathology
    laterality: Laterality
    views: tuple[ViewPosition, ...] = BOTH_VIEWS

    def __post_init__(self) -> None:
        if self.kind not in DRAWN:
            known = ", ".join(DRAWN)
            raise BadValueError(
                f"A lesion of kind {self.kind} cannot be made; ask for one of {known}."
            )
        if not self.views or not set(self.views) <= set(BOTH_VIEWS):
            raise BadValueError(
                f"A made lesion lies on the views CC and MLO, not on {self.views!r}; name those."
            )


@dataclass(frozen=True, slots=True)
class LesionLook:
    """How a lesion looks, the same on each of its views.

    Attributes
    ----------
    size_mm : its longest diameter without spicules
    subtlety : 1 hard to see to 5 plain, as DDSM counts
    """

    kind: FindingKind
    pathology: Pathology
    shape: str
    margins: str
    calc_type: str
    calc_distribution: str
    assessment: Assessment
    subtlety: int
    size_mm: float


def draw_look(kind: FindingKind, pathology: Pathology, rng: np.random.Generator) -> LesionLook:
    """Draw the words, size and subtlety of a lesion; high-risk ones look like either."""
    like = pathology
    if like is Pathology.HIGH_RISK:
        like = Pathology.MALIGNANT if rng.random() < 0.5 else Pathology.BENIGN
    shape = margins = calc_type = spread = ""
    match kind:
        case FindingKind.CALCIFICATION:
            calc_type = _pick(_CALC_TYPES[like], rng)
            spread = _pick(_SPREADS.get(calc_type, _SPREAD), rng)
        case FindingKind.ARCHITECTURAL_DISTORTION:
            shape = "ARCHITECTURAL_DISTORTION"
            margins = "SPICULATED" if rng.random() < 0.4 else "ILL_DEFINED"
        case FindingKind.ASYMMETRY:
            shape, margins = "FOCAL_ASYMMETRIC_DENSITY", "ILL_DEFINED"
        case _:
            shape, margins = _pick(_SHAPES[like], rng), _pick(_MARGINS[like], rng)
    return LesionLook(
        kind=kind,
        pathology=pathology,
        shape=shape,
        margins=margins,
        calc_type=calc_type,
        calc_distribution=spread,
        assessment=_pick(_ASSESSMENTS[like], rng),
        subtlety=_pick(_SUBTLETIES, rng),
        size_mm=_size(kind, spread, rng),
    )


def draw_lesion(
    look: LesionLook, spacing_mm: float, heading: float, rng: np.random.Generator
) -> tuple[Floats, Mask]:
    """Draw a lesion on a window of its own, its centre in the middle.

    Parameters
    ----------
    heading : direction towards the nipple in radians, along which segmental and linear groups lie;
        0 points along the columns, pi / 2 down

    Returns
    -------
    (n, n) float32, the density that it adds, from 0 to about 0.4, and (n, n) bool, its mask:
    whatever is added lies inside.
    """
    strength = 0.55 + 0.15 * look.subtlety
    if look.kind is FindingKind.CALCIFICATION:
        kind = TYPES[look.calc_type]
        added, mask = draw_grains(
            kind, look.calc_distribution, (look.size_mm, spacing_mm, heading), rng
        )
    else:
        added, mask = draw_mass(look.shape, look.margins, look.size_mm, spacing_mm, rng)
    return added * np.float32(strength), mask


def _size(kind: FindingKind, spread: str, rng: np.random.Generator) -> float:
    """Draw the longest diameter in mm; masses are log-normal between 5 and 35 mm."""
    if kind is FindingKind.CALCIFICATION:
        low, high = {"CLUSTERED": (4, 14), "LINEAR": (12, 30)}.get(spread, (18, 38))
        return float(rng.uniform(low, high))
    middle = 13 if kind is FindingKind.MASS else 20
    return float(np.clip(rng.lognormal(np.log(middle), 0.42), 5, 35))


def _pick(shares: dict[T, float], rng: np.random.Generator) -> T:
    names, weights = list(shares), np.array(list(shares.values()))
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
