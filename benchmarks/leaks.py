"""How many planted leaks the audit finds, how often it errs on honest pairs, and how long it takes.

    python benchmarks/leaks.py DATA [--films] [--tiles 50000 [--whole] [--films-of mini-mias]]

Tiles are cut from the scans of CBIS-DDSM (800 pixels) and mini-MIAS. Ten kinds of leaks are planted
in equal numbers; every other pair of tiles in two splits is honest, and many of those show other
places of the same scan, the same breast in its other view, or the patient's other breast.
"""

import argparse
import io
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import binomtest

from mammoscope.archives.open import open_archive
from mammoscope.core.records import Scan
from mammoscope.formats.raster import read_raster
from mammoscope.report.audit_page import write_audit_page
from mammoscope.tiles.audit.leaks import find_leaks, find_twins
from mammoscope.tiles.audit.pictures import COLUMNS, Pictures
from mammoscope.tiles.audit.report import audit_pictures, write_audit
from mammoscope.tiles.audit.tables import LeakKind

Image8 = NDArray[np.uint8]
PLANTED = 1000
PLACES = 4
KINDS = (
    "exact",
    "mirrored",
    "turned",
    "scaled",
    "resized",
    "compressed",
    "shifted",
    "cropped",
    "contrast",
    "all at once",
)
HONEST = ("cbis-ddsm/mass-800", "mini-mias")
"""Folders of archives of whose films honest tiles are cut."""
EASY = KINDS[:-1]
"""What the target of 98 % is set for; several alterations at once are shown beside it."""


def altered(
    kind: str, film: Image8, place: tuple[int, int, int], rng: np.random.Generator
) -> Image8:
    """Make the leak of a kind for the tile at (top, left, side) of a film."""
    top, left, side = place
    tile = film[top : top + side, left : left + side]
    makers: dict[str, Callable[[], Image8]] = {
        "exact": tile.copy,
        "mirrored": lambda: np.flip(tile, int(rng.integers(2))),
        "turned": lambda: np.rot90(tile, int(rng.integers(1, 4))),
        "scaled": lambda: rescaled(kind, film, place, rng),
        "resized": lambda: rescaled(kind, film, place, rng),
        "compressed": lambda: compressed(tile, rng),
        "shifted": lambda: shifted(film, place, rng),
        "cropped": lambda: cropped(tile, rng),
        "contrast": lambda: contrasted(tile, rng),
        "all at once": lambda: compressed(
            contrasted(np.flip(np.rot90(shifted(film, place, rng), int(rng.integers(4))), 0), rng),
            rng,
        ),
    }
    return makers[kind]()


def cropped(tile: Image8, rng: np.random.Generator) -> Image8:
    """Cut 60 to 90 % out of a tile and bring that to the tile's size."""
    part = int(len(tile) * np.sqrt(rng.uniform(0.6, 0.9)))
    row, column = rng.integers(0, len(tile) - part + 1, 2)
    return resized(tile[row : row + part, column : column + part], len(tile))


def rescaled(
    kind: str, film: Image8, place: tuple[int, int, int], rng: np.random.Generator
) -> Image8:
    """Show the same tile in other pixels, or more or less of the film in the same pixels."""
    top, left, side = place
    size = float(np.exp(rng.uniform(np.log(0.8), np.log(1.25))))
    if kind == "resized":
        return resized(film[top : top + side, left : left + side], int(side * size))
    wide = round(side / size)
    row, column = (
        min(max(start + (side - wide) // 2, 0), length - wide)
        for start, length in zip((top, left), film.shape, strict=True)
    )
    return resized(film[row : row + wide, column : column + wide], side)


def shifted(film: Image8, place: tuple[int, int, int], rng: np.random.Generator) -> Image8:
    """Cut another tile that shares 60 to 90 % of this one's area."""
    top, left, side = place
    while True:
        overlap, part = rng.uniform(0.6, 0.9), rng.uniform()
        down = int((1 - overlap**part) * side) * int(rng.choice([-1, 1]))
        right = int((1 - overlap ** (1 - part)) * side) * int(rng.choice([-1, 1]))
        row, column = top + down, left + right
        if 0 <= row <= film.shape[0] - side and 0 <= column <= film.shape[1] - side:
            return film[row : row + side, column : column + side].copy()


def contrasted(tile: Image8, rng: np.random.Generator) -> Image8:
    """Stretch or flatten the grey levels by up to 40 %, and shift them by up to 30."""
    middle = tile.mean()
    other = (tile - middle) * rng.uniform(0.6, 1.4) + middle + rng.uniform(-30, 30)
    return np.asarray(np.clip(other, 0, 255), np.uint8)


def compressed(tile: Image8, rng: np.random.Generator) -> Image8:
    """Send a tile through JPEG of quality 50 to 90."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(tile)).save(
        stream, "JPEG", quality=int(rng.integers(50, 91))
    )
    return np.asarray(Image.open(stream), np.uint8)


def resized(tile: Image8, side: int) -> Image8:
    """Bring a square tile to another number of pixels."""
    return np.asarray(Image.fromarray(tile).resize((side, side), Image.Resampling.BICUBIC))


def places_of(film: Image8, side: int, rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Draw places that mostly show tissue and do not touch each other."""
    found: list[tuple[int, int, int]] = []
    for _ in range(60):
        row, column = (int(rng.integers(0, length - side)) for length in film.shape)
        tile = film[row : row + side, column : column + side]
        tissue = ((tile > 30) & (tile < 235)).mean() > 0.6 and tile.std() > 5
        apart = all(abs(row - r) >= side or abs(column - c) >= side for r, c, _ in found)
        if tissue and apart and len(found) < PLACES:
            found.append((row, column, side))
    return found


def planted(
    paths: list[Path], side: int, rng: np.random.Generator
) -> tuple[list[Image8], list[str], list[str], dict[tuple[int, int], str]]:
    """Cut tiles into two splits and plant leaks; give tiles, splits, films and the leaks."""
    tiles: list[Image8] = []
    splits: list[str] = []
    films: list[str] = []
    leaks: dict[tuple[int, int], str] = {}
    for path in (paths[i] for i in rng.permutation(len(paths))):
        film = read_raster(path)
        for number, place in enumerate(places_of(film, side, rng)):
            top, left, _ = place
            tiles.append(film[top : top + side, left : left + side])
            splits.append("test" if number and number % 2 == 0 else "train")
            if number == 0 and len(leaks) < PLANTED:
                kind = KINDS[len(leaks) % len(KINDS)]
                leaks[len(tiles) - 1, len(tiles)] = kind
                tiles.append(altered(kind, film, place, rng))
                splits.append("test")
            films += [path.stem] * (len(tiles) - len(films))
    return tiles, splits, films, leaks


def as_pictures(read: Callable[[int], NDArray[Any]], **columns: list[str]) -> Pictures:
    """Make pictures of what is read."""
    table = pl.DataFrame(columns)
    empty = [pl.lit(None, t).alias(n) for n, t in COLUMNS.items() if n not in columns]
    return Pictures(
        source="benchmark", table=table.with_columns(empty).select(list(COLUMNS)), reader=read
    )


def told(hits: int, count: int) -> str:
    """Write a share with its 95 % interval (Clopper and Pearson)."""
    low, high = binomtest(hits, count).proportion_ci()
    return f"{hits} of {count} = {hits / count:.1%} ({low:.1%} to {high:.1%})"


def measure_planted(name: str, paths: list[Path], side: int, seed: int) -> None:
    """Plant leaks into the tiles of an archive and print what is found."""
    tiles, splits, films, leaks = planted(paths, side, np.random.default_rng(seed))
    begun = time.perf_counter()
    found = find_leaks(as_pictures(tiles.__getitem__, split=splits), seed=seed)
    seconds = time.perf_counter() - begun
    pairs = {(min(leak.first, leak.second), max(leak.first, leak.second)) for leak in found}
    hits = Counter(kind for pair, kind in leaks.items() if pair in pairs)
    counts = Counter(leaks.values())
    print(f"{name}: {len(tiles)} tiles of {side} px, {seconds:.0f} s, seed {seed}")
    for kind in counts:
        print(f"  {kind:12} {told(hits[kind], counts[kind])}")
    easy = [kind for kind in EASY[1:] if counts[kind]]
    print(f"  altered     {told(sum(hits[k] for k in easy), sum(counts[k] for k in easy))}")
    train = splits.count("train")
    honest = train * (len(splits) - train) - len(leaks)
    false = [pair for pair in pairs if pair not in leaks]
    same = sum(films[a] == films[b] for a, b in false)
    print(f"  false alarms {told(len(false), honest)}, {same} of them on one scan")


def measure_films(data: Path, seed: int) -> None:
    """Look for the films that are in DDSM and in CBIS-DDSM, and compare with DDSM's index."""
    scans = [
        *open_archive(data / "cbis-ddsm" / "mass-800").records,
        *open_archive(data / "ddsm-299").records,
    ]
    index = pl.read_csv(data / "ddsm-299" / "index.csv", infer_schema=False).fill_null("")
    cbis = {scan.scan_id: i for i, scan in enumerate(scans) if scan.archive == scans[0].archive}
    ddsm = {
        str(scan.path.relative_to(data / "ddsm-299")): i
        for i, scan in enumerate(scans)
        if scan.path.is_relative_to(data / "ddsm-299")
    }
    truth = {
        (cbis[film.removeprefix("Mass-Training_")], ddsm[row["file"]])
        for row in index.to_dicts()
        for film in row["cbis_ids"].split("|")
        if film.removeprefix("Mass-Training_") in cbis
    }
    begun = time.perf_counter()
    leaks = find_twins(
        as_pictures(lambda i: read_raster(scans[i].path), archive=[scan.archive for scan in scans]),
        column="archive",
        seed=seed,
    )
    found = {(min(leak.first, leak.second), max(leak.first, leak.second)) for leak in leaks}
    print(f"films in both archives: {len(scans)} films, {time.perf_counter() - begun:.0f} s")
    print(f"  recall      {told(len(found & truth), len(truth))}")
    print(f"  precision   {told(len(found & truth), len(found))}")
    for a, b in sorted(found - truth):
        print(f"  not in the index: {scans[a].scan_id} and {scans[b].scan_id}")


def honest(folder: Path, count: int) -> Pictures:
    """Cut tiles of 299 pixels anywhere out of an archive, divided by patient, 80 to 10 to 10.

    A tile has the label of its film's first finding. Bare film and letters are cut like tissue.
    """
    scans = open_archive(folder).records
    films = [read_raster(scan.path) for scan in scans]
    patients = sorted({scan.patient_id for scan in scans})
    split_of = {name: ("test", "val", *["train"] * 8)[i % 10] for i, name in enumerate(patients)}

    def read(position: int) -> Image8:
        film = films[position % len(films)]
        rng = np.random.default_rng(position)
        row, column = (int(rng.integers(0, length - 299 + 1)) for length in film.shape)
        return film[row : row + 299, column : column + 299]

    of = [scans[i % len(scans)] for i in range(count)]
    return as_pictures(
        read,
        split=[split_of[scan.patient_id] for scan in of],
        patient_id=[scan.patient_id for scan in of],
        scan_id=[scan.scan_id for scan in of],
        archive=[scan.archive for scan in of],
        label=[label_of(scan) for scan in of],
    )


def label_of(scan: Scan) -> str:
    """Name the first finding of a scan, or normal tissue."""
    return f"{scan.findings[0].pathology}_mass" if scan.findings else "NORMAL"


def measure_honest(folder: Path, count: int, *, whole: bool) -> None:
    """Look through `count` honest tiles: for leaks alone, or by the whole audit with its page."""
    pictures = honest(folder, count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    begun, used = time.perf_counter(), time.process_time()
    if whole:
        with tempfile.TemporaryDirectory() as name:
            audit = audit_pictures(pictures)
            write_audit(name, audit)
            write_audit_page(audit, pictures, name)
        leaks, told = audit.leaks, f"verdict {audit.verdict}"
        for reason in audit.reasons:
            print(f"  {reason.kind}: {reason.sentence}")
    else:
        leaks, told = find_leaks(pictures), "leaks alone"
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    pixels = sum(leak.kind in (LeakKind.EXACT, LeakKind.NEAR) for leak in leaks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{count} tiles of 299 px, {told}: {seconds:.0f} s, {used:.0f} s of processors; "
        f"{len(leaks)} leaks, {pixels} of them pairs of pictures"
    )
    print(f"  {peak:.2f} GB of memory at most, {before:.2f} GB of it before, with the films")


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--films", action="store_true", help="only the films in two archives")
    parser.add_argument("--tiles", type=int, help="only so many honest tiles: time, false alarms")
    parser.add_argument("--whole", action="store_true", help="shortcuts, tables and page too")
    parser.add_argument("--films-of", choices=HONEST, default=HONEST[0], help="cut --tiles of it")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    cbis = sorted((given.data / "cbis-ddsm" / "mass-800" / "train").glob("*.jpg"))
    if given.films:
        measure_films(given.data, given.seed)
    elif given.tiles:
        measure_honest(given.data / given.films_of, given.tiles, whole=given.whole)
    else:
        measure_planted("CBIS-DDSM, 800 px", cbis, 150, given.seed)
        mias = sorted((given.data / "mini-mias" / "scans").glob("*.png"))
        measure_planted("mini-MIAS, 1024 px", mias, 200, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
