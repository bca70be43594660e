"""Leaks that tables alone show: people, exams, scans, lesions and places in two splits."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.archives.cbis_tables import TABLES, read_tables
from mammoscope.core.errors import AnnotationError, MissingFileError

LEAST_SHARE = 0.1
"""Boxes overlap that share so much of the smaller; less is a margin that shows nothing."""


class LeakKind(StrEnum):
    """How two splits are joined, the gravest first."""

    EXACT = "exact duplicate"
    NEAR = "near duplicate"
    BOXES = "overlapping boxes"
    LESION = "lesion"
    SCAN = "scan"
    EXAM = "exam"
    PATIENT = "patient"


IDS = {
    LeakKind.PATIENT: "patient_id",
    LeakKind.EXAM: "exam_id",
    LeakKind.SCAN: "scan_id",
    LeakKind.LESION: "finding_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Something that lies in two splits.

    Attributes
    ----------
    first, second : positions of two pictures that show it; of duplicates the first lies in the
        larger split, and `relation` tells how the second came out of it
    first_split, second_split : their splits (or archives, where these were compared)
    score : of near duplicates the correlation of their textures, of boxes the share of the smaller
        that both have, otherwise 1
    relation : how the two are related, in words
    subject : id of the person, exam, scan or lesion; "" where it is none of these
    """

    kind: LeakKind
    first: int
    second: int
    first_split: str
    second_split: str
    score: float
    relation: str
    subject: str = ""


def shared_ids(table: pl.DataFrame, kind: LeakKind) -> tuple[Leak, ...]:
    """Find each person, exam, scan or lesion that lies in two splits.

    Parameters
    ----------
    table : columns split and that of `IDS`; rows where either is null say nothing
    kind : a key of `IDS`

    Returns
    -------
    One leak for each id and pair of splits, sorted by id.
    """
    column = IDS[kind]
    counted = (
        table.select(pl.col(column).alias("id"), "split")
        .with_row_index("position")
        .drop_nulls()
        .group_by("id", "split")
        .agg(pl.col("position").min(), pl.len().alias("count"))
        .filter(pl.len().over("id") > 1)
        .sort("id", "split")
    )
    leaks = []
    for (subject,), rows in counted.group_by("id", maintain_order=True):
        for one, other in combinations(rows.to_dicts(), 2):
            leaks.append(
                Leak(
                    kind=kind,
                    first=one["position"],
                    second=other["position"],
                    first_split=one["split"],
                    second_split=other["split"],
                    score=1.0,
                    relation=f"{one['count']} in {one['split']}, "
                    f"{other['count']} in {other['split']}",
                    subject=str(subject),
                )
            )
    return tuple(leaks)


def shared_patients(table: pl.DataFrame) -> tuple[str, ...]:
    """Return the ids of the patients that lie in more than one split, sorted."""
    return tuple(sorted({leak.subject for leak in shared_ids(table, LeakKind.PATIENT)}))


def shared_scans(table: pl.DataFrame) -> tuple[str, ...]:
    """Return the ids of the scans that lie in more than one split, sorted."""
    return tuple(sorted({leak.subject for leak in shared_ids(table, LeakKind.SCAN)}))


def overlapping_boxes(table: pl.DataFrame) -> tuple[Leak, ...]:
    """Find pictures of one scan whose boxes overlap and that lie in two splits.

    Parameters
    ----------
    table : columns scan_id, split and top, left, height, width in pixels of the scan; rows where
        one of them is null say nothing
    """
    columns = ["scan_id", "split", "top", "left", "height", "width"]
    rows = (
        table.select(columns)
        .with_row_index("position")
        .drop_nulls()
        .filter(pl.col("split").n_unique().over("scan_id") > 1)
    )
    leaks: list[Leak] = []
    for _, scan in rows.group_by("scan_id", maintain_order=True):
        leaks += _overlaps(scan)
    return tuple(leaks)


def missing_classes(table: pl.DataFrame) -> tuple[tuple[str, str], ...]:
    """Return each (label, split) of which there is no picture though the label is elsewhere."""
    known = table.select("label", "split").drop_nulls()
    there = set(known.unique().iter_rows())
    labels, splits = sorted(set(known["label"])), sorted(set(known["split"]))
    return tuple((a, b) for a in labels for b in splits if (a, b) not in there)


def read_cbis_split(folder: str | Path) -> pl.DataFrame:
    """Read who and what lies where in the official split of CBIS-DDSM, from its own tables.

    Parameters
    ----------
    folder : with the four CSV files as the archive publishes them

    Returns
    -------
    A row an abnormality: patient_id, scan_id, label (mass or calcification), split.

    Raises
    ------
    MissingFileError
        When one of the four tables is not there.
    AnnotationError
        When a table is damaged.
    """
    place = Path(folder)
    paths = {name: place / name for name in TABLES}
    for path in paths.values():
        if not path.is_file():
            raise MissingFileError(f"{path}: there is no such file; all four tables are needed.")
    tables = read_tables(paths)
    if tables.damage:
        raise AnnotationError(tables.damage)
    return pl.DataFrame(
        {
            "patient_id": "_".join(row.series.scan_id.split("_")[:2]),
            "scan_id": row.series.scan_id,
            "label": "mass" if row.series.kind == "Mass" else "calcification",
            "split": row.series.part.lower(),
        }
        for row in tables.rows
    )


def _overlaps(scan: pl.DataFrame) -> Iterator[Leak]:
    """Yield the overlapping boxes of one scan."""
    top, left, height, width = (
        scan[name].to_numpy() for name in ("top", "left", "height", "width")
    )
    splits = scan["split"].to_numpy()
    position = scan["position"].to_numpy()
    for row in range(len(scan) - 1):
        rest = slice(row + 1, None)
        shared = _inside(top, height, row) * _inside(left, width, row)
        smaller = np.minimum(height[row] * width[row], (height * width)[rest])
        share = shared / np.maximum(smaller, 1e-9)
        union = height[row] * width[row] + (height * width)[rest] - shared
        for other in np.flatnonzero((share >= LEAST_SHARE) & (splits[rest] != splits[row])):
            second = row + 1 + int(other)
            yield Leak(
                kind=LeakKind.BOXES,
                first=int(position[row]),
                second=int(position[second]),
                first_split=str(splits[row]),
                second_split=str(splits[second]),
                score=float(share[other]),
                relation=f"{share[other]:.0%} of the smaller box, intersection over union "
                f"{shared[other] / union[other]:.2f}",
                subject=str(scan["scan_id"][0]),
            )


def _inside(
    start: NDArray[np.float64], length: NDArray[np.float64], row: int
) -> NDArray[np.float64]:
    """Length that a box has in common with each of the following, along one axis."""
    rest = slice(row + 1, None)
    ends = np.minimum(start[row] + length[row], (start + length)[rest])
    return np.asarray(np.clip(ends - np.maximum(start[row], start[rest]), 0, None))
