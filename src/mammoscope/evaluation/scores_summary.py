"""All figures of somebody's scores, as the sections of `evaluation.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mammoscope.evaluation.brier import brier_values
from mammoscope.evaluation.five_class import class_figures
from mammoscope.evaluation.intervals import FEW_PATIENTS, Array, bootstrap, weighted_mean
from mammoscope.evaluation.joining import JoinBy, join
from mammoscope.evaluation.metrics import Mask, binary_figures, to_json
from mammoscope.evaluation.picture_points import HALF, curves_of, worst_errors
from mammoscope.evaluation.reliability import (
    BINS,
    calibration_error_figure,
    errors_if_calibrated,
    reliability,
)
from mammoscope.evaluation.scores import Scores, check_both_classes
from mammoscope.evaluation.threshold_choice import Threshold, looks_chosen_on

JOINED = "score: highest of the parts; truth: 1 if any part's is"
EACH = "each by itself"
OF_GROUPS = ("auc", "recall", "specificity")

Level = tuple[Array, Mask, Sequence[str]]
"""Scores, truth and patients of units."""


def summarise_scores(
    scores: Scores, threshold: Threshold, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Measure scores by tile (where they are of tiles), scan, breast (where known) and patient.

    Parameters
    ----------
    threshold : a unit is called positive at a score of at least this
    resamples, seed : of the bootstrap over patients

    Returns
    -------
    dict
        The sections of `evaluation.json` that scores without places can fill; the others are None.

    Raises
    ------
    AnnotationError
        When all units have the same truth.
    """
    check_both_classes(scores)
    draws = (resamples, seed)
    levels = _levels(scores)
    sections = {
        name: {
            "joined_by": EACH if name == f"{scores.unit}s" else JOINED,
            **_figures(level, threshold, draws),
        }
        for name, level in levels.items()
    }
    whole = (scores.scores, scores.truth, scores.patients)
    return {
        "counts": _counts(scores, levels),
        **{name: sections.get(name) for name in ("tiles", "scans", "breasts", "patients")},
        "classes": _classes(scores, threshold, draws),
        "froc": None,
        "pointing_game": None,
        "calibration": {f"{scores.unit}s": _calibration(whole, draws)},
        "operating_points": [],
        "strata": _strata(scores, threshold, draws),
        "threshold": asdict(threshold),
        "curves": {
            f"{name}: truth 1 against 0": curves_of(values, truth, (HALF, threshold.value))
            for name, (values, truth, _) in levels.items()
        },
        "worst": worst_errors(scores.ids, scores.patients, scores.scores, scores.truth),
        "warnings": warnings_of(scores, threshold),
    }


def warnings_of(scores: Scores, threshold: Threshold) -> list[str]:
    """Say what a reader of the figures must know."""
    said = []
    if threshold.on_test:
        said.append(
            f"The threshold {threshold.value:.4g} was chosen on the very scores that are measured "
            "here, so recall, specificity, precision, F1 and accuracies at it are too good; choose "
            "it on scores of other patients (--validation)."
        )
    elif looks_chosen_on(threshold.value, scores.scores, scores.truth):
        said.append(
            f"The threshold {threshold.value!r} is to the last digit the best one on these scores: "
            "if it was chosen on them, the figures at it are too good."
        )
    if scores.ignored:
        said.append(
            f"Columns of more than 20 different values are no strata and were passed over: "
            f"{', '.join(scores.ignored)}."
        )
    patients = len(set(scores.patients))
    if patients < FEW_PATIENTS:
        said.append(f"Only {patients} patients: intervals of so few hold the truth too seldom.")
    return said


def _levels(scores: Scores) -> dict[str, Level]:
    base: Level = (scores.scores, scores.truth, scores.patients)
    levels = {f"{scores.unit}s": base}
    wholes = {"scans": scores.scans, "breasts": scores.breasts, "patients": scores.patients}
    for name, keys in wholes.items():
        if keys is not None:
            joined = join(*base, keys, JoinBy.HIGHEST)
            levels[name] = (joined.scores, joined.truth, joined.patients)
    return levels


def _figures(level: Level, threshold: Threshold, draws: tuple[int, int]) -> dict[str, Any]:
    values, truth, patients = level
    resamples, seed = draws
    figures = binary_figures(
        values, truth, patients, threshold.value, resamples=resamples, seed=seed
    )
    return to_json(figures)


def _counts(scores: Scores, levels: Mapping[str, Level]) -> dict[str, int]:
    return {name: len(truth) for name, (_, truth, _) in levels.items()} | {
        f"positive_{name}": int(truth.sum()) for name, (_, truth, _) in levels.items()
    }


def _calibration(level: Level, draws: tuple[int, int]) -> dict[str, Any]:
    """Measure the scores as if they were probabilities."""
    values, truth, patients = level
    resamples, seed = draws
    brier = bootstrap(
        weighted_mean(brier_values(values, truth)),
        patients,
        resamples,
        np.random.default_rng(seed),
    )
    error = calibration_error_figure(values, truth, patients, draws)
    by_chance = errors_if_calibrated(values, patients, resamples, np.random.default_rng(seed))
    return {
        "fitted_on": "nothing: the scores are taken for probabilities as they are",
        "meaning": "chance that the truth is 1",
        "bins": f"{BINS} of equal mass",
        "brier": brier.to_json(),
        "ece": error.to_json(),
        "ece_if_calibrated": float(by_chance.mean()),
        "reliability": [asdict(group) for group in reliability(values, truth)],
    }


def _classes(scores: Scores, threshold: Threshold, draws: tuple[int, int]) -> dict[str, Any] | None:
    if scores.probabilities is None or scores.labels is None:
        return None
    found = class_figures(
        scores.probabilities,
        scores.labels,
        scores.patients,
        scores.classes,
        threshold=threshold.value,
        draws=draws,
    )
    return {
        "names": list(scores.classes),
        "overall": to_json(found.overall),
        "by_class": {name: to_json(its) for name, its in found.by_class.items()},
        "confusion": found.confusion.tolist(),
    }


def _strata(scores: Scores, threshold: Threshold, draws: tuple[int, int]) -> dict[str, Any]:
    section: dict[str, Any] = {}
    for name, values in scores.strata.items():
        groups = {
            value: _group(scores, np.array([its == value for its in values]), threshold, draws)
            for value in sorted(set(values))
            if value
        }
        if groups:
            section[name] = groups
    return section


def _group(
    scores: Scores, inside: Mask, threshold: Threshold, draws: tuple[int, int]
) -> dict[str, Any]:
    patients = [patient for patient, its in zip(scores.patients, inside, strict=True) if its]
    said: dict[str, Any] = {"n": len(patients), "n_patients": len(set(patients))}
    if said["n_patients"] < FEW_PATIENTS:
        return said | {"too_small": True} | dict.fromkeys(OF_GROUPS)
    resamples, seed = draws
    figures = binary_figures(
        scores.scores[inside],
        scores.truth[inside],
        patients,
        threshold.value,
        resamples=resamples,
        seed=seed,
    )
    return said | {"too_small": False} | to_json({name: figures[name] for name in OF_GROUPS})
