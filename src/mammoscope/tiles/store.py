"""Tile sets on disk: memory-mapped pixels, one Parquet row a tile, and where it all came from.

A tile set is a folder: ``pixels-0000.npy`` and so on, uint8 of shape (tiles, side, side);
``index.parquet``, a row a tile in the same order; ``provenance.json`` with recipe, seed and the
size and SHA-256 of these files; and what a build says of itself, ``build.json`` and ``audit.json``.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from mammoscope.core.errors import ArchiveError, BadValueError, CorruptFileError, MissingFileError
from mammoscope.formats.npy import map_npy
from mammoscope.tiles.parts import row_of
from mammoscope.tiles.remote import fetch, is_remote, local_path
from mammoscope.tiles.tile import Tile

VERSION = "mammoscope.tiles/2"
INDEX, PROVENANCE, REPORT, AUDIT = "index.parquet", "provenance.json", "build.json", "audit.json"
SHARD_TILES = 1024
"""Tiles of one shard: 92 MB at 299 x 299, so that building needs no more memory than that."""
HEAD_BYTES = 128
"""Heading of an .npy file whose shape has less than some 70 digits."""
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
    "spacing_source": pl.String,
    "label": pl.String,
    "split": pl.String,
    "recipe": pl.String,
    "seed": pl.Int64,
}
Pixels = NDArray[np.uint8]
Files = dict[str, dict[str, str | int]]
"""Name of each file, with its ``sha256`` and its size in ``bytes``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TileSet:
    """A tile set that lies on disk.

    Attributes
    ----------
    shards : memory maps of shape (tiles, side, side), uint8
    table : a row a tile: patient_id, exam_id, scan_id, finding_id, archive, scanner, laterality,
        view, breast_density, pathology, origin and lesion_share (see
        `mammoscope.tiles.tile.Tile`), top, left, height, width (in pixels of the scan's file),
        spacing_row_mm, spacing_column_mm (of the tile), spacing_source (how the scan's was known),
        label, split, recipe, seed
    provenance : recipe, seed, archives and so on, and ``files``: size and SHA-256 of each file
    """

    folder: Path
    shards: tuple[Pixels, ...]
    table: pl.DataFrame
    provenance: Mapping[str, Any]
    # Indexing a memory map itself costs more than copying a tile.
    _plain: tuple[Pixels, ...] = field(init=False, repr=False)
    _starts: NDArray[np.intp] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plain", tuple(np.asarray(shard) for shard in self.shards))
        starts = np.cumsum([0, *(len(shard) for shard in self.shards)])
        object.__setattr__(self, "_starts", starts)

    def __len__(self) -> int:
        return self.table.height

    def pixels(self, positions: ArrayLike) -> Pixels:
        """Copy tiles into memory, in the order asked for, shape (n, side, side).

        Raises
        ------
        IndexError
            When a position is below 0 or not below the number of tiles.
        """
        wanted = np.asarray(positions, dtype=np.intp)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"tiles are numbered from 0 to {len(self) - 1}")
        owners = np.searchsorted(self._starts, wanted, side="right") - 1
        places = wanted - self._starts[owners]
        copied = np.empty((len(wanted), *self._plain[0].shape[1:]), dtype=np.uint8)
        # One copy a tile, straight into its place.
        for row, owner, place in zip(copied, owners.tolist(), places.tolist(), strict=True):
            row[:] = self._plain[owner][place]
        return copied

    def rows_of(self, split: str) -> NDArray[np.intp]:
        """Positions of the tiles of a split."""
        return np.flatnonzero((self.table["split"] == str(split)).to_numpy())

    def verify(self) -> None:
        """Read every file once and compare it with what was written.

        Raises
        ------
        MissingFileError, CorruptFileError
            When a file is not there or not as it was written; names it.
        """
        for name, told in self.provenance["files"].items():
            if digest_of(_existing(self.folder, name)) != told["sha256"]:
                raise _not_as_written(self.folder / name)

    def _repr_html_(self) -> str:
        counts = self.table.group_by("split", "label").len().sort("split", "label")
        told = {key: value for key, value in self.provenance.items() if key != "files"}
        about = escape(", ".join(f"{key} {value}" for key, value in told.items()))
        return f"<b>{len(self)} tiles</b> ({about}){counts._repr_html_()}"


def write_tiles(
    folder: Path,
    tiles: Iterable[Tile],
    split_of: Mapping[str, str],
    provenance: Mapping[str, Any],
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
    rows: list[dict[str, object]] = []

    def stacked() -> Iterator[Pixels]:
        for group in _groups(tiles):
            rows.extend({**row_of(t), "split": str(split_of[t.scan.patient_id])} for t in group)
            yield np.stack([tile.pixels for tile in group])

    try:
        files = write_shards(part, stacked())
        known = {name: kind for name, kind in SCHEMA.items() if name not in ("recipe", "seed")}
        finish(part, pl.DataFrame(rows, schema=known), files, provenance)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def write_shards(folder: Path, blocks: Iterable[Pixels]) -> Files:
    """Write tiles into shards of `SHARD_TILES`.

    Parameters
    ----------
    blocks : ndarrays of shape (tiles, side, side), uint8, of one side; one at a time is held

    Raises
    ------
    ArchiveError
        When there is no tile.
    OSError
        When they cannot be written.
    """
    files: Files = {}
    for shard in _shards(blocks):
        name = f"pixels-{len(files):04d}.npy"
        files[name] = _write_shard(folder / name, shard)
    if not files:
        raise ArchiveError("No scan gave a tile; see what a check of the archive says.")
    return files


def finish(folder: Path, table: pl.DataFrame, files: Files, provenance: Mapping[str, Any]) -> None:
    """Write index and provenance beside the shards.

    Parameters
    ----------
    table : columns of `SCHEMA` but recipe and seed, in the order of the pixels
    files : what `write_shards` returned
    provenance : what is kept beside the tiles; ``recipe`` and ``seed`` also go into every row

    Raises
    ------
    OSError
        When they cannot be written.
    """
    recipe, seed = str(provenance["recipe"]), int(provenance["seed"])
    whole = table.with_columns(recipe=pl.lit(recipe), seed=pl.lit(seed, pl.Int64))
    packed = BytesIO()
    whole.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()).write_parquet(packed)
    (folder / INDEX).write_bytes(packed.getbuffer())
    index = {"sha256": hashlib.sha256(packed.getbuffer()).hexdigest(), "bytes": packed.tell()}
    told = {**provenance, "schema": VERSION, "files": {INDEX: index, **files}}
    text = json.dumps(told, indent=1, sort_keys=True)
    (folder / PROVENANCE).write_text(text + "\n", encoding="utf-8")


def load_tiles(folder: str | Path) -> TileSet:
    """Open a tile set; pixels stay on disk until they are asked for.

    The index is compared with its digest, the shards by their size and shape: `TileSet.verify`
    reads them whole.

    Parameters
    ----------
    folder : a folder, or a URL that fsspec knows, such as "s3://bucket/set": what lies there is
        copied into the cache of this user once

    Raises
    ------
    MissingFileError
        When a part of it is not there.
    CorruptFileError
        When a part is not as it was written, or the set is of another version.
    """
    place = fetch(str(folder), PROVENANCE) if is_remote(folder) else local_path(folder)
    provenance = _read_provenance(place)
    table = _read_index(place, provenance["files"][INDEX])
    shards = tuple(_open_shards(place, provenance["files"]))
    count = sum(len(shard) for shard in shards)
    if count != table.height or dict(table.schema) != SCHEMA:
        raise CorruptFileError(
            f"{place}: {count} tiles of pixels and {table.height} rows of {len(table.columns)} "
            f"columns, where rows of {len(SCHEMA)} columns were expected; build it again."
        )
    if len({shard.shape[1:] for shard in shards}) > 1:
        raise CorruptFileError(f"{place}: its shards differ in the tiles' size; build it again.")
    return TileSet(folder=place, shards=shards, table=table, provenance=provenance)


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _groups(tiles: Iterable[Tile]) -> Iterator[list[Tile]]:
    left = iter(tiles)
    while group := list(islice(left, SHARD_TILES)):
        yield group


def _shards(blocks: Iterable[Pixels]) -> Iterator[Pixels]:
    """Lay blocks together into shards; each is overwritten by the next."""
    shard: Pixels | None = None
    filled = 0
    for block in blocks:
        if shard is None:
            shard = np.empty((SHARD_TILES, *block.shape[1:]), dtype=np.uint8)
        left = block
        while len(left):
            taken = left[: SHARD_TILES - filled]
            shard[filled : filled + len(taken)] = taken
            filled, left = filled + len(taken), left[len(taken) :]
            if filled == SHARD_TILES:
                yield shard
                filled = 0
    if shard is not None and filled:
        yield shard[:filled]


def _write_shard(path: Path, shard: Pixels) -> dict[str, str | int]:
    """Write an .npy file; numpy's own writing does not say that a disk is full."""
    head = BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(shard))
    digest = hashlib.sha256(head.getbuffer())
    digest.update(shard.data)
    with path.open("wb") as stream:
        stream.write(head.getbuffer())
        stream.write(shard.data)
    return {"sha256": digest.hexdigest(), "bytes": head.tell() + shard.nbytes}


def _read_provenance(place: Path) -> dict[str, Any]:
    path = _existing(place, PROVENANCE)
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))
        version = provenance.get("schema")
        files = provenance["files"]
        shards = [f"pixels-{number:04d}.npy" for number in range(len(files) - 1)]
        known = sorted(files) == [INDEX, *shards] and bool(shards)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(f"{path}: is damaged; build the tile set again.") from error
    if version != VERSION:
        raise CorruptFileError(_of_another_version(path, version))
    if not known or not all(_is_told(told) for told in files.values()):
        raise CorruptFileError(f"{path}: names other files than a tile set has; build it again.")
    return dict(provenance)


def _of_another_version(path: Path, version: object) -> str:
    lacks = " without the column spacing_source" if version == "mammoscope.tiles/1" else ""
    return (
        f"{path}: is a tile set of version {version!r}{lacks}, and this program reads {VERSION!r}; "
        "build it again."
    )


def _is_told(told: object) -> bool:
    return (
        isinstance(told, dict)
        and isinstance(told.get("sha256"), str)
        and isinstance(told.get("bytes"), int)
    )


def _read_index(place: Path, told: Mapping[str, str | int]) -> pl.DataFrame:
    packed = _existing(place, INDEX).read_bytes()
    if hashlib.sha256(packed).hexdigest() != told["sha256"]:
        raise _not_as_written(place / INDEX)
    try:
        return pl.read_parquet(packed)
    except (ValueError, OSError, pl.exceptions.PolarsError) as error:
        raise CorruptFileError(f"{place / INDEX}: cannot be read ({error}).") from error


def _open_shards(place: Path, files: Mapping[str, Mapping[str, Any]]) -> Iterator[Pixels]:
    """Map the shards; of those with the same heading only the first one's is parsed."""
    shapes: dict[bytes, tuple[int, ...]] = {}
    for name in sorted(files):
        if name == INDEX:
            continue
        path, size = place / name, int(files[name]["bytes"])
        try:
            with path.open("rb") as stream:
                found = os.fstat(stream.fileno()).st_size
                head = stream.read(HEAD_BYTES)
        except OSError as error:
            raise _missing(place, name) from error
        if found != size:
            raise CorruptFileError(
                f"{path}: is not as it was written, it has {found} bytes of {size}; build the tile "
                "set again."
            )
        if head not in shapes:
            shapes[head] = _shape_of(path, size)
        yield np.memmap(path, np.uint8, mode="r", offset=HEAD_BYTES, shape=shapes[head])


def _shape_of(path: Path, size: int) -> tuple[int, ...]:
    shard = map_npy(path)
    if shard.ndim != 3 or shard.dtype != np.uint8 or shard.nbytes + HEAD_BYTES != size:
        raise CorruptFileError(
            f"{path}: holds no tiles, but {shard.dtype} of {shard.shape}; build the set again."
        )
    return shard.shape


def _existing(place: Path, name: str) -> Path:
    path = place / name
    if not path.is_file():
        raise _missing(place, name)
    return path


def _missing(place: Path, name: str) -> MissingFileError:
    return MissingFileError(f"{place}: no whole tile set, {name} is missing; build it again.")


def _not_as_written(path: Path) -> CorruptFileError:
    return CorruptFileError(f"{path}: is not as it was written; build the tile set again.")
