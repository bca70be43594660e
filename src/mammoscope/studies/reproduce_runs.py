"""The runs of a reproduction: ordinary training runs, each from a settings file in its own folder.

Training lives beside the studies, not below them, so whoever calls passes in what trains and what
scores.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.vocabulary import Split
from mammoscope.evaluation.curves import point_at, pr_curve
from mammoscope.evaluation.metrics import binary_figures, to_json
from mammoscope.formats.files import write_atomic
from mammoscope.formats.one_line import one_line
from mammoscope.tiles.store import TileSet
from mammoscope.tiles.tile import NORMAL

THRESHOLD = 0.5
SHOWN = ("accuracy", "majority", "recall", "specificity", "precision", "auc")
MOST_POINTS = 200
"""Points of a drawn curve; more are not seen."""
Train = Callable[[Path, Path], Path]
"""Trains as a settings file says, in a folder, or goes on there, and gives the weight file."""
Score = Callable[[Path, TileSet, NDArray[np.intp]], NDArray[np.float64]]
"""Scores the tiles at some positions with the weights in a file: 1 - p(normal)."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the studies may not import."""

    train: Train
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run.

    Attributes
    ----------
    name : of its folder and settings file
    settings : of `mammoscope train`, a table a dict
    tiles : what it is trained on; its test patients are measured first
    probes : other sets that it is measured on, all their tiles
    """

    name: str
    settings: Mapping[str, Any]
    tiles: TileSet
    probes: Mapping[str, TileSet]


def carry_out_run(spec: RunSpec, out: Path, tools: Tools, resamples: int) -> dict[str, Any]:
    """Train, or go on training, and measure.

    Parameters
    ----------
    out : folder that gets ``NAME.toml`` and the run's folder ``NAME``
    resamples : of the bootstrap over patients

    Returns
    -------
    dict
        `name`, `settings`, `history` (a row an epoch), `figures` (set to figures of `SHOWN` with
        their intervals, and counts), `pr` (points of the test's precision-recall curve), and
        `scores` (probe to the scores of its tiles, for `reproduce_places`; no plain values).

    Raises
    ------
    MammoscopeError
        When the run cannot be trained or was begun with other settings.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = {**spec.settings, "name": spec.name, "tiles": str(spec.tiles.folder.resolve())}
    config = out / f"{spec.name}.toml"
    write_atomic(config, to_toml(settings))
    weights = tools.train(config, out / spec.name)
    rows = spec.tiles.rows_of(Split.TEST)
    figures, kept, pr = {}, {}, None
    for name, tiles in {"test": spec.tiles, **spec.probes}.items():
        places = rows if name == "test" else np.arange(len(tiles))
        scores = tools.score(weights, tiles, places)
        truth = (tiles.table["label"] != NORMAL).to_numpy()[places]
        patients = tiles.table["patient_id"].to_numpy()[places].tolist()
        figures[name] = measured(scores, truth, patients, resamples)
        if name == "test":
            pr = drawn_pr(scores, truth)
        else:
            kept[name] = scores
    return {
        "name": spec.name,
        "set": spec.tiles.folder.name,
        "settings": dict(spec.settings),
        "history": history_of(out / spec.name / "run" / "history.json"),
        "figures": figures,
        "pr": pr,
        "scores": kept,
    }


def measured(
    scores: NDArray[np.float64], truth: NDArray[np.bool_], patients: Sequence[str], resamples: int
) -> dict[str, Any]:
    """Measure scores at the paper's threshold, with intervals over patients."""
    figures = binary_figures(scores, truth, patients, THRESHOLD, resamples=resamples)
    return {
        "tiles": len(truth),
        "abnormal": int(truth.sum()),
        "patients": len(set(patients)),
        **to_json({name: figures[name] for name in SHOWN}),
    }


def drawn_pr(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> dict[str, Any] | None:
    """Thin a precision-recall curve for drawing; None where there is nothing abnormal."""
    if not truth.any():
        return None
    curve = pr_curve(scores, truth)
    chosen = np.unique(np.linspace(0, len(curve.recall) - 1, MOST_POINTS).round().astype(int))
    half = point_at(scores, truth, THRESHOLD)
    precision = None if np.isnan(half.precision) else float(half.precision)
    return {
        "recall": curve.recall[chosen].tolist(),
        "precision": curve.precision[chosen].tolist(),
        "at_half": [float(half.recall), precision],
    }


def history_of(path: Path) -> list[dict[str, float | None]]:
    """Read a run's epochs: validation accuracy and recall, and those of the training.

    Raises
    ------
    CorruptFileError
        When the file is damaged.
    """
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        keys = ("val_accuracy", "val_recall", "accuracy", "recall")
        return [{key: row.get(key) for key in keys} for row in rows]
    except (ValueError, AttributeError, TypeError) as error:
        raise CorruptFileError(
            f"{path}: cannot be read ({one_line(error)}); remove the run's folder and train again."
        ) from error


def to_toml(settings: Mapping[str, Any]) -> str:
    """Write settings as TOML: plain values first, then a table for each dict.

    TOML's basic strings, numbers and booleans are written as JSON writes them.
    """
    plain = [f"{k} = {json.dumps(v)}" for k, v in settings.items() if not isinstance(v, Mapping)]
    tables = [
        "\n".join(
            [f"\n[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        )
        for name, table in settings.items()
        if isinstance(table, Mapping)
    ]
    return "\n".join([*plain, *tables]) + "\n"
