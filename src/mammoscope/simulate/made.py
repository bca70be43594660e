"""Between the made breasts and the archives: lesions planned by case, and the truth of each."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import BadValueError
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, ViewPosition
from mammoscope.simulate.chain import one_region
from mammoscope.simulate.exam import LesionPlan, MadeExam, MadeLesion, MadeScan, make_exam
from mammoscope.simulate.truth import TrueFinding, box_of_mask, save_mask

BOTH_VIEWS = (ViewPosition.CC, ViewPosition.MLO)
SIDE_WORDS = {Laterality.LEFT: "LEFT", Laterality.RIGHT: "RIGHT"}
NOT_SAID = "N/A"
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A lesion on one scan that the archive marks, and the region that it draws for it."""

    lesion: MadeLesion
    region: NDArray[np.bool_]
    outcome: str


def plan_lesions(
    kinds: Sequence[FindingKind], pathologies: Sequence[Pathology], rng: np.random.Generator
) -> tuple[LesionPlan, ...]:
    """Plan lesions in one breast, taken at random, each seen on both its views."""
    side = Laterality.LEFT if rng.random() < 0.5 else Laterality.RIGHT
    return tuple(
        LesionPlan(kind=kind, pathology=pathology, laterality=side, views=BOTH_VIEWS)
        for kind, pathology in zip(kinds, pathologies, strict=True)
    )


def make_planned(
    rng: np.random.Generator, *, spacing_mm: float, lesions: tuple[LesionPlan, ...]
) -> MadeExam:
    """Make an exam with its lesions; see `mammoscope.simulate.exam.make_exam`.

    Now and then a breast is too small for what it is to hold; another one is drawn then.
    """
    for _ in range(_TRIES):
        with suppress(BadValueError):
            return make_exam(rng, spacing_mm=spacing_mm, lesions=lesions)
    return make_exam(rng, spacing_mm=spacing_mm, lesions=lesions)


def view_name(scan: MadeScan) -> str:
    """Return how DDSM and CBIS-DDSM call a scan's side and view, e.g. "LEFT_CC"."""
    return f"{SIDE_WORDS[scan.laterality]}_{scan.view}"


def mark(scan: MadeScan, outcome: str | None = None) -> tuple[Marked, ...]:
    """Take a scan's lesions as one region each; `outcome` None is the pathology's own word."""
    regions = [(lesion, one_region(lesion.mask)) for lesion in scan.lesions]
    return tuple(
        Marked(lesion=lesion, region=region, outcome=outcome or str(lesion.pathology))
        for lesion, region in regions
        if region.any()
    )


def words_of(lesion: MadeLesion) -> tuple[str, str]:
    """Return the two words that DDSM has for a lesion, "N/A" where nothing is said.

    Shape and margins; for calcifications type and distribution.
    """
    if lesion.kind is FindingKind.CALCIFICATION:
        return lesion.calc_type or NOT_SAID, lesion.calc_distribution or NOT_SAID
    return lesion.shape or NOT_SAID, lesion.margins or NOT_SAID


def true_finding(
    marked: Marked,
    truth: Path,
    name: str,
    circle_px: tuple[float, float, float] | None = None,
    words: tuple[str, ...] | None = None,
) -> TrueFinding:
    """Save a lesion's mask under `name` in the folder `truth` and record the lesion."""
    lesion = marked.lesion
    return TrueFinding(
        kind=lesion.kind,
        pathology=lesion.pathology,
        outcome=marked.outcome,
        assessment=lesion.assessment,
        subtlety=lesion.subtlety,
        words=words_of(lesion) if words is None else words,
        box_px=box_of_mask(marked.region),
        mask=save_mask(marked.region, truth, name),
        circle_px=circle_px,
    )
