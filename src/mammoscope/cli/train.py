"""`mammoscope train`: a settings file to weights with their contract."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Option(metavar="FILE.toml", help="Settings of the run.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as in --set epochs=3."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="runs/<its name>")
    ] = None,
) -> None:
    """Train a network, or go on with a broken-off run.

    A run with the same settings and folder goes on where it stopped.
    """
    from mammoscope.training.run import train as run

    print(f"Weights: {run(config, overrides or [], out)}")
