"""`train`: a settings file to a folder with trained weights, whatever the task."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mammoscope.core.config import parse_toml, settings_from
from mammoscope.core.errors import MissingFileError, UnknownNameError
from mammoscope.training.settings import DenseSettings

TASKS = ("dense", "tiles")


def train(config: str | Path, overrides: Sequence[str] = (), out: str | Path | None = None) -> Path:
    """Train as a TOML file says.

    Parameters
    ----------
    config : path of the settings
    overrides : each "a.b=value", laid over the file
    out : folder of the run; ``runs/<name>`` when not given. A run that was interrupted is taken
        up again in the same folder.

    Returns
    -------
    Path of the weight file.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ConfigError
        When a key or value of the settings is wrong.
    TrainingError
        When training cannot go on usefully.
    """
    path = Path(config)
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such settings file; configs/ holds examples.")
    values = parse_toml(path.read_text(encoding="utf-8"), overrides, source=str(path))
    task = str(values.get("task", "dense"))
    match task:
        case "dense":
            from mammoscope.training.dense_run import train_dense

            settings = settings_from(values, DenseSettings, source=str(path))
            folder = Path(out) if out else Path("runs") / settings.name
            return train_dense(settings, _digest(settings), folder, show_progress)
        case "tiles":
            from mammoscope.training.tile_run import TileSettings, train_tiles

            tiles = settings_from(values, TileSettings, source=str(path))
            folder = Path(out) if out else Path("runs") / tiles.name
            return train_tiles(tiles, _digest(tiles), folder, show_progress)
        case _:
            raise UnknownNameError.among("task", task, TASKS)


def _digest(settings: Any) -> str:
    """Digest of settings: parts of a run that were made under others are told by it."""
    text = json.dumps(asdict(settings), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def show_progress(total: int, title: str) -> Iterator[Callable[[str], None]]:
    """Show a progress bar on standard error; gives a function that moves it by one step."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(title, total=total, now="")
        yield lambda text: progress.update(bar, advance=1, now=text)
