"""How far a run's probabilities mean what they say, on patients they were not fitted on either.

Usage: python benchmarks/calibration.py RUN [--folds 5] [--resamples 1000]

RUN is the folder of a finished dense run. Its stored outcomes are of patients that a fold's network
had not seen; each kind of calibration is fitted on all folds but one and applied to that one.
Prints, for breasts and for masses that were found: the expected calibration error (10 bins of equal
mass), what a perfect model would show of it, and the Brier score, of raw and calibrated malignancy.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mammoscope.core.contract import CALIBRATION_KINDS
from mammoscope.core.vocabulary import Split
from mammoscope.evaluation.calibrate import Ground, fit_calibration
from mammoscope.evaluation.intervals import Array
from mammoscope.evaluation.outcomes import ScanOutcome
from mammoscope.evaluation.reliability import found_lesions, probability_section
from mammoscope.evaluation.units import units
from mammoscope.training.finish import stored_outcomes

RAW = "raw"
GROUND = Ground(split=Split.VALIDATION, fitted_on="the other folds", meaning="malignant")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=1000)
    asked = parser.parse_args()
    outcomes = stored_outcomes(asked.run, asked.folds)
    fold_of = json.loads((asked.run / "split.json").read_text("utf-8"))
    for what, given in (("breasts", breasts(outcomes)), ("masses found", found_lesions(outcomes))):
        patients = [patient for patient, _, _ in given]
        scores = np.array([score for _, score, _ in given])
        labels = np.array([label for _, _, label in given])
        folds = np.array([fold_of[patient] for patient in patients])
        print(
            f"{what}: {len(given)} of {len(set(patients))} patients, {labels.mean():.3f} malignant"
        )
        for kind in (RAW, *CALIBRATION_KINDS):
            told = scores if kind == RAW else refitted(kind, scores, labels, folds)
            print(f"  {kind:12s} {figures(told, labels, patients, asked.resamples)}")


def breasts(outcomes: Sequence[ScanOutcome]) -> list[tuple[str, float, bool]]:
    """List patient, malignancy and truth of the breasts of which something is proven."""
    joined = units(outcomes, lambda outcome: outcome.breast_id)
    return [
        (unit.patient_id, unit.malignancy, unit.is_malignant)
        for unit in joined
        if unit.is_malignant is not None
    ]


def refitted(kind: str, scores: Array, labels: Array, folds: Array) -> Array:
    """Return probabilities, each by a calibration of the other folds."""
    told = np.empty_like(scores)
    for fold in np.unique(folds):
        inside = folds == fold
        calibration = fit_calibration(kind, scores[~inside], labels[~inside], GROUND)
        told[inside] = calibration.probabilities(scores[inside])
    return told


def figures(told: Array, labels: Array, patients: Sequence[str], resamples: int) -> str:
    """Write calibration error and Brier score with intervals."""
    section = probability_section(told, labels, patients, (resamples, 0))
    error, brier = section["ece"], section["brier"]
    return (
        f"calibration error {error['value']:.3f} ({error['low']:.3f} to {error['high']:.3f}; a "
        f"perfect model: {section['ece_if_calibrated']:.3f})  "
        f"Brier {brier['value']:.3f} ({brier['low']:.3f} to {brier['high']:.3f})"
    )


if __name__ == "__main__":
    main()
