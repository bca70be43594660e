"""The tiles that the author of the paper published: TFRecords for training, `.npy` for the rest.

Training parts are shards `trainingK_0.tfrecords` .. `trainingK_4.tfrecords` of recipe K; the others
are triples of arrays: `testK_data.npy` with `testK_labels.npy` and `testK_filenames.npy`, `cvK_...`
(validation), and `all_mias_slicesK.npy` with its labels and filenames. What the integers mean
stands in `CLASSES`. Patients are not named, and normal tiles not even by their scan: the only name
that they carry is "NORMAL".
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl

from mammoscope.archives.archive import Archive
from mammoscope.archives.author_tiles_read import CLASSES, read_labels, verify_tiles
from mammoscope.core.errors import LayoutError, MammoscopeError
from mammoscope.core.records import Problem
from mammoscope.formats.npy import map_npy
from mammoscope.formats.tfrecord import index_records

NAME = "author-tiles"
LICENCE = "no licence stated; derived from DDSM, CBIS-DDSM (CC BY 3.0) and MIAS (research only)"
CITATION = (
    "E Scuccimarra, ConvNets for Detecting Abnormalities in DDSM Mammograms (2018); Heath et al. "
    "2001 (DDSM); Lee et al. 2017, Scientific Data 4:170177 (CBIS-DDSM); Suckling et al. 1994 "
    "(MIAS)"
)
TILES = MappingProxyType(
    {
        ("5", "train"): 39316,
        ("6", "train"): 62764,
        ("7", "train"): 62764,
        ("8", "train"): 40559,
        ("9", "train"): 43739,
        ("5", "validation"): 5093,
        ("6", "validation"): 7911,
        ("7", "validation"): 7911,
        ("8", "validation"): 5637,
        ("9", "validation"): 6012,
        ("5", "test"): 5093,
        ("6", "test"): 7911,
        ("7", "test"): 7911,
        ("8", "test"): 5636,
        ("9", "test"): 6011,
        ("6", "mias"): 2465,
        ("8", "mias"): 2119,
        ("9", "mias"): 3075,
    }
)
"""Tiles by recipe and part, as the author's notes count them."""
SHARDS = 5
_SHARD = re.compile(r"training(\d*)_(\d)\.tfrecords?")
_ARRAY = re.compile(r"(test|cv|all_mias_|mias_test_)(\d*)_?(data|slices|images)(\d*)\.npy")
_PARTS = {"test": "test", "cv": "validation", "all_mias_": "mias", "mias_test_": "mias"}


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    recipe: str
    part: str
    shard: int | None


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds files named as the author's tiles are."""
    try:
        return next(_files(folder), None) is not None
    except OSError:
        return False


def read(folder: Path) -> Archive:
    """Read what files of tiles are there and how many tiles they hold; no pixels are opened.

    The archive's one table, "files", has the columns file, recipe, part ("train", "validation",
    "test", "mias") and tiles (null where the file cannot be read). Take the tiles themselves with
    `mammoscope.archives.author_tiles_read.read_author_tiles`; `check_tiles` verifies every one.

    Raises
    ------
    LayoutError
        When the folder holds none of them.
    """
    files = sorted(_files(folder), key=lambda file: file.path.name)
    if not files:
        raise LayoutError(
            f"{folder}: expected files such as training9_0.tfrecords or test9_data.npy; give the "
            "folder that holds them unpacked."
        )
    counts: list[int | None] = []
    problems: list[Problem] = []
    for file in files:
        count, seen = _count(file)
        counts.append(count)
        problems += seen
    table = pl.DataFrame(
        {
            "file": [file.path.name for file in files],
            "recipe": [file.recipe for file in files],
            "part": [file.part for file in files],
            "tiles": pl.Series(counts, dtype=pl.Int64),
        }
    )
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=(),
        problems=(*problems, *_incomplete(folder, files, counts)),
        tables=MappingProxyType({"files": table}),
        look_over=lambda place: check_tiles(place)[1],
    )


def check_tiles(folder: Path) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Read every tile: verify checksums and labels, and count the labels.

    Returns
    -------
    A table of the columns file, class and tiles; and what is wrong with the files.
    """
    rows: list[tuple[str, str, int]] = []
    problems: list[Problem] = []
    for file in sorted(_files(folder), key=lambda file: file.path.name):
        try:
            labels = verify_tiles(file.path)
        except MammoscopeError as error:
            problems.append(_unreadable(file.path, error))
            continue
        counted = Counter(CLASSES[label] for label in labels.tolist())
        rows += [(file.path.name, name, counted[name]) for name in CLASSES if counted[name]]
    table = pl.DataFrame(
        rows, schema={"file": pl.String, "class": pl.String, "tiles": pl.Int64}, orient="row"
    )
    return table, tuple(problems)


def _files(folder: Path) -> Iterator[_File]:
    for path in folder.iterdir() if folder.is_dir() else ():
        shard, array = _SHARD.fullmatch(path.name), _ARRAY.fullmatch(path.name)
        if not path.is_file():
            continue
        if shard:
            yield _File(path, shard[1], "train", int(shard[2]))
        elif array:
            yield _File(path, array[2] or array[4], _PARTS[array[1]], None)


def _count(file: _File) -> tuple[int | None, list[Problem]]:
    """Count the tiles of one file; arrays are compared with their labels."""
    try:
        if file.shard is not None:
            return len(index_records(file.path)), []
        count = len(map_npy(file.path))
        labels = read_labels(file.path)
    except MammoscopeError as error:
        return None, [_unreadable(file.path, error)]
    if len(labels) == count:
        return count, []
    return count, [
        Problem(
            where=str(file.path),
            what=f"{count} tiles and {len(labels)} labels",
            remedy="get both files again",
        )
    ]


def _incomplete(folder: Path, files: list[_File], counts: list[int | None]) -> Iterator[Problem]:
    """Compare the parts that are here with the author's own counts."""
    for recipe, part in sorted({(file.recipe, file.part) for file in files}):
        here = [
            (file, count)
            for file, count in zip(files, counts, strict=True)
            if (file.recipe, file.part) == (recipe, part)
        ]
        stated = TILES.get((recipe, part))
        there = sum(count or 0 for _, count in here)
        if part == "train":
            absent = sorted(set(range(SHARDS)) - {file.shard for file, _ in here})
            if absent:
                names = ", ".join(f"training{recipe}_{i}.tfrecords" for i in absent)
                yield Problem(where=str(folder), what=f"missing: {names}", remedy="get them")
                continue
            if stated is not None and there == stated - SHARDS:
                yield Problem(
                    where=str(folder),
                    what=f"{there} of the {stated} training tiles of recipe {recipe}: the author's "
                    "program left out the last tile of each shard",
                    remedy="go on: no published file has them",
                )
                continue
        if stated is not None and there != stated and all(count is not None for _, count in here):
            yield Problem(
                where=str(folder),
                what=f"{there} tiles of recipe {recipe}, {part}; the author counts {stated}",
                remedy="get the files again",
            )


def _unreadable(path: Path, error: MammoscopeError) -> Problem:
    what = str(error).removeprefix(f"{path}: ")
    return Problem(where=str(path), what=what, remedy="get it again")
