"""How far probabilities mean what they say: Brier score, calibration error, reliability bins."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.core.contract import Calibration
from mammoscope.core.vocabulary import Pathology
from mammoscope.evaluation.brier import brier_parts, brier_values
from mammoscope.evaluation.hits import hits
from mammoscope.evaluation.intervals import (
    TAILS,
    Array,
    Draws,
    Figure,
    Statistic,
    bootstrap,
    divided,
    draw,
    few_patients,
    figure_of,
    weighted_mean,
)
from mammoscope.evaluation.outcomes import ScanOutcome
from mammoscope.evaluation.units import units

Judgement = tuple[str, float, bool]
"""Patient, raw malignancy score, whether it was malignant."""

BINS = 10
BIASED = "95 % bootstrap over patients, lower end freed of the bias of binning"


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability diagram: its n units' mean probability and share of positives.

    `low` and `high` are the 95 % interval of the share over patients, of whom the bin holds
    `n_patients`; None where it was not asked for or there are too few.
    """

    mean_probability: float
    share_positive: float
    n: int
    low: float | None = None
    high: float | None = None
    n_patients: int | None = None


def equal_mass_bins(probabilities: ArrayLike, bins: int = BINS) -> NDArray[np.intp]:
    """Return the bin of each unit, shape (units,): as many units in each as ties allow.

    Equal probabilities always share a bin, so bins may be uneven or empty; one that lies on the
    border of two bins belongs to the upper.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    edges = np.quantile(values, np.arange(1, bins) / bins)
    return np.searchsorted(edges, values, side="right")


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS) -> list[Bin]:
    """Return the non-empty bins of a reliability diagram, lowest first."""
    values = np.asarray(probabilities, dtype=np.float64)
    positive = np.asarray(labels, dtype=bool)
    places = equal_mass_bins(values, bins)
    return [
        Bin(
            float(values[places == place].mean()),
            float(positive[places == place].mean()),
            int((places == place).sum()),
        )
        for place in np.unique(places)
    ]


def reliability_with_intervals(
    probabilities: ArrayLike, labels: ArrayLike, patients: Sequence[str], draws: tuple[int, int]
) -> list[Bin]:
    """Return the non-empty bins of a reliability diagram with intervals, lowest first.

    Parameters
    ----------
    draws : number of resamples (at least 40), and seed
    """
    positive = np.asarray(labels, dtype=np.float64)
    places = equal_mass_bins(probabilities)
    belongs = np.eye(BINS)[places]
    counted = belongs * positive[:, None]
    resamples, seed = draws
    drawn = draw(
        lambda weights: divided(weights @ counted, weights @ belongs),
        patients,
        resamples,
        np.random.default_rng(seed),
    )
    bins = []
    for place, plain in zip(np.unique(places), reliability(probabilities, labels), strict=True):
        inside = {patients[int(unit)] for unit in np.flatnonzero(places == place)}
        one = Draws(drawn.values[place], drawn.samples[:, place], drawn.left_out[:, place])
        figure = figure_of(one, n=plain.n, n_patients=len(inside), is_share=True)
        low, high = (None if isnan(end) else end for end in (figure.low, figure.high))
        bins.append(replace(plain, low=low, high=high, n_patients=len(inside)))
    return bins


def calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Statistic:
    """Return the expected calibration error as a function of weights.

    The distance between mean probability and share of positives in each equal-mass bin (Naeini et
    al. 2015), averaged over units. The bins stay those of the whole sample in every resample.
    """
    gaps = np.asarray(probabilities, dtype=np.float64) - np.asarray(labels, dtype=bool)
    places = equal_mass_bins(probabilities, bins)
    belongs = np.eye(bins)[places]

    def statistic(weights: Array) -> Array:
        return divided(np.abs((weights * gaps) @ belongs).sum(axis=1), weights.sum(axis=1))

    return statistic


def errors_if_calibrated(
    probabilities: ArrayLike, patients: Sequence[str], resamples: int, rng: np.random.Generator
) -> Array:
    """Return calibration errors, shape (resamples,), of labels drawn from the probabilities.

    A perfect model's binned error is not 0 but one of these. The units of a patient share one
    random number, as views of one lesion share their truth.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    names, codes = np.unique(np.asarray(patients), return_inverse=True)
    drawn = rng.random((resamples, len(names)))[:, codes] < values
    belongs = np.eye(BINS)[equal_mass_bins(values)]
    return np.asarray(np.abs((values - drawn) @ belongs).sum(axis=1) / len(values))


def calibration_error_figure(
    probabilities: ArrayLike, labels: ArrayLike, patients: Sequence[str], draws: tuple[int, int]
) -> Figure:
    """Measure the expected calibration error, with an interval that allows for its bias.

    Chance alone makes every bin's gap positive, in the sample and once more in each resample. So
    the lower end is reflected (2 x value - upper percentile), and is 0 where the value is no
    larger than 97.5 % of those of a perfect model.

    Parameters
    ----------
    draws : number of resamples, and seed
    """
    resamples, seed = draws
    rng = np.random.default_rng(seed)
    drawn = draw(calibration_error(probabilities, labels), patients, resamples, rng)
    value, high = float(drawn.values), float(np.quantile(drawn.samples, TAILS[1]))
    by_chance = errors_if_calibrated(probabilities, patients, resamples, rng)
    is_beyond_chance = value > np.quantile(by_chance, TAILS[1])
    low = max(0.0, 2 * value - high) if is_beyond_chance else 0.0
    n_patients = len(set(patients))
    return Figure(
        value,
        min(low, value),
        max(high, value),
        len(patients),
        n_patients,
        BIASED,
        few_patients(n_patients),
    )


def found_lesions(outcomes: Sequence[ScanOutcome]) -> list[Judgement]:
    """Return each proven finding that a peak hits, with the malignancy of its best peak."""
    judgements = []
    for outcome in outcomes:
        done: set[int] = set()
        for peak in outcome.peaks:
            for position in set(hits(outcome, peak)) - done:
                pathology = (outcome.findings or ())[position].pathology
                if pathology is not None:
                    is_malignant = pathology is Pathology.MALIGNANT
                    judgements.append((outcome.patient_id, peak.malignancy, is_malignant))
                done.add(position)
    return judgements


def calibration_section(
    outcomes: Sequence[ScanOutcome],
    calibrations: tuple[Calibration | None, Calibration | None],
    resamples: int,
    seed: int,
) -> dict[str, Any] | None:
    """Return the `calibration` section of `evaluation.json`, None without any calibration.

    Parameters
    ----------
    calibrations : of breasts, measured on those with a proven finding; and of lesions, measured
        on proven findings that a peak hits
    """
    breasts = [
        (unit.patient_id, unit.malignancy, bool(unit.is_malignant))
        for unit in units(outcomes, lambda outcome: outcome.breast_id)
        if unit.is_malignant is not None
    ]
    of_breasts, of_lesions = calibrations
    section = {
        "breasts": _measured(breasts, of_breasts, resamples, seed),
        "lesions": _measured(found_lesions(outcomes), of_lesions, resamples, seed),
    }
    return section if any(section.values()) else None


def probability_section(
    probabilities: ArrayLike, labels: ArrayLike, patients: Sequence[str], draws: tuple[int, int]
) -> dict[str, Any]:
    """Measure how far probabilities mean what they say, as `evaluation.json` holds it.

    Parameters
    ----------
    probabilities : shape (units,), in [0, 1]
    labels : shape (units,), True for the positive class
    patients : patient of each unit
    draws : number of resamples (at least 40), and seed

    Returns
    -------
    dict
        `bins` (their rule), `brier` and its parts, `ece`, `ece_if_calibrated` (what a perfect model
        would show on as many units, by chance alone) and `reliability` (the bins).

    Raises
    ------
    ValueError
        When there is no unit or a probability lies outside [0, 1].
    """
    values, positive = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=bool)
    if not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("probabilities must lie in [0, 1], and there must be one")
    resamples, seed = draws
    brier = bootstrap(
        weighted_mean(brier_values(values, positive)),
        patients,
        resamples,
        np.random.default_rng(seed),
    )
    by_chance = errors_if_calibrated(values, patients, resamples, np.random.default_rng(seed))
    parts = brier_parts(values, positive, equal_mass_bins(values), patients, draws)
    return {
        "bins": f"{BINS} of equal mass",
        "brier": brier.to_json(),
        "brier_parts": {name: figure.to_json() for name, figure in parts.items()},
        "ece": calibration_error_figure(values, positive, patients, draws).to_json(),
        "ece_if_calibrated": float(by_chance.mean()),
        "reliability": [
            asdict(group) for group in reliability_with_intervals(values, positive, patients, draws)
        ],
    }


def _measured(
    judgements: Sequence[Judgement], calibration: Calibration | None, resamples: int, seed: int
) -> dict[str, Any] | None:
    if calibration is None or not judgements:
        return None
    patients, scores, labels = zip(*judgements, strict=True)
    said = {
        "kind": calibration.kind,
        "numbers": calibration.numbers,
        "fitted_on": calibration.fitted_on,
        "meaning": calibration.meaning,
    }
    probabilities = calibration.probabilities(scores)
    return said | probability_section(probabilities, labels, patients, (resamples, seed))
