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
    experiment: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Put a paper's claims about an option to the test."),
    ] = None,
) -> None:
    """Train a network, or go on with a broken-off run.

    A run with the same settings and folder goes on where it stopped. Under torchrun or SLURM all
    processes train one network together.
    """
    from mammoscope.core.errors import BadValueError
    from mammoscope.training.launch import OtherProcessError, place_of

    if sum(one is not None for one in (seeds, sweep, experiment)) > 1:
        raise BadValueError(
            "--seeds, --sweep and --experiment cannot go together; an experiment has its own "
            "seeds, and the best trial of a sweep is repeated after."
        )
    place = place_of(os.environ)
    leads = place is None or place.rank == 0
    given = overrides or []
    try:
        if seeds is not None:
            _repeat(config, given, out, seeds, leads=leads)
        elif sweep is not None:
            _search(config, given, out, sweep)
        elif experiment is not None:
            _compare(config, given, out, experiment)
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


def _compare(config: Path, overrides: Sequence[str], out: Path | None, plan: Path) -> None:
    """Print values and claims, and write the page; ends with 1 where a run failed."""
    from mammoscope.cli.console import print_table, tell
    from mammoscope.report.experiment_page import (
        COLUMNS,
        SCHEMA,
        claim_lines,
        lead_of,
        value_rows,
        write_experiment_page,
    )
    from mammoscope.report.trials_page import read_record
    from mammoscope.training.experiment import run_experiment

    path = run_experiment(config, overrides, out, plan, tell=tell)
    record = read_record(path, SCHEMA)
    page = path.with_suffix(".html")
    write_experiment_page(path, page)
    shown = ("accuracy", "recall", "precision", "auc")
    print_table(f"{record['name']}: {lead_of(record)}", COLUMNS, value_rows(record, shown))
    for line in claim_lines(record):
        print(line)
    for note in record["notes"]:
        tell(note)
    print(f"Figures: {path}\nPage: {page}")
    if any(run["why"] for run in record["runs"]):
        raise typer.Exit(1)
