"""`mammoscope model finish`: operating points and card of a finished run, without training."""

from pathlib import Path
from typing import Annotated

import typer

from mammoscope.core.errors import ConfigError


def finish(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run of a dense network.")],
    config: Annotated[Path, typer.Option(help="The run's settings (TOML).")],
    ablation: Annotated[
        list[Path] | None,
        typer.Option(help="Table of steps that were tried (CSV), for the card; may be repeated."),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(
            help="Index of training lesions that belongs to these weights: it takes their new "
            "digest, as the weights themselves stay."
        ),
    ] = None,
) -> None:
    """Put the operating points of a run's folds into its weights, and write its card.

    Nothing is trained: the weights stay as they are, only what goes with them is written anew.
    """
    from mammoscope.training.finish import finish as put
    from mammoscope.training.run import read_values, settings_of
    from mammoscope.training.settings import DenseSettings

    settings = settings_of(read_values(config), str(config))
    if not isinstance(settings, DenseSettings):
        raise ConfigError(f"{config}: only runs of the task dense have operating points.")
    before = _digest(run / "model.safetensors")
    path = put(run, settings, ablation or ())
    if index is not None:
        _restamp(index, before, _digest(path))
    print(f"Weights: {path}\nCard: {path.with_name('model.md')}")


def _digest(path: Path) -> str | None:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _restamp(path: Path, before: str | None, after: str | None) -> None:
    """Let an index of the weights as they were follow them to their new digest."""
    from dataclasses import replace

    from mammoscope.read.explain_nearest import read_index, write_index

    index = read_index(path)
    if after is None or index.model_digest not in (before, after):
        raise ConfigError(
            f"{path}: this index belongs to other weights; make it again with "
            "benchmarks/lesion_index.py."
        )
    write_index(path, replace(index, model_digest=after))
