"""How fast tile sets are built, opened and read.

Usage: OMP_NUM_THREADS=1 python benchmarks/tiles.py [--patients 2] [--times 3] [--folder DIR]

Makes archives of DDSM (LJPEG) and CBIS-DDSM (16-bit DICOM) of full size with this many patients
each, lets each scan stand for `times` scans, and builds recipe 9 of them. Prints, as JSON:

* processor seconds a scan to decode it and the masks that its tiles need, and to decode, cut and
  write its part; their ratio is the share of the decoder's own speed that a build keeps (wanted: at
  least 0.7);
* seconds of a build with one worker and with two, and the ratio (wanted: at least 1.8 where two
  cores are free), with the processor seconds that each used, which tell on a busy machine;
* the largest memory of a worker (wanted: below 1 GiB), and the disk that parts and set take;
* tiles of 299 x 299 that the loader feeds a second from the page cache (wanted: at least 5,000),
  and from sorted positions without it;
* seconds to open a set of a million tiles, whose pixels are a sparse file (wanted: below 1).

Found on two cores that other work kept busy (load 8 to 14): decoding, 0.87 processor seconds a scan
of DDSM and 0.06 one of CBIS-DDSM in RLE (0.5 and 0.02 to 0.05 under less load); a build keeps 0.96
of the decoder's speed on DDSM and 0.72 to 0.94 on CBIS-DDSM in RLE. Uncompressed films of
CBIS-DDSM need 9 to 11 ms with their mask, and cutting 6 ms more, 0.63 of the decoder's speed: four
of the six find the box round the mask, in two passes over all of its pixels. Two workers used 10.8
processor seconds where one used 8.6, for each takes some 1.5 s to start; that is lost on 12 scans
and not on 60 (24.4 and 24.8). By the clock they were 1.0 to 1.6 times as fast, which says more of
the load than of them: measure again on idle cores. The largest worker took 421 to 441 MiB. The
loader fed 46,000 to 70,000 tiles a second; a million tiles opened in 0.2 to 0.7 s.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, process_time

import numpy as np
import polars as pl

from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive
from mammoscope.archives.splits import Division
from mammoscope.core.geometry import MaskFile
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import Split
from mammoscope.formats.masks import read_stored
from mammoscope.scans.load import load
from mammoscope.simulate.write import write_archive
from mammoscope.tiles.build import build_tiles
from mammoscope.tiles.loader import batches
from mammoscope.tiles.parts import Job, make_part
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.store import SCHEMA, SHARD_TILES, finish, load_tiles, write_shards

NAMES = ("ddsm", "cbis-ddsm")
SIDE_PX = 299
MILLION = 1_000_000
LOADED = 4096


def archives_in(folder: Path, patients: int, times: int) -> list[Archive]:
    """Make the archives unless they are there, and let each scan stand for several."""
    made = []
    for name in NAMES:
        place = folder / name
        if not place.exists():
            write_archive(name, place, patients=patients, seed=1)
        archive = open_archive(name, place)
        many = [
            replace(scan, scan_id=f"{scan.scan_id}-{number}")
            for number in range(times)
            for scan in archive.records
        ]
        made.append(replace(archive, records=tuple(many)))
    return made


def seconds_a_scan(scans: Sequence[Scan]) -> dict[str, float]:
    """Measure processor seconds to decode scans, and to make parts of them, one after the other.

    The quickest of five tries of each counts: whatever else the machine does slows down the rest.
    """
    recipe = make_recipe("9", NAMES)
    taken = [scan for scan in scans if recipe.takes is None or recipe.takes(scan)]
    decode, part = 0.0, 0.0
    for scan in taken:
        job = Job(index=0, scan=scan, cut=recipe.cut, seed=0)
        tries = [
            (_seconds(partial(decoded, scan)), _seconds(partial(make_part, job))) for _ in range(5)
        ]
        decode += min(alone for alone, _ in tries)
        part += min(both for _, both in tries)
    return {
        "scans": len(taken),
        "decode": round(decode / len(taken), 4),
        "decode and cut": round(part / len(taken), 4),
        "share of the decoder's speed": round(decode / part, 3),
    }


def decoded(scan: Scan) -> None:
    """Decode a scan and the masks that its tiles need."""
    load(scan)
    for finding in scan.findings or ():
        if isinstance(finding.roi, MaskFile):
            read_stored(finding.roi.path)


def _seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def builds(archives: list[Archive], folder: Path) -> dict[str, object]:
    """Build with one process and with two, and compare time, memory and bytes."""
    patients = {p: Split.TRAIN for archive in archives for p in archive.patients()}
    seconds: dict[int, float] = {}
    processor: dict[int, float] = {}
    for workers in (1, 2):
        out = folder / f"set-{workers}"
        shutil.rmtree(out, ignore_errors=True)
        start, used = perf_counter(), processor_seconds()
        with watched() as memory:
            build_tiles(
                archives,
                "9",
                out,
                division=Division(patients=patients),
                workers=workers,
                audit=False,
            )
        seconds[workers] = perf_counter() - start
        processor[workers] = processor_seconds() - used
    one, two = folder / "set-1", folder / "set-2"
    same = all((two / p.name).read_bytes() == p.read_bytes() for p in one.iterdir())
    return {
        "seconds": {k: round(v, 1) for k, v in seconds.items()},
        "processor seconds": {k: round(v, 1) for k, v in processor.items()},
        "times faster with two": round(seconds[1] / seconds[2], 2),
        "the same on two idle cores, at most": round(2 * processor[1] / processor[2], 2),
        "load of the machine": round(os.getloadavg()[0], 1),
        "same bytes": same,
        "largest worker in MiB": max(memory) >> 10,
        "set in MB": sum(p.stat().st_size for p in one.iterdir()) // 10**6,
        "report": json.loads((one / "build.json").read_text())["candidates"],
    }


@contextmanager
def watched() -> Iterator[list[int]]:
    """Collect the largest memory of the processes that are started meanwhile, in KiB.

    The system's own account of ended children begins with the memory of their parent.
    """
    found, ended = [0], Event()

    def watch() -> None:
        while not ended.wait(0.1):
            for child in active_children():
                with suppress(OSError):
                    status = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii")
                    found.extend(
                        int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line
                    )

    thread = Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def processor_seconds() -> float:
    """Processor seconds of this process and its ended children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def write_set(folder: Path, tiles: int, side: int) -> None:
    """Write a set of noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    block = rng.integers(0, 255, (SHARD_TILES, side, side), dtype=np.uint8)
    files = write_shards(folder, (block for _ in range(tiles // SHARD_TILES)))
    finish(folder, index_of(tiles), files, {"recipe": "made", "seed": 0})


def index_of(tiles: int) -> pl.DataFrame:
    """Make an index whose columns are as long and as different as those of an archive."""
    number = np.arange(tiles)
    scan = pl.Series(number // 60).cast(pl.String)
    text = {
        "patient_id": "P_" + pl.Series(number // 200).cast(pl.String),
        "exam_id": "P_" + pl.Series(number // 200).cast(pl.String) + "-1",
        "scan_id": "Mass-Training_P_" + scan + "_LEFT_CC",
        "finding_id": "Mass-Training_P_" + scan + "_LEFT_CC_1",
        "split": pl.Series(np.where(number % 10, "train", "test")),
        "label": pl.Series(np.where(number % 6, "NORMAL", "BENIGN_mass")),
    }
    rng = np.random.default_rng(0)
    numbers = {"top": rng.random(tiles) * 5000, "left": rng.random(tiles) * 3000}
    known = pl.DataFrame({**text, **numbers})
    return known.with_columns(
        pl.lit(299.0 if kind == pl.Float64 else "film").cast(kind).alias(name)
        for name, kind in SCHEMA.items()
        if name not in known.columns and name not in ("recipe", "seed")
    )


def loading(folder: Path) -> dict[str, object]:
    """Feed every tile of a set once, after it was read once."""
    write_set(folder, LOADED, SIDE_PX)
    tiles = load_tiles(folder)
    everything = np.arange(LOADED)
    tiles.pixels(everything[: LOADED // 2])
    tiles.pixels(everything[LOADED // 2 :])
    found: dict[str, object] = {}
    for size in (32, 128):
        start = perf_counter()
        for epoch in range(3):
            for _, pixels in batches(tiles, everything, size, seed=0, epoch=epoch):
                pixels[0, 0, 0]
        found[f"batches of {size}"] = round(3 * LOADED / (perf_counter() - start))
    start, used = perf_counter(), process_time()
    for first in range(0, LOADED, 128):
        tiles.pixels(everything[first : first + 128])
    found["sorted, without the loader"] = round(LOADED / (perf_counter() - start))
    found["sorted, a processor second"] = round(LOADED / (process_time() - used))
    return found


def opening(folder: Path) -> dict[str, float]:
    """Open a million tiles; the pixels are holes, which take no disk and are not looked at."""
    folder.mkdir()
    count = MILLION // SHARD_TILES
    head = write_shards(folder, [np.zeros((SHARD_TILES, SIDE_PX, SIDE_PX), np.uint8)])
    told = head["pixels-0000.npy"]
    start_of_file = (folder / "pixels-0000.npy").read_bytes()[:128]
    files = {}
    for number in range(count):
        path = folder / f"pixels-{number:04d}.npy"
        with path.open("wb") as stream:
            stream.write(start_of_file)
            stream.truncate(int(told["bytes"]))
        files[path.name] = told
    finish(folder, index_of(count * SHARD_TILES), files, {"recipe": "made", "seed": 0})
    seconds, processor = [], []
    for _ in range(5):
        start, used = perf_counter(), process_time()
        tiles = load_tiles(folder)
        seconds.append(perf_counter() - start)
        processor.append(process_time() - used)
    return {
        "tiles": len(tiles),
        "seconds": round(min(seconds), 2),
        "seconds, median": round(sorted(seconds)[2], 2),
        "processor seconds": round(min(processor), 2),
        "index in MB": round((folder / "index.parquet").stat().st_size / 1e6, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--patients", type=int, default=2)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the archives stay for the next time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made)
        results: dict[str, object] = {
            "opening a million": opening(Path(made) / "million"),
            "loading, tiles a second": loading(Path(made) / "loaded"),
        }
        print(json.dumps(results, indent=1))
        archives = archives_in(folder, options.patients, options.times)
        processor = {
            archive.name: seconds_a_scan(archive.records[: len(archive.records) // options.times])
            for archive in archives
        }
        print(json.dumps({"processor seconds a scan": processor}, indent=1))
        print(json.dumps({"builds": builds(archives, Path(made))}, indent=1))


if __name__ == "__main__":
    main()
