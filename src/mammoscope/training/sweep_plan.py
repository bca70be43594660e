"""What a sweep is asked to do: its TOML file and the settings of the run that it changes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mammoscope.core.config import parse_toml, settings_from
from mammoscope.core.errors import BadValueError, MissingFileError, UnknownKeyError
from mammoscope.training.loop import LOWER_IS_BETTER
from mammoscope.training.run import folder_of, read_values, settings_of
from mammoscope.training.search_space import Space, check_space, read_space
from mammoscope.training.seeds import with_tiles
from mammoscope.training.settings import STOP_FIGURES, TileSettings


class Pruner(StrEnum):
    """How a trial that promises little is told after an epoch."""

    MEDIAN = "median"
    """It is worse than half of the trials were at that epoch."""
    HALVING = "halving"
    """Of those at an epoch the better quarter goes on to four times as many."""
    NONE = "none"


class Direction(StrEnum):
    """Whether large or small figures are good."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSettings:
    """The table ``[sweep]``.

    Attributes
    ----------
    trials : how many there are in all; may be raised later
    metric : the validation figure by which they are judged
    direction : None: losses are minimised and all else is maximised
    """

    trials: int = 20
    seed: int = 0
    metric: str = "auc"
    direction: Direction | None = None
    pruner: Pruner = Pruner.MEDIAN

    def __post_init__(self) -> None:
        if self.trials < 1 or self.seed < 0:
            raise ValueError("trials must be 1 or more, and seed 0 or more")
        if self.metric not in STOP_FIGURES:
            raise ValueError(f"metric must be {' or '.join(STOP_FIGURES)}, not {self.metric!r}")

    @property
    def way(self) -> Direction:
        """The direction that is given, or that of the metric."""
        lower = Direction.MINIMIZE if self.metric in LOWER_IS_BETTER else Direction.MAXIMIZE
        return self.direction or lower


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep that is under way.

    Attributes
    ----------
    values : of the settings file, over which each trial's options are laid
    source : name of that file
    """

    settings: SweepSettings
    space: Space
    values: Mapping[str, Any]
    source: str
    folder: Path


def make_sweep(
    config: str | Path, overrides: Sequence[str], out: str | Path | None, plan: str | Path
) -> Sweep:
    """Read both files, check every option of the search, and cut the tiles if need be."""
    path = Path(plan)
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file; docs/training/sweep.md shows one.")
    asked = parse_toml(path.read_text(encoding="utf-8"), source=str(path))
    if unknown := sorted(set(asked) - {"sweep", "search"}):
        raise UnknownKeyError(
            f"{path}: there is no table {unknown[0]!r}; known are: sweep, search."
        )
    settings = settings_from(asked.get("sweep", {}), SweepSettings, source=str(path))
    values = read_values(config, overrides)
    base = settings_of(values, str(config))
    if not isinstance(base, TileSettings):
        raise BadValueError(f'{config}: a sweep needs task = "tiles"; it judges by validation.')
    space = read_space(asked.get("search", {}), TileSettings, str(path))
    check_space(space, values, TileSettings, str(path))
    folder = folder_of(base, out)
    folder.mkdir(parents=True, exist_ok=True)
    if base.tiles is None:
        tiles = with_tiles(base, folder)
        assert isinstance(tiles, TileSettings)
        values = {k: v for k, v in values.items() if k not in ("archive", "archives")}
        values["tiles"] = tiles.tiles
    return Sweep(settings=settings, space=space, values=values, source=str(config), folder=folder)


def digest_of(sweep: Sweep) -> str:
    """Digest of all that decides the trials, but for how many there are."""
    told = {
        "sweep": {**asdict(sweep.settings), "trials": None},
        "search": {name: asdict(entry) for name, entry in sweep.space.items()},
        "settings": asdict(settings_of(sweep.values, sweep.source)),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
