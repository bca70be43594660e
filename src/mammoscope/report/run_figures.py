"""Drawings of a run: the paper's four panels, precision and F1, and the PR curve."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from mammoscope.formats.tf_events import PrCurve
from mammoscope.report.drawing import Drawing
from mammoscope.report.run_record import (
    MANY_POINTS,
    TRAIN,
    VALIDATION,
    Curve,
    RunRecord,
    running_mean,
)

COLOURS = {TRAIN: "#3d8fd1", VALIDATION: "#e69f00"}
"""Told apart by people with any colour vision, on a dark and on a white ground."""
BASELINE = "#8f8f8f"
MORE = ("#e69f00", "#3d8fd1", "#009e73", "#cc79a7")
LAST = 4
"""Epochs that a panel's title averages, as the paper's figures do."""
WIDE_RANGE = 100.0
PAPER_PANELS = ("accuracy", "cross_entropy", "recall", "learning_rate")
MORE_PANELS = ("precision", "f1", "loss", "auc")
WORDS = {
    "accuracy": "Accuracy",
    "cross_entropy": "Cross entropy",
    "recall": "Recall",
    "learning_rate": "Learning rate",
    "precision": "Precision",
    "f1": "F1",
    "loss": "Loss with penalties",
    "auc": "Area under the ROC curve",
}
SHARES = ("accuracy", "recall", "precision", "f1", "auc")


def _has_any(run: RunRecord, names: Sequence[str]) -> bool:
    """Tell whether a run has a drawable curve of one of these names."""
    return any(_is_drawn(run, group, name) for group in (TRAIN, VALIDATION) for name in names)


def paper_figure(run: RunRecord, name: str) -> Drawing | None:
    """Draw the paper's Figures 2 to 4: accuracy with its baseline, cross entropy, recall, rate.

    In two of the paper's panels of recall the legend is swapped; here blue is always training.
    None where the run has none of the four.
    """
    if not _has_any(run, PAPER_PANELS):
        return None
    return Drawing(f"{name}-curves", lambda figure: _panels(figure, run, PAPER_PANELS), (10.5, 7.0))


def more_figure(run: RunRecord, name: str) -> Drawing | None:
    """Draw precision, F1, loss and AUC, as far as the run has them; None where it has none."""
    known = [one for one in MORE_PANELS if _has_any(run, (one,))]
    if not known:
        return None
    height = 3.5 * (-(-len(known) // 2))
    return Drawing(f"{name}-more", lambda figure: _panels(figure, run, known), (10.5, height))


def pr_figure(run: RunRecord, name: str) -> Drawing | None:
    """Draw the last PR curves with their points at the threshold 0.5; None where there are none."""
    if not run.pr_curves:
        return None

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        for number, (tag, curve) in enumerate(run.pr_curves.items()):
            _pr_line(panel, curve, tag, MORE[number % len(MORE)])
        panel.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
        panel.grid(alpha=0.25)
        panel.legend(loc="lower left")

    return Drawing(f"{name}-pr", draw, (6.4, 4.8))


def half_point(curve: PrCurve) -> tuple[float, float, float]:
    """Find the point of a PR curve at the threshold that is nearest to 0.5.

    Returns
    -------
    threshold, recall, precision
    """
    thresholds = np.linspace(0, 1, len(curve.recall))
    place = int(np.argmin(np.abs(thresholds - 0.5)))
    return float(thresholds[place]), float(curve.recall[place]), float(curve.precision[place])


def _pr_line(panel: Axes, curve: PrCurve, tag: str, colour: str) -> None:
    # Where nothing is called abnormal there is no precision, and TensorBoard writes 0.
    called = curve.counts[0] + curve.counts[1] > 0
    threshold, recall, precision = half_point(curve)
    label = f"{tag}, step {curve.step}; dot at threshold {threshold:.2f}"
    panel.plot(curve.recall[called], curve.precision[called], color=colour, label=label)
    panel.plot([recall], [precision], "o", color=colour, markersize=8)


def _panels(figure: Figure, run: RunRecord, names: Sequence[str]) -> None:
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(h_pad=0.12, w_pad=0.12)  # type: ignore[call-arg]  # of the constrained layout
    panels = figure.subplots(-(-len(names) // 2), 2, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        _panel(panel, run, name)
    for panel in panels[len(names) :]:
        panel.set_visible(False)


def _panel(panel: Axes, run: RunRecord, name: str) -> None:
    panel.set_title(_title(run, name), fontsize=10)
    known = [group for group in (VALIDATION, TRAIN) if _is_drawn(run, group, name)]
    if not known:
        panel.text(0.5, 0.5, "not logged", ha="center", transform=panel.transAxes)
        panel.set(xticks=[], yticks=[])
        return
    handles: list[Artist] = []
    for group in known:
        curve, trace = run.curves[group, name], run.traces.get((group, name))
        handles.append(_line(_axes(panel, run, group), curve, trace, group))
    if name == "accuracy":
        handles += _baseline(panel, run)
    panel.set_xlabel(run.unit)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    _scale(panel, name, [run.curves[group, name] for group in known])
    # "best" does not see the lines of the scale above.
    panel.legend(handles=handles, loc="center right" if run.are_apart else "best")


def _axes(panel: Axes, run: RunRecord, group: str) -> Axes:
    """Give the axes of a group: validation has a scale of steps above where it counts its own."""
    if group == TRAIN or not run.are_apart:
        return panel
    above = panel.twiny()
    above.spines["top"].set_visible(True)
    above.set_xlabel("step of validation")
    above.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    return above


def _scale(panel: Axes, name: str, lines: Sequence[Curve]) -> None:
    """Choose the upright scale: of shares up to 1, of a rate from 0, of a wide range by powers."""
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    if values.min() > 0 and values.max() > WIDE_RANGE * values.min():
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
        panel.yaxis.set_minor_formatter(NullFormatter())
    elif name in SHARES:
        panel.set_ylim(top=1.02)
    elif name == "learning_rate":
        panel.set_ylim(bottom=0)


def _is_drawn(run: RunRecord, group: str, name: str) -> bool:
    curve = run.curves.get((group, name))
    return curve is not None and bool(np.isfinite(curve.y).any())


def _line(panel: Axes, curve: Curve, trace: Curve | None, group: str) -> Artist:
    """Draw a curve; many points are drawn pale, and their running mean over them."""
    colour = COLOURS[group]
    if len(curve.y) > MANY_POINTS:
        trace, curve = curve, running_mean(curve)
    if trace is not None:
        panel.plot(trace.x, trace.y, color=colour, alpha=0.4, linewidth=0.8)
    # A point alone makes no line.
    marker = "o" if len(curve.y) <= LAST else None
    what = "training" if group == TRAIN else "validation"
    return panel.plot(curve.x, curve.y, color=colour, linewidth=1.6, marker=marker, label=what)[0]


def _baseline(panel: Axes, run: RunRecord) -> list[Artist]:
    group = VALIDATION if VALIDATION in run.baselines else TRAIN
    if group not in run.baselines:
        return []
    value = run.baselines[group]
    label = f"always guessing the commonest class ({value:.3f})"
    return [panel.axhline(value, color=BASELINE, linewidth=1.4, linestyle="--", label=label)]


def _title(run: RunRecord, name: str) -> str:
    """Name the panel with the mean of the last epochs on validation, as the paper does."""
    curve = run.curves.get((VALIDATION, name))
    if curve is None or not np.isfinite(curve.y).any():
        return WORDS[name]
    last = curve.y[np.isfinite(curve.y)][-LAST:]
    return f"{WORDS[name]}: validation {last.mean():.4g} (mean of the last {len(last)})"
