"""`mammoscope model curves`: the page of training runs."""

from pathlib import Path
from typing import Annotated

import typer


def curves(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of runs, TensorBoard event files, or folders of these. Event files "
            "tr_NAME and te_NAME are training and validation of one run."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Page to write (HTML).")],
    figures: Annotated[
        Path | None,
        typer.Option("--figures", help="Folder that takes the drawings as SVG and PNG as well."),
    ] = None,
) -> None:
    """Write the page of runs: the paper's curves, PR curve, kernels, worst tiles, alarms."""
    from mammoscope.cli.console import tell
    from mammoscope.report.run_page import write_figures, write_run_page
    from mammoscope.report.run_record import load_runs

    runs = load_runs(paths)
    write_run_page(runs, out)
    written = write_figures(runs, figures) if figures is not None else []
    for run in runs:
        for problem in run.problems:
            tell(f"{run.name}: {problem}")
    print(out)
    for path in written:
        print(path)
