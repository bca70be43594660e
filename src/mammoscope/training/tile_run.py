"""A whole run of a classifier of tiles: tiles, start, training, the test by patient, weights."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

import mammoscope
from mammoscope.archives.open import open_archive
from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.errors import (
    ArchiveError,
    BadValueError,
    TrainingError,
)
from mammoscope.core.vocabulary import Split
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
from mammoscope.training.settings import Device, TileSettings
from mammoscope.training.tile_checks import check_side, check_splits, spacing_for, spacing_limits
from mammoscope.training.tile_input import tile_spec
from mammoscope.training.tile_measure import measure
from mammoscope.training.tile_share import SharedTileTask
from mammoscope.training.tile_task import Penalty, TileTask
from mammoscope.training.watch import Watch

logger = logging.getLogger(__name__)

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
        _tell_once(tiles.folder, set_digest(tiles.provenance))
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


@cache
def _tell_once(folder: Path, _digest: str) -> None:
    """Tell the verdict of a set once, however many seeds or trials a command trains on it."""
    tell_verdict(folder)


def tell_verdict(folder: Path) -> None:
    """Print on standard error what the audit of the tiles in a folder came to.

    Raises
    ------
    CorruptFileError
        When the stored audit is damaged.
    """
    verdict = read_verdict(folder)
    said = {
        None: "were not audited: `mammoscope tiles audit` looks for leaks and shortcuts",
        "clean": "are clean: their audit found neither leaks nor shortcuts",
    }.get(verdict, f"are {verdict}: audit.json in that folder says why, and figures may mislead")
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    console.print(f"Tiles in {folder} {said}.", soft_wrap=True)


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
        settings.input.scaling or facts.scaling,
        spacing_for(settings, tiles),
        settings.input.contrast,
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
            *spacing_limits(tiles),
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
        autocast=settings.precision.autocast,
        stop=None if stop.patience is None else Stop(figure=stop.figure, patience=stop.patience),
        average=make_average(run.network, settings.average),
        read_every=READ_EVERY if run.device.type == "cuda" else 1,
        watch=Watch(on_alarm="stop" if settings.on_alarm == "stop" else "tell"),
        facts=facts if settings.sampling.kind == "shuffle" else {},
        settings=asdict(settings),
        team=run.team,
        on_epoch=run.on_epoch,
    )
