"""Decoders of lossless JPEG side by side: who reads what, and how fast.

Usage: python benchmarks/decoders.py [LJPEG_FOLDER] [--repeats N]

The folder holds `vectors/` (streams with known pixels) and `realistic/` (one film in both
conventions), as shared/data/ddsm/ljpeg beside the repository. Each decoder runs in a process of its
own, for some crash or hang. Prints two tables: of the vectors, how many are exact, wrong without an
error, refused, and crashed or hung; of the film, the time in the processor and the speed against
imagecodecs.jpeg8 on the film's stream by T.81. Packages that are not installed are left out.
"""

import argparse
import concurrent.futures
import hashlib
import importlib.util
import io
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLossless
from rich.console import Console
from rich.table import Table

from mammoscope.formats.ljpeg import decode_ljpeg

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "ddsm" / "ljpeg"
LONGEST_S = 20
OUTCOMES = ("exact", "wrong", "refused", "crashed")
CONVENTIONS = {"pvrg": "archive", "t81": "t81", "mod2P": "t81"}


def told(data: bytes, record: dict[str, Any]) -> Any:
    """Ours, the convention given as a reader of the archive knows it."""
    return decode_ljpeg(data, *size_of(record), convention=CONVENTIONS[record["convention"]])


def size_of(record: dict[str, Any]) -> tuple[int | None, int | None]:
    """Rows and columns where another file than the stream states them."""
    return tuple(record["shape"][:2]) if record.get("swapped") else (None, None)


def through_pydicom(plugin: str) -> Callable[[bytes, dict[str, Any]], Any]:
    """Make a decoder of one of pydicom's plug-ins, which wants the header's facts beside."""

    def decode(data: bytes, record: dict[str, Any]) -> Any:
        bits = 8 if record["precision"] <= 8 else 16
        colours = record["components"]
        image, _ = get_decoder(JPEGLossless).as_array(
            encapsulate([data]),
            raw=True,
            decoding_plugin=plugin,
            rows=record["header_rows"],
            columns=record["header_cols"],
            number_of_frames=1,
            samples_per_pixel=colours,
            planar_configuration=0,
            photometric_interpretation="MONOCHROME2" if colours == 1 else "RGB",
            bits_allocated=bits,
            bits_stored=record["precision"],
            pixel_representation=0,
            pixel_keyword="PixelData",
        )
        return image

    return decode


DECODERS: dict[str, Callable[[bytes, dict[str, Any]], Any]] = {
    "ours": lambda data, record: decode_ljpeg(data, *size_of(record)),
    "ours, told": told,
    "jpeg8": lambda data, _: imagecodecs.jpeg8_decode(data),
    "ljpeg": lambda data, _: imagecodecs.ljpeg_decode(data),
    "jpegsof3": lambda data, _: imagecodecs.jpegsof3_decode(data),
    "Pillow": lambda data, _: np.asarray(Image.open(io.BytesIO(data))),
    "pylibjpeg": through_pydicom("pylibjpeg"),
    "GDCM": through_pydicom("gdcm"),
}
NEEDS = {"pylibjpeg": "libjpeg", "GDCM": "gdcm"}


def group_of(record: dict[str, Any]) -> str:
    """Name what is special in a stream."""
    convention = {"pvrg": "DDSM's program", "mod2P": "modulo 2^P"}.get(record["convention"], "T.81")
    if record["restart_interval"]:
        kind = "restarts"
    elif record["components"] > 1:
        kind = "several components"
    elif record["point_transform"]:
        kind = "point transform"
    elif record["name"].startswith(("t81_markers", "t81_dnl", "t81_no_eoi")):
        kind = "unusual markers"
    elif record.get("swapped"):
        kind = "rows and columns exchanged"
    elif record["convention"] == "pvrg":
        same = record["predictor"] in (1, 4, 5)
        kind = "predictors 1, 4, 5" if same else "predictors 2, 3, 6, 7"
    else:
        kind = "plain" if record["convention"] == "t81" else "wrapped"
    return f"{convention}: {kind}"


def outcome(name: str, folder: str, record: dict[str, Any]) -> str:
    """Decode one stream and say how it went; runs in the child."""
    data = (Path(folder) / record["file"]).read_bytes()
    try:
        image = np.asarray(DECODERS[name](data, record))
    except Exception:  # noqa: BLE001 - a foreign decoder may raise anything, and refuses so
        return "refused"
    return "exact" if np.array_equal(image, np.load(Path(folder) / record["pixels"])) else "wrong"


def outcomes(name: str, folder: Path, records: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Count how a decoder fares on each group, beginning anew where it takes its process along."""
    counts: dict[str, Counter[str]] = {}
    pool = fresh_pool()
    for record in records:
        try:
            how = pool.submit(outcome, name, str(folder), record).result(LONGEST_S)
        except (BrokenProcessPool, TimeoutError):
            how = "crashed"
            for process in multiprocessing.active_children():
                process.kill()
            pool.shutdown(wait=False, cancel_futures=True)
            pool = fresh_pool()
        counts.setdefault(group_of(record), Counter())[how] += 1
    pool.shutdown()
    return counts


def fresh_pool() -> concurrent.futures.ProcessPoolExecutor:
    """Start one child."""
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(1, mp_context=context)


def film_seconds(folder: str, repeats: int) -> dict[str, tuple[float, float]]:
    """Best processor seconds and exactness, of ours and jpeg8 by turns; runs in a child."""
    known = json.loads((Path(folder) / "realistic.json").read_text())["pixels_sha256"]
    archive = (Path(folder) / "realistic_pvrg_p7.ljpeg").read_bytes()
    standard = (Path(folder) / "realistic_turbo_p7.ljpeg").read_bytes()
    runs: dict[str, Callable[[], Any]] = {
        "jpeg8, by T.81": lambda: imagecodecs.jpeg8_decode(standard),
        "ours, by T.81": lambda: decode_ljpeg(standard),
        "ours, as in DDSM": lambda: decode_ljpeg(archive),
        "jpeg8, as in DDSM": lambda: imagecodecs.jpeg8_decode(archive),
    }
    exact = {
        name: hashlib.sha256(run().astype(">u2").tobytes()).hexdigest() == known
        for name, run in runs.items()
    }
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats):
        for name, run in runs.items():
            began = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - began)
    return {name: (best[name], float(exact[name])) for name in runs}


def show_vectors(folder: Path, console: Console) -> None:
    """Print who reads which vectors."""
    records = json.loads((folder / "index.json").read_text())
    names = [n for n in DECODERS if n not in NEEDS or importlib.util.find_spec(NEEDS[n])]
    results = {name: outcomes(name, folder, records) for name in names}
    table = Table("streams", "n", *names, title=" / ".join(OUTCOMES))
    for group in sorted({group_of(record) for record in records}):
        rows = [results[name][group] for name in names]
        table.add_row(
            group,
            str(rows[0].total()),
            *("/".join(str(counts[how]) for how in OUTCOMES) for counts in rows),
        )
    sums = [sum(results[name].values(), Counter()) for name in names]
    table.add_section()
    table.add_row(
        "all",
        str(len(records)),
        *("/".join(str(counts[how]) for how in OUTCOMES) for counts in sums),
    )
    console.print(table)


def show_film(folder: Path, repeats: int, console: Console) -> None:
    """Print the time for one film."""
    pool = fresh_pool()
    results = pool.submit(film_seconds, str(folder), repeats).result()
    pool.shutdown()
    base = results["jpeg8, by T.81"][0]
    table = Table("film of 3000 x 2000", "pixels", "ms", "MB/s", "speed to jpeg8 by T.81")
    for name, (seconds, exact) in results.items():
        speed = 12.0 / seconds
        pixels = "exact" if exact else "WRONG"
        table.add_row(
            name, pixels, f"{1000 * seconds:.1f}", f"{speed:.0f}", f"{base / seconds:.2f}"
        )
    console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    console = Console(width=150)
    show_film(arguments.folder / "realistic", arguments.repeats, console)
    show_vectors(arguments.folder / "vectors", console)


if __name__ == "__main__":
    main()
