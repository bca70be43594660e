"""What an experiment leaves: ``experiment.json`` for its table and its page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mammoscope.formats.files import write_atomic
from mammoscope.tiles.audit.report import read_verdict, set_digest
from mammoscope.tiles.store import TileSet
from mammoscope.training.experiment_claims import (
    Ground,
    checks_of,
    difference,
    mean_interval,
    seeds_interval,
    verdict_of,
)
from mammoscope.training.experiment_outcome import Outcome
from mammoscope.training.experiment_plan import FIGURES, MEASURED, Claim, Experiment
from mammoscope.training.seeds import FEWEST, spread_of

FILE = "experiment.json"
CURVES = ("accuracy", "recall", "auc")
"""Figures of the validation that are drawn epoch by epoch."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """What came of the runs.

    Attributes
    ----------
    outcomes, failed : by the value's word and the seed: what a run left, or why it failed
    """

    tiles: TileSet
    outcomes: Mapping[tuple[str, int], Outcome]
    failed: Mapping[tuple[str, int], str]


def write_record(experiment: Experiment, runs: Runs) -> dict[str, Any]:
    """Check the claims, write ``experiment.json`` and return what it holds."""
    record = record_of(experiment, runs)
    write_atomic(experiment.folder / FILE, json.dumps(record, indent=1, allow_nan=False) + "\n")
    return record


def record_of(experiment: Experiment, runs: Runs) -> dict[str, Any]:
    """Compare the runs and check the claims."""
    settings = experiment.settings
    base = next(iter(experiment.runs.values()))
    seeds = tuple(range(1, settings.seeds + 1))
    ground = Ground(runs.outcomes, seeds, tuple(experiment.runs), base.threshold)
    steps = min(_steps(runs.tiles, one.batch_size) * one.epochs for one in experiment.runs.values())
    return {
        "schema": "mammoscope.experiment/1",
        "name": settings.name,
        "option": experiment.option,
        "values": list(experiment.runs),
        "seeds": list(seeds),
        "metric": settings.metric,
        "network": base.architecture,
        "epochs": base.epochs,
        "steps": steps,
        "threshold": base.threshold,
        "patients": _patients(settings.patients.value, ground),
        "tiles": {
            "recipe": str(runs.tiles.provenance["recipe"]),
            "digest": set_digest(runs.tiles.provenance),
            "audit_verdict": read_verdict(runs.tiles.folder),
        },
        "published": {name: dict(one) for name, one in experiment.published.items()},
        "runs": [_run(ground, runs, word, seed) for word in ground.words for seed in seeds],
        "spreads": {word: _spreads(ground, word) for word in ground.words},
        "differences": _differences(ground, settings.metric),
        "claims": [_claim(one, ground, steps) for one in experiment.claims],
        "notes": list(_notes(experiment, runs)),
    }


def _steps(tiles: TileSet, batch_size: int) -> int:
    """Count the steps of an epoch as the tasks of training count them."""
    return len(tiles.rows_of("train")) // batch_size


def _patients(kind: str, ground: Ground) -> dict[str, Any]:
    outcome = next(iter(ground.outcomes.values()))
    abnormal = outcome.truth
    return {
        "kind": kind,
        "tiles": len(abnormal),
        "abnormal": int(abnormal.sum()),
        "patients": len(set(outcome.patients)),
        "abnormal_patients": len({outcome.patients[i] for i in np.flatnonzero(abnormal)}),
        "majority": float(max(abnormal.mean(), 1 - abnormal.mean())),
    }


def _run(ground: Ground, runs: Runs, word: str, seed: int) -> dict[str, Any]:
    outcome = runs.outcomes.get((word, seed))
    rows = () if outcome is None else outcome.rows
    return {
        "value": word,
        "seed": seed,
        "why": runs.failed.get((word, seed)),
        "seconds": None if outcome is None else outcome.seconds,
        "figures": {name: ground.figure(word, seed, name) for name in FIGURES},
        "curves": {name: [row.get(f"val_{name}") for row in rows] for name in CURVES},
    }


def _spreads(ground: Ground, word: str) -> list[dict[str, Any]]:
    """Spread of each figure over the seeds, and the interval of its mean over patients."""
    told = []
    for name in FIGURES:
        spread = spread_of(name, {s: ground.figure(word, s, name) for s in ground.seeds})
        known = [
            seed
            for seed, value in zip(ground.seeds, spread.values, strict=True)
            if value is not None
        ]
        is_measured = name in MEASURED and bool(known)
        over = mean_interval(ground, word, known, name) if is_measured else None
        numbers = [value for value in spread.values if value is not None]
        told.append({**asdict(spread), "by_seeds": seeds_interval(numbers), "by_patients": over})
    return told


def _differences(ground: Ground, metric: str) -> list[dict[str, Any]]:
    """Compare every two values, the later less the earlier."""
    names = dict.fromkeys((metric, "accuracy", "recall", "precision", "auc"))
    words = ground.words
    return [
        {"figure": name, "first": words[j], "second": words[i]}
        | asdict(difference(ground, words[j], words[i], name))
        for name in names
        for i in range(len(words))
        for j in range(i + 1, len(words))
    ]


def _claim(claim: Claim, ground: Ground, steps: int) -> dict[str, Any]:
    checks = checks_of(claim, ground)
    verdict, why = verdict_of(claim, checks, steps)
    ours = {
        word: spread_of(
            claim.figure, {s: ground.figure(word, s, claim.figure) for s in ground.seeds}
        ).mean
        for word in (
            claim.named if claim.highest is None and claim.lowest is None else ground.words
        )
    }
    return {
        "says": claim.says,
        "source": claim.source,
        "figure": claim.figure,
        "test": _test(claim),
        "paper": claim.paper,
        "ours": ours,
        "verdict": verdict.value,
        "why": why,
        "checks": [asdict(check) for check in checks],
    }


def _test(claim: Claim) -> str:
    """Say how a claim was put."""
    name = claim.figure
    if claim.higher is not None:
        return f"{name} is higher at {claim.higher} than at {claim.than}"
    if claim.highest is not None:
        return f"{name} is highest at {claim.highest}"
    if claim.lowest is not None:
        return f"{name} is lowest at {claim.lowest}"
    side, bound = ("below", claim.below) if claim.below is not None else ("above", claim.above)
    return f"{name} at {claim.at} is {side} {bound:g}"


def _notes(experiment: Experiment, runs: Runs) -> Sequence[str]:
    notes = [
        f"{experiment.option} {word}, seed {seed}, failed and is in no figure: {why}"
        for (word, seed), why in runs.failed.items()
    ]
    silent = [
        f"{word} (seed {seed})"
        for (word, seed), outcome in runs.outcomes.items()
        if len(set((outcome.scores >= experiment.runs[word].threshold).tolist())) == 1
    ]
    if silent:
        notes.append(
            f"These runs call every tile the same at their threshold: {', '.join(silent)}."
        )
    if experiment.settings.seeds < FEWEST:
        notes.append(f"There are fewer than {FEWEST} seeds, so hardly anything can be told.")
    return notes
