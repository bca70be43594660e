"""What one scan gave: its candidate tiles in one file of the unfinished tile set.

A part begins with the SHA-256 of all that follows its first line, then comes one line of JSON, then
the pixels, uint8 of shape (tiles, side, side). It appears when it is whole; what a power cut leaves
of one does not fit its digest and is cut again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.records import Scan
from mammoscope.scans.load import LoadedScan, load
from mammoscope.tiles.tile import NORMAL, Missed, Tile

Cut = Callable[[Scan, LoadedScan, np.random.Generator], Iterator[Tile | Missed]]
_DIGEST_BYTES = 65
"""The digest's 64 digits and the end of their line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Which normal tiles can still be chosen.

    Attributes
    ----------
    normals : how many normal tiles the set will have at most
    lot : that many were seen whose lot is not above this one
    """

    normals: int
    lot: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One scan to cut.

    Attributes
    ----------
    index : its place in the order of the tile set
    cut : a function of a module, or a partial of one: it is sent to other processes
    seed : with the scan's id it seeds the generator, so that a scan gives the same tiles whatever
        other scans there are
    limit : normal tiles of a larger lot are left out; None keeps all
    """

    index: int
    scan: Scan
    cut: Cut
    seed: int
    limit: Limit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a part's head says.

    Attributes
    ----------
    stamp : size and time of the scan's file when it was read
    candidates : how many tiles of each label the scan gave, those left out included
    normals : the limit's `normals` where tiles were left out; None where all were kept
    missed : finding_id -> why no tile was cut for it, where the recipe says so
    shape : (tiles, side, side)
    rows : columns of the tiles that were kept, see `row_of`
    offset : where in the file the pixels begin
    """

    archive: str
    scan_id: str
    stamp: tuple[int, int]
    candidates: Mapping[str, int]
    normals: int | None
    missed: Mapping[str, str]
    shape: tuple[int, int, int]
    rows: Mapping[str, list[Any]]
    offset: int

    @property
    def normal_lots(self) -> list[float]:
        """Lots of the normal tiles that were kept."""
        pairs = zip(self.rows.get("lot", ()), self.rows.get("label", ()), strict=True)
        return [lot for lot, label in pairs if label == NORMAL]


def make_part(job: Job) -> bytes:
    """Read a scan, cut it, and pack what it gave.

    Raises
    ------
    ArchiveError, FormatError, ScanError
        When the scan cannot be used.
    ValueError
        When the recipe's tiles are not of one size, or not bytes.
    """
    scan = job.scan
    stamp = stamp_of(scan.path)
    rng = np.random.default_rng([job.seed, *scan.scan_id.encode()])
    counts: Counter[str] = Counter()
    kept: list[Tile] = []
    missed: dict[str, str] = {}
    loaded = load(scan)
    for tile in job.cut(scan, loaded, rng):
        if isinstance(tile, Missed):
            missed[tile.finding_id] = tile.why
            continue
        counts[tile.label] += 1
        if job.limit is None or tile.label != NORMAL or tile.lot <= job.limit.lot:
            kept.append(tile)
    pixels = _stacked(kept, scan)
    rows = [row_of(tile) for tile in kept]
    head = {
        "archive": scan.archive,
        "scan_id": scan.scan_id,
        "stamp": stamp,
        "candidates": dict(sorted(counts.items())),
        "normals": None if job.limit is None else job.limit.normals,
        "missed": missed,
        "shape": pixels.shape,
        "rows": {name: [row[name] for row in rows] for name in (rows[0] if rows else ())},
    }
    line = json.dumps(head, separators=(",", ":")).encode() + b"\n"
    digest = hashlib.sha256(line)
    digest.update(pixels.data)
    return b"".join((digest.hexdigest().encode(), b"\n", line, pixels.data))


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of a file; zeros where it is not there: opening it will say why."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def read_part(path: Path) -> Part:
    """Read a part's head.

    Raises
    ------
    CorruptFileError
        When it is no part, or cut short.
    OSError
        When it cannot be opened.
    """
    with path.open("rb") as stream:
        stream.seek(_DIGEST_BYTES)
        line = stream.readline()
        end = stream.seek(0, 2)
    offset = _DIGEST_BYTES + len(line)
    try:
        head = json.loads(line)
        tiles, rows, columns = head.pop("shape")
        stamp = tuple(head.pop("stamp"))
        part = Part(**head, shape=(tiles, rows, columns), stamp=stamp, offset=offset)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptFileError(f"{path}: is no part of a tile set; remove it.") from error
    if end != offset + tiles * rows * columns:
        raise CorruptFileError(f"{path}: is cut short; remove it.")
    return part


def is_whole(path: Path) -> bool:
    """Tell whether a part fits its digest."""
    with path.open("rb") as stream:
        told = stream.read(_DIGEST_BYTES)
        return told == hashlib.file_digest(stream, "sha256").hexdigest().encode() + b"\n"


def read_pixels(path: Path, part: Part, positions: Sequence[int]) -> NDArray[np.uint8]:
    """Read some of a part's tiles, shape (n, side, side), uint8."""
    if not positions:
        return np.empty((0, *part.shape[1:]), dtype=np.uint8)
    mapped = np.memmap(path, np.uint8, mode="r", offset=part.offset, shape=part.shape)
    return np.asarray(mapped[list(positions)])


def row_of(tile: Tile) -> dict[str, object]:
    """Return what is known of a tile before it has a split; plain values."""
    row_mm, column_mm = tile.spacing_mm or (None, None)
    scan = tile.scan
    return {
        "patient_id": scan.patient_id,
        "exam_id": scan.exam_id,
        "scan_id": scan.scan_id,
        "finding_id": tile.finding_id,
        "archive": scan.archive,
        "scanner": scan.facts.get("scanner") or None,
        "laterality": _text(scan.laterality),
        "view": _text(scan.view),
        "breast_density": scan.breast_density,
        "pathology": _pathology(tile),
        "origin": str(tile.origin),
        "lesion_share": _number(tile.lesion_share),
        "top": float(tile.box.top),
        "left": float(tile.box.left),
        "height": float(tile.box.height),
        "width": float(tile.box.width),
        "spacing_row_mm": row_mm,
        "spacing_column_mm": column_mm,
        "spacing_source": None if row_mm is None else _text(scan.spacing_source),
        "label": tile.label,
        "lot": float(tile.lot),
        "official_split": _text(scan.split),
    }


def _stacked(tiles: Sequence[Tile], scan: Scan) -> NDArray[np.uint8]:
    """Lay a scan's tiles together, contiguous."""
    if not tiles:
        return np.empty((0, 1, 1), dtype=np.uint8)
    shapes = {(tile.pixels.shape, tile.pixels.dtype.name) for tile in tiles}
    if len(shapes) > 1 or tiles[0].pixels.dtype != np.uint8:
        raise ValueError(f"{scan.scan_id}: tiles must be uint8 of one size, not {shapes}")
    return np.stack([tile.pixels for tile in tiles])


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _pathology(tile: Tile) -> str | None:
    found = (f.pathology for f in tile.scan.findings or () if f.finding_id == tile.finding_id)
    return _text(next(found, None))
