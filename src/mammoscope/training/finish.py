"""A finished run's weights with what its folds' outcomes say: operating points, and the card.

Nothing is trained and no scan is opened: the weights stay, their contract is written anew.
"""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import Any

from mammoscope.core.contract import ModelContract
from mammoscope.core.errors import CorruptFileError, MissingFileError, TrainingError
from mammoscope.evaluation.operating_points import BALANCED
from mammoscope.evaluation.outcomes import ScanOutcome, outcome_from_json
from mammoscope.evaluation.summary import summarise
from mammoscope.formats.files import write_atomic
from mammoscope.models.weights import load_model, save_weights
from mammoscope.training.card import RunFacts, card_of
from mammoscope.training.dense_contract import folds_of, operating_points
from mammoscope.training.settings import DenseSettings


def finish(run: Path, settings: DenseSettings, ablation: Sequence[Path] = ()) -> Path:
    """Put the operating points of a run's folds into its weights, and write its card.

    Parameters
    ----------
    run : folder of a finished dense run
    settings : of the run
    ablation : tables of the steps that were tried (CSV), for the card

    Returns
    -------
    Path of the weight file. Beside it, made again: the card ``model.md``, and ``evaluation.json``
    of the same outcomes with all figures that this version knows.

    Raises
    ------
    MissingFileError, CorruptFileError, WeightsError
        When a part of the run is missing or damaged.
    TrainingError
        When the outcomes are not those by which the weights' threshold was chosen.
    """
    path = run / "model.safetensors"
    model = load_model(path)
    outcomes = stored_outcomes(run, settings.folds)
    contract = with_points(model.contract, settings, outcomes)
    # Whatever may be missing must be found out before the weights are written.
    facts = facts_of(run, settings, summary_of(contract, settings, outcomes), ablation)
    text = json.dumps(facts.own, indent=1, allow_nan=False) + "\n"
    write_atomic(run / "evaluation.json", text)
    save_weights(path, model.network, contract)
    whole = replace(facts, digest=hashlib.sha256(path.read_bytes()).hexdigest())
    write_atomic(run / "model.md", card_of(contract, whole))
    return path


def with_points(
    contract: ModelContract, settings: DenseSettings, outcomes: Sequence[ScanOutcome]
) -> ModelContract:
    """Return a contract with the operating points of outcomes; all else stays as it is.

    Raises
    ------
    TrainingError
        When the outcomes give another balanced threshold than the contract has.
    """
    points = operating_points(settings, outcomes)
    balanced = next((point for point in points if point.name == BALANCED), None)
    used = contract.operating_point
    if balanced is None or used is None:
        raise TrainingError(
            "The run has no outcomes of folds, so no threshold can be chosen; train with folds."
        )
    if not isclose(balanced.threshold, used.threshold, abs_tol=1e-9):
        raise TrainingError(
            f"The stored outcomes give the threshold {balanced.threshold:.6f} and the weights have "
            f"{used.threshold:.6f}, so they are not of one run; train again, or give the run's "
            "own settings with --config."
        )
    return replace(contract, operating_point=balanced, operating_points=points)


def stored_outcomes(run: Path, folds: int) -> list[ScanOutcome]:
    """Read the outcomes of every fold of a run.

    Raises
    ------
    MissingFileError
        When a fold has none.
    CorruptFileError
        When one cannot be read.
    TrainingError
        When the folds were trained under different settings.
    """
    outcomes: list[ScanOutcome] = []
    digests = set()
    for fold in range(folds):
        content = _read_json(run / f"fold-{fold}" / "outcomes.json")
        try:
            digests.add(content["settings"])
            outcomes += [outcome_from_json(row) for row in content["outcomes"]]
        except (KeyError, TypeError) as error:
            raise _damaged(run / f"fold-{fold}" / "outcomes.json", error) from error
    if len(digests) > 1:
        raise TrainingError(
            f"{run}: its folds were trained under different settings; train it again."
        )
    return outcomes


def summary_of(
    contract: ModelContract, settings: DenseSettings, outcomes: Sequence[ScanOutcome]
) -> dict[str, Any]:
    """Measure stored outcomes anew: `evaluation.json` of the folds."""
    point = contract.operating_point
    return summarise(
        outcomes,
        seed=settings.seed,
        threshold=point.threshold if point else None,
        calibration=contract.breast_calibration,
        lesion_calibration=contract.calibration,
    )


def facts_of(
    run: Path, settings: DenseSettings, own: Mapping[str, Any], ablation: Sequence[Path]
) -> RunFacts:
    """Collect what a finished run left behind for its card, all but the weights' digest.

    Raises
    ------
    MissingFileError, CorruptFileError
        When a file of the run, or a table, is missing or damaged.
    """
    split = _read_json(run / "split.json")
    foreign = run / "foreign.json"
    named = settings.foreign
    return RunFacts(
        own=own,
        foreign=_read_json(foreign) if named and foreign.exists() else {},
        own_name=f"{folds_of(settings)}, each on patients not trained on",
        foreign_name=f"{named.name}, never trained on" if named else "",
        patients=len(split),
        seconds=training_seconds(run, settings.folds),
        ablation=[row for table in ablation for row in _rows(table)],
    )


def training_seconds(run: Path, folds: int) -> float | None:
    """Add up the seconds of all epochs of a run from its histories; None where one is missing.

    An epoch's seconds are the scans it saw over how many it saw a second.
    """
    sizes = [len(_read_json(run / f"fold-{k}" / "outcomes.json")["outcomes"]) for k in range(folds)]
    total = 0.0
    for name, held_out in [("final", 0), *((f"fold-{k}", n) for k, n in enumerate(sizes))]:
        history = run / name / "history.json"
        if not history.exists():
            return None
        try:
            rates = [float(epoch["per_second"]) for epoch in _read_json(history)]
            total += sum((sum(sizes) - held_out) / rate for rate in rates)
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise _damaged(history, error) from error
    return total


def _rows(path: Path) -> list[Mapping[str, str]]:
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such table; leave out --ablation.")
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            {key: value or "" for key, value in row.items() if key}
            for row in csv.DictReader(stream)
        ]


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise MissingFileError(f"{path}: this part of the run is missing; let the run end first.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CorruptFileError:
    return CorruptFileError(
        f"{path}: no whole part of a run ({error}); delete it and train on in the same folder."
    )
