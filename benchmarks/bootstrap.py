"""How long do 10,000 resamples of 100,000 scores take? Timed one figure after the other.

Run by hand:  python benchmarks/bootstrap.py [--scores 100000] [--resamples 10000] [--patients N]

A tenth of the scores is positive. Without --patients every score is of a patient of its own, which
is the slowest: as many patients must be drawn as there are scores.
"""

import argparse
import os
from collections.abc import Sequence
from time import perf_counter, process_time

import numpy as np

from mammoscope.evaluation.metrics import Measure, curve_measures, measure, threshold_measures


def main() -> None:
    """Print seconds of the wall's clock and of the processors."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--scores", type=int, default=100_000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--patients", type=int)
    parser.add_argument("--all", action="store_true", help="also the figures over all thresholds")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    truth = rng.random(options.scores) < 0.1
    scores = rng.random(options.scores) * 0.8 + 0.2 * truth
    n_patients = options.patients or options.scores
    patients = [f"P{i % n_patients}" for i in range(options.scores)]
    at_threshold, over_all = threshold_measures(scores, truth, 0.5), curve_measures(scores, truth)
    named: dict[str, Sequence[Measure]] = {
        "AUC and the figures at a threshold": [*at_threshold, over_all[0]],
    }
    if options.all:
        named |= {one.told[0].name: [one] for one in over_all}
    print(
        f"{options.scores} scores of {n_patients} patients, {options.resamples} resamples, "
        f"{os.cpu_count()} processors"
    )
    print("| figures | seconds | seconds of processors |")
    print("|---|---|---|")
    for name, measures in named.items():
        wall, work = perf_counter(), process_time()
        measure(measures, patients, options.resamples, np.random.default_rng(0))
        spent = perf_counter() - wall, process_time() - work
        print(f"| {name} | {spent[0]:.1f} | {spent[1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
