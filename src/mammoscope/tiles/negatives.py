"""Hard negatives: normal tissue that a model took for a lesion, from a table of scored places.

The scores come from outside as plain data (`mammoscope.read.score_places` writes such a file), so
that any model can give them: a table with columns scan_id, row, column (in pixels of the scan's
file) and score (in [0, 1]), as Parquet or CSV. A column archive, where there is one, tells apart
scans of two archives that are called alike, as those of ``cbis-ddsm`` and ``cbis-ddsm-800`` are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.tiles.strict_field import Field, Places
from mammoscope.tiles.tile import NORMAL, Origin, Tile

COLUMNS = {"scan_id": pl.String, "row": pl.Float64, "column": pl.Float64, "score": pl.Float64}
ARCHIVE = "archive"
LEAST_SCORE = 0.1
"""Places that a model scores lower are no mistake that is worth learning from."""
MOST = 4
"""So many hard negatives a scan at most, or a few strange scans would fill a tile set."""
INSIDE = 0.125
"""A tile shows the place at least this share of its side away from its own edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place on a scan's own grid, in pixels, and a model's lesion score of it, in [0, 1].

    `archive` is that of the scan; None where the table does not tell.
    """

    row: float
    column: float
    score: float
    archive: str | None = None


def read_places(path: str | Path) -> Mapping[str, tuple[Place, ...]]:
    """Read scored places; for each scan_id its places, the highest score first.

    Raises
    ------
    MissingFileError
        When there is no such file.
    CorruptFileError
        When it is no table with these columns, or a value is missing or out of range.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"{file}: there is no such file; give a table of scored places.")
    try:
        read = pl.read_csv if file.suffix.lower() == ".csv" else pl.read_parquet
        table = read(file)
        archive = pl.col(ARCHIVE) if ARCHIVE in table.columns else pl.lit(None)
        table = table.select(
            *(pl.col(name).cast(kind) for name, kind in COLUMNS.items()),
            archive.cast(pl.String).alias(ARCHIVE),
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CorruptFileError(
            f"{file}: expected a table with the columns {', '.join(COLUMNS)} ({error})."
        ) from error
    wrong = table.filter(
        pl.any_horizontal(pl.col(*COLUMNS).is_null())
        | ~pl.all_horizontal(pl.col("row", "column", "score").is_finite())
        | ~pl.col("score").is_between(0, 1)
    )
    if wrong.height:
        raise CorruptFileError(
            f"{file}: a place of scan {wrong['scan_id'][0]} has no row, column, or score between "
            "0 and 1; score the scans again."
        )
    places: dict[str, list[Place]] = {}
    for scan_id, row, column, score, archive in table.sort(
        ["scan_id", "score", "row", "column"], descending=[False, True, False, False]
    ).iter_rows():
        place = Place(row=row, column=column, score=score, archive=archive)
        places.setdefault(scan_id, []).append(place)
    return MappingProxyType({scan_id: tuple(its) for scan_id, its in places.items()})


def negative_tiles(
    field: Field, peaks: Sequence[Place], *, margin_px: int, least_breast: float
) -> Iterator[Tile]:
    """Cut a tile round each place where a model sees a lesion and no finding is near.

    Parameters
    ----------
    field : the scan
    peaks : scored places of this scan
    margin_px : tiles stay so far away from every finding
    least_breast : share of a tile that is breast at least

    Yields
    ------
    Tile
        At most `MOST`, the highest score first, none with its corner within half a tile of
        another's. Its lot is one minus the score, so that a choice by lots takes the hardest.
        None of a scan of which it is not known where all findings are.
    """
    taken = np.empty((0, 2), np.intp)
    for peak in sorted(peaks, key=lambda p: (-p.score, p.row, p.column)):
        if peak.score < LEAST_SCORE or len(taken) == MOST:
            return
        nearest = _tile_showing(field, peak, margin_px, least_breast)
        if nearest is None or not is_apart(nearest, taken, field.side_px // 2):
            continue
        taken = np.vstack([taken, nearest])
        yield normal_tile(field, nearest, Origin.NEGATIVE, lot=1 - peak.score)


def _tile_showing(
    field: Field, peak: Place, margin_px: int, least_breast: float
) -> NDArray[np.intp] | None:
    """Place of the usable tile that shows a peak nearest to its middle; None if there is none."""
    at = np.array(field.prepared.point_from_scan(peak.row, peak.column))
    side, inset = field.side_px, round(INSIDE * field.side_px)
    low = np.maximum(np.ceil(at - side + 1 + inset), 0)
    high = np.minimum(np.floor(at - inset), field.last)
    if (low > high).any():
        return None
    # Every sixteenth of a tile is near enough to the best place.
    axes = [np.arange(a, b + 1, max(1, side // 16)) for a, b in zip(low, high, strict=True)]
    places: Places = (
        np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.intp)
    )
    usable = field.clear(places, margin_px) & (field.breast_shares(places) >= least_breast)
    if not usable.any():
        return None
    away = np.abs(places[usable] + (side - 1) / 2 - at).max(axis=1)
    return np.asarray(places[usable][np.argmin(away)])


def is_apart(place: NDArray[np.intp], taken: Places, apart_px: int) -> bool:
    """Tell whether a tile's corner is `apart_px` from all that are taken, in rows or columns."""
    return bool((np.abs(taken - place).max(axis=1, initial=0) >= apart_px).all())


def normal_tile(field: Field, place: NDArray[np.intp], origin: Origin, *, lot: float) -> Tile:
    """Cut a tile of tissue without a finding."""
    top, left = (int(v) for v in place)
    return Tile(
        pixels=field.pixels((top, left)),
        scan=field.scan,
        finding_id=None,
        box=field.box_on_scan((top, left)),
        label=NORMAL,
        origin=origin,
        lot=lot,
    )
