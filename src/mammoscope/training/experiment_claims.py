"""Whether what a paper says holds in runs with several seeds, by one rule for every claim.

A difference is taken seed by seed, both runs with the same seed, and asked two questions. Would
other seeds show it? The 95 % t interval of its mean over the seeds answers that. Would other
patients? The 95 % BCa bootstrap over patients of the mean over the seeds' runs does. The claim held
where both intervals lie above 0, did not hold where both lie at or below it, and cannot be told
otherwise. The two are asked apart because seeds and patients are drawn apart; joining them to one
interval would need a model of how they work together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy.stats import t as student

from mammoscope.evaluation.intervals import Array, Statistic, draw, figure_of
from mammoscope.evaluation.metrics import curve_measures, threshold_measures
from mammoscope.training.experiment_outcome import Outcome
from mammoscope.training.experiment_plan import VOLATILITY, Claim

RESAMPLES = 1000
LEAST_SEEDS = 2
LEAST_EPOCHS = 3
SHARES = ("accuracy", "recall", "specificity", "precision")
Interval = tuple[float, float]


class Verdict(StrEnum):
    """What became of a claim."""

    HELD = "held"
    FAILED = "did not hold"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One quantity that a claim says is above 0.

    Attributes
    ----------
    what : in words, such as "recall at 6 less that at 2"
    by_seed : the quantity with each seed; None where it is undefined or a run failed
    mean : over the seeds there are
    seeds : 95 % t interval of the mean over seeds; None with fewer than 2
    patients : 95 % interval over patients of that mean; None where there is none
    why : it cannot be told, or None
    """

    what: str
    by_seed: tuple[float | None, ...]
    mean: float | None
    seeds: Interval | None
    patients: Interval | None
    verdict: Verdict
    why: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The runs that claims are checked on.

    Attributes
    ----------
    outcomes : by the value's word and the seed; all of the same tiles in the same order
    seeds : in order
    threshold : a tile is called abnormal at a score of at least this
    """

    outcomes: Mapping[tuple[str, int], Outcome]
    seeds: tuple[int, ...]
    words: tuple[str, ...]
    threshold: float

    def figure(self, word: str, seed: int, name: str) -> float | None:
        """Compute a figure of one run; None where the run failed or it is undefined."""
        outcome = self.outcomes.get((word, seed))
        if outcome is None:
            return None
        if name == VOLATILITY:
            return volatility(outcome.rows)
        every = np.ones((1, len(outcome.truth)))
        return _finite(float(statistic_of(name, outcome, self.threshold)(every)[0]))

    def patients(self) -> tuple[str, ...]:
        """Name the patient of each tile."""
        return next(iter(self.outcomes.values())).patients

    def mean_statistic(self, word: str, seeds: Sequence[int], name: str) -> Statistic:
        """Return the statistic "mean over these seeds of a figure"."""
        parts = [statistic_of(name, self.outcomes[word, seed], self.threshold) for seed in seeds]

        def statistic(weights: Array) -> Array:
            mean: Array = np.mean([part(weights) for part in parts], axis=0)
            return mean

        return statistic


def statistic_of(name: str, outcome: Outcome, threshold: float) -> Statistic:
    """Return a figure of `mammoscope.evaluation.metrics` by its name as a statistic of one run."""
    scores, truth = outcome.scores, outcome.truth
    for measure in (*threshold_measures(scores, truth, threshold), *curve_measures(scores, truth)):
        names = [told.name for told in measure.told]
        if name in names:
            place, whole = names.index(name), measure.statistic
            return lambda weights: whole(weights)[:, place]
    raise ValueError(f"there is no figure {name!r}")


def volatility(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Mean change of the validation accuracy from an epoch to the next; None below 3 epochs."""
    known = [row["val_accuracy"] for row in rows if row.get("val_accuracy") is not None]
    if len(known) < LEAST_EPOCHS:
        return None
    return float(np.abs(np.diff(known)).mean())


def checks_of(claim: Claim, ground: Ground) -> list[Check]:
    """Check every quantity that a claim says is above 0."""
    name = claim.figure
    if claim.higher is not None and claim.than is not None:
        return [difference(ground, claim.higher, claim.than, name)]
    if (best := claim.highest) is not None:
        return [difference(ground, best, one, name) for one in ground.words if one != best]
    if (least := claim.lowest) is not None:
        return [difference(ground, one, least, name) for one in ground.words if one != least]
    assert claim.at is not None
    return [distance(ground, claim.at, name, below=claim.below, above=claim.above)]


def verdict_of(claim: Claim, checks: Sequence[Check], steps: int) -> tuple[Verdict, str | None]:
    """Join the checks of a claim: one that fails fails it, and all must hold for it to hold.

    Parameters
    ----------
    steps : of training that the shortest run had

    Returns
    -------
    The verdict, and why it cannot be told, or None
    """
    if steps < claim.from_step:
        return Verdict.UNKNOWN, (
            f"the paper saw it from step {claim.from_step:,} on, and these runs had {steps:,}"
        )
    verdicts = [check.verdict for check in checks]
    if Verdict.FAILED in verdicts:
        return Verdict.FAILED, None
    if all(one is Verdict.HELD for one in verdicts):
        return Verdict.HELD, None
    return Verdict.UNKNOWN, next(check.why for check in checks if check.why is not None)


def difference(ground: Ground, first: str, second: str, name: str) -> Check:
    """Check that a figure is higher at the first value than at the second, seed by seed."""
    pairs = [(ground.figure(first, s, name), ground.figure(second, s, name)) for s in ground.seeds]
    by_seed = tuple(None if a is None or b is None else a - b for a, b in pairs)
    what = f"{name} at {first} less that at {second}"
    if name == VOLATILITY:
        return _check(what, by_seed, None, needs_patients=False)
    seeds = [s for s, value in zip(ground.seeds, by_seed, strict=True) if value is not None]
    interval = None
    if seeds:
        one = ground.mean_statistic(first, seeds, name)
        other = ground.mean_statistic(second, seeds, name)
        interval = _patients(ground, lambda weights: one(weights) - other(weights))
    return _check(what, by_seed, interval, needs_patients=True)


def distance(
    ground: Ground, word: str, name: str, *, below: float | None, above: float | None
) -> Check:
    """Check that a figure lies below a number, or above one."""
    bound, sign = (below, -1) if below is not None else (above, 1)
    assert bound is not None
    values = {seed: ground.figure(word, seed, name) for seed in ground.seeds}
    by_seed = tuple(None if one is None else sign * (one - bound) for one in values.values())
    what = f"how far {name} at {word} lies {'below' if sign < 0 else 'above'} {bound:g}"
    if name == VOLATILITY:
        return _check(what, by_seed, None, needs_patients=False)
    seeds = [seed for seed, one in values.items() if one is not None]
    found = mean_interval(ground, word, seeds, name) if seeds else None
    interval = None
    if found is not None:
        ends = sorted(sign * (end - bound) for end in found)
        interval = (ends[0], ends[1])
    return _check(what, by_seed, interval, needs_patients=True)


def mean_interval(ground: Ground, word: str, seeds: Sequence[int], name: str) -> Interval | None:
    """Interval over patients of a figure's mean over the seeds' runs."""
    statistic = ground.mean_statistic(word, seeds, name)
    return _patients(ground, statistic, is_share=name in SHARES, name=name)


def _patients(
    ground: Ground, statistic: Statistic, *, is_share: bool = False, name: str = ""
) -> Interval | None:
    patients = ground.patients()
    draws = draw(statistic, patients, RESAMPLES, np.random.default_rng(0))
    samples = draws.samples[np.isfinite(draws.samples)]
    if not is_share and len(samples) == len(draws.samples) and samples.min() == samples.max():
        # Runs that answer alike on every patient: no choice of patients moves the difference.
        return float(samples[0]), float(samples[0])
    truth = next(iter(ground.outcomes.values())).truth
    # A recall of 1 rests on the abnormal tiles' patients alone.
    who = [p for p, so in zip(patients, truth, strict=True) if so or name != "recall"]
    figure = figure_of(draws, n=len(who), n_patients=len(set(who)), is_share=is_share)
    return None if math.isnan(figure.low) else (figure.low, figure.high)


def seeds_interval(values: Sequence[float]) -> Interval | None:
    """95 % t interval of the mean of some values; None with fewer than 2.

    Parameters
    ----------
    values : finite, one a seed
    """
    count = len(values)
    if count < LEAST_SEEDS:
        return None
    mean = float(np.mean(values))
    half = float(student.ppf(0.975, count - 1) * np.std(values, ddof=1) / math.sqrt(count))
    return mean - half, mean + half


def decide(intervals: Sequence[Interval]) -> Verdict:
    """Apply the rule: held above 0 by all intervals, not held at or below 0 by all."""
    if intervals and all(low > 0 for low, _ in intervals):
        return Verdict.HELD
    if intervals and all(high <= 0 for _, high in intervals):
        return Verdict.FAILED
    return Verdict.UNKNOWN


def _check(
    what: str,
    by_seed: tuple[float | None, ...],
    patients: Interval | None,
    *,
    needs_patients: bool,
) -> Check:
    known = [value for value in by_seed if value is not None]
    seeds = seeds_interval(known)
    verdict, why = Verdict.UNKNOWN, None
    if seeds is None:
        why = f"{what}: known of {len(known)} seeds, and 2 are the least"
    elif needs_patients and patients is None:
        why = f"{what}: there is no interval over patients"
    else:
        verdict = decide([seeds] if patients is None else [seeds, patients])
        if verdict is Verdict.UNKNOWN:
            why = _why(len(known), seeds, patients)
    return Check(
        what=what,
        by_seed=by_seed,
        mean=float(np.mean(known)) if known else None,
        seeds=seeds,
        patients=patients,
        verdict=verdict,
        why=why,
    )


def _why(count: int, seeds: Interval, patients: Interval | None) -> str:
    """Say which of the intervals do not settle it."""
    open_ones = [
        word
        for word, interval in ((f"{count} seeds", seeds), ("these patients", patients))
        if interval is not None and decide([interval]) is Verdict.UNKNOWN
    ]
    if not open_ones:
        return "seeds and patients point to opposite sides"
    return f"{' and '.join(open_ones)} are too few: other ones could turn it round"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
