"""How many lesions of the foreign archive a run's final network finds, without calcifications.

Usage: python benchmarks/foreign.py RUN [--resamples 1000]

RUN is the folder of a finished dense run with outcomes of its foreign archive. The shipped model is
trained on masses alone: calcifications are outside what it knows, so the masses, asymmetries and
distortions are counted together and each by itself, at some rates of false positives a scan, with
95 % intervals over patients.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from mammoscope.core.vocabulary import FindingKind
from mammoscope.evaluation.froc import judge, sensitivities
from mammoscope.evaluation.outcomes import outcome_from_json

RATES = (0.25, 0.5, 1.0, 2.0, 4.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--resamples", type=int, default=1000)
    asked = parser.parse_args()
    stored = json.loads((asked.run / "foreign-outcomes.json").read_text("utf-8"))
    judged = judge([outcome_from_json(row) for row in stored["outcomes"]])
    print(judged.rule)
    kinds = np.array([finding.kind for finding in judged.findings])
    groups = {"all but calcifications": kinds != FindingKind.CALCIFICATION}
    groups |= {kind: kinds == kind for kind in FindingKind if (kinds == kind).any()}
    for name, mask in groups.items():
        figures = sensitivities(
            judged,
            [mask] * len(RATES),
            RATES,
            asked.resamples,
            np.random.default_rng(0),
        )
        told = "  ".join(
            f"at {rate:g}: {f.value:.3f} ({f.low:.3f} to {f.high:.3f})"
            for rate, f in zip(RATES, figures, strict=True)
        )
        print(f"{name:26s} {figures[0].n:3d} of {figures[0].n_patients} patients  {told}")


if __name__ == "__main__":
    main()
