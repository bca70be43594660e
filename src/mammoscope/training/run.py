"""`train`: a settings file to a folder with trained weights, whatever the task."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mammoscope.core.config import parse_toml, settings_from
from mammoscope.core.errors import (
    BadValueError,
    MissingFileError,
    ShapeError,
    TrainingError,
    UnknownNameError,
)
from mammoscope.models import zoo
from mammoscope.training.distributed import ALONE, Team, joined
from mammoscope.training.loop import OnEpoch
from mammoscope.training.memory import keep_freed_memory
from mammoscope.training.settings import DenseSettings, TileSettings

RunSettings = DenseSettings | TileSettings
TASKS: Mapping[str, type[RunSettings]] = {"dense": DenseSettings, "tiles": TileSettings}


def train(config: str | Path, overrides: Sequence[str] = (), out: str | Path | None = None) -> Path:
    """Train as a TOML file says, together with the other processes of ``torchrun`` or SLURM.

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
    with joined() as team:
        settings = settings_of(read_values(config, overrides), str(config))
        return train_settings(settings, folder_of(settings, out), team=team)


def read_values(config: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a settings file without looking at what its keys mean.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ConfigError
        When it is no TOML.
    """
    path = Path(config)
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such settings file; configs/ holds examples.")
    return parse_toml(path.read_text(encoding="utf-8"), overrides, source=str(path))


def settings_of(values: Mapping[str, Any], source: str) -> RunSettings:
    """Make the settings of the task that the values name.

    Raises
    ------
    UnknownNameError
        When there is no such task.
    ConfigError
        When a key or value is wrong.
    """
    task = str(values.get("task", "dense"))
    if task not in TASKS:
        raise UnknownNameError.among("task", task, TASKS)
    if task == "tiles":
        values = with_facts(values)
    return settings_from(values, TASKS[task], source=source)


def with_facts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what a run of tiles does not say and the script of its network does.

    What is wrong in `values` stays as it is, for `settings_from` to tell.

    Raises
    ------
    UnknownNameError
        When there is no such network.
    """
    name = values.get("architecture", TileSettings.__dataclass_fields__["architecture"].default)
    if not isinstance(name, str):
        return dict(values)
    facts = zoo.facts(name)
    filled = {"batch_size": facts.batch_size, **values}
    for section, own in (
        ("loss", {"positive_weight": facts.positive_weight}),
        ("rate", {"decay": facts.decay, "epochs_a_stair": facts.epochs_a_stair}),
    ):
        given = filled.get(section, {})
        if isinstance(given, Mapping):
            filled[section] = {**own, **given}
    return filled


def folder_of(settings: RunSettings, out: str | Path | None) -> Path:
    """Return the folder that is given, or the run's own."""
    return Path(out) if out else Path("runs") / settings.name


def train_settings(
    settings: RunSettings, folder: Path, *, team: Team = ALONE, on_epoch: OnEpoch | None = None
) -> Path:
    """Train as settings say, whatever the task, and return the path of the weight file.

    Raises
    ------
    BadValueError
        When several processes are to train what one alone can.
    TrainingError
        When training cannot go on usefully.
    """
    keep_freed_memory()
    show = show_progress if team.leads else show_nothing
    digest = settings_digest(settings)
    if isinstance(settings, TileSettings):
        from mammoscope.training.tile_run import train_tiles

        return train_tiles(settings, digest, folder, show, team=team, on_epoch=on_epoch)
    if team.size > 1:
        raise BadValueError(
            'task = "dense" trains in one process; start it without torchrun or srun.'
        )
    from mammoscope.training.dense_run import train_dense

    return train_dense(settings, digest, folder, show)


def is_failure_of_run(error: Exception) -> bool:
    """Tell whether a run failed by its own settings or seed, so that another one may do better.

    A disk that is full or tiles that are missing would stop the others too.
    """
    if isinstance(error, TrainingError):
        return not isinstance(error.__cause__, OSError)
    return isinstance(error, BadValueError | ShapeError | torch.OutOfMemoryError)


def settings_digest(settings: Any) -> str:
    """Digest of settings: parts of a run that were made under others are told by it.

    What an alarm does is left out: a run that was stopped for one may be let go on.
    """
    values = asdict(settings)
    values.pop("on_alarm", None)
    text = json.dumps(values, sort_keys=True, default=str)
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


@contextmanager
def show_nothing(_total: int, _title: str) -> Iterator[Callable[[str], None]]:
    """Show no progress bar, as every process but the first does."""
    yield lambda _text: None
