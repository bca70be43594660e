"""What a sweep leaves: ``sweep.json`` for its page, and a table with a row a trial."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from mammoscope.formats.files import write_atomic
from mammoscope.training.sweep_plan import Direction, Sweep
from mammoscope.training.sweep_study import ended

if TYPE_CHECKING:
    import optuna

FILE, TABLE = "sweep.json", "trials.parquet"
WHY, SECONDS = "why", "seconds"
"""What is noted of a trial: why it failed, and how long it took."""


def write_record(sweep: Sweep, study: "optuna.Study") -> dict[str, Any]:
    """Write ``sweep.json`` and the table of the trials so far, and return what the first holds."""
    import optuna

    words = {
        optuna.trial.TrialState.COMPLETE: "done",
        optuna.trial.TrialState.PRUNED: "stopped early",
        optuna.trial.TrialState.FAIL: "failed",
    }
    trials = [
        {
            "number": number,
            "state": words[trial.state],
            "value": trial.value if trial.state == optuna.trial.TrialState.COMPLETE else None,
            "epochs": max(trial.intermediate_values, default=0),
            "seconds": trial.user_attrs.get(SECONDS),
            "why": trial.user_attrs.get(WHY),
            "options": dict(trial.params),
            "curve": [[e, v] for e, v in sorted(trial.intermediate_values.items())],
        }
        for number, trial in enumerate(ended(study), start=1)
    ]
    record = {
        "schema": "mammoscope.sweep/1",
        "name": str(sweep.values["name"]),
        **asdict(sweep.settings),
        "direction": str(sweep.settings.way),
        "search": {name: asdict(entry) for name, entry in sweep.space.items()},
        "best": _best(trials, sweep.settings.way),
        "trials": trials,
    }
    write_atomic(sweep.folder / FILE, json.dumps(record, indent=1, allow_nan=False) + "\n")
    _write_table(sweep.folder / TABLE, trials, list(sweep.space))
    return record


def _best(trials: Sequence[Mapping[str, Any]], way: Direction) -> int | None:
    done = [trial for trial in trials if trial["value"] is not None]
    if not done:
        return None
    rising = 1 if way is Direction.MAXIMIZE else -1
    return int(max(done, key=lambda trial: rising * trial["value"])["number"])


def _write_table(path: Path, trials: Sequence[Mapping[str, Any]], options: Sequence[str]) -> None:
    """Write a row a trial; an option whose choices are of several types is text."""
    columns: dict[str, Any] = {
        key: [trial[key] for trial in trials]
        for key in ("number", "state", "value", "epochs", "seconds", "why")
    }
    for name in options:
        values = [trial["options"].get(name) for trial in trials]
        kinds = {type(value) for value in values if value is not None}
        columns[name] = values if len(kinds) < 2 else [str(value) for value in values]
    schema = {"value": pl.Float64, "seconds": pl.Float64, "why": pl.String}
    stream = io.BytesIO()
    pl.DataFrame(columns, schema_overrides=schema).write_parquet(stream)
    write_atomic(path, stream.getvalue())
