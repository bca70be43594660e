"""Each row of the paper's tables: what of it could be run on what is at hand, and why not the rest.

A row is reproduced by training its network on its recipe, cut from DDSM and CBIS-DDSM at full size.
Without these, rows of binary networks get a stand-in: a small network on coarse tiles that were put
together in the same way.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mammoscope.studies.paper_tables import ROWS, PaperRow

FULL = ("ddsm", "cbis-ddsm", "mini-mias")
NEEDED = {1: ("ddsm", "cbis-ddsm"), 2: ("ddsm", "cbis-ddsm"), 3: FULL, 4: ("ddsm", "cbis-ddsm")}
FIVE_CLASS_TABLE = 2
CHOSEN = "1.0.0.35"
"""The paper's best network: its rows alone get the stand-in, which is the same for all."""
HOURS = {"1.0.0": 4.0, "vgg": 8.0, "ince": 12.0}
"""Estimate, on one data-centre graphics processor, of 40 epochs on 44,000 tiles; not measured."""
STAND_IN = (
    "Another network ({network}) on tiles of 0.8 mm a pixel from CBIS-DDSM (abnormal) "
    "and DDSM (normal), a set built as the paper's. The row itself was not run: "
)


def table_rows(
    there: Collection[str],
    full: Mapping[str, Mapping[str, Any]],
    quick: Sequence[Mapping[str, Any]],
    weights: Mapping[float, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Set every row of Tables 1 to 4 beside what was run of it.

    Parameters
    ----------
    there : names of the archives at hand
    full : key of a row to its figures, of runs at full size
    quick : the quick runs on the set built the paper's way
    weights : weight of the loss to figures, of the weight experiment

    Returns
    -------
    list
        For each row `table`, `model`, `recipe`, `paper`, `log`, `ours` (None or figures), `kind`
        ("run", "stand-in", "not run"), `why`, `command` and `cost`.
    """
    return [_told(row, there, full, quick, weights) for row in ROWS]


def missing_for(row: PaperRow, there: Collection[str]) -> tuple[str, ...]:
    """Name the archives that a row needs and that are not at hand."""
    return tuple(name for name in NEEDED[row.table] if name not in there)


def _told(
    row: PaperRow,
    there: Collection[str],
    full: Mapping[str, Mapping[str, Any]],
    quick: Sequence[Mapping[str, Any]],
    weights: Mapping[float, Mapping[str, Any]],
) -> dict[str, Any]:
    ours, kind, why = _ours(row, there, full, quick, weights)
    return {
        "key": row.key,
        "table": row.table,
        "model": row.model,
        "recipe": row.recipe,
        "epochs": row.epochs,
        "weight": row.weight,
        "paper": {"accuracy": row.accuracy, "recall": row.recall},
        "log": {"said": row.log, "accuracy": row.log_accuracy, "recall": row.log_recall},
        "ours": ours,
        "kind": kind,
        "why": why,
        "command": command_of(row),
        "cost": cost_of(row),
    }


def _ours(
    row: PaperRow,
    there: Collection[str],
    full: Mapping[str, Mapping[str, Any]],
    quick: Sequence[Mapping[str, Any]],
    weights: Mapping[float, Mapping[str, Any]],
) -> tuple[dict[str, Any] | None, str, str]:
    if row.key in full:
        return dict(full[row.key]), "run", "The network and recipe of the row, at full size."
    if row.table == 4 and row.weight is not None and row.weight in weights:
        told = weights[row.weight]
        area = told["auc"]["value"] if "auc" in told else None
        also = "" if area is None else f"; area under the ROC curve {area:.3f}"
        return dict(told), "stand-in", f"From the weight experiment: {told['said']}{also}."
    why = _why_not(row, there)
    if row.table in (1, 3) and row.network == CHOSEN and quick:
        figures = _of_set(quick, "test" if row.table == 1 else "mias-as-stored")
        if figures is not None:
            network = str(quick[0]["settings"]["architecture"])
            return figures, "stand-in", STAND_IN.format(network=network) + why
    return None, "not run", _capital(why)


def _of_set(quick: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    """Take the run whose AUC is the middle one, so that neither luck nor a bad start is shown."""
    known = [run["figures"][name] for run in quick if name in run["figures"]]
    known.sort(key=lambda figures: figures["auc"]["value"] or 0.0)
    return dict(known[(len(known) - 1) // 2]) if known else None


def _why_not(row: PaperRow, there: Collection[str]) -> str:
    missing = missing_for(row, there)
    if missing:
        is_here = "is" if len(missing) == 1 else "are"
        needs = " and ".join(missing)
        reason = f"recipe {row.recipe} needs {needs} at full size, which {is_here} not at hand"
        if row.table == 2:
            reason += "; what is at hand of CBIS-DDSM has no calcifications, so no five classes"
        return f"{reason}."
    return "its archives are at hand, and --quick leaves runs at full size out."


def run_name(row: PaperRow) -> str:
    """Name the run of a row; rows of several tables can be one run."""
    head = "five" if row.table == FIVE_CLASS_TABLE else "binary"
    return f"{row.network}-recipe-{row.recipe}-{head}-weight-{row.weight or 2:g}"


def command_of(row: PaperRow) -> str:
    """Commands that run a row by hand, with the archives in folders of their names."""
    build = (
        f"mammoscope tiles build ddsm ddsm cbis-ddsm cbis-ddsm --recipe {row.recipe} "
        f"--faithful-splits --out sets/{row.recipe}"
    )
    name = run_name(row)
    return f"{build} && mammoscope train --config OUT/full/{name}.toml --out runs/{name}"


def cost_of(row: PaperRow) -> str:
    """Say what a row costs, by estimate."""
    hours = HOURS.get(row.network[:5], HOURS.get(row.network[:4], HOURS.get(row.network[:3], 4.0)))
    scaled = hours * (row.epochs or 40) / 40
    return (
        f"about {scaled:.0f} h on one graphics processor, {scaled * 40:.0f} h on 2 cores; once a "
        "recipe 250 GB of archives and 2 h of cutting (estimates)"
    )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
