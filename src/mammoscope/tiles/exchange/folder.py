"""Tiles as pictures in folders with a table: ``train/BENIGN_mass/000000012.png`` and `labels.csv`.

The table has a row a picture: ``file``, ``position_in_set`` and every column of the
index. `mammoscope.tiles.audit` reads it, and tables that others made are read by the same rules.
"""

import csv
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from heapq import merge
from pathlib import Path

from mammoscope.archives.label_tables import delimiter_of
from mammoscope.core.errors import (
    AnnotationError,
    ArchiveError,
    LayoutError,
    MissingFileError,
)
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.exchange.entries import (
    NEEDED,
    POSITION,
    Entry,
    columns_among,
    decode_tile,
    encode_png,
    row_from,
)
from mammoscope.tiles.store import SCHEMA, TileSet

TABLE = "labels.csv"
LARGEST_FILE = 100_000_000
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
Stream = Iterator[Entry]


def write(tiles: TileSet, streams: dict[Split, Stream], folder: Path) -> None:
    """Write the streams of the splits into an empty folder; the table is in the set's order."""
    ordered = merge(*streams.values(), key=lambda entry: entry.position or 0)
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, ("file", POSITION, *SCHEMA))
        table.writeheader()
        for entry in ordered:
            place = f"{entry.row['split']}/{_safe(str(entry.row['label']))}"
            name = f"{place}/{entry.position:09d}.png"
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(encode_png(entry.pixels))
            # The shortest decimals that give the same float again, as Python writes them.
            table.writerow({"file": name, **entry.cells()})


def stream_in(folder: Path, table: Path, named: Mapping[str, str]) -> Stream:
    """Read the pictures that a table names, in its order.

    Parameters
    ----------
    folder : paths in the table begin here and may not leave it
    table : a CSV file in UTF-8
    named : our name of a column -> the table's

    Raises
    ------
    MissingFileError
        When the table or a picture is not there.
    LayoutError
        When a column that is needed is missing.
    AnnotationError
        When a row cannot be understood.
    ArchiveError
        When it has no rows, or a picture lies outside the folder.
    CorruptFileError, ScanError
        When a picture cannot be used.
    """
    if not table.is_file():
        raise MissingFileError(f"{table}: there is no such table; name the one with the labels.")
    columns: dict[str, str] | None = None
    with closing(_rows(table)) as rows:
        for where, cells in rows:
            columns = columns or columns_among(cells, named, str(table), ("file", *NEEDED))
            told = {ours: cells[theirs].strip() for ours, theirs in columns.items()}
            # Whoever names no scans has one a picture, as far as anybody can tell.
            position, row = row_from({"scan_id": told["file"], **told}, where)
            pixels = decode_tile(_picture(folder, told["file"], where), where)
            yield Entry(position=position, row=row, pixels=pixels)
    if columns is None:
        raise ArchiveError(f"{table}: has no rows; name a table with a row a picture.")


def _rows(table: Path) -> Generator[tuple[str, dict[str, str]], None, None]:
    """Read a CSV file row by row; where each row stands, and its cells by column."""
    line = 1
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            heading = stream.readline()
            stream.seek(0)
            rows = csv.reader(stream, delimiter=delimiter_of(heading), strict=True)
            names = [name.strip() for name in next(rows, [])]
            if len(set(names)) < len(names):
                raise LayoutError(f"{table}, line 1: two columns have the same name; rename one.")
            line = rows.line_num + 1
            for row in rows:
                where = f"{table}, line {line}"
                line = rows.line_num + 1
                if row and len(row) != len(names):
                    raise AnnotationError(
                        f"{where}: {len(row)} cells where the heading has {len(names)}; mend it."
                    )
                if row:
                    yield where, dict(zip(names, row, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise AnnotationError(
            f"{table}, line {line}: no row of a table in UTF-8 ({error}); mend it."
        ) from error


def _picture(folder: Path, name: str, where: str) -> bytes:
    path = folder / name
    if not name or not path.resolve().is_relative_to(folder.resolve()):
        raise ArchiveError(f"{where}: {name!r} is no file inside {folder}; mend the table.")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ArchiveError(f"{path}: is larger than any tile; take it out of {where}.")
        return path.read_bytes()
    except OSError as error:
        raise MissingFileError(
            f"{path}: cannot be opened ({error.strerror}), and {where} names it; get it, or take "
            "the row out."
        ) from error


def _safe(name: str) -> str:
    """Make a label a name of a folder."""
    return _UNSAFE.sub("_", name).lstrip(".") or "_"
