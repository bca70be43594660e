"""Search over the options of a run: trials by Optuna, stopped early where they promise little.

Trials are judged by the validation patients alone; the test patients choose nothing. Everything
stands in the sweep's folder: Optuna's journal, a folder a trial, and a table. A trial's options
depend on the sweep's seed and on the trials before it, so a sweep that was killed goes on to the
same trials.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mammoscope.core.errors import BadValueError, TrainingError
from mammoscope.training import checkpoint
from mammoscope.training.distributed import joined
from mammoscope.training.run import is_failure_of_run, settings_of, train_settings
from mammoscope.training.search_space import Value, with_values
from mammoscope.training.seeds import kept_row
from mammoscope.training.settings import TileSettings
from mammoscope.training.sweep_plan import Pruner, Sweep, make_sweep
from mammoscope.training.sweep_record import FILE, SECONDS, WHY, write_record
from mammoscope.training.sweep_study import FOLDER, ask, ended, open_study, quiet, take_up

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)


class _Pruned(Exception):  # noqa: N818 it is no error
    """A trial ends because it promises little."""


def run_sweep(
    config: str | Path, overrides: Sequence[str], out: str | Path | None, plan: str | Path
) -> Path:
    """Carry out a sweep, or go on with one that was broken off.

    Parameters
    ----------
    plan : TOML file with the tables ``[sweep]`` and ``[search]``, see docs/training/sweep.md

    Returns
    -------
    Path of ``sweep.json``; ``trials.parquet`` beside it is the table

    Raises
    ------
    MissingDecoderError
        When Optuna is not installed.
    ConfigError
        When a file cannot be used, or the folder holds another sweep.
    TrainingError
        When every trial failed.
    """
    with joined() as team:
        if team.size > 1:
            raise BadValueError("--sweep runs in one process; start it without torchrun or srun.")
        sweep = make_sweep(config, overrides, out, plan)
        study = open_study(sweep)
        take_up(study)
        while (number := len(ended(study))) < sweep.settings.trials:
            _try(sweep, study, number)
            write_record(sweep, study)
        trials = write_record(sweep, study)["trials"]
    if all(trial["state"] == "failed" for trial in trials):
        raise TrainingError(f"Every trial failed, the last one so: {trials[-1]['why']}")
    return sweep.folder / FILE


def _try(sweep: Sweep, study: "optuna.Study", number: int) -> None:
    """Carry out a trial: the next one, or one that was broken off."""
    import optuna

    trial = ask(sweep, study, number)
    name = str(trial.user_attrs[FOLDER])
    begun = time.monotonic()
    state, value = optuna.trial.TrialState.COMPLETE, None
    try:
        value = _train(sweep, trial, sweep.folder / name)
    except _Pruned:
        state = optuna.trial.TrialState.PRUNED
    except Exception as error:
        if not is_failure_of_run(error):
            raise
        logger.warning("%s failed: %s", name, error)
        trial.set_user_attr(WHY, str(error))
        state = optuna.trial.TrialState.FAIL
    trial.set_user_attr(SECONDS, time.monotonic() - begun)
    with quiet():
        study.tell(trial, value, state=state)
    # What a trial learnt is in its weights; it is not gone on with.
    for file in (checkpoint.FILE, checkpoint.BEST_FILE):
        (sweep.folder / name / "run" / file).unlink(missing_ok=True)


def _train(sweep: Sweep, trial: "optuna.Trial", folder: Path) -> float:
    """Train with a trial's options; gives the figure of the weights that are kept."""
    key = f"val_{sweep.settings.metric}"
    chosen: dict[str, Value] = trial.params
    settings = settings_of(with_values(sweep.values, chosen), sweep.source)
    assert isinstance(settings, TileSettings)
    settings = replace(settings, name=f"{settings.name}-{folder.name}")
    reported = 0

    def on_epoch(rows: Sequence[Mapping[str, float]]) -> None:
        nonlocal reported
        with quiet():
            for epoch, row in enumerate(rows[reported:], start=reported + 1):
                if np.isfinite(row.get(key, np.nan)):
                    trial.report(row[key], epoch)
            reported = len(rows)
            if sweep.settings.pruner is not Pruner.NONE and trial.should_prune():
                raise _Pruned

    train_settings(settings, folder, on_epoch=on_epoch)
    rows = json.loads((folder / "run" / "history.json").read_text(encoding="utf-8"))
    stop = settings.stop
    value = kept_row(rows, stop.figure if stop.patience is not None else None).get(key)
    if value is None:
        raise TrainingError(
            f"{folder}: the validation has no figure {sweep.settings.metric!r} at the end; "
            "judge by another metric."
        )
    return float(value)
