"""`mammoscope tabular`: UCI's tables, the paper's way and the right way."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mammoscope.cli.console import counting, print_table, with_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD, PAGE = "tabular.json", "tabular.html"


def tabular(
    folder: Annotated[
        Path, typer.Argument(help="Folder with UCI's tables, by their published names.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the page and tabular.json.")] = Path(
        "tabular-report"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer folds and settings: a try, not to be quoted.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of folds, models and intervals.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the results are the same.")] = 2,
) -> None:
    """Repeat the paper's classifiers of UCI's tables, then do the same right."""
    from mammoscope.studies.tabular import QUICK, TabularSettings, require_sklearn, run_tabular

    require_sklearn()
    from mammoscope.archives.uci import read
    from mammoscope.formats.files import write_atomic
    from mammoscope.report.tabular_page import write_tabular_page

    archive = read(folder)
    out.mkdir(parents=True, exist_ok=True)
    settings = replace(QUICK if quick else TabularSettings(), seed=seed, jobs=jobs)
    with counting("asking the tables") as progress:
        record = run_tabular(archive, settings, progress)
    write_atomic(out / RECORD, json.dumps(record, indent=1, allow_nan=False) + "\n")
    write_tabular_page(record, out / PAGE)
    _print(record)
    print(f"Page: {out / PAGE}")


def _print(record: "Mapping[str, Any]") -> None:
    if record["paper"]:
        print_table(
            "The paper's way (right answers in the test rows)",
            ("table", "classifier", "paper", "ours", "larger class", "scaled"),
            [
                (
                    row["table"],
                    row["classifier"],
                    f"{row['paper']['accuracy']:.4f}",
                    f"{row['ours']['accuracy']['value']:.4f}",
                    f"{row['larger_class']:.4f}",
                    f"{row['scaled']['accuracy']:.4f}",
                )
                for row in record["paper"]
            ],
        )
    for question in record["questions"]:
        print_table(
            f"{question['name']}: {question['positive']} of {question['rows']} rows are "
            f"'{question['asks'][0]}'",
            ("candidate", "AUC", "accuracy", "balanced accuracy"),
            [
                (
                    one["name"],
                    *(with_interval(one[key]) for key in ("auc", "accuracy", "balanced_accuracy")),
                )
                for one in question["candidates"]
            ],
        )
