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
from rich.console import Console

import mammoscope
from mammoscope.archives.open import open_archive
from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.errors import ArchiveError, TrainingError
from mammoscope.core.vocabulary import Split
from mammoscope.evaluation.intervals import bootstrap, weighted_mean
from mammoscope.evaluation.roc import auc_statistic
from mammoscope.formats.files import write_atomic
from mammoscope.models import zoo
from mammoscope.models.weights import save_weights
from mammoscope.tiles.audit.report import read_verdict, set_digest
from mammoscope.tiles.build import BuildPlan, carry_out, read_report
from mammoscope.tiles.cutting import Crew
from mammoscope.tiles.paper_recipes import MIAS_SCALE
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.store import TileSet
from mammoscope.training.loop import Plan, fit
from mammoscope.training.settings import ArchiveSettings
from mammoscope.training.tile_task import TileTask, abnormal_scores, is_abnormal, staircase

RECIPE = "9"
ARCHITECTURES = ("1.0.0.35",)
RESAMPLES = 1000

Show = Callable[[int, str], AbstractContextManager[Callable[[str], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOptimiser:
    """Adam with the paper's staircase: `decay` every `epochs_a_stair` epochs."""

    learning_rate: float = 1e-3
    decay: float = 0.8
    epochs_a_stair: int = 5

    def __post_init__(self) -> None:
        if not (self.learning_rate > 0 and 0 < self.decay <= 1 and self.epochs_a_stair > 0):
            raise ValueError(
                "learning_rate and epochs_a_stair must be above 0, and decay in (0, 1]"
            )


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

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or self.seed < 0:
            raise ValueError("epochs must be 1 or more, batch_size 2 or more, seed 0 or more")
        if not self.positive_weight > 0:
            raise ValueError("positive_weight must be above 0")
        if self.architecture not in ARCHITECTURES:
            raise ValueError(
                f"architecture must be one for tiles, {' or '.join(ARCHITECTURES)}, "
                f"not {self.architecture!r}"
            )


def train_tiles(settings: TileSettings, digest: str, out: Path, show: Show) -> Path:
    """Build the tiles where they are not there yet, train, test, and write weights with a contract.

    Returns
    -------
    Path of the weight file; ``evaluation.json`` beside it holds the figures on the test patients.
    """
    out.mkdir(parents=True, exist_ok=True)
    tiles = _tiles(settings, out / "tiles", show)
    check_splits(tiles, settings.batch_size)
    tell_verdict(tiles)
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
    save_weights(path, network, _contract(settings, figures, str(tiles.provenance["split"])))
    return path


def _tiles(settings: TileSettings, folder: Path, show: Show) -> TileSet:
    archive = open_archive(settings.archive.name, Path(settings.archive.folder))
    recipe = make_recipe(RECIPE, [archive.name], radius_as_side=settings.radius_as_side)
    plan = BuildPlan(archives=(archive,), recipe=recipe, seed=settings.seed)
    with show(len(archive.scans()), "tiles") as step:
        tiles = carry_out(plan, folder, Crew(on_done=lambda _done, _total: step("")))
    if unreadable := read_report(tiles.folder)["unreadable"]:
        raise ArchiveError(
            f"{len(unreadable)} scans could not be read, the first one: {unreadable[0]['why']} "
            f"Get them again and remove {tiles.folder}: figures on a part of an archive mislead."
        )
    return tiles


def tell_verdict(tiles: TileSet) -> None:
    """Print on standard error what the audit of the tiles came to.

    Raises
    ------
    CorruptFileError
        When the stored audit is damaged.
    """
    verdict = read_verdict(tiles.folder)
    said = {
        None: "were not audited: `mammoscope tiles audit` looks for leaks and shortcuts",
        "clean": "are clean: their audit found neither leaks nor shortcuts",
    }.get(verdict, f"are {verdict}: audit.json in that folder says why, and figures may mislead")
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    console.print(f"Tiles in {tiles.folder} {said}.", soft_wrap=True)


def check_splits(tiles: TileSet, batch_size: int) -> None:
    """Refuse tiles on which a network cannot be trained or measured.

    Raises
    ------
    TrainingError
        When a split lacks normal or abnormal tiles, or a batch needs more than there are.
    """
    for split in Split:
        truth = is_abnormal(tiles, tiles.rows_of(split))
        if not (truth.any() and (~truth).any()):
            raise TrainingError(
                f"{tiles.folder}: the {split} patients have {truth.sum()} abnormal tiles of "
                f"{len(truth)}, and both kinds are needed; use a larger archive or another seed."
            )
    training = len(tiles.rows_of(Split.TRAIN))
    if training < batch_size:
        raise TrainingError(
            f"{tiles.folder}: a batch of {batch_size} needs more than {training} tiles; "
            "lower batch_size."
        )


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
        "dataset": {
            "name": f"tiles of recipe {tiles.provenance['recipe']}",
            "digest": set_digest(tiles.provenance),
            "audit_verdict": read_verdict(tiles.folder),
        },
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
            spacing_mm=0.2 / MIAS_SCALE,
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
