"""The paper's rows at full size: its recipes, cut from DDSM and CBIS-DDSM, and its networks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mammoscope.archives.archive import Archive
from mammoscope.formats.files import write_atomic
from mammoscope.studies.paper_tables import ROWS, PaperRow
from mammoscope.studies.reproduce_rows import FIVE_CLASS_TABLE, missing_for, run_name
from mammoscope.studies.reproduce_runs import RunSpec, Tools, carry_out_run, to_toml
from mammoscope.tiles.build import BuildPlan, carry_out
from mammoscope.tiles.cutting import Crew
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.store import TileSet

MIAS, MIAS_RECIPE = "mini-mias", "9"
"""Every evaluation of the author used the MIAS tiles of recipe 9 (method facts 1.4)."""


def run_full(
    archives: Mapping[str, Archive], out: Path, tools: Tools, resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Train the rows whose archives are at hand, and measure each on its table's tiles.

    Rows that were the same run (a network on a recipe with a weight) are trained once.

    Returns
    -------
    dict
        Key of a row to its figures.

    Raises
    ------
    MammoscopeError
        When a set cannot be cut or a run not be trained.
    """
    wanted = [row for row in ROWS if not missing_for(row, archives)]
    sets: dict[str, TileSet] = {}
    runs: dict[str, dict[str, Any]] = {}
    figures = {}
    for row in wanted:
        if row.recipe not in sets:
            sets[row.recipe] = _cut(row.recipe, ("ddsm", "cbis-ddsm"), archives, out, seed)
        if MIAS in archives and MIAS not in sets:
            sets[MIAS] = _cut(MIAS_RECIPE, (MIAS,), archives, out, seed)
        name = run_name(row)
        if name not in runs:
            spec = RunSpec(
                name=name,
                settings=settings_of(row, seed),
                tiles=sets[row.recipe],
                probes={MIAS: sets[MIAS]} if MIAS in sets else {},
            )
            runs[name] = carry_out_run(spec, out / "full", tools, resamples)
        figures[row.key] = runs[name]["figures"]["test" if row.table != 3 else MIAS]
    return figures


def write_settings(out: Path, seed: int) -> None:
    """Write a settings file for every row, for those who train it by hand; tiles are named there.

    Raises
    ------
    OSError
        When they cannot be written.
    """
    folder = out / "full"
    folder.mkdir(parents=True, exist_ok=True)
    for row in ROWS:
        path = folder / f"{run_name(row)}.toml"
        # One that is there was written for a run, with the place of its tiles.
        if not path.exists():
            settings = {**settings_of(row, seed), "name": run_name(row)}
            write_atomic(path, to_toml({**settings, "tiles": f"sets/{row.recipe}"}))


def settings_of(row: PaperRow, seed: int) -> dict[str, Any]:
    """Return the settings of a row's run: the paper's optimiser, decay and flips (facts 4)."""
    return {
        "task": "tiles",
        "architecture": row.network,
        "head": "five" if row.table == FIVE_CLASS_TABLE else "binary",
        "seed": seed,
        "epochs": row.epochs or 40,
        "batch_size": 32,
        "on_alarm": "tell",
        "loss": {"positive_weight": row.weight or 2.0},
        "optimiser": {"kind": "adam", "learning_rate": 0.001},
        "rate": {"kind": "staircase", "decay": 0.8, "epochs_a_stair": 5},
    }


def _cut(
    recipe: str, names: tuple[str, ...], archives: Mapping[str, Archive], out: Path, seed: int
) -> TileSet:
    plan = BuildPlan(
        archives=tuple(archives[name] for name in names),
        recipe=make_recipe(recipe, names, faithful_splits=True),
        seed=seed,
        audit=False,
    )
    return carry_out(plan, out / "sets" / f"{'-'.join(names)}-{recipe}", Crew())
