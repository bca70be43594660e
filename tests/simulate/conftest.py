"""A stand-in for the made breasts, for tests of what is written and not of what it shows."""

import numpy as np
import pytest

from mammoscope.core.vocabulary import Assessment, FindingKind, Laterality, ViewPosition
from mammoscope.simulate.exam import MadeExam, MadeLesion, MadeScan

FILM_MM = (200, 120)
ORDER = tuple(
    (side, view)
    for view in (ViewPosition.CC, ViewPosition.MLO)
    for side in (Laterality.RIGHT, Laterality.LEFT)
)


def plain_lesion(plan, number, shape_px, spacing_mm):
    """A disc, of calcifications four small discs apart, at another height for each number."""
    rows, columns = np.ogrid[: shape_px[0], : shape_px[1]]
    middle = (60 + 40 * number) / spacing_mm, shape_px[1] / 2
    calcified = plan.kind is FindingKind.CALCIFICATION
    apart, radius = (5, 1) if calcified else (0, 8)
    mask = np.zeros(shape_px, bool)
    for down, aside in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        away = np.hypot(
            rows - middle[0] - down * apart / spacing_mm,
            columns - middle[1] - aside * apart / spacing_mm,
        )
        mask |= away <= radius / spacing_mm
    words = ("", "", "PLEOMORPHIC", "CLUSTERED") if calcified else ("OVAL", "OBSCURED", "", "")
    return MadeLesion(plan.kind, *words, plan.pathology, Assessment.SUSPICIOUS, 3, mask)


def plain_exam(rng, *, spacing_mm, breast_density=None, lesions=()):
    """Four half ellipses of one grey with noise; takes what `make_exam` takes."""
    shape_px = tuple(round(side / spacing_mm) for side in FILM_MM)
    rows, columns = np.ogrid[: shape_px[0], : shape_px[1]]
    scans = []
    for side, view in ORDER:
        from_wall = columns if side is Laterality.LEFT else shape_px[1] - 1 - columns
        half = shape_px[0] / 2
        breast = ((rows - half) / (0.9 * half)) ** 2 + (from_wall / (0.8 * shape_px[1])) ** 2 < 1
        noise = rng.random(shape_px, dtype=np.float32) * np.float32(0.1)
        density = np.where(breast, 0.4 + noise, 0).astype(np.float32)
        seen = [p for p in lesions if p.laterality is side and view in p.views]
        made = tuple(plain_lesion(p, n, shape_px, spacing_mm) for n, p in enumerate(seen))
        for lesion in made:
            density[lesion.mask] += np.float32(0.3)
        scans.append(MadeScan(side, view, spacing_mm, density, made, breast, (half, half)))
    return MadeExam(tuple(scans), breast_density or int(rng.integers(1, 5)), 50)


@pytest.fixture(scope="module")
def plain_breasts():
    """Lets the archives' writers use `plain_exam`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mammoscope.simulate.made.make_exam", plain_exam)
        yield
