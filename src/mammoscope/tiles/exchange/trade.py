"""`export_tiles` and `import_tiles`: a tile set to another format, and back without loss.

An export carries the index row of every tile and a card with digests, so that what comes back is
the set that went out, pixel by pixel and row by row, or is refused.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from heapq import merge
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.core.errors import (
    BadValueError,
    CorruptFileError,
    MissingFileError,
    ScanError,
)
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.audit.pictures import OF_A_PATIENT
from mammoscope.tiles.exchange import folder as folders
from mammoscope.tiles.exchange import parquet, tfrecords, webdataset
from mammoscope.tiles.exchange.cards import (
    Card,
    bring_reports,
    copy_reports,
    read_card,
    write_card,
    write_readme,
)
from mammoscope.tiles.exchange.entries import BLOCK, Entry, Tally, entries_of
from mammoscope.tiles.self_audit import audit_stage
from mammoscope.tiles.store import AUDIT, SCHEMA, TileSet, finish, load_tiles, write_shards

FOREIGN_RECIPE = "imported"
NAMED = 5


class Format(StrEnum):
    """Formats that tile sets go to and come from."""

    TFRECORD = "tfrecord"
    WEBDATASET = "webdataset"
    FOLDER = "folder"
    HUGGINGFACE = "huggingface"


_WRITERS = {
    Format.TFRECORD: tfrecords.write,
    Format.WEBDATASET: webdataset.write,
    Format.FOLDER: folders.write,
    Format.HUGGINGFACE: parquet.write,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where tiles come from.

    Attributes
    ----------
    folder : of an export, or of anybody's files in one of the formats
    kind : the format
    labels : table of the pictures of `Format.FOLDER`; None: ``labels.csv`` in the folder
    columns : our name of a column of the index -> the source's, where that is not a usual one
    """

    folder: Path
    kind: Format
    labels: Path | None = None
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def export_tiles(tiles: TileSet, out: str | Path, kind: str | Format) -> None:
    """Write a tile set in another format; the folder appears when it is whole.

    Memory is bounded whatever the set's size. `mammoscope.tiles.exchange.terms.warnings_for` tells
    which of its tiles may not be passed on.

    Parameters
    ----------
    out : a folder that is not there yet
    kind : a name of `Format`

    Raises
    ------
    BadValueError
        When the folder is there already, or the format cannot hold the set.
    OSError
        When it cannot be written; nothing is left behind then.
    """
    chosen = Format(kind)
    tally = Tally()
    with _appearing(Path(out)) as part:
        streams = {split: tally.watch(entries_of(tiles, tiles.rows_of(split))) for split in Split}
        _WRITERS[chosen](tiles, streams, part)
        provenance = {k: v for k, v in tiles.provenance.items() if k not in ("files", "schema")}
        told = tally.told()
        if sum(int(one["tiles"]) for one in told.values()) != len(tiles):
            raise CorruptFileError(
                f"{tiles.folder}: some tiles are in no split that is known; build the set again."
            )
        reports = copy_reports(tiles.folder, part)
        card = Card(kind=chosen, splits=told, provenance=provenance, reports=reports)
        write_card(part, tiles, card)
        write_readme(part, tiles, for_hub=chosen is Format.HUGGINGFACE)


def import_tiles(
    source: Source, out: str | Path, *, faithful: bool = False, audit: bool = True
) -> TileSet:
    """Make a tile set of an export, or of anybody's tiles; it appears when it is whole.

    What was exported by `export_tiles` comes back as it was, with what its build and its audit
    said. Other people's tiles need a patient, a label and a split each.

    Parameters
    ----------
    out : folder of the tile set, not there yet
    faithful : take splits that share patients as they are, marked so; for comparison only
    audit : look for leaks and shortcuts at the end, as a build does, unless an audit came along

    Raises
    ------
    BadValueError
        When `out` is there already, or a patient is in two splits.
    MissingFileError, LayoutError, AnnotationError, CorruptFileError, ScanError
        When the source is not what was expected, or not as it was exported.
    OSError
        When it cannot be written; nothing is left behind then.
    """
    card = read_card(_existing(source.folder))
    if card is not None and card.kind != source.kind:
        raise BadValueError(
            f"{source.folder}: was exported as {card.kind}, not as {source.kind}; say so."
        )
    tally, rows = Tally(), _Rows()
    target = Path(out)
    with _appearing(target) as part:
        entries = tally.watch(merge(*_streams(source), key=lambda entry: entry.position or 0))
        if card is None:
            entries = _of_their_patients(entries)
        files = write_shards(part, _blocks(_square(source.folder, entries), rows))
        table = rows.table()
        if card is not None:
            _compare(source.folder, card, tally, table)
        shared = _shared_patients(table)
        if shared and not faithful:
            raise BadValueError(
                f"{source.folder}: {len(shared)} patients are in two splits "
                f"({', '.join(shared[:NAMED])}{' ...' if len(shared) > NAMED else ''}), so what is "
                "measured on it would be wrong; divide by patient, or take it as it is for "
                "comparison only (--faithful)."
            )
        provenance = _provenance(source, card, table, shared)
        finish(part, table, files, provenance)
        if card is not None:
            bring_reports(source.folder, part, card.reports)
        if audit and not (part / AUDIT).is_file():
            audit_stage(part, target, int(provenance["seed"]))
    return load_tiles(target)


class _Rows:
    """Collects index rows in blocks, which need far less memory than rows."""

    def __init__(self) -> None:
        self._blocks: list[pl.DataFrame] = []

    def add(self, entries: Sequence[Entry]) -> None:
        self._blocks.append(pl.DataFrame([entry.row for entry in entries], schema=SCHEMA))

    def table(self) -> pl.DataFrame:
        return pl.concat(self._blocks)


def _streams(source: Source) -> Sequence[Iterator[Entry]]:
    named = dict(source.columns)
    unknown = sorted(set(named) - {"file", *SCHEMA})
    if unknown:
        raise BadValueError(
            f"{', '.join(unknown)}: no column of a tile set; known are file, {', '.join(SCHEMA)}."
        )
    if source.kind is Format.TFRECORD:
        return tfrecords.streams_in(source.folder)
    if source.kind is Format.WEBDATASET:
        return webdataset.streams_in(source.folder, named)
    if source.kind is Format.HUGGINGFACE:
        return parquet.streams_in(source.folder, named)
    table = source.labels or source.folder / folders.TABLE
    return [folders.stream_in(source.folder, table, named)]


def _of_their_patients(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Put the patient before ids of exam, scan and lesion: tables number them anew for each."""
    for entry in entries:
        start = f"{entry.row['patient_id']}/"
        ids = {name: entry.row[name] for name in OF_A_PATIENT if entry.row[name] is not None}
        named = {name: f"{start}{str(value).removeprefix(start)}" for name, value in ids.items()}
        yield replace(entry, row={**entry.row, **named})


def _square(place: Path, entries: Iterator[Entry]) -> Iterator[Entry]:
    """Hand entries on as long as all are squares of one size."""
    side: int | None = None
    for number, entry in enumerate(entries):
        rows, columns = entry.pixels.shape
        side = side or rows
        if (rows, columns) != (side, side):
            raise ScanError(
                f"{place}: tile {number} ({entry.row['scan_id'] or entry.row['patient_id']}) has "
                f"{rows} x {columns} pixels where {side} x {side} were expected, as of the first; "
                "a tile set holds squares of one size, so cut or resize all alike first."
            )
        yield entry


def _blocks(entries: Iterator[Entry], rows: _Rows) -> Iterator[NDArray[np.uint8]]:
    block: list[Entry] = []
    for entry in entries:
        block.append(entry)
        if len(block) == BLOCK:
            rows.add(block)
            yield np.stack([one.pixels for one in block])
            block = []
    if block:
        rows.add(block)
        yield np.stack([one.pixels for one in block])


def _compare(place: Path, card: Card, tally: Tally, table: pl.DataFrame) -> None:
    origin = table.select("recipe", "seed").unique().rows()
    if origin != [(str(card.provenance["recipe"]), card.provenance["seed"])]:
        raise CorruptFileError(
            f"{place}: its tiles and its card tell different recipes or seeds; get its files again."
        )
    told = tally.told()
    for split in sorted({*card.splits, *told}):
        was, now = card.splits.get(split, {}), told.get(split, {})
        if was.get("tiles", 0) != now.get("tiles", 0):
            raise CorruptFileError(
                f"{place}: {now.get('tiles', 0)} tiles of split {split} are here, and "
                f"{was.get('tiles', 0)} were exported; get all its files again."
            )
        if was != now:
            raise CorruptFileError(
                f"{place}: the tiles of split {split} or their rows are not as they were exported; "
                "get its files again, or take mammoscope.json away to import them as anybody's."
            )


def _shared_patients(table: pl.DataFrame) -> list[str]:
    splits = table.group_by("patient_id").agg(pl.col("split").n_unique())
    return sorted(splits.filter(pl.col("split") > 1)["patient_id"].to_list())


def _provenance(
    source: Source, card: Card | None, table: pl.DataFrame, shared: Sequence[str]
) -> dict[str, Any]:
    origin = {"format": str(source.kind), "from": str(source.folder)}
    if card is not None:
        return {**card.provenance, "imported": origin}
    words = f"as given: {len(shared)} patients in two splits" if shared else "as given, by patient"
    return {
        "recipe": FOREIGN_RECIPE,
        "seed": 0,
        "archives": sorted(set(table["archive"].drop_nulls().to_list())),
        "settings": {"faithful": bool(shared)},
        "splits": words,
        "imported": origin,
    }


def _existing(place: Path) -> Path:
    if not place.is_dir():
        raise MissingFileError(f"{place}: there is no such folder; give the one with the tiles.")
    return place


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Give a folder under a temporary name, which gets its own when all went well."""
    if target.exists():
        raise BadValueError(f"{target}: is there already; remove it or name another folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f".{target.name}.{uuid4().hex}.part"
    part.mkdir()
    try:
        yield part
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
