"""Tile sets on disk: memory-mapped pixels, one Parquet row a tile, and where it all came from."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.tiles.recipe9 import Tile

PIXELS, INDEX, PROVENANCE = "pixels.npy", "index.parquet", "provenance.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSet:
    """A tile set that lies on disk.

    Attributes
    ----------
    pixels : memory map of shape (tiles, side, side), uint8
    table : a row a tile: patient_id, scan_id, finding_id, archive, top, left, height, width (in
        pixels of the scan's file), label, split
    provenance : recipe, seed, archive and digests
    """

    folder: Path
    pixels: NDArray[np.uint8]
    table: pl.DataFrame
    provenance: Mapping[str, str]

    def rows_of(self, split: str) -> NDArray[np.intp]:
        """Positions of the tiles of a split."""
        return np.flatnonzero((self.table["split"] == split).to_numpy())

    def _repr_html_(self) -> str:
        counts = self.table.group_by("split", "label").len().sort("split", "label")
        about = escape(", ".join(f"{k} {v}" for k, v in self.provenance.items()))
        return f"<b>{len(self.table)} tiles</b> ({about}){counts._repr_html_()}"


def write_tiles(
    folder: Path,
    tiles: Iterable[Tile],
    split_of: Mapping[str, str],
    provenance: Mapping[str, str],
) -> None:
    """Write a tile set; the folder appears when it is whole, and must not be there before.

    Parameters
    ----------
    split_of : split of each patient; a patient lies in one split by construction
    provenance : what is kept beside the tiles

    Raises
    ------
    FileExistsError
        When the folder is there already.
    OSError
        When it cannot be written; nothing is left behind then.
    """
    if folder.exists():
        raise FileExistsError(
            f"{folder}: the tile set is there already; remove it or name another."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        kept = list(tiles)
        side = kept[0].pixels.shape[0] if kept else 0
        pixels = np.lib.format.open_memmap(
            part / PIXELS, mode="w+", dtype=np.uint8, shape=(len(kept), side, side)
        )
        for position, tile in enumerate(kept):
            pixels[position] = tile.pixels
        pixels.flush()
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        table = pl.DataFrame([_row(tile, split_of) for tile in kept], infer_schema_length=None)
        table.write_parquet(part / INDEX)
        text = json.dumps({**provenance, "pixels_sha256": digest}, indent=1, sort_keys=True)
        (part / PROVENANCE).write_text(text + "\n", encoding="utf-8")
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _row(tile: Tile, split_of: Mapping[str, str]) -> dict[str, object]:
    return {
        "patient_id": tile.scan.patient_id,
        "scan_id": tile.scan.scan_id,
        "finding_id": tile.finding_id,
        "archive": tile.scan.archive,
        "top": tile.box.top,
        "left": tile.box.left,
        "height": tile.box.height,
        "width": tile.box.width,
        "label": tile.label,
        "split": split_of[tile.scan.patient_id],
    }


def load_tiles(folder: str | Path) -> TileSet:
    """Open a tile set; pixels stay on disk until they are looked at.

    Raises
    ------
    MissingFileError
        When a part of it is not there.
    CorruptFileError
        When its parts do not fit together.
    """
    place = Path(folder)
    for name in (PIXELS, INDEX, PROVENANCE):
        if not (place / name).is_file():
            raise MissingFileError(
                f"{place}: no whole tile set, {name} is missing; build it again."
            )
    try:
        pixels = np.load(place / PIXELS, mmap_mode="r", allow_pickle=False)
        table = pl.read_parquet(place / INDEX)
        provenance = json.loads((place / PROVENANCE).read_text(encoding="utf-8"))
    except (ValueError, OSError, pl.exceptions.PolarsError) as error:
        raise CorruptFileError(
            f"{place}: the tile set is damaged ({error}); build it again."
        ) from error
    if len(pixels) != len(table):
        raise CorruptFileError(
            f"{place}: {len(pixels)} tiles of pixels and {len(table)} rows; build it again."
        )
    return TileSet(folder=place, pixels=pixels, table=table, provenance=provenance)


def random_batch(tiles: TileSet, positions: ArrayLike) -> NDArray[np.uint8]:
    """Copy tiles by position into memory, shape (n, side, side)."""
    return np.asarray(tiles.pixels[np.asarray(positions)])
