"""A whole run of the paper's network: tiles from an archive, training, the test by patient."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import mammoscope
from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive
from mammoscope.archives.splits import folds, split_digest
from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.vocabulary import Split
from mammoscope.evaluation.intervals import bootstrap, weighted_mean
from mammoscope.evaluation.roc import auc_statistic
from mammoscope.formats.files import write_atomic
from mammoscope.models import zoo
from mammoscope.models.weights import save_weights
from mammoscope.scans.load import load
from mammoscope.tiles.recipe9 import SCALE, Tile, mias_tiles
from mammoscope.tiles.store import TileSet, load_tiles, write_tiles
from mammoscope.training.loop import Plan, fit
from mammoscope.training.settings import ArchiveSettings
from mammoscope.training.tile_task import TileTask, abnormal_scores, is_abnormal, staircase

PARTS = 10
"""One part of ten patients is for the test, one for validation, as the paper divides (80/10/10)."""
RESAMPLES = 1000

Show = Callable[[int, str], AbstractContextManager[Callable[[str], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOptimiser:
    """Adam with the paper's staircase: `decay` every `epochs_a_stair` epochs."""

    learning_rate: float = 1e-3
    decay: float = 0.8
    epochs_a_stair: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSettings:
    """A run of a network on recipe-9 tiles of mini-MIAS, split by patient."""

    name: str
    archive: ArchiveSettings
    task: str = "tiles"
    version: str = "1"
    architecture: str = "1.0.0.35"
    seed: int = 0
    epochs: int = 20
    batch_size: int = 32
    positive_weight: float = 2.0
    radius_as_side: bool = True
    optimiser: PaperOptimiser = field(default_factory=PaperOptimiser)


def train_tiles(settings: TileSettings, digest: str, out: Path, show: Show) -> Path:
    """Build the tiles where they are not there yet, train, test, and write weights with a contract.

    Returns
    -------
    Path of the weight file; ``evaluation.json`` beside it holds the figures on the test patients.
    """
    out.mkdir(parents=True, exist_ok=True)
    archive = open_archive(settings.archive.name, Path(settings.archive.folder))
    split_of = _split(archive, settings.seed)
    tiles = _tiles(archive, settings, split_of, out / "tiles", show)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = zoo.channels_last(zoo.build(settings.architecture))
        task = TileTask(
            tiles=tiles,
            training=tiles.rows_of(Split.TRAIN),
            validation=tiles.rows_of(Split.VALIDATION),
            batch_size=settings.batch_size,
            positive_weight=settings.positive_weight,
            seed=settings.seed,
        )
        optimiser = torch.optim.Adam(network.parameters(), lr=settings.optimiser.learning_rate)
        fit(network, task, optimiser, _plan(settings, task), out / "run", digest=digest, show=show)
    figures = measure(tiles, network, settings.seed)
    write_atomic(out / "evaluation.json", json.dumps(figures, indent=1, allow_nan=False) + "\n")
    path = out / "model.safetensors"
    save_weights(path, network, _contract(settings, figures, split_digest(split_of)))
    return path


def _split(archive: Archive, seed: int) -> dict[str, str]:
    """Split of each patient: a tenth each for test and validation, strata by the worst finding."""
    worst: dict[str, str] = {}
    for scan in archive.scans():
        worst[scan.patient_id] = max(worst.get(scan.patient_id, ""), str(scan.pathology or ""))
    part_of = folds(worst, PARTS, seed)
    parts = {0: Split.TEST, 1: Split.VALIDATION}
    return {patient: parts.get(part, Split.TRAIN) for patient, part in part_of.items()}


def _tiles(
    archive: Archive, settings: TileSettings, split_of: Mapping[str, str], folder: Path, show: Show
) -> TileSet:
    wanted = {
        "recipe": "9",
        "archive": archive.name,
        "seed": str(settings.seed),
        "radius_as_side": str(settings.radius_as_side),
        "split": split_digest(dict(split_of)),
    }
    if folder.exists():
        found = load_tiles(folder)
        if {key: found.provenance.get(key) for key in wanted} == wanted:
            return found
    tiles: list[Tile] = []
    with show(len(archive.scans()), "tiles") as step:
        for position, scan in enumerate(archive.scans()):
            rng = np.random.default_rng((settings.seed, position))
            image = np.asarray(load(scan).image, dtype=np.uint8)
            tiles += mias_tiles(image, scan, rng, radius_as_side=settings.radius_as_side)
            step("")
    write_tiles(folder, tiles, split_of, wanted)
    return load_tiles(folder)


def _plan(settings: TileSettings, task: TileTask) -> Plan:
    o = settings.optimiser

    def rate(step: int) -> float:
        return staircase(step, task.steps_per_epoch, o.epochs_a_stair, o.decay)

    return Plan(epochs=settings.epochs, rate=rate)


def measure(tiles: TileSet, network: torch.nn.Module, seed: int) -> dict[str, Any]:
    """Measure a network on the test patients' tiles, the majority baseline beside the accuracy."""
    rows: NDArray[np.intp] = tiles.rows_of(Split.TEST)
    truth, scores = is_abnormal(tiles, rows), abnormal_scores(network, tiles, rows)
    patients = tiles.table["patient_id"].to_numpy()[rows].tolist()
    right = (scores > 0.5) == truth
    baseline = truth == (truth.mean() > 0.5)
    found = np.flatnonzero(truth)

    def share(values: NDArray[np.bool_], who: list[str]) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        statistic = weighted_mean(values.astype(np.float64))
        return dict(bootstrap(statistic, who, RESAMPLES, rng, is_share=True).to_json())

    rng = np.random.default_rng(seed)
    return {
        "schema": "mammoscope.evaluation/1",
        "counts": {
            "tiles": len(rows),
            "abnormal": int(truth.sum()),
            "patients": len(set(patients)),
        },
        "tiles": {
            "accuracy": share(right, patients),
            "majority_baseline": share(baseline, patients),
            "recall": share(right[found], [patients[i] for i in found]),
            "auc": bootstrap(auc_statistic(scores, truth), patients, RESAMPLES, rng).to_json(),
        },
    }


def _contract(settings: TileSettings, figures: Mapping[str, Any], split: str) -> ModelContract:
    return ModelContract(
        name=settings.name,
        version=settings.version,
        architecture=settings.architecture,
        input=InputSpec(
            # mini-MIAS has 0.2 mm a pixel, and its scans are enlarged by the recipe's factor.
            spacing_mm=0.2 / SCALE,
            grey_rule="as-stored",
            grey_numbers={"divisor": 255.0},
            orientation="as-acquired",
        ),
        output=OutputSpec(targets=("normal", "abnormal"), activation="softmax"),
        origin={
            "archives": settings.archive.name,
            "split": split,
            "settings": json.dumps(asdict(settings), sort_keys=True),
            "code": f"mammoscope {mammoscope.__version__}",
            "licence": "mini-MIAS: research use, no redistribution of the scans",
        },
        figures={
            f"{settings.archive.name}, test patients: {k}": v for k, v in figures["tiles"].items()
        },
        limits=(
            "Research software, not a medical device: not for diagnosis.",
            "A network for tiles of the paper's recipe 9, not for whole scans.",
        ),
    )
