"""Anybody's marked places in a table (CSV), for FROC: `scan_id`, `row`, `column`, `score`.

Rows and columns are pixels of the scan's file, origin top left. A scan without a row has no mark.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from math import isfinite
from pathlib import Path

from mammoscope.core.errors import AnnotationError, CorruptFileError, LayoutError, MissingFileError
from mammoscope.evaluation.outcomes import Peak
from mammoscope.evaluation.scores import NAMES_OF_ID

NUMBERS = ("row", "column", "score")


def read_detections(path: str | Path, scans: frozenset[str]) -> dict[str, tuple[Peak, ...]]:
    """Read marked places, best first, by scan; scans without any have none.

    Parameters
    ----------
    scans : ids of the scans that were scored

    Raises
    ------
    MissingFileError, CorruptFileError, LayoutError
        When the file is not there, no text of commas, or lacks a column.
    AnnotationError
        When a row's place is no place, its score not in 0 to 1, or its scan was not scored.
    """
    table = Path(path)
    if not table.is_file():
        raise MissingFileError(f"{table}: there is no such file; check the path.")
    peaks: dict[str, list[Peak]] = defaultdict(list)
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = reader.fieldnames or ()
            key = next((name for name in NAMES_OF_ID if name in columns), None)
            missing = [name for name in NUMBERS if name not in columns]
            if key is None or missing:
                wanted = ", ".join([*([] if key else ["scan_id"]), *missing])
                raise LayoutError(
                    f"{table}: there is no column {wanted}; a table of detections has scan_id, "
                    "row, column and score."
                )
            for row in reader:
                scan, peak = _peak(table, reader.line_num, row, key)
                if scan not in scans:
                    raise AnnotationError(
                        f"{table}, line {reader.line_num}: the scan {scan!r} is not in the table "
                        "of scores; give every scan a score, or leave its places out."
                    )
                peaks[scan].append(peak)
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorruptFileError(
            f"{table}: this is no table of comma-separated text ({error}); give a CSV file."
        ) from error
    return {scan: tuple(sorted(peaks.get(scan, ()), key=lambda p: -p.score)) for scan in scans}


def _peak(table: Path, line: int, row: Mapping[str, str], key: str) -> tuple[str, Peak]:
    numbers = []
    for name in NUMBERS:
        try:
            numbers.append(float(row[name] or ""))
        except ValueError:
            numbers.append(float("nan"))
    place_row, column, score = numbers
    if not (isfinite(place_row) and isfinite(column) and min(place_row, column) >= 0):
        raise AnnotationError(
            f"{table}, line {line}: row {row['row']!r} and column {row['column']!r} are no place "
            "in pixels; mend them."
        )
    if not 0 <= score <= 1:
        raise AnnotationError(
            f"{table}, line {line}: the score {row['score']!r} is no number from 0 to 1; mend it."
        )
    return (row[key] or "").strip(), Peak(place_row, column, score, score)
