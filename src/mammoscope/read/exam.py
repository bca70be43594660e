"""Whole exams: files to scores, heat maps and detections of scans, breasts and the exam."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mammoscope.core.errors import (
    ConfigError,
    ContractError,
    MammoscopeError,
    ScanError,
    SpacingMissingError,
)
from mammoscope.core.reading import BreastReading, DomainStatement, ExamReading, ScanReading
from mammoscope.core.records import Spacing
from mammoscope.core.vocabulary import Laterality
from mammoscope.evaluation.sides import less_other_side
from mammoscope.models.weights import Model, load_model
from mammoscope.models.whole_scan import answer, find_peaks, scan_malignancy, scan_score
from mammoscope.read.candidates import detections, probability_of
from mammoscope.read.domain import check_domain, guard_of, statement_of
from mammoscope.read.doubts import doubts_of
from mammoscope.read.explain import explain
from mammoscope.read.find import ExamInput, find_exams
from mammoscope.read.picture import display_picture, heat_on
from mammoscope.scans.domain import Guard
from mammoscope.scans.load import LoadedScan, read_scan
from mammoscope.scans.prepare import Prepared

__all__ = ["ExamInput", "find_exams", "read_exam", "read_loaded"]


def read_exam(exam: ExamInput | str | Path, model: Model | str | Path = "default") -> ExamReading:
    """Read an exam: every scan in one pass, then its breasts and the exam.

    A breast's lesion score is the highest of its scans', its malignancy their mean; the exam's are
    those of its worse breast, whatever the breasts score against each other. Scans that cannot be
    read are named in `failures`.

    Parameters
    ----------
    exam : from `find_exams`, or a file or folder that holds one exam
    model : a model, a shipped model's name, or a weight file

    Raises
    ------
    ConfigError
        When the folder holds several exams.
    UnknownNameError
        When the model has no operating point of the name asked for.
    MammoscopeError
        When no scan of the exam can be read; the reason is that of the first.
    """
    used = model if isinstance(model, Model) else load_model(model)
    began = time.perf_counter()
    asked = exam if isinstance(exam, ExamInput) else _only_exam(Path(exam))
    if asked.operating_point is not None:
        used = replace(used, contract=used.contract.using(asked.operating_point))
    scans: list[ScanReading] = []
    failures: dict[str, str] = {}
    first: MammoscopeError | None = None
    timings: dict[str, float] = {}
    for file in asked.files:
        try:
            mark = time.perf_counter()
            opened = read_scan(
                file,
                spacing_um=asked.spacing_um,
                for_processing=asked.for_processing,
                anyway=asked.anyway,
            )
            loaded = _filled_in(opened, asked)
            decoded = time.perf_counter() - mark
            reading, steps = read_loaded(
                loaded, used, anyway=asked.anyway, explained=asked.explained
            )
        except MammoscopeError as error:
            failures[str(file)] = str(error)
            first = first or error
            continue
        scans.append(reading)
        for step, seconds in {"decode": decoded, **steps}.items():
            timings[step] = timings.get(step, 0.0) + seconds
    if not scans:
        raise first or ScanError(f"{asked.exam_id}: the exam holds no scan.")
    breasts = _breasts(scans, used)
    worst = max(breasts, key=lambda breast: breast.malignancy)
    timings["whole"] = time.perf_counter() - began
    return ExamReading(
        exam_id=asked.exam_id,
        patient_id=asked.patient_id,
        scans=tuple(scans),
        breasts=breasts,
        score=max(breast.score for breast in breasts),
        malignancy=worst.malignancy,
        probability=worst.probability,
        contract=used.contract,
        model_digest=used.digest,
        warnings=(*asked.warnings, *doubts_of(scans)),
        failures=failures,
        timings_s=timings,
    )


def _filled_in(scan: LoadedScan, asked: ExamInput) -> LoadedScan:
    """Give a scan the side and view that the user named, where the file does not say them.

    One option holds for all files of a call, so it must not rename the scans that know better.
    """
    return replace(
        scan, laterality=scan.laterality or asked.laterality, view=scan.view or asked.view
    )


def _prepared(scan: LoadedScan, spacing_mm: Spacing, model: Model) -> Prepared:
    """Prepare a scan; what is wrong with it is told with the file's name."""
    try:
        return model.prepare(scan.image, spacing_mm)
    except (ScanError, ContractError) as error:
        raise type(error)(f"{scan.path}: {error}") from error


def _stated(guard: Guard, scan: LoadedScan) -> DomainStatement | None:
    """Judge a scan; what is wrong with it is told with the file's name."""
    try:
        return statement_of(guard, scan)
    except (ScanError, ContractError) as error:
        raise type(error)(f"{scan.path}: {error}") from error


def _only_exam(path: Path) -> ExamInput:
    exams, failures = find_exams([path])
    if len(exams) > 1:
        raise ConfigError(
            f"{path}: holds {len(exams)} exams; read them with `mammoscope read`, or one by one "
            "from find_exams."
        )
    if not exams:
        raise ScanError(next(iter(failures.values())))
    return exams[0]


def _breasts(scans: list[ScanReading], model: Model) -> tuple[BreastReading, ...]:
    views = {side: [s for s in scans if s.laterality == side] for side in (*Laterality, None)}
    highest = {side: max(s.score for s in own) for side, own in views.items() if own}
    breasts = []
    for side, score in highest.items():
        own = views[side]
        malignancy = float(np.mean([scan.malignancy for scan in own]))
        breasts.append(
            BreastReading(
                laterality=side,
                score=score,
                malignancy=malignancy,
                probability=probability_of(malignancy, model.contract.breast_calibration),
                score_against_other=_against_other(side, highest),
            )
        )
    return tuple(breasts)


def _against_other(
    side: Laterality | None, highest: Mapping[Laterality | None, float]
) -> float | None:
    """Set a breast's score against the other's; None where either side is not known or not there.

    Scans of unknown side may be of this very breast, so they are never the other one.
    """
    if side is None:
        return None
    other = highest.get(Laterality.LEFT if side is Laterality.RIGHT else Laterality.RIGHT)
    return None if other is None else less_other_side(highest[side], other)


def read_loaded(
    scan: LoadedScan, model: Model, *, anyway: bool = False, explained: bool = False
) -> tuple[ScanReading, dict[str, float]]:
    """Read one loaded scan.

    Parameters
    ----------
    anyway : read a scan that the model's guard calls unlike the training scans
    explained : explain each detection, see `mammoscope.read.explain`

    Returns
    -------
    The reading, and the seconds of each step.

    Raises
    ------
    SpacingMissingError
        When the size of the scan's pixels is not known.
    ScanError, ContractError
        When no breast is found, the scan does not fit the model, or is unlike those of training.
    """
    if scan.spacing_mm is None or scan.spacing_source is None:
        raise SpacingMissingError(
            f"{scan.path}: the file does not say how large its pixels are, and the model needs "
            "sizes in millimetres; give the pixel size in micrometres with --spacing-um."
        )
    marks = [time.perf_counter()]
    guard = guard_of(model)
    domain = _stated(guard, scan) if guard else None
    if domain is not None and not anyway:
        check_domain(scan, domain)
    marks.append(time.perf_counter())
    prepared = _prepared(scan, scan.spacing_mm, model)
    marks.append(time.perf_counter())
    found = answer(model.network, model.contract.output, prepared)
    marks.append(time.perf_counter())
    peaks = find_peaks(found, prepared.spacing_mm)
    marked = detections(found, peaks, prepared, model.contract)
    picture, breast = display_picture(model.contract.input, scan.image, scan.spacing_mm, prepared)
    reading = ScanReading(
        scan_id=scan.path.stem,
        file=scan.path.name,
        laterality=scan.laterality,
        view=scan.view,
        shape_px=(scan.image.shape[0], scan.image.shape[1]),
        spacing_mm=scan.spacing_mm,
        spacing_source=scan.spacing_source,
        score=scan_score(peaks),
        malignancy=scan_malignancy(peaks),
        detections=marked,
        warnings=scan.warnings,
        picture=picture,
        heat=heat_on(found, prepared, breast),
        breast=breast,
        picture_spacing_mm=model.contract.input.spacing_mm / 2,
        domain=domain,
        explanations=explain(model, prepared, marked) if explained else (),
    )
    marks.append(time.perf_counter())
    steps = ("guard", "prepare", "network", "marks_and_pictures")
    return reading, {
        name: after - before
        for name, before, after in zip(steps, marks[:-1], marks[1:], strict=True)
    }
