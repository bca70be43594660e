"""Left against right: how far the other breast helps to tell a breast with a finding.

Usage: python benchmarks/sides.py RUN [--resamples 1000]

RUN is the folder of a finished dense run with outcomes of its foreign archive, mini-MIAS, where
both breasts of every woman are there; nothing is trained or fitted. What is normal for a woman
should show on her other breast too: so the other breast's score is taken off, half (as the product
does it) or whole, and the areas under the ROC curve are compared. Differences are paired, intervals
over patients.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from mammoscope.evaluation.intervals import Array, bootstrap
from mammoscope.evaluation.outcomes import outcome_from_json
from mammoscope.evaluation.roc import auc_statistic
from mammoscope.evaluation.sides import SHARE, less_other_side, lifted


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--resamples", type=int, default=1000)
    asked = parser.parse_args()
    stored = json.loads((asked.run / "foreign-outcomes.json").read_text("utf-8"))
    outcomes = [outcome_from_json(row) for row in stored["outcomes"]]
    scores = {outcome.scan_id: outcome.score for outcome in outcomes}
    other: dict[str, float] = {}
    for outcome in outcomes:
        sides = [o for o in outcomes if o.patient_id == outcome.patient_id and o is not outcome]
        if sides:
            other[outcome.scan_id] = max(scores[side.scan_id] for side in sides)
    pairs = [o for o in outcomes if o.scan_id in other]
    normal = {o.scan_id for o in pairs if o.has_finding is False}
    questions = {
        "any finding or none": {o.scan_id for o in pairs if o.has_finding},
        "malignant or normal": {o.scan_id for o in pairs if o.is_malignant},
    }
    for question, ill in questions.items():
        chosen = [o for o in pairs if o.scan_id in ill | normal]
        patients = [o.patient_id for o in chosen]
        labels = [o.scan_id in ill for o in chosen]
        both = [(scores[o.scan_id], other[o.scan_id]) for o in chosen]
        own = np.array([score for score, _ in both])
        told = {
            SHARE: np.array([less_other_side(score, opposite) for score, opposite in both]),
            1.0: np.array([lifted(score) - lifted(opposite) for score, opposite in both]),
        }
        print(f"{question}: {len(chosen)} scans of {len(set(patients))} patients")
        print(f"  own score                     {measured(own, labels, patients, asked.resamples)}")
        for share, less in told.items():
            figure = measured(less, labels, patients, asked.resamples)
            away = measured(less, labels, patients, asked.resamples, less=own)
            print(f"  less {share:g} of the other breast's  {figure}  difference {away}")


def measured(
    scores: Array,
    labels: list[bool],
    patients: list[str],
    resamples: int,
    less: Array | None = None,
) -> str:
    """Write the AUC of scores, or by how much it passes that of others."""
    area = auc_statistic(scores, labels)
    base = None if less is None else auc_statistic(less, labels)
    figure = bootstrap(
        area if base is None else lambda weights: area(weights) - base(weights),
        patients,
        resamples,
        np.random.default_rng(0),
    )
    sign = "" if base is None else "+"
    return f"{figure.value:{sign}.3f} ({figure.low:{sign}.3f} to {figure.high:{sign}.3f})"


if __name__ == "__main__":
    main()
