"""Simulated mini-MIAS: pictures of 1024 x 1024 pixels in pairs, and Info.txt.

Films are numbered from mdb323; the archive's own end at mdb322. Its reader knows the real films by
their pixels, so a made picture must not bear a real one's number.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, ViewPosition
from mammoscope.simulate.exam import LesionPlan, MadeExam, MadeLesion, MadeScan
from mammoscope.simulate.film import MIAS_SIDE_PX, mias_mask, to_mias
from mammoscope.simulate.made import Marked, make_planned, mark, plan_lesions, true_finding
from mammoscope.simulate.plan import Job, Written
from mammoscope.simulate.truth import WARNING, TrueFinding, TrueScan

NAME = "mini-mias"
INFO = "Info.txt"
SPACING_MM = 0.2
FIRST_FILM = 323
MOST_PATIENTS = 338
"""A film's number has three digits."""
_MADE_AT_MM = 0.1
_KINDS: tuple[tuple[FindingKind, ...], ...] = (
    (),
    (FindingKind.MASS,),
    (FindingKind.CALCIFICATION,),
    (),
    (FindingKind.ARCHITECTURAL_DISTORTION,),
    (FindingKind.MASS, FindingKind.MASS),
)
_TISSUES = {1: "F", 2: "G", 3: "D", 4: "D"}
"""Fatty, fatty-glandular, dense-glandular."""
_SEVERITIES = {Pathology.BENIGN: "B", Pathology.MALIGNANT: "M"}
_HEADING = f"""\
              MiniMammographic Database, in the form of
             the MAMMOGRAPHIC IMAGE ANALYSIS SOCIETY's

{WARNING}
Written by mammoscope; no film of the society's archive is among these.

Columns: reference; tissue (F, G, D); class; severity; x and y of the centre,
counted from the bottom-left corner; radius. All lengths are in pixels.

=================================================================

"""
_FOOT = "\n=================================================================\n"


def write_patient(job: Job) -> Written:
    """Write the pair of films of one patient: right breast odd, left breast even."""
    rng = job.generator()
    kinds = _KINDS[job.index % len(_KINDS)]
    exam = make_planned(rng, spacing_mm=_MADE_AT_MM, lesions=_lesions(kinds, rng))
    scans: list[TrueScan] = []
    rows: list[Mapping[str, str]] = []
    oblique = [scan for scan in exam.scans if scan.view is ViewPosition.MLO]
    for scan in sorted(oblique, key=lambda scan: scan.laterality is Laterality.LEFT):
        number = FIRST_FILM + 2 * job.index + (scan.laterality is Laterality.LEFT)
        film = _Film(job=job, exam=exam, scan=scan, name=f"mdb{number:03d}")
        found = film.findings()
        (job.folder / f"{film.name}.pgm").write_bytes(pgm_bytes(to_mias(scan, rng)))
        scans.append(film.truth(found))
        rows += film.rows(found)
    return Written(scans=tuple(scans), rows=tuple(rows))


def write_tables(folder: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write Info.txt."""
    lines = "\n".join(row["line"] for row in rows)
    (folder / INFO).write_text(f"{_HEADING}{lines}\n{_FOOT}", encoding="ascii")


def pgm_bytes(image: NDArray[np.uint8]) -> bytes:
    """Write an image of shape (rows, columns), uint8, as a binary PGM that says it is made."""
    head = f"P5\n# {WARNING}\n{image.shape[1]} {image.shape[0]}\n255\n"
    return head.encode("ascii") + image.tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Film:
    job: Job
    exam: MadeExam
    scan: MadeScan
    name: str

    def findings(self) -> tuple[TrueFinding, ...]:
        found = []
        for number, one in enumerate(mark(self.scan), start=1):
            region = mias_mask(self.scan, one.region)
            if region.any():
                circle = None if _is_widespread(one.lesion) else circle_round(region)
                on_grid = Marked(lesion=one.lesion, region=region, outcome=one.outcome)
                name = f"{self.name}.{number}"
                words = (_word_of(one.lesion),)
                found.append(true_finding(on_grid, self.job.truth, name, circle, words))
        return tuple(found)

    def truth(self, found: tuple[TrueFinding, ...]) -> TrueScan:
        patient_id = f"mias-{(int(self.name[3:]) + 1) // 2:03d}"
        return TrueScan(
            file=f"{self.name}.pgm",
            patient_id=patient_id,
            exam_id=patient_id,
            laterality=self.scan.laterality,
            view=self.scan.view,
            shape_px=(MIAS_SIDE_PX, MIAS_SIDE_PX),
            spacing_mm=SPACING_MM,
            breast_density=self.exam.breast_density,
            normal=not found,
            findings=found,
        )

    def rows(self, found: tuple[TrueFinding, ...]) -> Iterator[Mapping[str, str]]:
        head = f"{self.name} {_TISSUES[self.exam.breast_density]}"
        if not found:
            yield {"line": f"{head} NORM "}
        for finding in found:
            line = f"{head} {finding.words[0]} {_SEVERITIES[finding.pathology]}"
            if finding.circle_px is None:
                yield {"line": f"{line}          *NOTE 3*"}
            else:
                row, column, radius = (round(value) for value in finding.circle_px)
                yield {"line": f"{line} {column} {MIAS_SIDE_PX - row} {radius}"}


def circle_round(region: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return (row, column, radius) in whole pixels of a circle that encloses a region."""
    places = np.argwhere(region)
    row, column = (round(float(v)) for v in (places.min(axis=0) + places.max(axis=0)) / 2)
    radius = int(np.ceil(np.hypot(places[:, 0] - row, places[:, 1] - column).max()))
    return float(row), float(column), float(max(radius, 1))


def _lesions(kinds: tuple[FindingKind, ...], rng: np.random.Generator) -> tuple[LesionPlan, ...]:
    pathology = Pathology.MALIGNANT if rng.random() < 0.5 else Pathology.BENIGN
    return plan_lesions(kinds, [pathology] * len(kinds), rng)


def _is_widespread(lesion: MadeLesion) -> bool:
    return lesion.calc_distribution == "DIFFUSELY_SCATTERED"


def _word_of(lesion: MadeLesion) -> str:
    """Return the archive's class of a lesion."""
    if lesion.kind is not FindingKind.MASS:
        return {
            FindingKind.CALCIFICATION: "CALC",
            FindingKind.ARCHITECTURAL_DISTORTION: "ARCH",
        }.get(lesion.kind, "ASYM")
    return {"CIRCUMSCRIBED": "CIRC", "SPICULATED": "SPIC"}.get(lesion.margins, "MISC")
