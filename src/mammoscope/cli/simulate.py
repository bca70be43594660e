"""`mammoscope archive simulate`: a made archive in the file formats of a real one."""

from pathlib import Path
from typing import Annotated

import typer

from mammoscope.cli.console import counting, print_table


def simulate(
    name: Annotated[
        str, typer.Argument(help="Whose formats: ddsm, cbis-ddsm, mini-mias or dicom.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; new or empty.")],
    patients: Annotated[int, typer.Option(metavar="N", help="How many patients.")],
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same files.")],
    spacing_um: Annotated[
        float | None,
        typer.Option(
            metavar="UM", help="Side of a pixel in micrometres; by default each scanner's own."
        ),
    ] = None,
    defects: Annotated[
        bool, typer.Option("--defects", help="Plant the archive's known defects too.")
    ] = False,
) -> None:
    """Write a simulated archive of made breasts, and the truth of it into DIR.truth.

    Nothing in it shows a real patient.
    """
    from mammoscope.simulate.truth import truth_folder
    from mammoscope.simulate.write import write_archive

    with counting(f"simulating {name}") as on_done:
        truth = write_archive(
            name,
            folder,
            patients=patients,
            seed=seed,
            spacing_um=spacing_um,
            defects=defects,
            on_done=on_done,
        )
    findings = sum(len(scan.findings) for scan in truth.scans)
    rows = [
        ("patients", str(truth.patients)),
        ("scans", str(len(truth.scans))),
        ("findings", str(findings)),
        ("planted defects", str(len(truth.defects))),
    ]
    print_table(f"Simulated {name} in {folder}", ("what", "how many"), rows)
    print(f"The truth lies in {truth_folder(folder)}.")
