"""Drawings of the studies' pages: areas with intervals, training curves, precision and recall."""

from collections.abc import Mapping, Sequence
from math import nan
from textwrap import wrap
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mammoscope.report.drawing import Drawing
from mammoscope.report.tiles_figures import COLOURS

OURS, PAPER = COLOURS[0], COLOURS[1]
Rows = Sequence[tuple[str, str, Sequence[Mapping[str, Any]]]]
"""A label, a colour, and figures as `evaluation.json` holds them, one a run."""
LOWEST = 0.3
"""Where the panels of the paper's training figures end below."""


def areas(name: str, rows: Rows, xlabel: str) -> Drawing:
    """Draw figures in [0, 1] with their intervals, a row a label and a mark a run."""

    def draw(made: Figure) -> None:
        panel = made.subplots()
        for place, (_label, colour, figures) in enumerate(rows):
            for number, one in enumerate(figures):
                if one["value"] is None:
                    continue
                height = place + 0.16 * (number - (len(figures) - 1) / 2)
                if one["low"] is not None and one["high"] is not None:
                    panel.plot([one["low"], one["high"]], [height] * 2, color=colour, linewidth=1.4)
                panel.plot(one["value"], height, "o", color=colour, markersize=5)
        panel.axvline(0.5, color="#8f8f8f", linewidth=1, linestyle=":")
        panel.set_yticks(range(len(rows)), [label for label, _colour, _figures in rows])
        panel.set_ylim(len(rows) - 0.5, -0.5)
        panel.set_xlim(-0.02, 1.02)
        panel.set_xlabel(xlabel)
        panel.grid(axis="x", alpha=0.25)

    return Drawing(name, draw, (10.5, 1.3 + 0.55 * len(rows)))


def training_curves(
    curves: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]
) -> Drawing:
    """Draw the validation of Figures 2 to 4, and ours, accuracy above recall.

    Parameters
    ----------
    curves : the paper's points, with `figure`, `run`, `epochs`, `accuracy`, `recall`
    runs : ours, with `history`
    """
    titles = [f"Figure {one['figure']}: {one['run']}" for one in curves] + ["ours, by seed"]

    def draw(made: Figure) -> None:
        panels = made.subplots(2, len(titles), sharex="col", sharey=True, squeeze=False)
        for row, key in enumerate(("accuracy", "recall")):
            for column, one in enumerate(curves):
                _points(panels[row][column], one["epochs"], one[key])
            for number, run in enumerate(runs):
                points = [
                    (epoch, told[f"val_{key}"])
                    for epoch, told in enumerate(run["history"], start=1)
                    if told.get(f"val_{key}") is not None
                ]
                if points:
                    colour = COLOURS[(0, 2, 3, 5)[number % 4]]
                    panels[row][-1].plot(
                        *zip(*points, strict=True), "o-", color=colour, markersize=3
                    )
            panels[row][0].set_ylabel(f"validation {key}")
        for column, title in enumerate(titles):
            panels[0][column].set_title(title, fontsize=10)
            panels[1][column].set_xlabel("epoch")
            panels[1][column].xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
            for row in range(2):
                panels[row][column].set_ylim(-0.03, 1.03)
                panels[row][column].grid(alpha=0.25)

    return Drawing("curves", draw, (2.9 * len(titles), 5.0))


def _points(panel: Any, epochs: Sequence[int], values: Sequence[float | None]) -> None:
    """Draw a curve of the paper's; where its picture does not reach so low it is broken."""
    heights = [nan if value is None else value for value in values]
    panel.plot(epochs, heights, "o-", color=PAPER, markersize=3)
    below = [epoch for epoch, value in zip(epochs, values, strict=True) if value is None]
    panel.plot(below, [LOWEST] * len(below), "v", color=PAPER, markersize=5)


def precision_recall(
    paper: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]
) -> Drawing:
    """Draw Figure 5 and ours; a large dot is the threshold of .5."""

    def draw(made: Figure) -> None:
        panel = made.subplots()
        for colour, one in zip((PAPER, COLOURS[4]), paper, strict=False):
            label = f"paper: {one['name']}"
            panel.plot(*zip(*one["points"], strict=True), "--", color=colour, label=label)
            panel.plot(*one["at_half"], "o", color=colour, markersize=8)
        for number, run in enumerate(runs):
            if run["pr"] is None:
                continue
            colour = COLOURS[(0, 2, 3, 5)[number % 4]]
            panel.plot(
                run["pr"]["recall"],
                run["pr"]["precision"],
                color=colour,
                label=f"ours: {run['name']}",
            )
            if run["pr"]["at_half"][1] is not None:
                panel.plot(*run["pr"]["at_half"], "o", color=colour, markersize=8)
        panel.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
        panel.grid(alpha=0.25)
        panel.legend(loc="lower left", fontsize=8)

    return Drawing("precision-recall", draw, (7.0, 5.0))


def histogram(
    name: str,
    edges: Sequence[float],
    groups: Sequence[tuple[str, Sequence[int]]],
    labels: tuple[str, str],
    marked: float | None = None,
) -> Drawing:
    """Draw counts in bins, a step line a group.

    Parameters
    ----------
    edges : of the bins, one more than counts
    labels : of the two axes
    marked : a value that gets a dotted line
    """

    def draw(made: Figure) -> None:
        panel = made.subplots()
        for number, (label, counts) in enumerate(groups):
            panel.stairs(
                counts, edges, color=COLOURS[(0, 4, 2, 3)[number % 4]], linewidth=1.8, label=label
            )
        if marked is not None:
            panel.axvline(marked, color="#8f8f8f", linestyle=":", linewidth=1.4)
        panel.set(xlabel=labels[0], ylabel=labels[1])
        panel.set_ylim(bottom=0)
        panel.yaxis.set_major_locator(MaxNLocator(integer=True))
        _legend_above(panel, len(groups))

    return Drawing(name, draw, (8.0, 3.4))


def _legend_above(panel: Any, columns: int) -> None:
    """Put the legend where it hides nothing."""
    panel.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=columns, frameon=False)


def _wrapped(label: str, count: int) -> str:
    """Break a label at its blanks and underscores, so that it does not run into the next."""
    room = max(8, 80 // max(count, 1))
    return "\n".join(wrap(label.replace("_", " "), room, break_long_words=False)) or label


def bars(name: str, groups: Sequence[tuple[str, Mapping[str, int]]], ylabel: str) -> Drawing:
    """Draw counts of named values, a bar a group beside each other."""
    values = list(dict.fromkeys(value for _label, counts in groups for value in counts))

    def draw(made: Figure) -> None:
        panel = made.subplots()
        # Few bars would be as broad as the page.
        width = min(0.8, 0.2 * len(values)) / len(groups)
        for number, (label, counts) in enumerate(groups):
            places = [
                place + (number - (len(groups) - 1) / 2) * width for place in range(len(values))
            ]
            heights = [counts.get(value, 0) for value in values]
            colour = COLOURS[(0, 4, 2, 3)[number % 4]]
            marks = panel.bar(places, heights, width * 0.92, color=colour, label=label)
            panel.bar_label(marks, fontsize=8, padding=1)
        panel.set_xticks(range(len(values)), [_wrapped(value, len(values)) for value in values])
        panel.set_xlim(-0.6, len(values) - 0.4)
        panel.set_ylabel(ylabel)
        panel.yaxis.set_major_locator(MaxNLocator(integer=True))
        panel.margins(y=0.12)
        if len(groups) > 1:
            _legend_above(panel, len(groups))

    return Drawing(name, draw, (8.0, 3.4))
