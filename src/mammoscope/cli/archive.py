"""`mammoscope archive`: which archives are known, and what one folder of them holds."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mammoscope.cli.console import counting, print_table
from mammoscope.cli.explore import explore
from mammoscope.cli.fetch import fetch
from mammoscope.cli.opening import open_at
from mammoscope.cli.simulate import simulate
from mammoscope.core.errors import MammoscopeError, UnknownNameError

if TYPE_CHECKING:
    from mammoscope.archives.archive import Archive
    from mammoscope.core.records import Finding, Problem, Scan

CHECK_SCHEMA = "mammoscope.archive-check/1"
MOST_SHOWN = 200
"""Problems in the table; a torn download can have thousands."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Archives: list, check, show, explore, simulate and fetch them.",
)

Name = Annotated[str, typer.Argument(help="Name of the archive, see `archive list`.")]
Place = Annotated[str, typer.Argument(metavar="DIR", help="Folder that holds it, or a URL.")]


@app.command("list")
def list_archives() -> None:
    """List the archives that can be read."""
    from mammoscope.archives.open import NAMES

    print_table("Archives", ("name", "what it is"), [(n, NAMES[n]) for n in sorted(NAMES)])


@app.command()
def check(
    name: Name,
    folder: Place,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print counts and all problems as JSON.")
    ] = False,
) -> None:
    """Say what an archive's folder holds, and what is missing, broken or contradictory.

    Every scan is opened, on all cores. Ends with 0 when nothing is wrong and 1 when something is.
    """
    opened = open_at(name, folder)
    with counting("checking") as on_done:
        problems = opened.check(on_done=on_done)
    try:
        counts, why = count(opened), ""
    except MammoscopeError as error:
        # A folder too broken to be counted is what this command is for.
        if not problems:
            raise
        counts, why = {}, str(error)
    if as_json:
        print(json.dumps(_report(opened, counts, why, problems), indent=1, ensure_ascii=False))
    else:
        rows = [(what, str(number)) for what, number in counts.items()] or [("not counted", why)]
        print_table(f"{opened.name} in {folder}", ("what", "how many"), rows)
        _print_problems(opened.folder, problems)
    if problems:
        raise typer.Exit(1)


def _report(
    opened: "Archive", counts: dict[str, int], why: str, problems: "Sequence[Problem]"
) -> dict[str, Any]:
    return {
        "schema": CHECK_SCHEMA,
        "archive": opened.name,
        "folder": str(opened.folder),
        "licence": opened.licence,
        "counts": counts or None,
        "not_counted_because": why or None,
        "problems": [asdict(problem) for problem in problems],
    }


def _print_problems(folder: Path, problems: "Sequence[Problem]") -> None:
    """Print a row for each kind of problem with the first files that have it."""
    if not problems:
        print("No problem was found.")
        return
    places: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        # The folder stands in the title already.
        where = problem.where.removeprefix(f"{folder}/").removeprefix(f"{folder.resolve()}/")
        places.setdefault((problem.what, problem.remedy), []).append(where)
    rows = [(_some(where), what, remedy) for (what, remedy), where in places.items()]
    print_table(
        f"{len(problems)} problems" if len(problems) > 1 else "1 problem",
        ("where", "what", "what to do"),
        rows[:MOST_SHOWN],
    )
    if len(rows) > MOST_SHOWN:
        print(f"{len(rows) - MOST_SHOWN} more rows are not shown: --json lists all.")


def _some(places: list[str]) -> str:
    shown = "\n".join(places[:3])
    return shown if len(places) <= 3 else f"{shown}\nand {len(places) - 3} more"


@app.command()
def show(
    name: Name,
    folder: Place,
    patient: Annotated[
        str | None, typer.Option(metavar="ID", help="Show this patient's scans and findings.")
    ] = None,
) -> None:
    """Show an archive's patients, or the scans and findings of one, or its tables' columns."""
    opened = open_at(name, folder)
    if opened.tables:
        _show_tables(opened)
        return
    if patient is None:
        _show_patients(opened)
        return
    if patient not in opened.patients():
        raise UnknownNameError.among("patient", patient, opened.patients())
    scans = [scan for scan in opened.scans() if scan.patient_id == patient]
    print_table(
        f"Scans of patient {patient}",
        ("scan", "exam", "side", "view", "pixel size in mm", "known from", "findings"),
        [_scan_row(scan) for scan in scans],
    )
    findings = [_finding_row(finding) for scan in scans for finding in scan.findings or ()]
    if findings:
        columns = ("finding", "scan", "kind", "pathology", "assessment", "place in pixels", "words")
        print_table("Findings", columns, findings)


def count(opened: "Archive") -> dict[str, int]:
    """Count an archive's patients, exams, scans, and findings by kind and pathology.

    Raises
    ------
    AnnotationError
        When a line of the annotations is damaged.
    """
    if opened.tables:
        return {f"rows of {name}": table.height for name, table in opened.tables.items()}
    scans, findings = opened.scans(), opened.findings()
    return {
        "patients": len(opened.patients()),
        "exams": len(opened.exams()),
        "scans": len(scans),
        "scans without findings": sum(scan.findings == () for scan in scans),
        "findings": len(findings),
        **_counted("findings", (str(f.kind) for f in findings)),
        **_counted("findings", (str(f.pathology or "pathology unknown") for f in findings)),
    }


def _counted(what: str, values: Iterable[str]) -> dict[str, int]:
    return {
        f"{what}: {value.lower().replace('_', ' ')}": number
        for value, number in sorted(Counter(values).items())
    }


def _show_patients(opened: "Archive") -> None:
    scans: dict[str, list[Scan]] = {}
    for scan in opened.scans():
        scans.setdefault(scan.patient_id, []).append(scan)
    print_table(
        f"Patients of {opened.name}",
        ("patient", "exams", "scans", "findings", "pathologies"),
        [_patient_row(patient, scans[patient]) for patient in sorted(scans)],
    )


def _show_tables(opened: "Archive") -> None:
    for name, table in opened.tables.items():
        print_table(
            f"{name}: {table.height} rows",
            ("column", "type", "missing", "distinct values"),
            [
                (column.name, str(column.dtype), str(column.null_count()), str(column.n_unique()))
                for column in table
            ],
        )


def _patient_row(patient: str, scans: "list[Scan]") -> tuple[str, ...]:
    proven = {str(f.pathology) for scan in scans for f in scan.findings or () if f.pathology}
    return (
        patient,
        str(len({scan.exam_id for scan in scans})),
        str(len(scans)),
        str(sum(len(scan.findings or ()) for scan in scans)),
        ", ".join(sorted(proven)).lower() or "-",
    )


def _scan_row(scan: "Scan") -> tuple[str, ...]:
    size = "?" if scan.spacing_mm is None else " x ".join(f"{v:.4g}" for v in scan.spacing_mm)
    known = "not said" if scan.findings is None else str(len(scan.findings))
    return (
        scan.scan_id,
        scan.exam_id,
        str(scan.laterality or "?"),
        str(scan.view or "?"),
        size,
        str(scan.spacing_source or "-"),
        known,
    )


def _finding_row(finding: "Finding") -> tuple[str, ...]:
    from mammoscope.core.geometry import MaskFile, bounding_box

    place = "none given"
    if isinstance(finding.roi, MaskFile):
        place = f"mask in {finding.roi.path.name}"
    elif finding.roi is not None:
        box = bounding_box(finding.roi)
        row, column = box.centre
        place = f"row {row:.0f}, column {column:.0f}, {box.height:.0f} x {box.width:.0f}"
    return (
        finding.finding_id,
        finding.scan_id,
        str(finding.kind).lower(),
        str(finding.pathology or "unknown").lower(),
        str(finding.assessment or "-"),
        place,
        ", ".join(finding.descriptors),
    )


app.command()(explore)
app.command()(simulate)
app.command()(fetch)
