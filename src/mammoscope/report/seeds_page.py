"""The page of a run that was repeated with several seeds: what is its figure, and what is luck."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mammoscope.report.drawing import Drawing
from mammoscope.report.trials_page import (
    Picture,
    Table,
    TrialsPage,
    joined,
    read_record,
    write_page,
    written,
)

SCHEMA = "mammoscope.seeds/1"
COLUMNS = ("figure", "mean", "deviation", "lowest", "highest", "best seed", "fluke")
COLOUR, FLUKE = "#3d8fd1", "#e69f00"


def write_seeds_page(source: str | Path, path: str | Path) -> None:
    """Write the page of ``seeds.json``.

    Raises
    ------
    MissingFileError, CorruptFileError
        When the record cannot be read.
    OSError
        When the page cannot be written.
    """
    write_page(make_page(read_record(source, SCHEMA)), path)


def make_page(record: Mapping[str, Any]) -> TrialsPage:
    """Lay a record out as a page."""
    figures, seeds = record["figures"], record["seeds"]
    shares = [one for one in figures if _is_share(one)]
    drawings = (
        Picture(
            title="Each seed",
            text="A dot is a seed, the bar one standard deviation about the mean. A filled orange "
            "dot is a best seed that lies farther from the rest than their spread explains.",
            drawing=Drawing(
                "seeds", lambda made: _dots(made, shares, seeds), (10.5, 1.2 + 0.42 * len(shares))
            ),
        ),
    )
    return TrialsPage(
        title=f"{record['name']}: {len(seeds)} seeds",
        lead=f"seeds {joined([str(seed) for seed in seeds])}, on the same tiles",
        notes=tuple(record["notes"]),
        drawings=drawings if shares else (),
        tables=(
            Table(title="Over the seeds", columns=COLUMNS, rows=tuple(seeds_rows(record))),
            Table(
                title="Seed by seed",
                columns=("figure", *(f"seed {seed}" for seed in seeds)),
                rows=tuple((one["name"], *map(written, one["values"])) for one in figures),
            ),
        ),
    )


def seeds_rows(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Write a row a figure, under `COLUMNS`."""
    return [
        (
            one["name"],
            *(written(one[key]) for key in ("mean", "deviation", "low", "high", "best_seed")),
            _word(one),
        )
        for one in record["figures"]
    ]


def _word(figure: Mapping[str, Any]) -> str:
    if figure["is_fluke"] is not None:
        return "yes" if figure["is_fluke"] else "no"
    return "all are equal" if figure["deviation"] == 0 else "cannot be told"


def _is_share(figure: Mapping[str, Any]) -> bool:
    return figure["low"] is not None and figure["low"] >= 0 and figure["high"] <= 1


def _dots(made: Figure, figures: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> None:
    panel = made.subplots()
    for row, one in enumerate(figures):
        if one["deviation"] is not None:
            panel.errorbar(
                one["mean"], row, xerr=one["deviation"], fmt="|", color="#8f8f8f", capsize=4,
                markersize=12,
            )  # fmt: skip
        for seed, value in zip(seeds, one["values"], strict=True):
            if value is not None:
                is_fluke = one["is_fluke"] and seed == one["best_seed"]
                colour = FLUKE if is_fluke else COLOUR
                panel.plot(value, row, "o", color=colour, fillstyle="full" if is_fluke else "none")
    panel.set_yticks(range(len(figures)), [one["name"] for one in figures])
    panel.set_ylim(len(figures) - 0.5, -0.5)
    panel.grid(axis="x", alpha=0.25)
