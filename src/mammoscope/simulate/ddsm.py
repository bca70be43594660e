"""Simulated cases of DDSM: .ics, lossless JPEG in the archive's own convention, .OVERLAY, TAPE.

Case numbers begin at 9001; the archive's own end at 4609, so that no made case can be taken for
a real one. Volumes carry the archive's names, since a volume's name tells kind and scanner.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.formats.ics import VIEWS, Ics, IcsView, format_ics
from mammoscope.formats.ics_date import read_dates
from mammoscope.formats.ljpeg_encode import encode_ljpeg
from mammoscope.formats.overlay import NOT_SAID, Abnormality, LesionType, format_overlay
from mammoscope.simulate.chain import outline_of
from mammoscope.simulate.exam import LesionPlan, MadeExam, MadeScan
from mammoscope.simulate.film import to_film
from mammoscope.simulate.made import (
    SIDE_WORDS,
    Marked,
    make_planned,
    mark,
    plan_lesions,
    true_finding,
    view_name,
    words_of,
)
from mammoscope.simulate.plan import Job, Written
from mammoscope.simulate.truth import TrueScan

NAME = "ddsm"
FIRST_CASE = 9001
MOST_PATIENTS = 999
"""A case number has four digits."""
_TAPE_SHRINK_MM = 0.75
"""A pixel of the small view: 15 of 50 micrometres."""
_TAPE_GAP_PX = 10
_WHITE = 65535
_MASS, _CALC = FindingKind.MASS, FindingKind.CALCIFICATION
_DISTORTION = FindingKind.ARCHITECTURAL_DISTORTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume of the archive: its folder, the letter of its site, and the scanner it was read by.

    `scanner` is the name in `mammoscope.simulate.film`, `digitizer` the words in the .ics.
    """

    folder: str
    letter: str
    scanner: str
    digitizer: str
    spacing_um: float
    bits: int

    @property
    def name(self) -> str:
        """The volume's own name, e.g. "cancer_01"."""
        return self.folder.rpartition("/")[2]


def _volume(folder: str, letter: str, scanner: str) -> Volume:
    digitizer, spacing_um, bits = {
        "dba": ("DBA 21", 42.0, 16),
        "howtek-mgh": ("HOWTEK 43.5", 43.5, 12),
        "howtek-ismd": ("HOWTEK 43.5", 43.5, 12),
        "lumisys": ("LUMISYS LASER", 50.0, 12),
    }[scanner]
    return Volume(
        folder=folder,
        letter=letter,
        scanner=scanner,
        digitizer=digitizer,
        spacing_um=spacing_um,
        bits=bits,
    )


VOLUMES = (
    _volume("normals/normal_01", "A", "dba"),
    _volume("cancers/cancer_01", "B", "lumisys"),
    _volume("benigns/benign_02", "A", "howtek-mgh"),
    _volume("benign_without_callbacks/benign_without_callback_01", "C", "lumisys"),
    _volume("cancers/cancer_12", "D", "howtek-ismd"),
    _volume("normals/normal_07", "D", "howtek-ismd"),
    _volume("cancers/cancer_03", "A", "dba"),
    _volume("benigns/benign_01", "B", "lumisys"),
    _volume("cancers/cancer_06", "A", "howtek-mgh"),
    _volume("normals/normal_09", "C", "lumisys"),
)
"""Patients go through these in turn; scanners are those of the real volumes."""
_KINDS: tuple[tuple[FindingKind, ...], ...] = (
    (_MASS,),
    (_CALC,),
    (_MASS, _CALC),
    (_DISTORTION,),
    (_MASS, _MASS),
)


def write_patient(job: Job) -> Written:
    """Write the case of one patient."""
    volume = VOLUMES[job.index % len(VOLUMES)]
    rng = job.generator()
    spacing_mm = job.plan.spacing_mm or volume.spacing_um / 1000
    exam = make_planned(rng, spacing_mm=spacing_mm, lesions=_lesions(volume, job.index, rng))
    case = _Case(job=job, volume=volume, number=FIRST_CASE + job.index, exam=exam)
    case.folder.mkdir(parents=True)
    films = {view_name(scan): to_film(scan, volume.scanner, rng) for scan in exam.scans}
    scans = tuple(_write_scan(case, scan, films[view_name(scan)]) for scan in exam.scans)
    ics = format_ics(_ics(case, scans, rng))
    (case.folder / f"{case.stem.replace('_', '-')}.ics").write_text(ics, encoding="ascii")
    (case.folder / f"TAPE_{case.stem}.COMB.16_PGM").write_bytes(tape_bytes(films, spacing_mm))
    return Written(scans=scans)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    job: Job
    volume: Volume
    number: int
    exam: MadeExam

    @property
    def folder(self) -> Path:
        return self.job.folder / "cases" / self.volume.folder / f"case{self.number:04d}"

    @property
    def stem(self) -> str:
        return f"{self.volume.letter}_{self.number:04d}_1"

    @property
    def key(self) -> str:
        return f"{self.volume.letter}_{self.number:04d}"


def _write_scan(case: _Case, scan: MadeScan, film: NDArray[np.uint16]) -> TrueScan:
    """Write a film and its outlines."""
    name = f"{case.stem}.{view_name(scan)}"
    # The archive's encoder was given rows and columns exchanged for some Howtek films.
    exchanged = case.volume.scanner.startswith("howtek") and case.number % 2 == 1
    path = case.folder / f"{name}.LJPEG"
    path.write_bytes(encode_ljpeg(film, header_rows_columns_exchanged=exchanged))
    without = case.volume.name.startswith("benign_without_callback")
    marked = mark(scan, outcome="BENIGN_WITHOUT_CALLBACK" if without else None)
    if marked:
        text = format_overlay(tuple(_abnormality(one) for one in marked))
        (case.folder / f"{name}.OVERLAY").write_text(text, encoding="ascii")
    return TrueScan(
        file=path.relative_to(case.job.folder).as_posix(),
        patient_id=f"ddsm-{case.volume.name}-{case.key}",
        exam_id=f"{case.volume.name}/{case.key}",
        laterality=scan.laterality,
        view=scan.view,
        shape_px=(film.shape[0], film.shape[1]),
        spacing_mm=scan.spacing_mm,
        breast_density=case.exam.breast_density,
        normal=case.volume.name.startswith("normal"),
        findings=tuple(
            true_finding(one, case.job.truth, f"{name}.{n}")
            for n, one in enumerate(marked, start=1)
        ),
    )


def _ics(case: _Case, scans: Sequence[TrueScan], rng: np.random.Generator) -> Ics:
    study, scan = read_dates(_date(rng, 1992, 1997), _date(rng, 1998, 1999), orders_mixed=False)
    views = {f"{SIDE_WORDS[one.laterality]}_{one.view}": one for one in scans}
    return Ics(
        filename=case.stem.replace("_", "-"),
        study_date=study,
        age=case.exam.age,
        film_type="REGULAR",
        density=case.exam.breast_density,
        scan_date=scan,
        digitizer=case.volume.digitizer,
        # The cases of the scanner DBA have an empty line there.
        selection="" if case.volume.scanner == "dba" else "SEQUENCE",
        views=tuple(
            IcsView(
                name=name,
                lines=views[name].shape_px[0],
                pixels_per_line=views[name].shape_px[1],
                bits=case.volume.bits,
                resolution_um=views[name].spacing_mm * 1000,
                overlay=bool(views[name].findings),
            )
            for name in VIEWS
        ),
    )


def tape_bytes(films: Mapping[str, NDArray[np.uint16]], spacing_mm: float) -> bytes:
    """Make the small view of four films: MLO above CC, the right breast on the left side.

    It is a PGM of 16 bits with the archive's extra line feed before the samples.
    """
    step = max(1, round(_TAPE_SHRINK_MM / spacing_mm))
    small = {view: _shrunk(film, step) for view, film in films.items()}
    bands = [
        _side_by_side(small[f"RIGHT_{view}"], small[f"LEFT_{view}"], axis=1)
        for view in ("MLO", "CC")
    ]
    picture = _side_by_side(bands[0], bands[1], axis=0)
    head = f"P5\n{picture.shape[1]} {picture.shape[0]}\n65535\n\n"
    return head.encode("ascii") + picture.astype(">u2").tobytes()


def _lesions(volume: Volume, index: int, rng: np.random.Generator) -> tuple[LesionPlan, ...]:
    if volume.name.startswith("normal"):
        return ()
    # The number of turns through the volumes, so that each volume sees every kind of case.
    kinds = _KINDS[(index + index // len(VOLUMES)) % len(_KINDS)]
    malignant = volume.name.startswith("cancer")
    first = Pathology.MALIGNANT if malignant else Pathology.BENIGN
    # A cancer case marks harmless lesions too.
    return plan_lesions(kinds, (first, *(Pathology.BENIGN for _ in kinds[1:])), rng)


def _abnormality(marked: Marked) -> Abnormality:
    calcified = marked.lesion.kind is _CALC
    names = ("TYPE", "DISTRIBUTION") if calcified else ("SHAPE", "MARGINS")
    words = (() if word == NOT_SAID else tuple(word.split("-")) for word in words_of(marked.lesion))
    lesion_type = LesionType(
        kind="CALCIFICATION" if calcified else "MASS",
        qualities=tuple(zip(names, words, strict=True)),
    )
    return Abnormality(
        lesion_types=(lesion_type,),
        assessment=int(marked.lesion.assessment[0]),
        subtlety=marked.lesion.subtlety,
        pathology=marked.outcome,
        boundary=outline_of(marked.region),
    )


def _date(rng: np.random.Generator, first: int, last: int) -> str:
    day, month = int(rng.integers(1, 29)), int(rng.integers(1, 13))
    return f"{day} {month} {int(rng.integers(first, last + 1))}"


def _shrunk(film: NDArray[np.uint16], step: int) -> NDArray[np.uint16]:
    rows, columns = (size // step * step for size in film.shape)
    blocks = film[:rows, :columns].reshape(rows // step, step, columns // step, step)
    small: NDArray[np.uint16] = blocks.mean(axis=(1, 3), dtype=np.float32).astype(np.uint16)
    return small


def _side_by_side(
    first: NDArray[np.uint16], second: NDArray[np.uint16], axis: int
) -> NDArray[np.uint16]:
    """Put two pictures side by side with a black gap; white fills up round the smaller one."""
    across = 1 - axis
    size = max(first.shape[across], second.shape[across])
    padded = []
    for picture in (first, second):
        more = [(0, 0), (0, 0)]
        more[across] = (0, size - picture.shape[across])
        padded.append(np.pad(picture, more, constant_values=_WHITE))
    gap = [size, size]
    gap[axis] = _TAPE_GAP_PX
    black: NDArray[np.uint16] = np.zeros(gap, np.uint16)
    return np.concatenate([padded[0], black, padded[1]], axis=axis)
