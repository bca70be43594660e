"""An experiment: every value of one option with every seed, on the same tiles, then the claims.

Each run has a folder of its own and is done once; the same command goes on after a kill. A run
that fails by itself is named, and the others are done.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mammoscope.core.errors import BadValueError, TrainingError
from mammoscope.tiles.store import TileSet, load_tiles
from mammoscope.training import checkpoint
from mammoscope.training.distributed import joined
from mammoscope.training.experiment_outcome import (
    Outcome,
    digest_of,
    is_done_in,
    read_outcome,
    write_outcome,
)
from mammoscope.training.experiment_plan import Experiment, make_experiment
from mammoscope.training.experiment_record import FILE, Runs, write_record
from mammoscope.training.run import is_failure_of_run, train_settings
from mammoscope.training.settings import TileSettings

logger = logging.getLogger(__name__)
Tell = Callable[[str], None]


def run_experiment(
    config: str | Path,
    overrides: Sequence[str],
    out: str | Path | None,
    plan: str | Path,
    *,
    tell: Tell = logger.info,
) -> Path:
    """Carry out an experiment, or go on with one that was broken off.

    Parameters
    ----------
    plan : TOML file with ``[experiment]``, ``[vary]``, ``[published]`` and ``[[claims]]``, see
        docs/training/experiment.md
    tell : is given a line when a run begins

    Returns
    -------
    Path of ``experiment.json``

    Raises
    ------
    ConfigError
        When a file cannot be used, or the folder holds other runs.
    TrainingError
        When every run failed.
    """
    with joined() as team:
        if team.size > 1:
            raise BadValueError(
                "--experiment runs in one process; start it without torchrun or srun."
            )
        experiment = make_experiment(config, overrides, out, plan)
        runs = _train_each(experiment, tell)
        if not runs.outcomes:
            why = next(iter(runs.failed.values()))
            raise TrainingError(f"Every run failed, the first one so: {why}")
        write_record(experiment, runs)
    return experiment.folder / FILE


def _train_each(experiment: Experiment, tell: Tell) -> Runs:
    """Train what is not done yet; read what is."""
    tiles = load_tiles(str(next(iter(experiment.runs.values())).tiles))
    outcomes: dict[tuple[str, int], Outcome] = {}
    failed: dict[tuple[str, int], str] = {}
    every = list(_every(experiment))
    for number, (word, seed, settings) in enumerate(every, 1):
        folder = experiment.folder_of(word, seed)
        # Outside of what may fail: a folder with another run is the user's to mend.
        is_done = is_done_in(folder, digest_of(settings, tiles))
        what = f"{experiment.option} {word}, seed {seed}"
        tell(f"Run {number} of {len(every)}: {what}{' is done' if is_done else ''}")
        try:
            if not is_done:
                _train(settings, folder, tiles)
        except Exception as error:
            if not is_failure_of_run(error):
                raise
            logger.warning("%s failed: %s", folder, error)
            failed[word, seed] = str(error)
            continue
        outcomes[word, seed] = read_outcome(folder, experiment.settings.patients.splits)
    return Runs(tiles=tiles, outcomes=outcomes, failed=failed)


def _every(experiment: Experiment) -> Iterator[tuple[str, int, TileSettings]]:
    """Go through the runs seed by seed, so that what is broken off compares all values."""
    for seed in range(1, experiment.settings.seeds + 1):
        for word, settings in experiment.runs.items():
            yield word, seed, replace(settings, seed=seed)


def _train(settings: TileSettings, folder: Path, tiles: TileSet) -> None:
    begun = time.monotonic()
    weights = train_settings(settings, folder)
    write_outcome(folder, weights, settings, tiles, time.monotonic() - begun)
    # What a run learnt is in its weights; it is not gone on with.
    for file in (checkpoint.FILE, checkpoint.BEST_FILE):
        (folder / "run" / file).unlink(missing_ok=True)
