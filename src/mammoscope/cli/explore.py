"""`mammoscope archive explore`: what an archive holds, as a page, after the paper's notebooks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mammoscope.cli.console import busy, counting, print_table
from mammoscope.cli.opening import open_at

COLUMNS = ("what", "how many")


def explore(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The archive's name.")],
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Its folder, or URL.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of exploration.json and the page.")
    ],
    neighbours: Annotated[
        bool,
        typer.Option(
            "--neighbours", help="Also the nearest neighbours on frozen features of its scans."
        ),
    ] = False,
    network: Annotated[
        str, typer.Option(help="Whose features: lite0, vgg19 or inception_v3.")
    ] = "lite0",
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its ImageNet weights; lite0 comes with its own."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Deals the patients to folds.")] = 0,
) -> None:
    """Count what an archive holds: classes, tissue or density, sizes of lesions by severity.

    With --neighbours, the paper's test of ImageNet features on whole scans too: as it was done,
    and by patient with intervals.
    """
    import json

    from mammoscope.formats.files import write_atomic
    from mammoscope.report.exploration_page import write_exploration_page
    from mammoscope.studies.exploration import explore as explored

    archive = open_at(name, folder)
    with busy("measuring"):
        record = explored(archive)
    if neighbours:
        record["neighbours"] = _neighbours(archive, network, weights, seed)
    out.mkdir(parents=True, exist_ok=True)
    source, page = out / "exploration.json", out / "exploration.html"
    write_atomic(source, json.dumps(record, indent=1, allow_nan=False) + "\n")
    write_exploration_page(source, page)
    rows = [(what, f"{count:,}") for what, count in record["counts"].items()]
    print_table(f"{archive.name} in {archive.folder}", COLUMNS, rows)
    print(f"Record: {source}\nPage: {page}")


def _neighbours(archive: Any, network: str, weights: Path | None, seed: int) -> dict[str, Any]:
    from mammoscope.studies.neighbours import PUBLISHED, PUBLISHED_BASELINES, describe, study

    with counting("features") as on_done:
        described = describe(archive, network, weights, on_done)
    with busy("neighbours"):
        told = study(described, seed)
    return {
        **told,
        "published": list(PUBLISHED),
        "published_baseline": PUBLISHED_BASELINES["test"],
    }
