"""How fast networks answer through ONNX Runtime, and what 8 bits cost in AUC.

Usage: python benchmarks/inference.py DATA [--patients 60] [--tiles 400] [--rounds 7]

DATA is the folder with `cbis-ddsm/mass-800`, `mini-mias` and `ddsm-299`. Everything runs on one
core. Of each network the module itself ("eager": torch, channels last, inference mode), ONNX
Runtime, and ONNX Runtime in 8 bits answer in turns, round after round, so that a busy machine slows
all alike; times are medians. AUC is measured for each of them, with the difference to eager and its
interval over patients.

* The shipped model on scans of mini-MIAS, which it was not trained on: any finding or none, by
  scan. Ranges for 8 bits come from scans of CBIS-DDSM.
* 1.0.0.35 and tilenet-m on the 299 x 299 pictures of DDSM: cancer or normal, patients apart. Both
  are trained for a few minutes first, so that they answer something; they are no models. Ranges
  come from training pictures.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mammoscope.archives.open import open_archive
from mammoscope.core.records import Scan
from mammoscope.evaluation.intervals import bootstrap
from mammoscope.evaluation.roc import auc_statistic
from mammoscope.formats.raster import read_raster
from mammoscope.models import zoo
from mammoscope.models.export import export_onnx
from mammoscope.models.onnx_run import OnnxNetwork
from mammoscope.models.quantise import quantise_onnx
from mammoscope.models.weights import Model, load_model
from mammoscope.models.whole_scan import answer, find_peaks, scan_score
from mammoscope.scans.load import load
from mammoscope.scans.prepare import Prepared

CALIBRATION_SCANS, TIMED_SCANS = 8, 6
CALIBRATION_TILES, TIMED_BATCH = 128, 16
TRAINED = {"1.0.0.35": 1, "tilenet-m": 6}
"""Networks for tiles, and for how many epochs they are trained here."""
RESAMPLES = 1000
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Truth:
    """Of each unit: whether it is abnormal, and whose it is."""

    abnormal: NDArray[np.bool_]
    patients: Sequence[str]


def seconds_of(rounds: int, works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of pieces of work done in turns, after one turn that does not count."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in times.items()}


def compared(scores: Mapping[str, Scores], truth: Truth) -> dict[str, Any]:
    """AUC of each way to answer, and its difference to eager with the interval over patients."""
    areas = {name: auc_statistic(found, truth.abnormal) for name, found in scores.items()}
    eager = areas["eager"]
    found: dict[str, Any] = {}
    for name, area in areas.items():
        rng = np.random.default_rng(0)
        whole = bootstrap(area, truth.patients, RESAMPLES, rng)
        found[name] = {"auc": whole.to_json()}
        if name == "eager":
            continue
        difference = np.abs(scores[name] - scores["eager"])
        cost = bootstrap(
            lambda weights, area=area: area(weights) - eager(weights),  # type: ignore[misc]
            truth.patients,
            RESAMPLES,
            np.random.default_rng(0),
        )
        found[name] |= {
            "largest_difference_of_scores": float(difference.max()),
            "auc_less_eager": cost.to_json(),
        }
    return found


def whole_scans(folder: Path, patients: int, rounds: int) -> dict[str, Any]:
    """Measure the shipped model on scans of mini-MIAS."""
    model = load_model("default")
    training = open_archive(folder / "cbis-ddsm" / "mass-800").scans()
    calibration = [
        prepared_scan(model, scan).image[None, None]
        for scan in training[:: len(training) // CALIBRATION_SCANS][:CALIBRATION_SCANS]
    ]
    scans = open_archive(folder / "mini-mias").scans()
    chosen = sorted({scan.patient_id for scan in scans})[:patients]
    measured = [scan for scan in scans if scan.patient_id in chosen]
    with tempfile.TemporaryDirectory() as place:
        file, small = Path(place) / "scan.onnx", Path(place) / "scan8.onnx"
        export_onnx(model, file, side_px=4 * model.contract.input.multiple_px)
        quantise_onnx(file, small, calibration)
        models = {
            "eager": model,
            "onnx": replace(model, network=OnnxNetwork(file, threads=1)),
            "int8": replace(model, network=OnnxNetwork(small, threads=1)),
        }
        sizes = {"onnx": file.stat().st_size, "int8": small.stat().st_size}
    prepared = [prepared_scan(model, scan) for scan in measured]
    scores = {
        name: np.array([score_of(used, scan) for scan in prepared]) for name, used in models.items()
    }
    truth = Truth(
        abnormal=np.array([bool(scan.findings) for scan in measured]),
        patients=[scan.patient_id for scan in measured],
    )
    timed = prepared[:: max(1, len(prepared) // TIMED_SCANS)][:TIMED_SCANS]
    works = {
        name: (lambda used=used: [score_of(used, scan) for scan in timed])
        for name, used in models.items()
    }
    seconds = {name: taken / len(timed) for name, taken in seconds_of(rounds, works).items()}
    return {
        "scans": len(measured),
        "seconds_a_scan": seconds,
        "times_eager": {name: seconds["eager"] / taken for name, taken in seconds.items()},
        "bytes": sizes,
        "scores": compared(scores, truth),
    }


def prepared_scan(model: Model, scan: Scan) -> Prepared:
    """Read a scan and make the model's input of it."""
    loaded = load(scan)
    assert loaded.spacing_mm is not None
    return model.prepare(loaded.image, loaded.spacing_mm)


def score_of(model: Model, prepared: Prepared) -> float:
    """Score a scan: that of its highest peak."""
    found = answer(model.network, model.contract.output, prepared)
    return scan_score(find_peaks(found, prepared.spacing_mm))


@dataclass(frozen=True, slots=True)
class Pictures:
    """DDSM's pictures of 299 x 299 pixels: those to train on and those to measure on."""

    train: Tensor
    labels: Tensor
    test: Tensor
    truth: Truth


def pictures(folder: Path, count: int) -> Pictures:
    """Read as many pictures, half of them with cancer; every second patient is for measuring."""
    scans = open_archive(folder / "ddsm-299").scans()
    kinds = (
        [scan for scan in scans if scan.path.parent.name == "cancer" and scan.findings],
        [scan for scan in scans if scan.path.parent.name == "normal"],
    )
    chosen = [scan for kind in kinds for scan in kind[: count // 2]]
    images = torch.from_numpy(np.stack([read_raster(scan.path) for scan in chosen]))
    images = images[:, None].float() / 255
    abnormal = np.array([bool(scan.findings) for scan in chosen])
    people = sorted({scan.patient_id for scan in chosen})
    tested = np.array([people.index(scan.patient_id) % 2 == 1 for scan in chosen])
    patients = [scan.patient_id for scan, test in zip(chosen, tested, strict=True) if test]
    return Pictures(
        train=images[~tested],
        labels=torch.from_numpy(abnormal[~tested].astype(np.int64)),
        test=images[tested],
        truth=Truth(abnormal[tested], patients),
    )


def trained(name: str, given: Pictures) -> nn.Module:
    """Train a network for tiles for a few epochs."""
    torch.manual_seed(0)
    network = zoo.channels_last(zoo.build(name, 2)).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(TRAINED[name]):
        for batch in torch.randperm(len(given.train)).split(TIMED_BATCH):
            if len(batch) < 2:
                continue
            optimiser.zero_grad()
            tiles = given.train[batch].contiguous(memory_format=torch.channels_last)
            nn.functional.cross_entropy(network(tiles), given.labels[batch]).backward()
            optimiser.step()
    # A few steps leave the norms' averages behind what the weights now give.
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        for batch in given.train.split(TIMED_BATCH):
            network(batch)
    return network.eval()


def tiles(name: str, given: Pictures, rounds: int) -> dict[str, Any]:
    """Measure a network for tiles on DDSM's pictures."""
    network = trained(name, given)
    with tempfile.TemporaryDirectory() as place:
        file, small = Path(place) / "tile.onnx", Path(place) / "tile8.onnx"
        export_onnx(network, file, side_px=given.test.shape[-1])
        calibration = given.train[:CALIBRATION_TILES].split(TIMED_BATCH)
        quantise_onnx(file, small, [batch.numpy() for batch in calibration])
        networks = {
            "eager": network,
            "onnx": OnnxNetwork(file, threads=1),
            "int8": OnnxNetwork(small, threads=1),
        }
        sizes = {"onnx": file.stat().st_size, "int8": small.stat().st_size}

    def answers(used: nn.Module, images: Tensor) -> Scores:
        with torch.inference_mode():
            logits = [
                used(batch.contiguous(memory_format=torch.channels_last))
                for batch in images.split(TIMED_BATCH)
            ]
        joined = torch.cat(logits)
        return np.asarray((joined[:, 1] - joined[:, 0]).numpy(), dtype=np.float64)

    batch = given.test[:TIMED_BATCH]
    works = {name: (lambda used=used: answers(used, batch)) for name, used in networks.items()}
    seconds = {name: taken / len(batch) for name, taken in seconds_of(rounds, works).items()}
    scores = {name: answers(used, given.test) for name, used in networks.items()}
    return {
        "tiles": len(given.test),
        "milliseconds_a_tile": {name: 1000 * taken for name, taken in seconds.items()},
        "times_eager": {name: seconds["eager"] / taken for name, taken in seconds.items()},
        "bytes": sizes,
        "scores": compared(scores, given.truth),
    }


def main() -> None:
    """Measure all and print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--tiles", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["scans", *TRAINED], action="append")
    given = parser.parse_args()
    torch.set_num_threads(1)
    chosen = given.only or ["scans", *TRAINED]
    result: dict[str, Any] = {"threads": 1, "torch": torch.__version__}
    if "scans" in chosen:
        result["default"] = whole_scans(given.data, given.patients, given.rounds)
    named = [name for name in TRAINED if name in chosen]
    if named:
        read = pictures(given.data, given.tiles)
        result |= {name: tiles(name, read, given.rounds) for name in named}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
