"""The page of training runs: the paper's figure, what was told, the worst tiles, the settings."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jinja2
import numpy as np

import mammoscope
from mammoscope.formats.files import write_atomic
from mammoscope.formats.tf_events import Picture
from mammoscope.report.drawing import Drawing
from mammoscope.report.findings import NOTICE
from mammoscope.report.run_figures import half_point, more_figure, paper_figure, pr_figure
from mammoscope.report.run_record import TRAIN, VALIDATION, Curve, RunRecord, Told

NONE = "\N{EN DASH}"
ROWS = {
    "loss": "Loss with penalties",
    "cross_entropy": "Cross entropy",
    "accuracy": "Accuracy",
    "majority": "Always guessing the commonest class",
    "recall": "Recall",
    "precision": "Precision",
    "f1": "F1",
    "auc": "Area under the ROC curve",
    "class_accuracy": "Accuracy over all classes",
    "predicted_share": "Share called abnormal",
    "learning_rate": "Learning rate",
    "per_second": "Tiles a second",
    "tiles": "Tiles",
    "input_mean": "Mean of the input",
    "input_deviation": "Deviation of the input",
}
_KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """A picture as the page shows it."""

    source: str
    step: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A run as the page shows it, all of it text."""

    key: str
    name: str
    lead: str
    curves: str | None
    more: str | None
    pr: str | None
    points: tuple[str, ...]
    figures: tuple[tuple[str, str, str], ...]
    kernels: _Picture | None
    worst: _Picture | None
    alarms: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    has_baseline: bool


def write_run_page(runs: Sequence[RunRecord], path: str | Path) -> None:
    """Write the page of runs as one file that loads nothing from elsewhere.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, render(runs))


def write_figures(runs: Sequence[RunRecord], folder: str | Path) -> list[Path]:
    """Write each run's drawings as SVG and PNG files, named after the run, and give their paths.

    Raises
    ------
    OSError
        When one cannot be written.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for name, run in zip(_file_names(runs), runs, strict=True):
        for drawing in _drawings(run, name):
            for kind in ("svg", "png"):
                target = place / f"{drawing.name}.{kind}"
                write_atomic(target, drawing.file("svg" if kind == "svg" else "png"))
                written.append(target)
    return written


def render(runs: Sequence[RunRecord]) -> str:
    """Return the page as HTML."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("mammoscope.report") / "templates" / "run.html.jinja"
    return environment.from_string(template.read_text("utf-8")).render(
        notice=NOTICE,
        version=mammoscope.__version__,
        sections=[_section(run, f"run{number}") for number, run in enumerate(runs, start=1)],
    )


def _section(run: RunRecord, key: str) -> _Section:
    curves, more, pr = (draw(run, key) for draw in (paper_figure, more_figure, pr_figure))
    return _Section(
        key=key,
        name=run.name,
        lead=_lead(run),
        curves=curves.embedded() if curves else None,
        more=more.embedded() if more else None,
        pr=pr.embedded() if pr else None,
        points=tuple(_points(run)),
        figures=tuple(_rows(run)),
        kernels=_shown(run.kernels),
        worst=_shown(run.worst),
        alarms=tuple((_when(told), told.sentence) for told in run.alarms),
        settings=run.settings,
        problems=run.problems,
        has_baseline=bool(run.baselines),
    )


def _lead(run: RunRecord) -> str:
    """Say how far the run came, and how its validation accuracy stands to the baseline."""
    ends = [curve.x[-1] for curve in run.curves.values() if len(curve.x)]
    if not ends:
        return "no figures, PR curves alone" if run.pr_curves else "nothing logged yet"
    parts = [f"{max(ends):.0f} {run.unit}s"]
    accuracy = _last_value(run.curves.get((VALIDATION, "accuracy")))
    if accuracy is not None:
        parts.append(f"validation accuracy {accuracy:.3f} at the end")
        if VALIDATION in run.baselines:
            parts.append(f"{run.baselines[VALIDATION]:.3f} for always guessing the commonest class")
    return ", ".join(parts)


def _rows(run: RunRecord) -> list[tuple[str, str, str]]:
    """Last values of the known figures, then of all others: name, training, validation."""
    others = sorted({name for _, name in run.curves} - set(ROWS))
    rows = []
    for name in (*ROWS, *others):
        train, validation = (_last_value(run.curves.get((g, name))) for g in (TRAIN, VALIDATION))
        if train is not None or validation is not None:
            rows.append((ROWS.get(name, name), _written(train), _written(validation)))
    return rows


def _last_value(curve: Curve | None) -> float | None:
    if curve is None or not len(curve.y) or not np.isfinite(curve.y[-1]):
        return None
    return float(curve.y[-1])


def _written(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:,.0f}" if abs(value) >= 1000 and math.isfinite(value) else f"{value:.4g}"


def _points(run: RunRecord) -> list[str]:
    rows = []
    for tag, curve in run.pr_curves.items():
        threshold, recall, precision = half_point(curve)
        rows.append(
            f"{tag}, step {curve.step}: at threshold {threshold:.2f} recall {recall:.3f} and "
            f"precision {precision:.3f}"
        )
    return rows


def _shown(picture: Picture | None) -> _Picture | None:
    if picture is None:
        return None
    kind = next((k for magic, k in _KINDS.items() if picture.encoded.startswith(magic)), None)
    if kind is None:
        return None
    source = f"data:image/{kind};base64,{base64.b64encode(picture.encoded).decode()}"
    return _Picture(source=source, step=picture.step, width=picture.shape_px[1])


def _when(told: Told) -> str:
    if told.first is None:
        return NONE
    if told.first == told.last:
        return f"epoch {told.first}"
    return f"epochs {told.first} to {told.last}"


def _drawings(run: RunRecord, name: str) -> list[Drawing]:
    made = (paper_figure(run, name), more_figure(run, name), pr_figure(run, name))
    return [drawing for drawing in made if drawing is not None]


def _file_names(runs: Sequence[RunRecord]) -> list[str]:
    """Give each run a name that a file can have and no other run has."""
    names: list[str] = []
    for run in runs:
        plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in run.name).lstrip(".")
        name = plain or "run"
        while name in names:
            name += "+"
        names.append(name)
    return names
