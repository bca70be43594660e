"""`mammoscope tiles places`: where a model sees lesions, for the hard negatives of `strict`."""

from pathlib import Path
from typing import Annotated

import typer

from mammoscope.cli.console import counting, tell_failures
from mammoscope.cli.opening import ArchivesArgument, open_pairs


def places(
    archives: ArchivesArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Table of places, .parquet or .csv.")],
    model: Annotated[
        str, typer.Option(metavar="NAME", help="A dense model, or its weight file.")
    ] = "default",
    assumed_um: Annotated[
        float | None,
        typer.Option(
            metavar="UM", help="Side of a pixel of scans whose spacing nobody knows, in µm."
        ),
    ] = None,
) -> None:
    """Score every scan of archives with a model, for `tiles build --recipe strict --places FILE`.

    Right and wrong places are written alike; a build leaves out those near a finding. Ends with 1
    when some scans could not be scored, each named.
    """
    from mammoscope.read.score_places import score_places

    opened = open_pairs(archives)
    out.parent.mkdir(parents=True, exist_ok=True)
    with counting("scoring") as on_done:
        failures = score_places(model, opened, out, assumed_um=assumed_um, progress=on_done)
    scans = sum(len(archive.scans()) for archive in opened)
    print(f"Places of {scans - len(failures)} of {scans} scans in {out}.")
    tell_failures(failures)
    if failures:
        raise typer.Exit(1)
