"""Exams read and written one after another, and the summary that is printed of each."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mammoscope.cli.console import NOTICE, busy, make_console, print_table, share
from mammoscope.core.errors import MammoscopeError

if TYPE_CHECKING:
    from mammoscope.core.reading import BreastReading, ExamReading, ScanReading
    from mammoscope.models.weights import Model
    from mammoscope.read.exam import ExamInput

_DETECTIONS_SHOWN = 3


def read_and_write(
    exams: Sequence["ExamInput"], model: "Model", out: Path
) -> tuple[list[tuple["ExamReading", Path]], dict[str, str]]:
    """Read exams and write the report of each; one that fails does not stop the others.

    Parameters
    ----------
    exams : what is read
    model : what reads it
    out : folder of the report; with several exams each has a folder of its own in it

    Returns
    -------
    The readings with the path of their page, and what failed: name to reason.
    """
    from mammoscope.read.exam import read_exam
    from mammoscope.report.page import write_report

    done: list[tuple[ExamReading, Path]] = []
    failures: dict[str, str] = {}
    taken: set[str] = set()
    for exam in exams:
        folder = out if len(exams) == 1 else out / folder_name(exam.exam_id, taken)
        try:
            with busy(f"Reading {exam.exam_id}"):
                reading = read_exam(exam, model)
        except MammoscopeError as error:
            failures[str(exam.files[0])] = str(error)
            continue
        failures.update(reading.failures)
        done.append((reading, write_report(reading, folder)))
    return done, failures


def folder_name(exam_id: str, taken: set[str]) -> str:
    """Name a folder after an exam, whatever its id holds, and note the name as `taken`."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", exam_id).strip(".-")[:80] or "exam"
    name, copy = plain, 2
    while name.casefold() in taken:
        name, copy = f"{plain}-{copy}", copy + 1
    taken.add(name.casefold())
    return name


def print_summary(reading: "ExamReading", page: Path) -> None:
    """Print what a reading says, and where its report lies."""
    title = f"Exam {reading.exam_id}"
    if reading.patient_id is not None and reading.patient_id != reading.exam_id:
        title += f" of patient {reading.patient_id}"
    print_table(
        title,
        ("file", "side", "view", "score", "highest detections", "pixel size", "known from"),
        [_scan_row(scan) for scan in reading.scans],
    )
    print_table(
        "Scores from 0 to 1",
        ("", "lesion", "malignant", "probability"),
        [
            *(_breast_row(breast) for breast in reading.breasts),
            ("exam", *map(share, (reading.score, reading.malignancy, reading.probability))),
        ],
    )
    console = make_console()
    for warning in reading.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)
    for scan in reading.scans:
        for warning in scan.warnings:
            console.print(f"Note: {scan.file}: {warning}", soft_wrap=True)
    console.print(NOTICE, soft_wrap=True)
    console.print(f"Report: {page}", soft_wrap=True)


def _scan_row(scan: "ScanReading") -> tuple[str, ...]:
    rows, columns = (f"{1000 * value:.4g}" for value in scan.spacing_mm)
    best = scan.detections[:_DETECTIONS_SHOWN]
    return (
        scan.file,
        str(scan.laterality or "?"),
        str(scan.view or "?"),
        share(scan.score),
        ", ".join(f"{share(d.score)} {d.kind.lower()}" for d in best) or "none",
        f"{rows} µm" if rows == columns else f"{rows} x {columns} µm",
        str(scan.spacing_source),
    )


def _breast_row(breast: "BreastReading") -> tuple[str, ...]:
    side = {"L": "left breast", "R": "right breast"}.get(str(breast.laterality), "breast")
    return (side, *map(share, (breast.score, breast.malignancy, breast.probability)))
