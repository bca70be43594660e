"""What a tile set holds, in numbers: counts, grey levels by origin and label, sizes of lesions."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.archives.archive import Archive
from mammoscope.archives.cbis_heads import read_head
from mammoscope.core.errors import MammoscopeError
from mammoscope.core.geometry import Circle, MaskFile, Roi
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.formats.masks import box_of
from mammoscope.scans.load import load
from mammoscope.tiles.store import TileSet

LEVELS = 256
BIN_LEVELS = 8
"""Grey levels of a bar of the histograms."""
SAMPLE = 20_000
"""Tiles that histograms are counted on, of larger sets: about a minute of reading."""
BLOCK = 64
RADIUS_BIN_PX = 20
"""As the histograms of the paper's notebooks have it."""
COUNTED = ("archive", "scanner", "breast_density", "origin", "view", "laterality")
"""Columns whose values are counted, each against the labels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Greys:
    """How often each grey level occurs in the tiles of one origin and label.

    Attributes
    ----------
    archive, scanner : "" where it is not known
    counts : ndarray of shape (256,), int64
    tiles : how many were counted
    """

    archive: str
    scanner: str
    label: str
    counts: NDArray[np.int64]
    tiles: int

    @property
    def mean(self) -> float:
        """Mean grey level, in [0, 255]."""
        return float(self.counts @ np.arange(LEVELS) / self.counts.sum())

    @property
    def deviation(self) -> float:
        """Standard deviation of the grey levels."""
        squares = (np.arange(LEVELS) - self.mean) ** 2
        return float(np.sqrt(self.counts @ squares / self.counts.sum()))

    def shares(self) -> NDArray[np.float64]:
        """Share of the pixels in each bar of `BIN_LEVELS` levels, shape (32,); sums to 1."""
        return np.asarray(self.counts.reshape(-1, BIN_LEVELS).sum(axis=1) / self.counts.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionSize:
    """How large a finding is on its scan.

    Attributes
    ----------
    longest_mm : longer side of the box round it; None where its scan has no known spacing
    radius_px : of a finding that its archive draws as a circle, in pixels of the scan's file
    unread : why its mask could not be read, so that its size is not known; "" otherwise
    """

    finding_id: str
    archive: str
    kind: FindingKind
    pathology: Pathology | None
    longest_mm: float | None
    radius_px: float | None
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What a tile set holds.

    Attributes
    ----------
    splits : split, label and ``len``, how many tiles, a row a pair
    counts : column of the index -> its values, labels and ``len``
    patients : split -> how many patients
    greys : by archive, scanner and label
    counted, of : how many tiles the grey levels were counted on, of how many
    sizes : of the lesions that the set's tiles were cut from; empty where no archive was given
    """

    splits: pl.DataFrame
    counts: dict[str, pl.DataFrame]
    patients: dict[str, int]
    greys: tuple[Greys, ...]
    counted: int
    of: int
    sizes: tuple[LesionSize, ...]


def measure_statistics(
    tiles: TileSet, archives: Iterable[Archive] = (), *, seed: int = 0
) -> Statistics:
    """Count what a tile set holds.

    Parameters
    ----------
    archives : that it was cut from, for the sizes of lesions: the index has those of tiles only
    seed : draws the tiles whose grey levels are counted, where there are more than `SAMPLE`
    """
    chosen = _sample(len(tiles), np.random.default_rng(seed))
    patients = tiles.table.group_by("split").agg(pl.col("patient_id").n_unique()).rows()
    wanted = set(tiles.table["finding_id"].drop_nulls().to_list())
    return Statistics(
        splits=tiles.table.group_by("split", "label").len().sort("split", "label"),
        counts={name: _against_labels(tiles.table, name) for name in COUNTED},
        patients={str(split): int(count) for split, count in patients},
        greys=count_greys(tiles, chosen),
        counted=len(chosen),
        of=len(tiles),
        sizes=lesion_sizes(archives, wanted),
    )


def count_greys(tiles: TileSet, positions: NDArray[np.intp]) -> tuple[Greys, ...]:
    """Count the grey levels of tiles by archive, scanner and label; few are held at once."""
    keys = tiles.table[positions].select(
        pl.col("archive").fill_null(""), pl.col("scanner").fill_null(""), "label"
    )
    sums: dict[tuple[str, str, str], NDArray[np.int64]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for start in range(0, len(positions), BLOCK):
        block = slice(start, start + BLOCK)
        for key, pixels in zip(keys[block].rows(), tiles.pixels(positions[block]), strict=True):
            found = np.bincount(pixels.ravel(), minlength=LEVELS)
            sums[key] = sums.get(key, np.zeros(LEVELS, np.int64)) + found
            counts[key] = counts.get(key, 0) + 1
    return tuple(
        Greys(archive=key[0], scanner=key[1], label=key[2], counts=sums[key], tiles=counts[key])
        for key in sorted(sums)
    )


def lesion_sizes(
    archives: Iterable[Archive], wanted: Collection[str] | None = None
) -> tuple[LesionSize, ...]:
    """Measure the findings of archives that have a place.

    Parameters
    ----------
    archives : a mask is read from its file, some 30 ms at full size, where its scan's spacing is
        known; without a spacing there is nothing to measure in it
    wanted : finding_ids; None: all

    Raises
    ------
    AnnotationError
        When a line of an archive's annotations is damaged.
    """
    return tuple(
        _size(scan, finding, finding.roi)
        for archive in archives
        for scan in archive.scans()
        for finding in scan.findings or ()
        if finding.roi is not None and (wanted is None or finding.finding_id in wanted)
    )


def radius_counts(sizes: Sequence[LesionSize], pathology: Pathology) -> NDArray[np.int64]:
    """Count circles by radius in bins of `RADIUS_BIN_PX`, from 0 on, shape (bins,)."""
    radii = [one.radius_px for one in sizes if one.pathology is pathology]
    known = [radius for radius in radii if radius is not None]
    every = [one.radius_px for one in sizes if one.radius_px is not None]
    bins = max(1, ceil((max(every, default=0) + 1) / RADIUS_BIN_PX))
    edges = np.arange(bins + 1) * RADIUS_BIN_PX
    return np.histogram(known, bins=edges)[0].astype(np.int64)


def _sample(count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    if count <= SAMPLE:
        return np.arange(count)
    return np.sort(rng.choice(count, SAMPLE, replace=False))


def _against_labels(table: pl.DataFrame, column: str) -> pl.DataFrame:
    return table.group_by(column, "label").len().sort(column, "label", nulls_last=True)


def _size(scan: Scan, finding: Finding, roi: Roi) -> LesionSize:
    longest, unread = None, ""
    if scan.spacing_mm is not None:
        try:
            box = box_of(roi, _shape_of(scan) if isinstance(roi, MaskFile) else (0, 0))
            longest = max(box.height * scan.spacing_mm[0], box.width * scan.spacing_mm[1])
        except MammoscopeError as error:
            unread = str(error)
    return LesionSize(
        finding_id=finding.finding_id,
        archive=scan.archive,
        kind=finding.kind,
        pathology=finding.pathology,
        longest_mm=longest,
        radius_px=roi.radius if isinstance(roi, Circle) else None,
        unread=unread,
    )


def _shape_of(scan: Scan) -> tuple[int, int]:
    """(rows, columns) of a scan, from its header where that is enough."""
    head = read_head(scan.path)
    if head is not None:
        return head.shape_px
    rows, columns = load(scan).image.shape
    return rows, columns
