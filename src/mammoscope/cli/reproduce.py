"""`mammoscope reproduce`: the paper's tables and figures beside ours, on the archives at hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mammoscope.cli.console import counting, print_table, tell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mammoscope.tiles.store import TileSet

COLUMNS = ("table", "model", "recipe", "paper: accuracy / recall", "ours", "what")


def reproduce(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with the archives, or folders of them.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of sets, runs and the page.")],
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Leave out the paper's networks at full size: 30 minutes."),
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with the author's run log, model_notes.xlsx."),
    ] = None,
    experiment: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="experiment.json of the weight experiment, for Table 4."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as in --set seeds=1."),
    ] = None,
) -> None:
    """Repeat the paper, as far as the archives at hand allow, and say what could not be run.

    Builds a set as the paper did (abnormal from CBIS-DDSM, normal from DDSM) and one by recipe
    strict, trains the same network on both, and measures both on mini-MIAS. The same command goes
    on where it was broken off. The record is reproduce.json, the page reproduce.html.
    """
    from mammoscope.core.config import parse_toml, settings_from
    from mammoscope.report.reproduce_page import write_reproduce_page
    from mammoscope.studies.author_log import read_author_log
    from mammoscope.studies.reproduce import (
        FILE,
        ReproduceSettings,
        find_archives,
        run_reproduce,
    )
    from mammoscope.studies.reproduce_runs import Tools

    values = parse_toml(f"quick = {str(quick).lower()}", overrides or (), source="--set")
    settings = settings_from(values, ReproduceSettings, source="--set")
    archives = find_archives(data)
    told = None if log is None else read_author_log(log)
    with counting("cutting") as on_done:
        record = run_reproduce(
            archives,
            out,
            settings,
            Tools(train=_train, score=_score),
            log=told,
            experiment=experiment,
            on_done=on_done,
        )
    page = out / "reproduce.html"
    write_reproduce_page(out / FILE, page)
    print_table("The paper's tables beside ours", COLUMNS, [_row(row) for row in record["tables"]])
    for archive in record["archives"]:
        if archive["scans"] is None:
            tell(f"{archive['name']} is not at hand.")
    if not record["runs"]:
        tell("Nothing was trained: the quick runs need cbis-ddsm-800, best with ddsm-299 too.")
    print(f"Record: {out / FILE}\nPage: {page}")


def _train(config: Path, folder: Path) -> Path:
    from mammoscope.training.run import train

    return train(config, (), folder)


def _score(weights: Path, tiles: "TileSet", places: "NDArray[np.intp]") -> "NDArray[np.float64]":
    from mammoscope.models.weights import load_model
    from mammoscope.training.tile_task import answers_of

    model = load_model(weights)
    return 1 - answers_of(model.network, tiles, places, model.contract.input).shares[:, 0]


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    from mammoscope.cli.console import with_interval

    ours, paper = row["ours"], row["paper"]
    text = "-"
    if ours is not None:
        text = f"{with_interval(ours['accuracy'])} / {with_interval(ours['recall'])}"
    return (
        str(row["table"]),
        row["model"],
        row["recipe"],
        f"{paper['accuracy']:.4f} / {paper['recall']:.4f}",
        text,
        row["kind"],
    )
