"""The page of a tile set: some tiles of each class and split, and what the set holds in numbers."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jinja2
import polars as pl

import mammoscope
from mammoscope.archives.archive import Archive
from mammoscope.core.vocabulary import Split
from mammoscope.formats.files import write_atomic
from mammoscope.report.findings import NOTICE
from mammoscope.report.pictures import grey_jpeg
from mammoscope.report.tiles_figures import greys_svg, radii_svg, sizes_svg
from mammoscope.report.tiles_sheet import Choice, Group, choose_tiles, small
from mammoscope.tiles.exchange.entries import classes_of
from mammoscope.tiles.exchange.terms import warnings_for
from mammoscope.tiles.statistics import Statistics, measure_statistics
from mammoscope.tiles.store import TileSet

ORDER = [str(split) for split in Split]
NONE = "\N{EN DASH}"
WORDS = {
    "archive": "Archive",
    "scanner": "Scanner",
    "breast_density": "Breast density",
    "origin": "Why cut there",
    "view": "View",
    "laterality": "Side",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Counts by one column of the index, a row a value."""

    title: str
    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """A tile as the page shows it."""

    source: str
    lines: tuple[str, ...]
    alt: str


def write_tiles_page(
    tiles: TileSet, path: str | Path, choice: Choice, archives: Iterable[Archive] = ()
) -> None:
    """Write the page of a tile set as one file that loads nothing from elsewhere.

    Parameters
    ----------
    path : of the page; its folder is made where it is missing
    choice : which tiles are shown; the numbers are those of the whole set
    archives : that the set was cut from; their findings tell how large the lesions are

    Raises
    ------
    UnknownNameError
        When no tile is in the split or of the label that was asked for.
    OSError
        When it cannot be written.
    """
    target = Path(path)
    groups = choose_tiles(tiles, choice)
    text = render(tiles, groups, measure_statistics(tiles, archives, seed=choice.seed))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, text)


def render(tiles: TileSet, groups: Iterable[Group], statistics: Statistics) -> str:
    """Return the page as HTML."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("mammoscope.report") / "templates" / "tiles.html.jinja"
    table = tiles.table
    classes = classes_of(tiles)
    greys = sorted(statistics.greys, key=lambda one: classes.index(one.label))
    archives = sorted(set(table["archive"].drop_nulls().to_list()))
    return environment.from_string(template.read_text("utf-8")).render(
        notice=NOTICE,
        version=mammoscope.__version__,
        name=tiles.folder.name,
        recipe=tiles.provenance["recipe"],
        seed=tiles.provenance["seed"],
        divided=tiles.provenance.get("splits", NONE),
        tiles=f"{len(tiles):,}",
        side=tiles.shards[0].shape[1],
        patients=f"{table['patient_id'].n_unique():,}",
        terms=warnings_for(archives),
        splits=_splits(statistics, classes),
        groups=[(group, _pictures(tiles, group)) for group in groups],
        greys=greys_svg(greys),
        panels=len({one.label for one in greys}),
        grey_rows=[
            (
                one.archive or NONE, one.scanner or NONE, one.label, f"{one.tiles:,}",
                f"{one.mean:.0f}", f"{one.deviation:.0f}",
            )
            for one in greys
        ],
        counted=None
        if statistics.counted == statistics.of
        else f"{statistics.counted:,} of {statistics.of:,}",
        **_drawn_sizes(statistics),
        tables=[
            _table(WORDS[name], counts, classes)
            for name, counts in statistics.counts.items()
            if counts[name].drop_nulls().len()
        ],
    )  # fmt: skip


def _drawn_sizes(statistics: Statistics) -> dict[str, str | int | None]:
    """Draw the sizes of lesions, as far as they are known."""
    sizes = statistics.sizes
    return {
        "unread": sum(bool(one.unread) for one in sizes),
        "sizes": sizes_svg(sizes) if any(one.longest_mm is not None for one in sizes) else None,
        "radii": radii_svg(sizes) if any(one.radius_px is not None for one in sizes) else None,
    }


def _splits(statistics: Statistics, classes: tuple[str, ...]) -> _Table:
    plain = _table("Split", statistics.splits, classes)
    return _Table(
        title=plain.title,
        labels=(*plain.labels, "patients"),
        rows=tuple(
            (split, (*cells, f"{statistics.patients[split]:,}"))
            for split, cells in sorted(plain.rows, key=lambda row: ORDER.index(row[0]))
        ),
    )


def _table(title: str, counts: pl.DataFrame, classes: tuple[str, ...]) -> _Table:
    """Lay counts of (value, label, number) out as a row a value and a column a label."""
    by_value: dict[str | None, dict[str, int]] = {}
    for value, label, number in counts.rows():
        by_value.setdefault(value, {})[label] = number
    there = tuple(label for label in classes if any(label in row for row in by_value.values()))
    return _Table(
        title=title,
        labels=(*there, "all"),
        rows=tuple(
            (
                "not known" if value is None else str(value),
                (*(f"{row.get(label, 0):,}" for label in there), f"{sum(row.values()):,}"),
            )
            for value, row in by_value.items()
        ),
    )


def _pictures(tiles: TileSet, group: Group) -> list[_Picture]:
    pixels = tiles.pixels([shown.position for shown in group.shown])
    return [
        _Picture(
            source=f"data:image/jpeg;base64,{base64.b64encode(grey_jpeg(small(tile))).decode()}",
            lines=shown.lines,
            alt=f"tile {shown.position}, {group.label}, {shown.lines[0]}",
        )
        for shown, tile in zip(group.shown, pixels, strict=True)
    ]
