"""Drawings of an experiment: every run at its value, and the validation epoch by epoch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mammoscope.report.drawing import Drawing

SHOWN = ("auc", "accuracy", "recall", "specificity", "precision", "volatility")
"""Figures of the page, in their order."""
CURVES = ("accuracy", "recall", "auc")
COLOURS = ("#3d8fd1", "#e69f00", "#4fae7b", "#c678b0", "#d1603d", "#8f8f8f")
PAPER = "#e05252"
ACROSS = 3


def dots_drawing(record: Mapping[str, Any]) -> Drawing:
    """Draw a panel a figure: the runs at each value, their mean, and the paper's figure."""
    down = -(-len(SHOWN) // ACROSS)
    return Drawing("dots", lambda made: _dots(made, record), (10.5, 2.9 * down))


def curves_drawing(record: Mapping[str, Any]) -> Drawing:
    """Draw the validation's accuracy, recall and AUC over the epochs, a colour a value."""
    return Drawing("curves", lambda made: _curves(made, record), (10.5, 3.8))


def _dots(made: Figure, record: Mapping[str, Any]) -> None:
    panels = made.subplots(-(-len(SHOWN) // ACROSS), ACROSS, squeeze=False).ravel()
    for panel, name in zip(panels, SHOWN, strict=True):
        for place, word in enumerate(record["values"]):
            colour = COLOURS[place % len(COLOURS)]
            values = [
                run["figures"][name]
                for run in record["runs"]
                if run["value"] == word and run["figures"][name] is not None
            ]
            if values:
                deviation = np.std(values, ddof=1) if len(values) > 1 else None
                panel.errorbar(
                    place, np.mean(values), yerr=deviation, fmt="_", color="#8f8f8f", capsize=4,
                    markersize=22,
                )  # fmt: skip
            offsets = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else [0.0]
            panel.plot(
                place + np.asarray(offsets[: len(values)]),
                values,
                "o",
                color=colour,
                fillstyle="none",
            )
            paper = record["published"].get(name, {}).get(word)
            if paper is not None:
                panel.plot(place + 0.28, paper, "D", color=PAPER, markersize=5)
        panel.set_title(name, fontsize=10)
        panel.set_xticks(range(len(record["values"])), record["values"])
        panel.set_xlim(-0.5, len(record["values"]) - 0.5)
        low, high = panel.get_ylim()
        panel.set_ylim(max(-0.03, low), min(1.03, high) if high > 0 else high)
        panel.grid(axis="y", alpha=0.25)
    made.supxlabel(record["option"], fontsize=10)


def _curves(made: Figure, record: Mapping[str, Any]) -> None:
    panels = made.subplots(1, len(CURVES), squeeze=False)[0]
    for panel, name in zip(panels, CURVES, strict=True):
        for place, word in enumerate(record["values"]):
            colour = COLOURS[place % len(COLOURS)]
            curves = [
                [np.nan if value is None else value for value in run["curves"][name]]
                for run in record["runs"]
                if run["value"] == word and run["curves"][name]
            ]
            for curve in curves:
                panel.plot(range(1, len(curve) + 1), curve, color=colour, linewidth=0.8, alpha=0.6)
            longest = max(map(len, curves), default=0)
            whole = [curve for curve in curves if len(curve) == longest]
            if whole:
                mean = np.mean(whole, axis=0)
                panel.plot(
                    range(1, longest + 1), mean, color=colour, linewidth=2.2, label=word,
                    marker="o", markersize=3,
                )  # fmt: skip
        if name == "accuracy":
            panel.axhline(record["patients"]["majority"], color="#8f8f8f", linestyle=":")
        panel.set(xlabel="epoch", title=f"validation {name}")
        panel.title.set_fontsize(10)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.25)
    panels[-1].legend(title=record["option"], fontsize=9, title_fontsize=9)
