"""`mammoscope tiles build`: archives and a recipe to a tile set, divided by patient and audited."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mammoscope.cli.console import counting, print_table, tell
from mammoscope.core.errors import BadValueError

if TYPE_CHECKING:
    from mammoscope.tiles.recipes import Recipe
    from mammoscope.tiles.store import TileSet

MOST_TOLD = 20
"""Scans that are named one a line; build.json names all."""


def build(
    archives: Annotated[
        list[str],
        typer.Argument(metavar="NAME DIR ...", help="Each archive's name and its folder."),
    ],
    recipe: Annotated[str, typer.Option(help="How to cut: 6, 8, 9, 9.5, 10 or strict.")],
    out: Annotated[
        str, typer.Option(metavar="SET", help="Folder of the tile set, or a URL as s3://...")
    ],
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed gives the same set.")] = 0,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes.", show_default="one a core")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Scheduler of a Dask cluster that cuts, as tcp://..."),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Division of the patients, instead of a drawn one."),
    ] = None,
    faithful_splits: Annotated[
        bool,
        typer.Option(
            "--faithful-splits", help="Divide as the recipe's author did: leaks, to compare only."
        ),
    ] = False,
    radius_as_diameter: Annotated[
        bool,
        typer.Option(
            "--radius-as-diameter",
            help="Boxes of mini-MIAS twice as wide as their radius; the author's are half that.",
        ),
    ] = False,
    audit: Annotated[
        bool, typer.Option("--audit/--no-audit", help="Look for leaks and shortcuts at the end.")
    ] = True,
) -> None:
    """Cut archives into a tile set, divided by patient.

    A build that was broken off goes on when the same command is given again. Ends with 1 when
    some scans could not be read; SET/build.json names them, and those that gave no tile.
    """
    from mammoscope.archives.open import open_archive
    from mammoscope.archives.splits import read_division
    from mammoscope.tiles.build import BuildPlan, carry_out, read_report
    from mammoscope.tiles.cutting import Crew
    from mammoscope.tiles.remote import local_path

    opened = [open_archive(name, local_path(folder)) for name, folder in _pairs(archives)]
    options = _options(faithful_splits=faithful_splits, radius_as_diameter=radius_as_diameter)
    plan = BuildPlan(
        archives=tuple(opened),
        recipe=_recipe(recipe, [archive.name for archive in opened], options),
        seed=seed,
        division=None if split is None else read_division(split),
        audit=audit,
    )
    with counting("cutting") as on_done:
        tiles = carry_out(plan, out, Crew(workers=workers, cluster=cluster, on_done=on_done))
    report = read_report(tiles.folder)
    print_set(tiles, report)
    tell_gaps(report)
    if report["unreadable"]:
        raise typer.Exit(1)


def print_set(tiles: "TileSet", report: Mapping[str, Any]) -> None:
    """Print how many tiles of which label are in which split, and what the audit found."""
    from mammoscope.core.vocabulary import Split

    splits = [str(one) for one in Split]
    labels = sorted({label for counts in report["tiles"].values() for label in counts})
    rows = [
        (
            label,
            *(str(report["tiles"].get(one, {}).get(label, 0)) for one in splits),
            f"{report['chosen'][label]} of {report['candidates'][label]}",
        )
        for label in labels
    ]
    scans = report["scans"]
    title = f"{len(tiles)} tiles of {scans['with_tiles']} of {scans['given']} scans in "
    print_table(f"{title}{tiles.folder}", ("label", *splits, "of candidates"), rows)
    print(f"Divided {tiles.provenance['splits']}.")
    print(verdict_of(tiles.folder))


def verdict_of(folder: Path) -> str:
    """Say in a line what the audit of a tile set found."""
    import json

    from mammoscope.tiles.store import AUDIT

    if not (folder / AUDIT).is_file():
        return "Not audited."
    audit = json.loads((folder / AUDIT).read_text(encoding="utf-8"))
    reasons = "; ".join(reason["sentence"].rstrip(".") for reason in audit.get("reasons", ()))
    return f"Audit: {audit['verdict']}{f' ({reasons})' if reasons else ''}."


def tell_gaps(report: Mapping[str, Any]) -> None:
    """Tell on the error stream which scans and classes are missing."""
    for gap in report["unreadable"][:MOST_TOLD]:
        tell(gap["why"])
    if (more := len(report["unreadable"]) - MOST_TOLD) > 0:
        tell(f"{more} more scans could not be read; build.json names them.")
    if report["missing_classes"]:
        tell(f"the set holds no tile of {', '.join(report['missing_classes'])}.")


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    if len(words) % 2:
        raise BadValueError(
            f"Each archive needs its name and its folder, as in `mini-mias DIR`, not "
            f"{' '.join(words)!r}."
        )
    return list(zip(words[::2], words[1::2], strict=True))


def _options(*, faithful_splits: bool, radius_as_diameter: bool) -> dict[str, bool]:
    """Options of the recipe; those that were not given are left to its maker."""
    options: dict[str, bool] = {}
    if faithful_splits:
        options["faithful_splits"] = True
    if radius_as_diameter:
        options["radius_as_side"] = False
    return options


def _recipe(name: str, archives: Sequence[str], options: Mapping[str, bool]) -> "Recipe":
    from mammoscope.tiles.recipes import make_recipe

    return make_recipe(name, archives, **options)
