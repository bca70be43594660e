"""A whole run of a dense network: the final model, the folds that measure it, its contract."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mammoscope.archives.open import open_archive
from mammoscope.archives.splits import folds as assign_folds
from mammoscope.archives.splits import split_digest
from mammoscope.core.contract import OutputSpec
from mammoscope.core.records import Scan
from mammoscope.evaluation.calibrate import choose_threshold
from mammoscope.evaluation.outcomes import ScanOutcome, outcome_from_json, outcome_to_json
from mammoscope.evaluation.summary import summarise
from mammoscope.formats.files import write_atomic
from mammoscope.models import dense, zoo
from mammoscope.models.lite0 import Lite0, hold_early_layers
from mammoscope.models.transfer import load_features
from mammoscope.models.weights import save_weights
from mammoscope.training.average import make_average
from mammoscope.training.card import card_of
from mammoscope.training.dense_contract import (
    Measured,
    breast_calibration,
    finish_contract,
    folds_of,
)
from mammoscope.training.dense_data import DenseSample, make_samples
from mammoscope.training.dense_task import DenseTask, outcome_of
from mammoscope.training.descriptors import DescribingDense
from mammoscope.training.loop import Plan, fit
from mammoscope.training.settings import DenseSettings

OUTPUT = OutputSpec(
    targets=dense.TARGETS, activation="sigmoid", stride_px=dense.STRIDE_PX, also_upside_down=True
)

Show = Callable[[int, str], AbstractContextManager[Callable[[str], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseRun:
    """What stays the same through a run."""

    settings: DenseSettings
    digest: str
    folder: Path
    show: Show


def train_dense(settings: DenseSettings, digest: str, out: Path, show: Show) -> Path:
    """Train the final model and its folds, measure them, and write weights with their contract.

    Every part that is done already (a checkpoint, a fold's outcomes) is taken from `out`.

    Parameters
    ----------
    settings : the run's settings
    digest : of the settings, so that parts made under others are refused
    out : the run's folder
    show : makes a progress bar, see `mammoscope.training.loop.fit`

    Returns
    -------
    Path of the weight file. Beside it: the model's card ``model.md``, ``evaluation.json`` with the
    cross-validated figures, ``foreign.json`` with those on the foreign archive (and its outcomes,
    ``foreign-outcomes.json``), ``split.json``.
    """
    run = DenseRun(settings=settings, digest=digest, folder=out, show=show)
    spec = settings.input.spec()
    archive = open_archive(settings.archive.name, Path(settings.archive.folder))
    samples = samples_of(archive.scans(), run, "scans of the archive")
    network = trained(run, samples, "final")
    fold_of = folds_by_patient(samples, settings)
    outcomes = [o for k in range(settings.folds) for o in fold_outcomes(run, samples, fold_of, k)]
    own = _measured(outcomes, settings, out / "evaluation.json")
    foreign = _foreign(run, network, own.threshold)
    contract = finish_contract(settings, (spec, OUTPUT), own, foreign, split_digest(fold_of))
    write_atomic(out / "split.json", json.dumps(fold_of, indent=0, sort_keys=True) + "\n")
    path = out / "model.safetensors"
    save_weights(path, network, contract)
    write_atomic(out / "model.md", card_of(contract))
    return path


def samples_of(scans: Sequence[Scan], run: DenseRun, title: str) -> list[DenseSample]:
    """Load and prepare scans as the run's network will see them."""
    with run.show(len(scans), title) as step:
        return make_samples(scans, run.settings.input.spec(), lambda: step(""))


def folds_by_patient(samples: Sequence[DenseSample], settings: DenseSettings) -> dict[str, int]:
    """Folds by patient, strata by the gravest pathology of the patient."""
    if settings.folds == 0:
        return {}
    worst: dict[str, str] = {}
    for sample in samples:
        patient, now = sample.scan.patient_id, str(sample.scan.pathology or "")
        # Alphabetical order happens to put BENIGN before MALIGNANT.
        worst[patient] = max(worst.get(patient, ""), now)
    return assign_folds(worst, settings.folds, settings.seed)


def fold_outcomes(
    run: DenseRun, samples: Sequence[DenseSample], fold_of: dict[str, int], fold: int
) -> list[ScanOutcome]:
    """Ask a fold's network about the patients it did not see; kept in the fold's folder."""
    stored = run.folder / f"fold-{fold}" / "outcomes.json"
    if stored.exists():
        content = json.loads(stored.read_text(encoding="utf-8"))
        if content["settings"] == run.digest:
            return [outcome_from_json(row) for row in content["outcomes"]]
    apart = [s for s in samples if fold_of[s.scan.patient_id] == fold]
    rest = [s for s in samples if fold_of[s.scan.patient_id] != fold]
    network = trained(run, rest, f"fold-{fold}", apart)
    outcomes = [outcome_of(network, OUTPUT, sample) for sample in apart]
    store_outcomes(stored, outcomes, run.digest)
    return outcomes


def store_outcomes(path: Path, outcomes: Sequence[ScanOutcome], digest: str) -> None:
    """Write outcomes with the digest of the settings that they were made under."""
    rows = [outcome_to_json(outcome) for outcome in outcomes]
    write_atomic(path, json.dumps({"settings": digest, "outcomes": rows}) + "\n")


def _task(
    settings: DenseSettings, training: Sequence[DenseSample], validation: Sequence[DenseSample]
) -> DenseTask:
    return DenseTask(
        training=training,
        validation=validation,
        output=OUTPUT,
        augmentation=settings.augmentation,
        batch_size=settings.batch_size,
        malignant_weight=settings.malignant_weight,
        words_weight=settings.words_weight,
        seed=settings.seed,
    )


def trained(
    run: DenseRun,
    training: Sequence[DenseSample],
    name: str,
    validation: Sequence[DenseSample] = (),
) -> nn.Module:
    """Train a network from where it starts, or take it up from its checkpoint."""
    with torch.random.fork_rng():
        torch.manual_seed(run.settings.seed)
        network = _starting_network(run.settings)
        # Its head is made after the network's own, which is so the same with and without it.
        whole = DescribingDense(network) if run.settings.words_weight else network
        task = _task(run.settings, training, validation)
        plan = _plan(run.settings, task.steps_per_epoch, whole)
        optimiser = _optimiser(whole, network.features, run.settings)
        fit(whole, task, optimiser, plan, run.folder / name, digest=run.digest, show=run.show)
    return network.eval()


def _starting_network(settings: DenseSettings) -> dense.DenseLite0 | dense.DenseTileNet:
    """Make the network as training finds it: with ImageNet features, or all of it random."""
    network = dense.ARCHITECTURES[settings.architecture]()
    if isinstance(network.features, Lite0):
        load_features(network.features)
        if settings.hold_early_layers:
            hold_early_layers(network.features)
    return zoo.channels_last(network)


def _optimiser(
    network: nn.Module, features_of: nn.Module, settings: DenseSettings
) -> torch.optim.AdamW:
    """Let features that know something already learn more slowly than what is new."""
    known = {id(parameter) for parameter in features_of.parameters()}
    features = [p for p in features_of.parameters() if p.requires_grad]
    head = [p for p in network.parameters() if id(p) not in known]
    rate = settings.optimiser.learning_rate
    factor = settings.optimiser.features_factor if settings.is_from_imagenet else 1.0
    groups: list[dict[str, Any]] = [
        {"params": features, "lr": rate * factor},
        {"params": head, "lr": rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=settings.optimiser.weight_decay)


def _plan(settings: DenseSettings, steps_per_epoch: int, network: nn.Module) -> Plan:
    total = settings.epochs * steps_per_epoch
    warm_up = settings.optimiser.warm_up_steps

    def rate(step: int) -> float:
        rise = min(1.0, (step + 1) / warm_up) if warm_up else 1.0
        return float(rise * 0.5 * (1 + np.cos(np.pi * step / total)))

    return Plan(
        epochs=settings.epochs,
        rate=rate,
        clip_norm=settings.optimiser.clip_norm,
        autocast=settings.precision.autocast,
        average=make_average(network, settings.average),
    )


def _measured(outcomes: list[ScanOutcome], settings: DenseSettings, path: Path) -> Measured:
    if not outcomes:
        return Measured()
    threshold = choose_threshold(outcomes, settings.false_positives_per_scan)
    calibration = breast_calibration(outcomes, folds_of(settings))
    summary = summarise(outcomes, seed=settings.seed, threshold=threshold, calibration=calibration)
    write_atomic(path, json.dumps(summary, indent=1, allow_nan=False) + "\n")
    return Measured(outcomes=outcomes, summary=summary, threshold=threshold)


def _foreign(run: DenseRun, network: nn.Module, threshold: float | None) -> dict[str, Any]:
    """Measure the final network on an archive that it was never trained on."""
    settings = run.settings.foreign
    if settings is None:
        return {}
    archive = open_archive(settings.name, Path(settings.folder))
    samples = samples_of(archive.scans(), run, f"scans of {settings.name}")
    outcomes = [outcome_of(network, OUTPUT, sample) for sample in samples]
    store_outcomes(run.folder / "foreign-outcomes.json", outcomes, run.digest)
    summary = summarise(outcomes, seed=run.settings.seed, threshold=threshold)
    write_atomic(run.folder / "foreign.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    return summary
