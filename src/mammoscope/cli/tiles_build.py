"""`mammoscope tiles build`: archives and a recipe to a tile set, divided by patient and audited."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mammoscope.cli.console import counting, print_table, tell
from mammoscope.cli.opening import ArchivesArgument, open_pairs
from mammoscope.core.errors import BadValueError

if TYPE_CHECKING:
    from mammoscope.archives.splits import Division
    from mammoscope.tiles.recipes import Recipe
    from mammoscope.tiles.store import TileSet

MOST_TOLD = 20
"""Scans that are named one a line; build.json names all."""


def build(
    archives: ArchivesArgument,
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
    division: Annotated[
        Path | None,
        typer.Option(
            "--division",
            "--split",
            metavar="FILE",
            help="Division of the patients by `tiles split`, instead of a drawn one.",
        ),
    ] = None,
    fold: Annotated[
        int | None,
        typer.Option(metavar="K", help="Fold of the division that is the validation, from 0."),
    ] = None,
    places: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Scored places by `tiles places`, for hard negatives of the recipe strict.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="An option of the recipe, as spacing_mm=0.2 or as_printed=true; repeatable.",
        ),
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
    some scans could not be read; SET/build.json names them, and the scans and findings that gave
    no tile.
    """
    from mammoscope.tiles.build import BuildPlan, carry_out, read_report
    from mammoscope.tiles.cutting import Crew

    opened = open_pairs(archives)
    options = _options(option or (), places)
    if faithful_splits:
        options["faithful_splits"] = True
    if radius_as_diameter:
        options["radius_as_side"] = False
    plan = BuildPlan(
        archives=tuple(opened),
        recipe=_recipe(recipe, [archive.name for archive in opened], options),
        seed=seed,
        division=_division(division, fold),
        audit=audit,
    )
    with counting("cutting") as on_done:
        tiles = carry_out(plan, out, Crew(workers=workers, cluster=cluster, on_done=on_done))
    report = read_report(tiles.folder)
    print_set(tiles, report, out)
    tell_gaps(report)
    if places is not None:
        tell_negatives(tiles, places)
    if report["unreadable"]:
        raise typer.Exit(1)


def print_set(tiles: "TileSet", report: Mapping[str, Any], place: str) -> None:
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
    print_table(f"{title}{place}", ("label", *splits, "of candidates"), rows)
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
    if count := len(report["findings_without_tiles"]):
        tell(f"no tile was cut round {count} findings; build.json names them and says why.")
    if report["missing_classes"]:
        tell(f"the set holds no tile of {', '.join(report['missing_classes'])}.")


def tell_negatives(tiles: "TileSet", places: Path) -> None:
    """Tell how many tiles of a set show what a model took for a lesion."""
    from mammoscope.tiles.tile import Origin

    count = int((tiles.table["origin"] == str(Origin.NEGATIVE)).sum())
    if not count:
        tell(
            f"{places}: no place of it gave a tile that stays; its scores may be low, its places "
            "findings, or its scan_ids those of another archive."
        )
        return
    print(f"{count} normal tiles are hard negatives.")


def _division(path: Path | None, fold: int | None) -> "Division | None":
    from mammoscope.archives.splits import read_division

    if path is None:
        if fold is not None:
            raise BadValueError("--fold needs a division with folds; add --division FILE.")
        return None
    division = read_division(path)
    return division if fold is None else division.at_fold(fold)


def _options(words: Sequence[str], places: Path | None) -> dict[str, Any]:
    """Options of the recipe; those that were not given are left to its maker."""
    options: dict[str, Any] = {}
    for word in words:
        name, given, text = word.partition("=")
        if not (name and given):
            raise BadValueError(f"--option {word!r}: expected a pair as spacing_mm=0.2.")
        options[name] = _value(text)
    if places is not None:
        options["places"] = places
    return options


def _value(text: str) -> object:
    """Read a value as TOML writes it; the quotes of a text may be left out."""
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _recipe(name: str, archives: Sequence[str], options: Mapping[str, Any]) -> "Recipe":
    from mammoscope.tiles.recipes import make_recipe

    return make_recipe(name, archives, **options)
