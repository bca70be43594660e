"""`mammoscope evaluate`: a model measured on an archive, every figure with its interval."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mammoscope.cli.console import counting, make_console, print_table, tell_failures, with_interval


def evaluate(
    model: Annotated[str, typer.Argument(help="A shipped model's name, or a weight file.")],
    archive: Annotated[
        tuple[str, Path], typer.Option(metavar="NAME DIR", help="Archive, and its folder.")
    ],
    json_to: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE", help="Write evaluation.json there; '-' prints it alone."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Measure only so many patients, the first by id.")
    ] = None,
    spacing_um: Annotated[
        float | None,
        typer.Option(
            min=10, max=2000, help="Pixel size of scans whose archive does not know it, in um."
        ),
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=40, help="Resamples of the bootstrap over patients.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Measure a model on an archive.

    Ends with 0 when all scans were read and 1 when some could not be.
    """
    from mammoscope.archives.open import open_archive
    from mammoscope.models.weights import load_model
    from mammoscope.read.evaluate import evaluate as measure

    name, folder = archive
    opened, loaded = open_archive(name, folder), load_model(model)
    with counting(f"Measuring on {name}") as progress:
        measured = measure(
            loaded,
            opened,
            resamples=resamples,
            seed=seed,
            limit=limit,
            spacing_um=spacing_um,
            progress=progress,
        )
    _put(measured, json_to, f"{model} on {name}")
    failures = measured.get("dataset", {}).get("failures") or {}
    tell_failures(failures)
    if failures:
        raise typer.Exit(1)


def _put(measured: Mapping[str, Any], json_to: str | None, title: str) -> None:
    text = json.dumps(measured, indent=1, allow_nan=False)
    if json_to == "-":
        print(text)
        return
    if json_to is not None:
        from mammoscope.formats.files import write_atomic

        write_atomic(Path(json_to), text + "\n")
    columns = ("figure", "value (95 % interval)", "n", "patients")
    print_table(title, columns, figure_rows(measured))
    if measured.get("dataset", {}).get("trained_on"):
        make_console().print(
            "Note: the model was trained on this archive, or on one with films of the same "
            "patients; what it scores here says nothing about patients that it has not seen.",
            soft_wrap=True,
        )


def figure_rows(measured: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the short table: the figures of `evaluation.json` but those of groups of findings."""
    rows: list[tuple[str, ...]] = []
    for section in ("scans", "breasts", "patients"):
        _collect(measured.get(section), section, rows)
    _collect((measured.get("froc") or {}).get("points"), "froc", rows)
    _collect(measured.get("pointing_game"), "pointing game", rows)
    _collect(measured.get("operating_points"), "marks", rows)
    return rows


def _collect(part: Any, name: str, rows: list[tuple[str, ...]]) -> None:
    """Walk down to the figures: a figure is what has a value, a low and a high end."""
    if isinstance(part, list):
        for item in part:
            _collect(item, name + _mark(item), rows)
    if not isinstance(part, Mapping):
        return
    if {"value", "low", "high"} <= part.keys():
        counts = (str(part.get(key, "-")) for key in ("n", "n_patients"))
        rows.append((name, with_interval(part), *counts))
        return
    for key, value in part.items():
        _collect(value, f"{name}: {key.replace('_', ' ')}", rows)


def _mark(item: Any) -> str:
    """Say what tells an item of a list from the others."""
    if not isinstance(item, Mapping):
        return ""
    if isinstance(item.get("fp_per_scan"), int | float):
        return f" at {item['fp_per_scan']:g} false positives a scan"
    if "threshold" in item:
        return f" at threshold {item['threshold']:.3f}"
    return ""
