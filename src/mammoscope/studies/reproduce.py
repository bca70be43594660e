"""`mammoscope reproduce`: the paper's tables and figures beside ours, on what is at hand.

`run_reproduce` gives one plain record, `reproduce.json`; the page is drawn from it alone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mammoscope
from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive
from mammoscope.core.errors import LayoutError, MissingFileError
from mammoscope.formats.files import write_atomic
from mammoscope.models import zoo
from mammoscope.studies import mixups
from mammoscope.studies.author_log import AuthorLog
from mammoscope.studies.paper_tables import CURVES, MIAS_BASELINE, PR_CURVES, SOURCE
from mammoscope.studies.reproduce_full import run_full, write_settings
from mammoscope.studies.reproduce_places import Read, difference_at_places
from mammoscope.studies.reproduce_rows import table_rows
from mammoscope.studies.reproduce_runs import RunSpec, Tools, carry_out_run
from mammoscope.studies.reproduce_sets import (
    CROSSED,
    MIAS_PLAIN,
    MIAS_SAME,
    MIAS_STRICT,
    PAPER,
    STRICT,
    OnDone,
    QuickSets,
    build_quick_sets,
    shortcuts_of,
)
from mammoscope.studies.reproduce_weights import figures_by_weight
from mammoscope.tiles.store import TileSet

SCHEMA = "mammoscope.reproduce/1"
FILE = "reproduce.json"
ARCHIVES = ("ddsm", "cbis-ddsm", "mini-mias", "cbis-ddsm-800", "ddsm-299")
"""Archives that a reproduction can use."""
LEAST_SCANS = {"ddsm": 2000, "cbis-ddsm": 2000}
"""With fewer, an archive at full size is a piece of itself, and no row can be run on it."""
MOST_FOLDERS = 200
PROBES = {PAPER: (CROSSED, MIAS_PLAIN, MIAS_SAME), STRICT: (MIAS_STRICT,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceSettings:
    """How much is done.

    Attributes
    ----------
    quick : leave out the paper's networks at full size
    network : of the quick runs, any side of tile
    epochs, seeds : of each quick run, and how many of them for each set
    every : only every so-manieth scan, to try the road out
    resamples : of the bootstrap over patients, at least 40
    seed : the same seed gives the same sets and runs
    """

    quick: bool = False
    network: str = "tilenet-s"
    epochs: int = 12
    seeds: int = 3
    every: int = 1
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.seeds, self.every) < 1 or self.resamples < 40 or self.seed < 0:
            raise ValueError(
                "epochs, seeds and every must be 1 or more, resamples 40 or more, seed 0 or more"
            )


def find_archives(folder: Path) -> dict[str, Archive]:
    """Open the archives that lie in a folder, or in folders two levels below it.

    Raises
    ------
    MissingFileError
        When there is no such folder, or none of the archives is in it.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: there is no such folder; give the one with archives.")
    found: dict[str, Archive] = {}
    for place in _places(folder):
        try:
            archive = open_archive(place)
        except (LayoutError, MissingFileError):
            continue
        if archive.name in ARCHIVES:
            found.setdefault(archive.name, archive)
    if not found:
        raise MissingFileError(
            f"{folder}: none of the archives {', '.join(ARCHIVES)} lies here or in a folder below; "
            "give the folder that holds theirs."
        )
    return found


def run_reproduce(
    archives: Mapping[str, Archive],
    out: Path,
    settings: ReproduceSettings,
    tools: Tools,
    *,
    log: AuthorLog | None = None,
    experiment: Path | None = None,
    on_done: OnDone = lambda _done, _total: None,
) -> dict[str, Any]:
    """Build what can be built, train it, and set it beside the paper.

    Everything that is done stays in `out`; the same call goes on from there.

    Parameters
    ----------
    archives : by name
    out : folder of sets, settings files, runs and the record
    tools : what trains and scores
    log : the author's run log, where it is at hand
    experiment : ``experiment.json`` of the weight experiment, where it was run
    on_done : told (scans done, scans in all) while a set is cut

    Returns
    -------
    dict
        `schema`, `version`, `source`, `settings`, `archives`, `sets`, `runs`, `same_places` (for
        each seed strict less the paper's way at the same places of MIAS), `tables`, `curves`, `pr`,
        `mixups`, `mias_baseline`, `log`.

    Raises
    ------
    MammoscopeError
        When a set cannot be cut, a run not be trained, or a file not be read.
    """
    # A wrong name is told before sets are cut for minutes.
    zoo.facts(settings.network)
    out.mkdir(parents=True, exist_ok=True)
    weights = {} if experiment is None else figures_by_weight(experiment)
    whole = {name: archive for name, archive in archives.items() if _is_whole(archive)}
    sets = build_quick_sets(
        {n: a for n, a in archives.items() if n in ("cbis-ddsm-800", "ddsm-299", "mini-mias")},
        out / "sets",
        seed=settings.seed,
        every=settings.every,
        on_done=on_done,
    )
    runs = [
        carry_out_run(spec, out / "runs", tools, settings.resamples)
        for spec in quick_specs(sets, settings)
    ]
    same_places = _same_places(runs, sets)
    runs = [{key: run[key] for key in run if key != "scores"} for run in runs]
    full = {}
    if not settings.quick:
        full = run_full(whole, out, tools, settings.resamples, settings.seed)
    write_settings(out, settings.seed)
    paper_runs = [run for run in runs if run["set"] == PAPER]
    record = {
        "schema": SCHEMA,
        "version": mammoscope.__version__,
        "source": SOURCE,
        "settings": asdict(settings),
        "archives": [_archive(archives.get(name), name) for name in ARCHIVES],
        "sets": [_set(name, tiles) for name, tiles in {**sets.trained, **sets.probes}.items()],
        "runs": runs,
        "same_places": same_places,
        "tables": table_rows(whole, full, paper_runs, weights),
        "curves": [asdict(curve) for curve in CURVES],
        "pr": [asdict(curve) for curve in PR_CURVES],
        "mias_baseline": MIAS_BASELINE,
        "mixups": [_mixup(one, log) for one in mixups.MIXUPS],
        "log": None if log is None else {"runs": len(log.runs), "missing": list(log.missing)},
    }
    # NaN is no JSON: figures have None there already, and anything else is a fault.
    write_atomic(out / FILE, json.dumps(record, indent=1, allow_nan=False) + "\n")
    return record


def quick_specs(sets: QuickSets, settings: ReproduceSettings) -> Iterator[RunSpec]:
    """Plan the quick runs: each seed on the paper's way and on strict, all else the same."""
    for name, tiles in sets.trained.items():
        for seed in range(settings.seeds):
            yield RunSpec(
                name=f"{name}-seed-{seed}",
                settings=quick_settings(settings, seed),
                tiles=tiles,
                probes={p: sets.probes[p] for p in PROBES[name] if p in sets.probes},
            )


def quick_settings(settings: ReproduceSettings, seed: int) -> dict[str, Any]:
    """Return what a quick run is asked to do; nothing in it knows the set.

    Balanced draws, because the sets differ in their share of lesions.
    """
    return {
        "task": "tiles",
        "architecture": settings.network,
        "seed": seed,
        "epochs": settings.epochs,
        "batch_size": 64,
        "on_alarm": "tell",
        "sampling": {"kind": "balanced"},
        "optimiser": {"kind": "adamw", "learning_rate": 0.002, "weight_decay": 0.02},
        "rate": {"kind": "cosine", "warm_up_steps": 50},
        "augment": {"flip_horizontal": 0.5, "flip_vertical": 0.5, "quarter_turns": True},
    }


def _same_places(runs: Sequence[Mapping[str, Any]], sets: QuickSets) -> list[dict[str, Any]]:
    """Set the runs of both ways against each other, seed by seed, at the same places of MIAS."""
    if not {MIAS_SAME, MIAS_STRICT} <= set(sets.probes):
        return []
    paper, strict = ([run for run in runs if run["set"] == name] for name in (PAPER, STRICT))
    # Without DDSM there is no set built the paper's way, and nothing to compare.
    found = [
        difference_at_places(
            Read(sets.probes[MIAS_STRICT], of_strict["scores"][MIAS_STRICT]),
            Read(sets.probes[MIAS_SAME], of_paper["scores"][MIAS_SAME]),
        )
        for of_strict, of_paper in zip(strict, paper, strict=False)
    ]
    return [one for one in found if one is not None]


def _places(folder: Path) -> Iterator[Path]:
    yield folder
    for first in _folders(folder):
        yield first
        second = _folders(first)
        # A folder of thousands is an archive's own, and was looked into above.
        if len(second) <= MOST_FOLDERS:
            yield from second


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.is_dir())
    except PermissionError:
        return []


def _archive(archive: Archive | None, name: str) -> dict[str, Any]:
    if archive is None:
        return {"name": name, "patients": None, "scans": None, "whole": False}
    counts = {"patients": len(archive.patients()), "scans": len(archive.scans())}
    return {"name": name, **counts, "whole": _is_whole(archive)}


def _is_whole(archive: Archive) -> bool:
    return len(archive.scans()) >= LEAST_SCANS.get(archive.name, 1)


def _set(name: str, tiles: TileSet) -> dict[str, Any]:
    counts = tiles.table.group_by("split", "label").len().sort("split", "label").rows()
    return {
        "name": name,
        "tiles": len(tiles),
        "patients": tiles.table["patient_id"].n_unique(),
        "counts": [list(row) for row in counts],
        "shortcuts": [
            {key: one[key] for key in ("features", "value", "low", "high", "n", "n_patients")}
            for one in shortcuts_of(tiles)
        ],
    }


def _mixup(mixup: mixups.Mixup, log: AuthorLog | None) -> dict[str, str]:
    told = {key: str(getattr(mixup, key)) for key in ("where", "printed", "really", "why")}
    return {**told, "checked": mixups.check(mixup, log)}
