"""How fast TFRecords of tiles are read, beside reading the file's bytes and nothing more.

Usage: python benchmarks/tfrecords.py [TILES]

Writes a file of made tiles (4,000 unless told) into a temporary folder and prints, as JSON,
megabytes a second, best of three, for: reading the bytes; finding the records; reading them with
both checksums verified; and taking tiles, labels and names out of them. The file is in the system's
cache, so a disk slower than the figures is what limits.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mammoscope.archives.author_tiles_read import SIDE_PX, read_author_tiles
from mammoscope.formats.tf_example import format_example
from mammoscope.formats.tfrecord import index_records, read_records, write_records


def main(arguments: list[str]) -> None:
    """Measure with as many tiles as the first argument says."""
    count = int(arguments[0]) if arguments else 4000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "training9_0.tfrecords"
        write_records(path, _tiles(count))
        size_mb = path.stat().st_size / 1e6
        ways: dict[str, Callable[[], object]] = {
            "bytes alone": path.read_bytes,
            "find records": lambda: index_records(path),
            "read and verify": lambda: sum(len(record.data) for record in read_records(path)),
            "tiles, labels, names": lambda: read_author_tiles(path),
        }
        speeds = {name: round(size_mb / _best(way)) for name, way in ways.items()}
    print(json.dumps({"tiles": count, "size_mb": round(size_mb), "mb_per_s": speeds}, indent=1))


def _tiles(count: int) -> Iterator[bytes]:
    generator = np.random.default_rng(9)
    for index in range(count):
        label = index % 5
        pixels = generator.integers(0, 256, SIDE_PX * SIDE_PX, dtype=np.uint8)
        yield format_example(
            {
                "label": np.array([label]),
                "label_normal": np.array([min(label, 1)]),
                "image": [pixels.tobytes()],
                "filename": ["NORMAL".encode("utf-32-le")],
            }
        )


def _best(way: Callable[[], object]) -> float:
    """Seconds of the fastest of three runs."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        way()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
