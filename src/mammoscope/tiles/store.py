"""Tile sets on disk: memory-mapped pixels, one Parquet row a tile, and where it all came from.

A tile set is a folder: ``pixels-0000.npy`` and so on, uint8 of shape (tiles, side, side);
``index.parquet``, a row a tile in the same order; ``provenance.json`` with recipe, seed and the
SHA-256 of every other file.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from mammoscope.core.errors import ArchiveError, BadValueError, CorruptFileError, MissingFileError
from mammoscope.tiles.tile import Tile

INDEX, PROVENANCE = "index.parquet", "provenance.json"
SHARD_TILES = 1024
"""Tiles of one shard: 92 MB at 299 x 299, so that building needs no more memory than that."""
# `null` columns would lose their type where no tile has a finding or a spacing.
SCHEMA = {
    "patient_id": pl.String,
    "exam_id": pl.String,
    "scan_id": pl.String,
    "finding_id": pl.String,
    "archive": pl.String,
    "scanner": pl.String,
    "laterality": pl.String,
    "view": pl.String,
    "breast_density": pl.String,
    "pathology": pl.String,
    "origin": pl.String,
    "lesion_share": pl.Float64,
    "top": pl.Float64,
    "left": pl.Float64,
    "height": pl.Float64,
    "width": pl.Float64,
    "spacing_row_mm": pl.Float64,
    "spacing_column_mm": pl.Float64,
    "label": pl.String,
    "split": pl.String,
    "recipe": pl.String,
    "seed": pl.Int64,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TileSet:
    """A tile set that lies on disk.

    Attributes
    ----------
    shards : memory maps of shape (tiles, side, side), uint8
    table : a row a tile: patient_id, exam_id, scan_id, finding_id, archive, scanner, laterality,
        view, breast_density, pathology, origin and lesion_share (see
        `mammoscope.tiles.tile.Tile`), top, left, height, width (in pixels of the scan's file),
        spacing_row_mm, spacing_column_mm (of the tile), label, split, recipe, seed
    provenance : recipe, seed, archive and so on, and ``files``: the SHA-256 of each file
    """

    folder: Path
    shards: tuple[NDArray[np.uint8], ...]
    table: pl.DataFrame
    provenance: Mapping[str, Any]

    def __len__(self) -> int:
        return self.table.height

    def pixels(self, positions: ArrayLike) -> NDArray[np.uint8]:
        """Copy tiles into memory, in the order asked for, shape (n, side, side).

        Raises
        ------
        IndexError
            When a position is below 0 or not below the number of tiles.
        """
        wanted = np.asarray(positions, dtype=np.intp)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"tiles are numbered from 0 to {len(self) - 1}")
        starts = np.cumsum([0, *(len(shard) for shard in self.shards)])
        owner = np.searchsorted(starts, wanted, side="right") - 1
        copied = np.empty((len(wanted), *self.shards[0].shape[1:]), dtype=np.uint8)
        for number in np.unique(owner):
            here = owner == number
            copied[here] = self.shards[number][wanted[here] - starts[number]]
        return copied

    def rows_of(self, split: str) -> NDArray[np.intp]:
        """Positions of the tiles of a split."""
        return np.flatnonzero((self.table["split"] == str(split)).to_numpy())

    def _repr_html_(self) -> str:
        counts = self.table.group_by("split", "label").len().sort("split", "label")
        told = {key: value for key, value in self.provenance.items() if key != "files"}
        about = escape(", ".join(f"{key} {value}" for key, value in told.items()))
        return f"<b>{len(self)} tiles</b> ({about}){counts._repr_html_()}"


def write_tiles(
    folder: Path,
    tiles: Iterable[Tile],
    split_of: Mapping[str, str],
    provenance: Mapping[str, str | int | bool],
) -> None:
    """Write a tile set; the folder appears when it is whole, and must not be there before.

    Parameters
    ----------
    tiles : all of one size; never more than `SHARD_TILES` of them are held in memory
    split_of : split of each patient; a patient lies in one split by construction
    provenance : what is kept beside the tiles; ``recipe`` and ``seed`` also go into every row

    Raises
    ------
    BadValueError
        When the folder is there already.
    ArchiveError
        When there is no tile.
    OSError
        When it cannot be written; nothing is left behind then.
    """
    if folder.exists():
        raise BadValueError(f"{folder}: is there already; remove it or name another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.parent / f".{folder.name}.{uuid4().hex}.part"
    part.mkdir()
    try:
        rows = _write_shards(part, tiles, split_of, provenance)
        pl.DataFrame(rows, schema=SCHEMA).write_parquet(part / INDEX)
        files = {path.name: _digest(path) for path in sorted(part.iterdir())}
        text = json.dumps({**provenance, "files": files}, indent=1, sort_keys=True)
        (part / PROVENANCE).write_text(text + "\n", encoding="utf-8")
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def load_tiles(folder: str | Path) -> TileSet:
    """Open a tile set and check its digests; pixels stay on disk until they are asked for.

    Raises
    ------
    MissingFileError
        When a part of it is not there.
    CorruptFileError
        When a part is not as it was written.
    """
    place = Path(folder)
    provenance = _read_provenance(place)
    files = provenance["files"]
    for name, digest in files.items():
        if _digest(_existing(place, name)) != digest:
            raise CorruptFileError(
                f"{place / name}: is not as it was written; build the tile set again."
            )
    try:
        table = pl.read_parquet(place / INDEX)
        shards = tuple(
            np.load(place / name, mmap_mode="r", allow_pickle=False)
            for name in sorted(files)
            if name != INDEX
        )
    except (ValueError, OSError, pl.exceptions.PolarsError) as error:
        raise CorruptFileError(f"{place}: cannot be read ({error}); build it again.") from error
    count = sum(len(shard) for shard in shards)
    if count != table.height or dict(table.schema) != SCHEMA:
        raise CorruptFileError(
            f"{place}: {count} tiles of pixels and {table.height} rows of {len(table.columns)} "
            f"columns, where rows of {len(SCHEMA)} columns were expected; build it again."
        )
    return TileSet(folder=place, shards=shards, table=table, provenance=provenance)


def _write_shards(
    part: Path,
    tiles: Iterable[Tile],
    split_of: Mapping[str, str],
    provenance: Mapping[str, str | int | bool],
) -> list[dict[str, object]]:
    """Write the pixels, and return the rows of the index."""
    rows: list[dict[str, object]] = []
    for number, group in enumerate(_groups(tiles)):
        np.save(part / f"pixels-{number:04d}.npy", np.stack([tile.pixels for tile in group]))
        same = {"recipe": str(provenance["recipe"]), "seed": int(provenance["seed"])}
        rows += [{**_row(tile, split_of), **same} for tile in group]
    if not rows:
        raise ArchiveError("No scan gave a tile; see what a check of the archive says.")
    return rows


def _groups(tiles: Iterable[Tile]) -> Iterator[list[Tile]]:
    left = iter(tiles)
    while group := list(islice(left, SHARD_TILES)):
        yield group


def _row(tile: Tile, split_of: Mapping[str, str]) -> dict[str, object]:
    row_mm, column_mm = tile.spacing_mm or (None, None)
    return {
        "patient_id": tile.scan.patient_id,
        "exam_id": tile.scan.exam_id,
        "scan_id": tile.scan.scan_id,
        "finding_id": tile.finding_id,
        "archive": tile.scan.archive,
        "scanner": tile.scan.facts.get("scanner") or None,
        "laterality": None if tile.scan.laterality is None else str(tile.scan.laterality),
        "view": None if tile.scan.view is None else str(tile.scan.view),
        "breast_density": tile.scan.breast_density,
        "pathology": _pathology(tile),
        "origin": str(tile.origin),
        "lesion_share": tile.lesion_share,
        "top": tile.box.top,
        "left": tile.box.left,
        "height": tile.box.height,
        "width": tile.box.width,
        "spacing_row_mm": row_mm,
        "spacing_column_mm": column_mm,
        "label": tile.label,
        "split": str(split_of[tile.scan.patient_id]),
    }


def _pathology(tile: Tile) -> str | None:
    found = (f.pathology for f in tile.scan.findings or () if f.finding_id == tile.finding_id)
    proven = next(found, None)
    return None if proven is None else str(proven)


def _read_provenance(place: Path) -> dict[str, Any]:
    path = _existing(place, PROVENANCE)
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))
        files = provenance["files"]
        shards = [f"pixels-{number:04d}.npy" for number in range(len(files) - 1)]
        whole = bool(shards) and sorted(files) == [INDEX, *shards]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{path}: is damaged; build the tile set again.") from error
    if not whole:
        raise CorruptFileError(f"{path}: names other files than a tile set has; build it again.")
    return dict(provenance)


def _existing(place: Path, name: str) -> Path:
    path = place / name
    if not path.is_file():
        raise MissingFileError(f"{place}: no whole tile set, {name} is missing; build it again.")
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
