"""`mammoscope read`: scans and folders of scans to reports and findings."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mammoscope.cli.console import tell, tell_failures
from mammoscope.cli.reading import print_summary, read_and_write
from mammoscope.cli.reading_many import read_all
from mammoscope.core.vocabulary import ForProcessing, Laterality, ViewPosition

if TYPE_CHECKING:
    from mammoscope.read.exam import ExamInput


def _only_dash(value: str | None) -> str | None:
    if value not in (None, "-"):
        raise typer.BadParameter("only '-', the standard output, is taken here.")
    return value


def read(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Scans, or folders that hold some.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("report"),
    model: Annotated[
        str, typer.Option(help="A shipped model's name, or a weight file.")
    ] = "default",
    spacing_um: Annotated[
        float | None,
        typer.Option(
            min=10, max=1000, help="Size of a pixel in micrometres; goes before what the files say."
        ),
    ] = None,
    laterality: Annotated[
        Laterality | None, typer.Option(help="Which breast, for files that do not say it.")
    ] = None,
    view: Annotated[
        ViewPosition | None, typer.Option(help="Which view, for files that do not say it.")
    ] = None,
    for_processing: Annotated[
        ForProcessing,
        typer.Option(
            help="What to do with images FOR PROCESSING: refuse them, take them raw, or convert "
            "them by the logarithm of their exposure."
        ),
    ] = "refuse",
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Read scans that are unlike those of training, too."),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show what each mark's score rests on; takes some seconds a mark."
        ),
    ] = False,
    operating_point: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Which of the model's thresholds marks places; see `model card`."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that read several exams; one a core unless given."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Read on a running Dask cluster, as tcp://10.0.0.1:8786."
        ),
    ] = None,
    json_to: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="-",
            callback=_only_dash,
            help="Print findings.json instead of tables, one line an exam.",
        ),
    ] = None,
) -> None:
    """Read mammograms and write their report.

    Several exams are read at the same time, each into a folder of its own; exams that an earlier
    run finished are not read again.

    Ends with 0 when all was read, 1 when some files could not be, 2 when none could.
    """
    from mammoscope.read.exam import find_exams

    exams, failures = find_exams(
        paths,
        spacing_um=spacing_um,
        laterality=laterality,
        view=view,
        for_processing=for_processing,
    )
    exams = [
        replace(exam, anyway=anyway, explained=explain, operating_point=operating_point)
        for exam in exams
    ]
    as_json = json_to is not None
    if len(exams) > 1 or (exams and cluster is not None):
        from mammoscope.read.many import Crew

        crew = Crew(workers=workers, cluster=cluster)
        done, more = read_all(exams, model, out, crew, as_json=as_json)
    elif exams:
        done, more = _read_only_exam(exams[0], model, out, as_json=as_json)
    else:
        done, more = 0, {}
    failures = {**failures, **more}
    tell_failures(failures)
    if not done and not failures:
        tell(f"{paths[0]}: no scan was found there; give DICOM, PNG, TIFF, PGM or JPEG files.")
    if failures or not done:
        raise typer.Exit(1 if done else 2)


def _read_only_exam(
    exam: "ExamInput", model: str, out: Path, *, as_json: bool
) -> tuple[int, dict[str, str]]:
    """Read one exam in this process; returns whether it was (0 or 1), and what failed."""
    from mammoscope.models.quick import load_to_read

    used = load_to_read(model, explained=exam.explained)
    done, failures = read_and_write([exam], used, out)
    for reading, page in done:
        if as_json:
            from mammoscope.report.findings import findings_json

            print(json.dumps(findings_json(reading), allow_nan=False))
        else:
            print_summary(reading, page)
    return len(done), failures
