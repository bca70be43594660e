"""Many exams read at the same time, and the table and sheet that are made of them."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mammoscope.cli.console import NOTICE, counting, make_console, print_table, share
from mammoscope.cli.reading import folder_name
from mammoscope.formats.files import write_atomic

if TYPE_CHECKING:
    from mammoscope.read.exam import ExamInput
    from mammoscope.read.many import Crew, ExamOutcome

SHEET = "exams.csv"
COLUMNS = (
    *("exam", "patient", "folder", "scans", "marks"),
    *("score", "malignancy", "probability", "notes", "failed"),
)


def read_all(
    exams: "Sequence[ExamInput]", model: str, out: Path, crew: "Crew", *, as_json: bool
) -> tuple[int, dict[str, str]]:
    """Read exams, each into a folder of its own, and list them in `exams.csv`.

    Parameters
    ----------
    exams : what is read
    model : a shipped model's name, a weight file, or an ONNX file
    out : folder of the reports
    crew : who reads
    as_json : print findings.json, a line an exam as each is finished, instead of a table

    Returns
    -------
    How many were read, by this run or an earlier one, and what failed: name to reason.
    """
    from mammoscope.read.many import read_many
    from mammoscope.report.page import write_report

    taken: set[str] = set()
    to_read = [
        (exam, out if len(exams) == 1 else out / folder_name(exam.exam_id, taken)) for exam in exams
    ]
    outcomes: list[ExamOutcome] = []
    try:
        # The bar would catch what is printed meanwhile.
        with _silent() if as_json else counting("Reading exams") as on_done:
            for outcome in read_many(to_read, out, model, write_report, crew):
                outcomes.append(outcome)
                on_done(len(outcomes), len(exams))
                if as_json and outcome.findings is not None:
                    print(json.dumps(outcome.findings, allow_nan=False), flush=True)
    finally:
        # What was finished is listed even where the run is broken off.
        if outcomes:
            write_atomic(out / SHEET, sheet(outcomes, out))
    if not as_json:
        _print_all(outcomes, out)
    return sum(one.findings is not None for one in outcomes), _failures(outcomes)


def sheet(outcomes: "Sequence[ExamOutcome]", out: Path) -> str:
    """Write what became of exams as CSV, in the order of their names; scores lie in [0, 1]."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in sorted(outcomes, key=lambda one: str(one.folder)):
        found = one.findings
        place = one.folder.relative_to(out).as_posix()
        name = (one.exam.exam_id, one.exam.patient_id or "", place)
        if found is None:
            writer.writerow((*name, *6 * [""], one.why or "a fault of mammoscope"))
            continue
        scores = (found["exam"][key] for key in ("score", "malignancy", "probability"))
        said = ("; ".join(found["warnings"]), "; ".join(found["failures"].values()))
        writer.writerow((*name, len(found["scans"]), _marks(found), *scores, *said))
    return text.getvalue()


def _failures(outcomes: "Sequence[ExamOutcome]") -> dict[str, str]:
    failures: dict[str, str] = {}
    for one in outcomes:
        first = str(one.exam.files[0])
        if one.findings is not None:
            failures.update(one.findings["failures"])
        elif one.bug is not None:
            print(one.bug, file=sys.stderr)
            failures[first] = (
                f"{first}: reading exam {one.exam.exam_id} met a fault of mammoscope, whose trace "
                "stands above; please report it."
            )
        else:
            failures[first] = one.why or ""
    return failures


def _print_all(outcomes: "Sequence[ExamOutcome]", out: Path) -> None:
    read = [one for one in outcomes if one.findings is not None]
    if not read:
        return
    print_table(
        f"{len(read)} exams; scores from 0 to 1",
        ("exam", "scans", "marks", "lesion", "malignant", "probability", "notes", "report"),
        [_row(one, one.findings or {}) for one in sorted(read, key=lambda one: str(one.folder))],
    )
    console = make_console()
    kept = sum(one.kept for one in read)
    if kept:
        console.print(f"Note: {kept} of them were read by an earlier run", soft_wrap=True)
    console.print(NOTICE, soft_wrap=True)
    console.print(f"Table, with the notes: {out / SHEET}", soft_wrap=True)


def _row(one: "ExamOutcome", found: Mapping[str, Any]) -> tuple[str, ...]:
    exam = found["exam"]
    return (
        one.exam.exam_id,
        str(len(found["scans"])),
        str(_marks(found)),
        *(share(exam[key]) for key in ("score", "malignancy", "probability")),
        str(len(found["warnings"])),
        str(one.folder / "report.html"),
    )


def _marks(found: Mapping[str, Any]) -> int:
    return sum(len(scan["detections"]) for scan in found["scans"])


@contextmanager
def _silent() -> Iterator[Callable[[int, int], None]]:
    yield lambda done, total: None
