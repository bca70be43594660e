"""The same run with several seeds: what a figure is on average, and how far luck moves it.

The seeds draw weights, order, augmentation and dropout. The tiles are the same in every run: where
an archive is cut, the file's own seed cuts and divides it once.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from mammoscope.core.errors import BadValueError, TrainingError
from mammoscope.formats.files import write_atomic
from mammoscope.training.distributed import ALONE, Team, joined
from mammoscope.training.loop import LOWER_IS_BETTER
from mammoscope.training.run import (
    RunSettings,
    folder_of,
    is_failure_of_run,
    read_values,
    settings_of,
    show_nothing,
    show_progress,
    train_settings,
)
from mammoscope.training.settings import TileSettings

logger = logging.getLogger(__name__)

FILE = "seeds.json"
FEWEST = 3
"""Runs below which a spread says next to nothing."""
LEVEL = 0.05
"""How often a figure without a fluke is taken for one."""
NOT_JUDGED = ("majority_baseline", "class_baseline")
"""Figures of the tiles, which no network moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure over the seeds.

    Attributes
    ----------
    values : one a seed, in order; None where it is undefined
    mean, deviation : over the values there are, the deviation with n - 1; None below 1 or 2 of them
    low, high : the range
    best_seed : None where no seed is better than another
    is_fluke : the best seed lies farther from the rest than their spread explains; None where it
        cannot be judged
    """

    name: str
    values: tuple[float | None, ...]
    mean: float | None
    deviation: float | None
    low: float | None
    high: float | None
    best_seed: int | None
    is_fluke: bool | None


def train_seeds(
    config: str | Path, overrides: Sequence[str], out: str | Path | None, count: int
) -> Path:
    """Train with the seeds 1 to `count`, each in a folder of its own, and compare their figures.

    A run that is done is not done again, so a larger `count` adds to the runs there are.

    Returns
    -------
    Path of ``seeds.json``

    Raises
    ------
    BadValueError
        When fewer than 2 seeds are asked for.
    MammoscopeError
        As `mammoscope.training.run.train` does.
    """
    if count < 2:
        raise BadValueError(f"--seeds {count}: a spread needs 2 seeds or more, better 5.")
    with joined() as team:
        settings = settings_of(read_values(config, overrides), str(config))
        folder = folder_of(settings, out)
        settings = with_tiles(settings, folder, team)
        failed = _train_each(settings, folder, count, team)
        if team.leads:
            done = {
                seed: {} if seed in failed else figures_in(folder / f"seed-{seed}", settings)
                for seed in range(1, count + 1)
            }
            record = record_of(settings.name, done, failed)
            write_atomic(folder / FILE, json.dumps(record, indent=1, allow_nan=False) + "\n")
    return folder / FILE


def _train_each(settings: RunSettings, folder: Path, count: int, team: Team) -> dict[int, str]:
    """Train with each seed; gives the sentences of those that failed, unless all did."""
    failed: dict[int, str] = {}
    for seed in range(1, count + 1):
        try:
            train_settings(replace(settings, seed=seed), folder / f"seed-{seed}", team=team)
        except TrainingError as error:
            # Of several processes only one may have failed, and the others would wait for it.
            if team.size > 1 or not is_failure_of_run(error) or len(failed) == count - 1:
                raise
            logger.warning("seed %d failed: %s", seed, error)
            failed[seed] = str(error)
    return failed


def with_tiles(settings: RunSettings, folder: Path, team: Team = ALONE) -> RunSettings:
    """Cut the tiles of a run into `folder` once, and return settings that take them from there."""
    if not isinstance(settings, TileSettings) or settings.tiles is not None:
        return settings
    from mammoscope.training.tile_run import tiles_of

    folder.mkdir(parents=True, exist_ok=True)
    with team.leader_first():
        show = show_progress if team.leads else show_nothing
        tiles = tiles_of(settings, folder / "tiles", show)
    return replace(settings, tiles=str(tiles.folder), archive=None, archives=())


def figures_in(folder: Path, settings: RunSettings) -> dict[str, float | None]:
    """Collect the final figures of a run: those of the test, and the last or best validation's."""
    found: dict[str, float | None] = {}
    path = folder / "evaluation.json"
    if path.exists():
        _collect(json.loads(path.read_text(encoding="utf-8")), "", found)
    if isinstance(settings, TileSettings):
        rows = json.loads((folder / "run" / "history.json").read_text(encoding="utf-8"))
        stop = settings.stop
        row = kept_row(rows, stop.figure if stop.patience is not None else None)
        found |= {
            f"validation {key.removeprefix('val_')}": row[key] for key in row if key in _VALIDATION
        }
    return found


_VALIDATION = tuple(
    f"val_{name}"
    for name in ("cross_entropy", "accuracy", "recall", "precision", "f1", "auc", "class_accuracy")
)


def kept_row(rows: Sequence[Mapping[str, Any]], figure: str | None) -> Mapping[str, Any]:
    """Find the epoch whose weights a run keeps.

    Parameters
    ----------
    rows : of the run, one an epoch; None stands for what is no number
    figure : of the validation by which it stops early; None: it keeps the last weights
    """
    known = [row for row in rows if figure and row.get(f"val_{figure}") is not None]
    if not known:
        return rows[-1] if rows else {}
    rising = -1 if figure in LOWER_IS_BETTER else 1
    # The first of equals, as the loop keeps it.
    return max(known, key=lambda row: rising * row[f"val_{figure}"])


def _collect(values: Any, name: str, found: dict[str, float | None]) -> None:
    """Take every figure with an interval out of an evaluation, under a name that says where."""
    if not isinstance(values, Mapping):
        return
    if {"value", "low", "high"} <= values.keys():
        found[name] = values["value"]
        return
    for key, inner in values.items():
        _collect(inner, f"{name} {key}" if name else f"test {key}", found)


def record_of(
    name: str, figures: Mapping[int, Mapping[str, float | None]], failed: Mapping[int, str]
) -> dict[str, Any]:
    """Compare the runs' figures.

    Parameters
    ----------
    figures : of each seed; empty where its run failed
    failed : why, by seed

    Returns
    -------
    What ``seeds.json`` holds
    """
    names = list(dict.fromkeys(key for one in figures.values() for key in one))
    spreads = [spread_of(key, {s: one.get(key) for s, one in figures.items()}) for key in names]
    return {
        "schema": "mammoscope.seeds/1",
        "name": name,
        "seeds": list(figures),
        "figures": [asdict(spread) for spread in spreads],
        "failed": {str(seed): sentence for seed, sentence in failed.items()},
        "notes": list(notes_on(spreads, len(figures) - len(failed), failed)),
    }


def notes_on(spreads: Sequence[Spread], count: int, failed: Mapping[int, str]) -> tuple[str, ...]:
    """Say in sentences what the spread does not explain, and where it says too little.

    Parameters
    ----------
    count : of the runs that did not fail
    failed : why the others did, by seed
    """
    notes = [f"Seed {seed} failed and is in no mean: {why}" for seed, why in failed.items()]
    notes += [
        f"{spread.name}: seed {spread.best_seed} is far better than the others, more than their "
        "spread explains; do not report it alone."
        for spread in spreads
        if spread.is_fluke
    ]
    if count < FEWEST:
        notes.append(
            f"There are fewer than {FEWEST} seeds, so the spread says little and no fluke can be "
            "told; use 5."
        )
    return tuple(notes)


def spread_of(name: str, values: Mapping[int, float | None]) -> Spread:
    """Compute mean, deviation and range of a figure, and whether its best seed is a fluke.

    Parameters
    ----------
    name : its last word tells whether smaller is better
    values : by seed
    """
    finite = {
        seed: value if value is not None and math.isfinite(value) else None
        for seed, value in values.items()
    }
    known = [(float(value), seed) for seed, value in finite.items() if value is not None]
    numbers = np.array([value for value, _ in known])
    rising = -1 if name.split()[-1] in LOWER_IS_BETTER else 1
    is_judged = name.split()[-1] not in NOT_JUDGED and len(set(numbers.tolist())) > 1
    best = max(known, key=lambda one: (rising * one[0], -one[1]))[1] if is_judged else None
    return Spread(
        name=name,
        values=tuple(finite.values()),
        mean=float(numbers.mean()) if len(numbers) else None,
        deviation=float(numbers.std(ddof=1)) if len(numbers) > 1 else None,
        low=float(numbers.min()) if len(numbers) else None,
        high=float(numbers.max()) if len(numbers) else None,
        best_seed=best,
        is_fluke=is_outlier(rising * numbers) if is_judged and len(numbers) >= FEWEST else None,
    )


def is_outlier(values: Sequence[float] | np.ndarray[Any, Any], level: float = LEVEL) -> bool:
    """Test whether the largest of some values lies too far from the rest (Grubbs 1969).

    Parameters
    ----------
    values : shape (n,), 3 or more, not all equal
    level : how often normal values give a wrong alarm

    Raises
    ------
    ValueError
        When there are fewer than 3.

    References
    ----------
    Grubbs, Procedures for detecting outlying observations in samples, Technometrics 11 (1969)
    """
    numbers = np.asarray(values, np.float64)
    count = len(numbers)
    if count < FEWEST:
        raise ValueError(f"an outlier is one of {FEWEST} values or more, not of {count}")
    distance = float((numbers.max() - numbers.mean()) / numbers.std(ddof=1))
    return distance > critical_distance(count, level)


def critical_distance(count: int, level: float = LEVEL) -> float:
    """Return how many deviations the largest of `count` normal values may lie above their mean."""
    quantile = float(student.ppf(1 - level / count, count - 2))
    share = quantile**2 / (count - 2 + quantile**2)
    return (count - 1) / math.sqrt(count) * math.sqrt(share)
