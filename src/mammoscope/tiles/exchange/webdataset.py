"""Tiles as WebDataset shards: tar files of a picture, its class and its index row each.

``train-000000.tar`` and so on hold ``000000012.png``, ``000000012.cls`` (the label's number) and
``000000012.json`` (the index row), the number being the tile's place in the set. What a tar file
says of owner and time is the same for all, so that the same set gives the same bytes.
Source: the WebDataset format, https://github.com/webdataset/webdataset.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, LayoutError
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.exchange.entries import (
    Entry,
    classes_of,
    columns_among,
    decode_tile,
    encode_png,
    from_json,
    row_from,
)
from mammoscope.tiles.store import TileSet

SHARD_BYTES = 256 * 2**20
"""Most bytes of a shard; WebDataset's makers advise some hundred megabytes."""
SHARD_TILES = 10_000
PICTURES = ("png", "jpg", "jpeg")
LARGEST_JSON = 1_000_000
LARGEST_PICTURE = 100_000_000
_SHARD = re.compile(r"(.*?)-?\d+\.tar")
Stream = Iterator[Entry]


def write(tiles: TileSet, streams: dict[Split, Stream], folder: Path) -> None:
    """Write the streams of the splits into an empty folder."""
    classes = classes_of(tiles)
    for split, entries in streams.items():
        left, shard = next(entries, None), 0
        while left is not None:
            path = folder / f"{split}-{shard:06d}.tar"
            with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as stack:
                left = _fill(stack, left, entries, classes)
            shard += 1


def streams_in(folder: Path, named: dict[str, str]) -> Sequence[Stream]:
    """Open shards, of `write` or of others; a stream a split, by the shards' names.

    Parameters
    ----------
    named : our name of a column -> the name in the samples' JSON

    Raises
    ------
    LayoutError
        When there are no shards.
    """
    shards = sorted(path for path in folder.iterdir() if _SHARD.fullmatch(path.name))
    if not shards:
        raise LayoutError(
            f"{folder}: holds no shards such as train-000000.tar; give the folder that does."
        )
    return [
        chain.from_iterable(_read_shard(path, named) for path in list(group))
        for _, group in groupby(shards, key=_start)
    ]


def _start(path: Path) -> str:
    found = _SHARD.fullmatch(path.name)
    return found[1] if found else ""


def _fill(
    shard: tarfile.TarFile, first: Entry, entries: Stream, classes: Sequence[str]
) -> Entry | None:
    """Add tiles until the shard is full; return the one that comes next."""
    written = _add(shard, first, classes)
    for count, entry in enumerate(entries, start=1):
        if count >= SHARD_TILES or written >= SHARD_BYTES:
            return entry
        written += _add(shard, entry, classes)
    return None


def _add(shard: tarfile.TarFile, entry: Entry, classes: Sequence[str]) -> int:
    """Add the files of a tile; return their bytes."""
    files = {
        "png": encode_png(entry.pixels),
        "cls": str(classes.index(str(entry.row["label"]))).encode(),
        "json": json.dumps(entry.cells()).encode(),
    }
    for suffix, data in files.items():
        head = tarfile.TarInfo(f"{entry.position:09d}.{suffix}")
        head.size, head.mode, head.mtime = len(data), 0o644, 0
        shard.addfile(head, io.BytesIO(data))
    return sum(len(data) for data in files.values())


def _read_shard(path: Path, named: dict[str, str]) -> Stream:
    _check_end(path)
    try:
        with tarfile.open(path, "r:") as shard:
            for key, files in groupby(_files(path, shard), key=lambda file: file[0]):
                yield _entry(f"{path}, {key}", {name: data for _, name, data in files}, named)
    except (tarfile.TarError, EOFError) as error:
        raise CorruptFileError(
            f"{path}: is no whole tar file ({error}); get the shard again."
        ) from error


def _check_end(path: Path) -> None:
    """Refuse a shard that was cut between two files, which tar programs do not mind."""
    with path.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(max(0, size - tarfile.BLOCKSIZE))
        last = stream.read()
    if size < tarfile.BLOCKSIZE or any(last):
        raise CorruptFileError(
            f"{path}: is no whole tar file, its end is missing; get the shard again."
        )


def _files(path: Path, shard: tarfile.TarFile) -> Iterator[tuple[str, str, bytes]]:
    """Yield key, kind and content of the files of a shard that matter; nothing is unpacked."""
    for member in shard:
        head, _, name = member.name.rpartition("/")
        key, _, suffix = name.partition(".")
        suffix = suffix.lower()
        if not member.isfile() or suffix not in ("json", *PICTURES):
            continue
        most = LARGEST_JSON if suffix == "json" else LARGEST_PICTURE
        if member.size > most:
            raise CorruptFileError(
                f"{path}, {member.name}: {member.size} bytes are more than any tile has; get the "
                "shard again."
            )
        stream = shard.extractfile(member)
        yield f"{head}/{key}" if head else key, suffix, stream.read() if stream else b""


def _entry(where: str, files: dict[str, bytes], named: dict[str, str]) -> Entry:
    pictures = [files[suffix] for suffix in PICTURES if suffix in files]
    if len(pictures) != 1 or "json" not in files:
        raise CorruptFileError(
            f"{where}: expected one picture and one .json with its patient, label and split, found "
            f"{', '.join(sorted(files))}; complete the shard."
        )
    told = from_json(files["json"], where)
    columns = columns_among(told, named, where)
    position, row = row_from({ours: told[theirs] for ours, theirs in columns.items()}, where)
    pixels: NDArray[np.uint8] = decode_tile(pictures[0], where)
    return Entry(position=position, row=row, pixels=pixels)
