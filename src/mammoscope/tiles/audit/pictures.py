"""The pictures that are audited: a tile set's, or anybody's folder with a table of labels."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.archives.label_tables import Table, heading_of, read_csv, some
from mammoscope.core.errors import (
    ArchiveError,
    LayoutError,
    MammoscopeError,
    MissingFileError,
    ScanError,
)
from mammoscope.core.records import Problem
from mammoscope.formats.dicom import read_dicom
from mammoscope.formats.raster import is_raster, read_raster
from mammoscope.tiles.store import TileSet

COLUMNS = {
    "file": pl.String,
    "patient_id": pl.String,
    "exam_id": pl.String,
    "scan_id": pl.String,
    "finding_id": pl.String,
    "archive": pl.String,
    "scanner": pl.String,
    "laterality": pl.String,
    "view": pl.String,
    "origin": pl.String,
    "top": pl.Float64,
    "left": pl.Float64,
    "height": pl.Float64,
    "width": pl.Float64,
    "spacing_row_mm": pl.Float64,
    "spacing_column_mm": pl.Float64,
    "label": pl.String,
    "split": pl.String,
}
"""Columns of every table of pictures; what is not known is null in all rows."""
NAMES = {
    "file": ("file", "filename", "file_name", "image", "image_path", "path", "filepath", "name"),
    "label": ("label", "class", "target", "pathology", "diagnosis", "category", "severity"),
    "split": ("split", "set", "subset", "partition", "fold", "phase"),
    "patient_id": (
        "patient_id",
        "patient",
        "patientid",
        "subject_id",
        "subject",
        "case_id",
        "case",
    ),
    "exam_id": ("exam_id", "exam", "study_id", "study", "study_uid"),
    "scan_id": ("scan_id", "scan", "image_id", "film"),
    "finding_id": ("finding_id", "finding", "lesion_id", "lesion"),
    "archive": ("archive", "source", "dataset", "database"),
    "scanner": ("scanner", "digitizer", "manufacturer", "vendor", "device"),
    "laterality": ("laterality", "side", "left or right breast"),
    "view": ("view", "view_position", "image view"),
}
"""Names of columns that other people's tables use, the likeliest first."""
OF_A_PATIENT = ("exam_id", "scan_id", "finding_id")
NEEDED = ("file", "label", "split")
READERS = 2
"""Threads that decode at once; decoders leave the interpreter free meanwhile."""
AHEAD = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pictures:
    """Pictures with what is known of each; pixels are read when they are asked for.

    Attributes
    ----------
    source : what was given, for messages and pages
    table : a row a picture, the columns `COLUMNS`; what is not known is null
    reader : position -> ndarray of shape (rows, columns), uint8 or uint16
    problems : what could not be read, and is not among the pictures
    """

    source: str
    table: pl.DataFrame
    reader: Callable[[int], NDArray[Any]] = field(repr=False)
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return self.table.height

    def read(self, position: int) -> NDArray[Any]:
        """Read a picture, shape (rows, columns), uint8 or uint16, as it is stored.

        Raises
        ------
        IndexError
            When the position is below 0 or not below the number of pictures.
        MammoscopeError
            When its file is no longer as it was when the pictures were listed.
        """
        if not 0 <= position < len(self):
            raise IndexError(f"pictures are numbered from 0 to {len(self) - 1}")
        return self.reader(position)


def pictures_of(tiles: TileSet) -> Pictures:
    """List the tiles of a set as pictures, in the set's order."""
    return Pictures(
        source=str(tiles.folder),
        table=_as_columns(tiles.table),
        reader=lambda position: tiles.pixels([position])[0],
    )


def read_pictures(folder: str | Path, labels: str | Path) -> Pictures:
    """List the pictures of a folder that a CSV file tells of, and decode each of them once.

    A picture that cannot be read, and a row that cannot be understood, is a problem and left out.

    Parameters
    ----------
    folder : paths in the table begin here and may not leave it
    labels : a CSV file with columns for file, label and split, and any of patient, exam, scan,
        lesion, archive, scanner, side and view, each under one of the names of `NAMES`

    Raises
    ------
    MissingFileError
        When there is no such folder or table.
    LayoutError
        When a column that is needed is missing.
    AnnotationError
        When the table is no CSV file in UTF-8.
    ArchiveError
        When none of its pictures can be read.
    """
    place, path = Path(folder), Path(labels)
    if not place.is_dir():
        raise MissingFileError(f"{place}: there is no such folder; name the one with the pictures.")
    table = read_csv(path, ())
    columns = _columns(table)
    rows = [
        _named({name: row[column] or None for name, column in columns.items()})
        for row in table.rows
    ]
    problems = list(table.problems)
    files, kept = [], []
    for row, cells, outcome in zip(table.rows, rows, _opened(place, rows), strict=True):
        if isinstance(outcome, Path):
            files.append(outcome)
            kept.append(cells)
        else:
            problems.append(Problem(where=row.where, what=outcome, remedy="it is left out"))
    if not kept:
        first = problems[0].what if problems else "it has no rows"
        raise ArchiveError(f"{path}: none of its pictures can be read ({first}).")
    return Pictures(
        source=str(place),
        table=_as_columns(pl.DataFrame(kept, schema={n: COLUMNS[n] for n in columns})),
        reader=lambda position: decode(files[position]),
        problems=tuple(problems),
    )


def decode(path: Path) -> NDArray[Any]:
    """Read a picture in grey levels or a DICOM file, shape (rows, columns), uint8 or uint16.

    Floats, and integers outside 0 to 65535, are stretched to 0 to 65535 by their own range.

    Raises
    ------
    MammoscopeError
        When it cannot be decoded; its message is one sentence.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file.")
    with path.open("rb") as stream:
        raster = is_raster(stream.read(16))
    if raster:
        image = read_raster(path)
    else:
        # An audit looks for the same pixels twice: the detector's own scale serves as well.
        image = read_dicom(path, for_processing="raw", vouched=True).image
    if min(image.shape) < 2:
        raise ScanError(f"{path}: {image.shape[0]} x {image.shape[1]} pixels are no picture.")
    if image.dtype in (np.uint8, np.uint16):
        return image
    low, high = float(image.min()), float(image.max())
    if image.dtype.kind in "iu" and low >= 0 and high <= 65535:
        return image.astype(np.uint16)
    return ((image - low) * (65535 / max(high - low, 1e-9))).astype(np.uint16)


def _as_columns(table: pl.DataFrame) -> pl.DataFrame:
    there = set(table.columns)
    return table.select(
        pl.col(name).cast(dtype) if name in there else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in COLUMNS.items()
    )


def _columns(table: Table) -> dict[str, str]:
    """Find which of the table's columns hold what."""
    there = {name.lower(): name for name in heading_of(table.path) if name}
    found = {
        ours: there[name]
        for ours, names in NAMES.items()
        for name in [next((name for name in names if name in there), "")]
        if name
    }
    for need in NEEDED:
        if need not in found:
            raise LayoutError(
                f"{table.path}: no column tells the {need} of a picture; expected one called "
                f"{' or '.join(NAMES[need][:4])}, found: {some(list(there.values())) or 'none'}."
            )
    return found


def _named(cells: dict[str, str | None]) -> dict[str, str | None]:
    """Put the patient before ids of exam, scan and lesion: tables number them anew for each."""
    patient = cells.get("patient_id")
    for name in OF_A_PATIENT:
        if patient and cells.get(name):
            cells[name] = f"{patient}/{cells[name]}"
    return cells


def _opened(place: Path, rows: list[dict[str, str | None]]) -> Iterator[Path | str]:
    """Decode the picture of each row; give its path, or why it cannot be used."""
    left = iter(rows)
    with ThreadPoolExecutor(READERS) as pool:
        # In short runs, so that no more than those are ever waiting in memory.
        while some_rows := list(islice(left, AHEAD)):
            yield from pool.map(lambda row: _usable(place, row), some_rows)


def _usable(place: Path, row: Mapping[str, str | None]) -> Path | str:
    lacking = [name for name in NEEDED if not row[name]]
    if lacking:
        return f"the row has no {' and no '.join(lacking)}"
    file = place / str(row["file"])
    if not file.resolve().is_relative_to(place.resolve()):
        return f"{row['file']} lies outside the folder {place}"
    try:
        decode(file)
    except MammoscopeError as error:
        return str(error).rstrip(".")
    except OSError as error:
        return f"{file} cannot be opened ({error.strerror})"
    return file
