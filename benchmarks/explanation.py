"""Does the heat map show what the score rests on? Deletion and insertion on CBIS-DDSM.

Usage: python benchmarks/explanation.py CBIS_800_DIR [--scans N] [--steps N] [--score place|scan]

Takes the first scan of every so-many-th patient and the shipped model, which was trained on these
scans. A patch is 6 mm; away, it shows the scan blurred by 12 mm. The score is the highest lesion
score within 10 mm of the scan's hottest place, which is what its first mark says, or with
`--score scan` the highest of the whole scan, wherever it then lies. The heat map is set against a
random order and against the blurred intensity (3 mm). Prints means and paired differences with 95 %
intervals by patient, as JSON.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mammoscope.archives.open import open_archive
from mammoscope.core.records import Scan
from mammoscope.evaluation.heat_maps import (
    HeatMapTest,
    blurred_intensity,
    compare_maps,
    judge_order,
    order_by,
    random_order,
    square_labels,
)
from mammoscope.models.weights import Model, load_model
from mammoscope.models.whole_scan import APART_MM, answer
from mammoscope.scans.load import load

PATCH_MM, AWAY_MM, BLUR_MM = 6.0, 12.0, 3.0


def main() -> None:
    """Measure the shipped model's heat maps."""
    reader = argparse.ArgumentParser()
    reader.add_argument("folder", type=Path)
    reader.add_argument("--scans", type=int, default=60)
    reader.add_argument("--steps", type=int, default=15)
    reader.add_argument("--score", choices=("place", "scan"), default="place")
    given = reader.parse_args()
    first: dict[str, Scan] = {}
    for scan in open_archive("cbis-ddsm-800", given.folder).scans():
        first.setdefault(scan.patient_id, scan)
    patients = sorted(first)
    chosen = [first[name] for name in patients[:: max(1, len(patients) // given.scans)]]
    chosen = chosen[: given.scans]
    model = load_model("default")
    whole = given.score == "scan"
    tests = [
        tests_of(model, scan, given.steps, number, whole=whole)
        for number, scan in enumerate(chosen)
    ]
    figures = compare_maps(tests, [scan.patient_id for scan in chosen])
    shown = {
        row: {what: [round(v, 4) for v in (f.value, f.low, f.high)] for what, f in columns.items()}
        for row, columns in figures.items()
    }
    counts = {"scans": len(chosen), "steps": given.steps, "score": given.score}
    print(json.dumps({**counts, **shown}, indent=1))


def tests_of(
    model: Model, scan: Scan, steps: int, seed: int, *, whole: bool
) -> dict[str, HeatMapTest]:
    """Judge the three orders on one scan, by its first mark's place or by the whole scan."""
    loaded = load(scan)
    prepared = model.prepare(loaded.image, loaded.spacing_mm or (1.0, 1.0))
    pixel = prepared.spacing_mm

    found = answer(model.network, model.contract.output, prepared)
    hottest = np.unravel_index(int(found.lesion.argmax()), found.lesion.shape)
    rows, columns = np.indices(found.lesion.shape)
    away_px = np.hypot(rows - hottest[0], columns - hottest[1]) * found.stride_px
    asked = np.ones_like(away_px, bool) if whole else away_px <= APART_MM / pixel

    def score(image: NDArray[np.floating]) -> float:
        changed = replace(prepared, image=image.astype(np.float32))
        lesion = answer(model.network, model.contract.output, changed).lesion
        return float(lesion[asked].max())

    heat = np.kron(found.lesion, np.ones((found.stride_px,) * 2))
    away = ndimage.gaussian_filter(prepared.image, AWAY_MM / pixel)
    labels = square_labels(prepared.image.shape, round(PATCH_MM / pixel), prepared.breast)
    rng = np.random.default_rng(seed)
    orders = {
        "heat map": order_by(heat, labels, rng),
        "random": random_order(labels, rng),
        "blurred intensity": order_by(
            blurred_intensity(prepared.image, BLUR_MM / pixel), labels, rng
        ),
    }
    return {
        name: judge_order((prepared.image, away), labels, order, score, steps)
        for name, order in orders.items()
    }


if __name__ == "__main__":
    main()
