"""`mammoscope train`: a settings file to weights with their contract, once or many times."""

import os
from collections.abc import Sequence
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
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Repeat it with N seeds; show mean and spread.")
    ] = None,
    sweep: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Search over options of the run.")
    ] = None,
) -> None:
    """Train a network, or go on with a broken-off run.

    A run with the same settings and folder goes on where it stopped. Under torchrun or SLURM all
    processes train one network together.
    """
    from mammoscope.core.errors import BadValueError
    from mammoscope.training.launch import OtherProcessError, place_of

    if seeds is not None and sweep is not None:
        raise BadValueError("--seeds and --sweep cannot go together; repeat the best trial after.")
    place = place_of(os.environ)
    leads = place is None or place.rank == 0
    given = overrides or []
    try:
        if seeds is not None:
            _repeat(config, given, out, seeds, leads=leads)
        elif sweep is not None:
            _search(config, given, out, sweep)
        else:
            _once(config, given, out, leads=leads)
    except OtherProcessError as error:
        # The one that failed has said why.
        raise typer.Exit(2) from error


def _once(config: Path, overrides: Sequence[str], out: Path | None, *, leads: bool) -> None:
    from mammoscope.training.run import train as run

    path = run(config, overrides, out)
    if leads:
        print(f"Weights: {path}")


def _repeat(
    config: Path, overrides: Sequence[str], out: Path | None, seeds: int, *, leads: bool
) -> None:
    """Print the table of the seeds and write its page; ends with 1 where a seed failed."""
    from mammoscope.cli.console import print_table, tell
    from mammoscope.report.seeds_page import COLUMNS, SCHEMA, seeds_rows, write_seeds_page
    from mammoscope.report.trials_page import read_record
    from mammoscope.training.seeds import train_seeds

    path = train_seeds(config, overrides, out, seeds)
    if not leads:
        return
    record = read_record(path, SCHEMA)
    page = path.with_suffix(".html")
    write_seeds_page(path, page)
    print_table(f"{record['name']}, {seeds} seeds", COLUMNS, seeds_rows(record))
    for note in record["notes"]:
        tell(note)
    print(f"Figures: {path}\nPage: {page}")
    if record["failed"]:
        raise typer.Exit(1)


def _search(config: Path, overrides: Sequence[str], out: Path | None, plan: Path) -> None:
    """Print the table of the trials and write its page; ends with 1 where one failed."""
    from mammoscope.cli.console import print_table
    from mammoscope.report.sweep_page import SCHEMA, sweep_columns, sweep_rows, write_sweep_page
    from mammoscope.report.trials_page import read_record
    from mammoscope.training.sweep import run_sweep

    path = run_sweep(config, overrides, out, plan)
    record = read_record(path, SCHEMA)
    page = path.with_suffix(".html")
    write_sweep_page(path, page)
    title = f"{record['name']}, validation {record['metric']} of {len(record['trials'])} trials"
    print_table(title, sweep_columns(list(record["search"])), sweep_rows(record))
    print(f"Trials: {path.with_name('trials.parquet')}\nPage: {page}")
    if any(trial["state"] == "failed" for trial in record["trials"]):
        raise typer.Exit(1)
