"""A whole run of a classifier of tiles: tiles, start, training, the test by patient, weights."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import nn

import mammoscope
from mammoscope.archives.open import open_archive
from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.errors import (
    ArchiveError,
    BadValueError,
    ShapeError,
    SpacingError,
    SpacingMissingError,
    TrainingError,
)
from mammoscope.core.vocabulary import Split
from mammoscope.evaluation.intervals import Statistic, bootstrap, weighted_mean
from mammoscope.evaluation.roc import auc_statistic
from mammoscope.formats.files import write_atomic
from mammoscope.models import zoo
from mammoscope.models.facts import NetworkFacts
from mammoscope.models.heads import Head, head_of
from mammoscope.models.weights import save_weights
from mammoscope.tiles.audit.report import read_verdict, set_digest
from mammoscope.tiles.build import BuildPlan, carry_out, read_report
from mammoscope.tiles.cutting import Crew
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.store import TileSet, load_tiles
from mammoscope.training import checkpoint, start
from mammoscope.training.average import make_average
from mammoscope.training.distributed import ALONE, Team
from mammoscope.training.loop import OnEpoch, Plan, Show, Stop, fit
from mammoscope.training.optimisers import make_optimiser
from mammoscope.training.rates import rate_of
from mammoscope.training.settings import Device, Precision, TileSettings
from mammoscope.training.tile_input import (
    SPACING_TOLERANCE,
    spacing_of,
    spacing_range,
    tile_spec,
)
from mammoscope.training.tile_share import SharedTileTask
from mammoscope.training.tile_task import Penalty, TileTask, answers_of
from mammoscope.training.watch import Watch

logger = logging.getLogger(__name__)

RESAMPLES = 1000
CHECKPOINT_EVERY = 200
COMPILERS = ("torch._dynamo", "torch._inductor")
"""Where the errors of PyTorch's compiler come from."""
READ_EVERY = 10
"""Steps between looks at the loss where a look makes an accelerator wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a run needs before its first step.

    Attributes
    ----------
    network : on `device`, started and frozen as the settings say
    team : the processes that train it
    on_epoch : is told the rows after each epoch
    """

    settings: TileSettings
    tiles: TileSet
    head: Head
    spec: InputSpec
    facts: NetworkFacts
    network: nn.Module
    device: torch.device
    team: Team = ALONE
    on_epoch: OnEpoch | None = None


def train_tiles(
    settings: TileSettings,
    digest: str,
    out: Path,
    show: Show,
    *,
    team: Team = ALONE,
    on_epoch: OnEpoch | None = None,
) -> Path:
    """Get the tiles, train, test, and write weights with a contract.

    Where several processes train together, the first one alone cuts, tests and writes.

    Returns
    -------
    Path of the weight file; ``evaluation.json`` beside it holds the figures on the test patients.

    Raises
    ------
    MammoscopeError
        When settings, tiles, weights to start from and network do not fit each other, or training
        cannot go on usefully.
    """
    out.mkdir(parents=True, exist_ok=True)
    with team.leader_first():
        tiles = tiles_of(settings, out / "tiles", show)
    check_splits(tiles, head_of(settings.head), settings.batch_size)
    if team.leads:
        tell_verdict(tiles)
    # What is drawn here (weights, dropout) is nobody else's.
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        run = replace(prepare(settings, tiles), team=team, on_epoch=on_epoch)
        # A set that was built again is another set, though its folder has the same name.
        fit_tiles(run, f"{digest} {set_digest(tiles.provenance)}", out / "run", show)
    path = out / "model.safetensors"
    if not team.leads:
        return path
    figures = measure(tiles, run.network, run.spec, run.head, settings)
    write_atomic(out / "evaluation.json", json.dumps(figures, indent=1, allow_nan=False) + "\n")
    save_weights(path, run.network.cpu(), contract_of(run, figures))
    return path


def tiles_of(settings: TileSettings, folder: Path, show: Show) -> TileSet:
    """Open the tiles that are given, or cut the archives into `folder`.

    Raises
    ------
    ArchiveError
        When some scans of an archive could not be read.
    """
    if settings.tiles is not None:
        return load_tiles(settings.tiles)
    archives = tuple(open_archive(one.name, Path(one.folder)) for one in settings.sources)
    names = [archive.name for archive in archives]
    recipe = make_recipe(settings.recipe.name, names, **settings.recipe.options())
    plan = BuildPlan(archives=archives, recipe=recipe, seed=settings.seed)
    with show(sum(len(archive.scans()) for archive in archives), "tiles") as step:
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


def check_splits(tiles: TileSet, head: Head, batch_size: int) -> None:
    """Refuse tiles on which a network cannot be trained or measured.

    Raises
    ------
    TrainingError
        When a split lacks tiles of a class that the head answers, or a batch needs more than
        there are.
    """
    labels = tiles.table["label"].to_numpy()
    for split in Split:
        truth = head.truth(labels[tiles.rows_of(split)])
        counts = np.bincount(truth, minlength=len(head.targets))
        if len(truth) == 0 or not counts.all():
            missing = head.targets[int(counts.argmin())]
            raise TrainingError(
                f"{tiles.folder}: the {split} patients have 0 {missing} tiles of {len(truth)}, and "
                f"head {head.name!r} needs every class in every split; use a larger archive, "
                "another seed or another head."
            )
    training = len(tiles.rows_of(Split.TRAIN))
    if training < batch_size:
        raise TrainingError(
            f"{tiles.folder}: a batch of {batch_size} needs more than {training} tiles; "
            "lower batch_size."
        )


def prepare(settings: TileSettings, tiles: TileSet) -> Prepared:
    """Make the network with the weights that it starts from, and what it will be fed.

    Raises
    ------
    UnknownNameError
        When there is no such network.
    MammoscopeError
        When network, tiles and start do not fit each other.
    """
    facts = zoo.facts(settings.architecture)
    if facts.kind == "dense":
        raise BadValueError(
            f"architecture {settings.architecture!r} answers for each place of a scan and takes no "
            "tiles; choose a classifier of tiles."
        )
    head = head_of(settings.head)
    spec = tile_spec(
        settings.input.scaling or facts.scaling, _spacing(settings, tiles), settings.input.contrast
    )
    network = _built(settings, len(head.targets))
    check_side(network, facts, tiles, len(head.targets))
    start.begin(network, settings.start, spec, head.targets)
    start.freeze(network, settings.start.freeze)
    device = device_of(settings.device)
    network = zoo.channels_last(network.to(device))
    return Prepared(
        settings=settings,
        tiles=tiles,
        head=head,
        spec=spec,
        facts=facts,
        network=network,
        device=device,
    )


def _built(settings: TileSettings, classes: int) -> nn.Module:
    try:
        return zoo.build(
            settings.architecture,
            classes,
            pool_dropout=settings.regular.pool_dropout,
            dense_dropout=settings.regular.dense_dropout,
        )
    except ValueError as error:
        raise BadValueError(
            f"architecture {settings.architecture!r} cannot have the head {settings.head!r}: "
            f"{error}; choose another one."
        ) from error


def check_side(network: nn.Module, facts: NetworkFacts, tiles: TileSet, classes: int) -> None:
    """Refuse tiles of a size for which the network has no answer.

    Raises
    ------
    ShapeError
        When the tiles are neither of the network's side nor of one that it pools.
    """
    side = tiles.shards[0].shape[1]
    if side == facts.side_px:
        return
    was_training = network.training
    try:
        with torch.inference_mode():
            answer = network.eval()(torch.zeros(1, 1, side, side))
        fits = answer.shape == (1, classes)
    except RuntimeError:
        fits = False
    network.train(was_training)
    if not fits:
        raise ShapeError(
            f"{tiles.folder}: its tiles have {side} x {side} pixels, and this network takes "
            f"{facts.side_px} x {facts.side_px}; build tiles of that side, or choose a network "
            "that pools over the whole tile."
        )


def fit_tiles(run: Prepared, digest: str, folder: Path, show: Show) -> list[dict[str, float]]:
    """Train what `prepare` made; see `mammoscope.training.loop.fit`."""
    settings, facts, regular = run.settings, run.facts, run.settings.regular
    make_task = TileTask if run.team.size == 1 else partial(SharedTileTask, run.team)
    task = make_task(
        tiles=run.tiles,
        training=run.tiles.rows_of(Split.TRAIN),
        validation=run.tiles.rows_of(Split.VALIDATION),
        head=run.head,
        spec=run.spec,
        settings=settings,
        penalty=Penalty(
            convolutions=facts.conv_l2 if regular.conv_l2 is None else regular.conv_l2,
            dense=facts.dense_l2 if regular.dense_l2 is None else regular.dense_l2,
        ),
        device=run.device,
    )
    optimiser = make_optimiser(run.network, settings.optimiser)
    with run.team.leader_first():
        is_new = not (folder / checkpoint.FILE).exists()
        if is_new and settings.start.keep is start.Keep.RUN and settings.start.weights is not None:
            parts = (run.network, optimiser)
            start.take_up(Path(settings.start.weights), folder, parts, task.steps_per_epoch, digest)
    if settings.compile:
        run.network.compile()
    try:
        return fit(run.network, task, optimiser, _plan(run, task), folder, digest=digest, show=show)
    except RuntimeError as error:
        if settings.compile and type(error).__module__.startswith(COMPILERS):
            raise TrainingError(
                f"{folder}: the network could not be compiled ({_first_line(error)}); "
                "go on without: --set compile=false, in another --out folder."
            ) from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def device_of(wanted: Device) -> torch.device:
    """Choose where to train.

    Raises
    ------
    BadValueError
        When a graphics processor is asked for and none is there.
    """
    if wanted is Device.CUDA and not torch.cuda.is_available():
        raise BadValueError('device = "cuda", and PyTorch finds no graphics processor; use "auto".')
    on_graphics = wanted is not Device.CPU and torch.cuda.is_available()
    return torch.device("cuda" if on_graphics else "cpu")


def measure(
    tiles: TileSet, network: nn.Module, spec: InputSpec, head: Head, settings: TileSettings
) -> dict[str, Any]:
    """Measure a network on the test patients' tiles, the majority baseline beside the accuracy.

    Accuracy, baseline, recall, precision and AUC are of abnormal against normal, with the
    settings' threshold. With more than two classes ``class_accuracy`` and ``class_baseline`` are of
    the classes, and ``recall of X`` is the share of the tiles of X that are given that class.
    """
    rows: NDArray[np.intp] = tiles.rows_of(Split.TEST)
    truth = head.truth(tiles.table["label"].to_numpy()[rows])
    shares = answers_of(network, tiles, rows, spec).shares
    patients = tiles.table["patient_id"].to_numpy()[rows].tolist()
    measured = _Measured(shares, truth, patients, settings.seed)
    figures = measured.abnormal(settings.threshold)
    if len(head.targets) > 2:
        figures |= measured.classes(head)
    return {
        "schema": "mammoscope.evaluation/1",
        "dataset": {
            "name": f"tiles of recipe {tiles.provenance['recipe']}",
            "digest": set_digest(tiles.provenance),
            "audit_verdict": read_verdict(tiles.folder),
        },
        "counts": {
            "tiles": len(rows),
            "abnormal": int((truth > 0).sum()),
            "patients": len(set(patients)),
            **{name: int((truth == index).sum()) for index, name in enumerate(head.targets)},
        },
        "tiles": figures,
    }


class _Measured:
    """Answers to the test tiles, and what they are."""

    def __init__(
        self,
        shares: NDArray[np.float64],
        truth: NDArray[np.int64],
        patients: list[str],
        seed: int,
    ) -> None:
        self._shares, self._truth, self._patients, self._seed = shares, truth, patients, seed

    def abnormal(self, threshold: float) -> dict[str, Any]:
        """Figures of abnormal against normal."""
        scores, is_so = 1 - self._shares[:, 0], self._truth > 0
        said = scores > threshold
        every = np.ones(len(is_so), dtype=np.bool_)
        return {
            "accuracy": self._share(said == is_so, every),
            "majority_baseline": self._share(is_so == (is_so.mean() > 0.5), every),
            "recall": self._share(said, is_so),
            "precision": self._share(is_so, said),
            "auc": self._figure(auc_statistic(scores, is_so), every, is_share=False),
        }

    def classes(self, head: Head) -> dict[str, Any]:
        """Figures of the classes of a head with more than two."""
        said, every = self._shares.argmax(axis=1), np.ones(len(self._truth), dtype=np.bool_)
        commonest = np.bincount(self._truth).argmax()
        figures = {
            "class_accuracy": self._share(said == self._truth, every),
            "class_baseline": self._share(self._truth == commonest, every),
        }
        for index, name in enumerate(head.targets):
            figures[f"recall of {name}"] = self._share(said == index, self._truth == index)
        return figures

    def _share(self, values: NDArray[np.bool_], among: NDArray[np.bool_]) -> dict[str, Any]:
        """Share of `values` that hold among the tiles at `among`."""
        statistic = weighted_mean(values[among].astype(np.float64))
        return self._figure(statistic, among, is_share=True)

    def _figure(
        self, statistic: Statistic, among: NDArray[np.bool_], *, is_share: bool
    ) -> dict[str, Any]:
        who = [self._patients[place] for place in np.flatnonzero(among)]
        # A generator of its own: a figure does not depend on which others were asked for.
        rng = np.random.default_rng(self._seed)
        return bootstrap(statistic, who, RESAMPLES, rng, is_share=is_share).to_json()


def contract_of(run: Prepared, figures: Mapping[str, Any]) -> ModelContract:
    """Write down what the weights take, answer and came from."""
    settings, tiles = run.settings, run.tiles
    archives = ", ".join(sorted(set(tiles.table["archive"].to_list())))
    return ModelContract(
        name=settings.name,
        version=settings.version,
        architecture=settings.architecture,
        input=run.spec,
        output=OutputSpec(targets=run.head.targets, activation="softmax"),
        origin={
            "archives": archives,
            "tiles": set_digest(tiles.provenance),
            "split": str(tiles.provenance.get("split")),
            "settings": json.dumps(asdict(settings), sort_keys=True, default=str),
            "code": f"mammoscope {mammoscope.__version__}",
            "licence": f"that of the scans it was trained on: {archives}",
        },
        figures={f"{archives}, test patients: {k}": v for k, v in figures["tiles"].items()},
        limits=(
            "Research software, not a medical device: not for diagnosis.",
            f"A network for tiles of recipe {tiles.provenance['recipe']}, not for whole scans.",
            *_spacing_limits(tiles),
        ),
    )


def _plan(run: Prepared, task: TileTask) -> Plan:
    settings = run.settings
    stop = settings.stop
    labels = run.tiles.table["label"].to_numpy()[run.tiles.rows_of(Split.TRAIN)]
    share = float((run.head.truth(labels) > 0).mean())
    # Where tiles are drawn otherwise than they are, their majority is no baseline.
    facts = {"majority": max(share, 1 - share), "tiles": float(len(labels))}
    return Plan(
        epochs=settings.epochs,
        rate=rate_of(settings.rate, task.steps_per_epoch, settings.epochs),
        clip_norm=settings.clip_norm,
        checkpoint_every=CHECKPOINT_EVERY,
        autocast=torch.bfloat16 if settings.precision is Precision.BFLOAT16 else None,
        stop=None if stop.patience is None else Stop(figure=stop.figure, patience=stop.patience),
        average=make_average(run.network, settings.average),
        read_every=READ_EVERY if run.device.type == "cuda" else 1,
        watch=Watch(on_alarm="stop" if settings.on_alarm == "stop" else "tell"),
        facts=facts if settings.sampling.kind == "shuffle" else {},
        settings=asdict(settings),
        team=run.team,
        on_epoch=run.on_epoch,
    )


def _spacing(settings: TileSettings, tiles: TileSet) -> float:
    """Side of the tiles' pixels, from the tiles or, where they do not know it, the settings."""
    found, given = spacing_of(tiles), settings.input.spacing_mm
    if found is None and given is None:
        raise SpacingMissingError(
            f"{tiles.folder}: its tiles do not know the size of their pixels, and the contract "
            "needs it; give it with --set input.spacing_mm=..."
        )
    if found is not None and given is not None and abs(found / given - 1) > SPACING_TOLERANCE:
        raise SpacingError(
            f"{tiles.folder}: its tiles have {found:.4g} mm a pixel, and input.spacing_mm says "
            f"{given:.4g}; leave it out, or use other tiles."
        )
    spacing = given if found is None else found
    assert spacing is not None
    return spacing


def _spacing_limits(tiles: TileSet) -> tuple[str, ...]:
    ends = spacing_range(tiles)
    if ends is None:
        return ("The spacing of its tiles was given by hand, not known from their scans.",)
    if ends[1] / ends[0] - 1 <= SPACING_TOLERANCE:
        return ()
    return (
        f"Its tiles had pixels of {ends[0]:.3g} to {ends[1]:.3g} mm; the contract's is the median.",
    )
