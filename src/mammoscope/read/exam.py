"""Whole exams: files to scores, heat maps and detections of scans, breasts and the exam."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mammoscope.core.errors import MammoscopeError, MissingFileError, SpacingMissingError
from mammoscope.core.reading import BreastReading, ExamReading, ScanReading
from mammoscope.core.vocabulary import Laterality, ViewPosition
from mammoscope.models.weights import Model, load_model
from mammoscope.models.whole_scan import answer, find_peaks, scan_malignancy, scan_score
from mammoscope.read.candidates import detections, probability_of
from mammoscope.read.picture import display_picture, heat_on
from mammoscope.scans.load import LoadedScan, read_scan


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What the user says about files that do not say it themselves."""

    spacing_um: float | None = None
    laterality: Laterality | None = None
    view: ViewPosition | None = None


def read_loaded(scan: LoadedScan, model: Model) -> tuple[ScanReading, dict[str, float]]:
    """Read one loaded scan.

    Returns
    -------
    The reading, and the seconds of each step.

    Raises
    ------
    SpacingMissingError
        When the size of the scan's pixels is not known.
    ScanError, ContractError
        When no breast is found, or the scan does not fit the model.
    """
    if scan.spacing_mm is None or scan.spacing_source is None:
        raise SpacingMissingError(
            f"{scan.path}: the file does not say how large its pixels are, and the model needs "
            "sizes in millimetres; give the pixel size in micrometres with --spacing-um."
        )
    marks = [time.perf_counter()]
    prepared = model.prepare(scan.image, scan.spacing_mm)
    marks.append(time.perf_counter())
    found = answer(model.network, model.contract.output, prepared)
    marks.append(time.perf_counter())
    peaks = find_peaks(found, prepared.spacing_mm)
    marked = detections(found, peaks, prepared, model.contract)
    picture, breast = display_picture(
        model.contract.input, scan.image, scan.spacing_mm, prepared
    )
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
    )
    marks.append(time.perf_counter())
    steps = ("prepare", "network", "marks_and_pictures")
    return reading, {
        name: after - before
        for name, before, after in zip(steps, marks[:-1], marks[1:], strict=True)
    }
