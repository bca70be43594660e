"""All figures of somebody's scores, as the sections of `evaluation.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mammoscope.core.contract import Calibration
from mammoscope.evaluation.five_class import class_figures
from mammoscope.evaluation.intervals import FEW_PATIENTS, Array
from mammoscope.evaluation.joining import JoinBy, join
from mammoscope.evaluation.metrics import Mask, binary_figures, to_json
from mammoscope.evaluation.operating import called_back_of
from mammoscope.evaluation.picture_points import HALF, curves_of, worst_errors
from mammoscope.evaluation.reliability import probability_section
from mammoscope.evaluation.scores import Scores, check_both_classes
from mammoscope.evaluation.strata import TOO_SMALL_RULE, score_strata
from mammoscope.evaluation.threshold_choice import Threshold, looks_chosen_on

JOINED = "score: highest of the parts; truth: 1 if any part's is"
EACH = "each by itself"
UNFITTED = "nothing: the scores are taken for probabilities as they are"
MEANING = "chance that the truth is 1"
CALLED_BACK = (
    "a patient is called back when the highest of her scores reaches the threshold; positive is a "
    "patient with any truth of 1"
)

Level = tuple[Array, Mask, Sequence[str]]
"""Scores, truth and patients of units."""


def summarise_scores(
    scores: Scores,
    threshold: Threshold,
    *,
    calibration: Calibration | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure scores by tile (where they are of tiles), scan, breast (where known) and patient.

    Parameters
    ----------
    threshold : a unit is called positive at a score of at least this
    calibration : fitted on other patients; its probabilities are measured beside the scores
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
    values, truth, patients = levels["patients"]
    called_back = called_back_of((values, truth), patients, threshold.value, draws)
    # What the figures by patient say already is not said twice.
    known = sections["patients"]
    called_back["figures"] = {k: v for k, v in called_back["figures"].items() if k not in known}
    return {
        "counts": _counts(scores, levels),
        **{name: sections.get(name) for name in ("tiles", "scans", "breasts", "patients")},
        "classes": _classes(scores, threshold, draws),
        "froc": None,
        "pointing_game": None,
        "calibration": _calibration(scores, calibration, draws),
        "operating_points": [],
        "called_back": {"rule": CALLED_BACK, **called_back},
        "strata": score_strata(
            (scores.scores, scores.truth), scores.patients, scores.strata, threshold.value, draws
        ),
        "strata_rule": TOO_SMALL_RULE,
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


def _calibration(
    scores: Scores, calibration: Calibration | None, draws: tuple[int, int]
) -> dict[str, Any]:
    """Measure the scores as if they were probabilities, and once more after a calibration."""
    unit, truth, patients = f"{scores.unit}s", scores.truth, scores.patients
    as_given = {"fitted_on": UNFITTED, "meaning": MEANING}
    section = {unit: as_given | probability_section(scores.scores, truth, patients, draws)}
    if calibration is not None:
        made = calibration.probabilities(scores.scores)
        said = {**asdict(calibration), "numbers": calibration.numbers}
        name = f"{unit}, calibrated by {calibration.kind}"
        section[name] = said | probability_section(made, truth, patients, draws)
    return section


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
