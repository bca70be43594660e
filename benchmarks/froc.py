"""Time FROC of 1,000 scans with 1,000 resamples over patients; the goal is under 5 seconds.

Run by hand:  python benchmarks/froc.py [--scans 1000] [--resamples 1000] [--peaks 20]

Four scans a patient, a third of the patients with a finding on each; random peaks. Judging, all
points with intervals, the curve, the groups and JAFROC are timed one after the other.
"""

import argparse
import os
from time import perf_counter, process_time

import numpy as np

from mammoscope.core.geometry import Box, Circle
from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.evaluation.froc import froc_section, judge
from mammoscope.evaluation.jafroc import jafroc_section
from mammoscope.evaluation.outcomes import Peak, ScanOutcome

VIEWS = 4


def main() -> None:
    """Print seconds of the wall's clock and of the processors."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--scans", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--peaks", type=int, default=20)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    outcomes = [_scan(index, options.peaks, rng) for index in range(options.scans)]
    findings = sum(len(outcome.findings or ()) for outcome in outcomes)
    print(
        f"{options.scans} scans of {-(-options.scans // VIEWS)} patients, {findings} findings, "
        f"{options.peaks} peaks a scan, {options.resamples} resamples, {os.cpu_count()} processors"
    )
    start = perf_counter(), process_time()
    judged = judge(outcomes)
    _tell("judging", start)
    start = perf_counter(), process_time()
    section = froc_section(judged, options.resamples, 0)
    _tell("FROC: points, curve and groups", start)
    start = perf_counter(), process_time()
    merit = jafroc_section(judged, options.resamples, 0)["weighted"]
    _tell("JAFROC, weighted and by finding", start)
    one = section["points"][3]["sensitivity"]
    for name, figure in (("sensitivity at 1 a scan", one), ("weighted JAFROC", merit)):
        print(f"{name}: {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})")


def _tell(what: str, start: tuple[float, float]) -> None:
    wall, work = perf_counter() - start[0], process_time() - start[1]
    print(f"{what}: {wall:.2f} s, {work:.2f} s of processors", flush=True)


def _scan(index: int, n_peaks: int, rng: np.random.Generator) -> ScanOutcome:
    patient, scan_id = f"P{index // VIEWS}", f"S{index}"
    roi = Box(300, 200, 60, 50) if index % 2 else Circle(330, 225, 30)
    finding = Finding(
        finding_id=f"{scan_id}/1",
        scan_id=scan_id,
        kind=list(FindingKind)[index // VIEWS % 2],
        roi=roi,
        pathology=Pathology.MALIGNANT,
        descriptors=(f"SHAPE{index // VIEWS % 5}",),
    )
    findings = (finding,) if index // VIEWS % 3 == 0 else ()
    scores = rng.beta(2, 5, n_peaks)
    places = rng.uniform((0, 0), (900, 600), (n_peaks, 2))
    if findings and rng.random() < 0.8:
        places[0], scores[0] = (330, 225), rng.beta(4, 3)
    order = np.argsort(-scores)
    return ScanOutcome(
        scan_id=scan_id,
        patient_id=patient,
        breast_id=f"{patient}/{'LR'[index % 2]}",
        exam_id=patient,
        spacing_mm=(0.2, 0.2),
        score=float(scores.max()),
        malignancy=float(scores.max()),
        peaks=tuple(Peak(*map(float, places[i]), *map(float, [scores[i]] * 2)) for i in order),
        findings=findings,
    )


if __name__ == "__main__":
    main()
