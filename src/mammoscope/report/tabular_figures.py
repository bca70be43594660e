"""Drawings of the page of UCI's tables, from the record `tabular.json` alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mammoscope.report.drawing import Drawing

POSITIVE, NEGATIVE, LINE = "#d55e00", "#56b4e9", "#8f8f8f"
"""Told apart by people with any colour vision (Okabe and Ito 2008)."""
MOST_BARS = 12
LINE_HEIGHT = 0.035
"""Of a label of a biplot, as a share of its height."""
WIDEST = 14
"""Columns of a correlation map whose cells hold their numbers."""


def intervals_svg(name: str, candidates: Sequence[Mapping[str, Any]]) -> str:
    """Draw the AUC of each candidate with its interval; the hollow marks are single repeats."""

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        for place, one in enumerate(candidates):
            told = one["auc"]
            if told["low"] is not None:
                panel.plot([told["low"], told["high"]], [place, place], color=POSITIVE, linewidth=2)
            panel.plot(
                one["auc_by_repeat"],
                [place + 0.24] * len(one["auc_by_repeat"]),
                "o",
                color=LINE,
                markersize=3,
                fillstyle="none",
            )
            panel.plot(told["value"], place, "o", color=POSITIVE, markersize=6)
        panel.set_yticks(range(len(candidates)), [one["name"] for one in candidates])
        panel.set(ylim=(len(candidates) - 0.5, -0.5), xlabel="AUC, 95 % interval")
        panel.axvline(0.5, color=LINE, linewidth=1, linestyle=":")

    return Drawing(name, draw, (6.4, 0.6 + 0.33 * len(candidates))).embedded()


def importance_svg(name: str, measures: Sequence[Mapping[str, Any]]) -> str:
    """Draw what a measure is worth: the AUC lost by shuffling it, the largest losses first."""
    shown = measures[:MOST_BARS]

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        for place, one in enumerate(shown):
            told = one["auc_lost"]
            panel.barh(place, told["value"], height=0.6, color=NEGATIVE)
            if told["low"] is not None:
                panel.plot([told["low"], told["high"]], [place, place], color=POSITIVE, linewidth=2)
        panel.set_yticks(range(len(shown)), [_words(one["measure"]) for one in shown])
        panel.set(ylim=(len(shown) - 0.5, -0.5), xlabel="AUC lost, 95 % interval")
        panel.axvline(0, color=LINE, linewidth=1)

    return Drawing(name, draw, (6.4, 0.8 + 0.28 * len(shown))).embedded()


def histograms_svg(name: str, histograms: Sequence[Mapping[str, Any]], asks: Sequence[str]) -> str:
    """Draw how a measure is distributed in both classes, as shares of the class."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(histograms), squeeze=False)[0]
        for panel, one in zip(panels, histograms, strict=True):
            for counts, colour in zip(one["counts"], (POSITIVE, NEGATIVE), strict=True):
                shares = np.array(counts) / max(1, sum(counts))
                panel.stairs(shares, one["edges"], color=colour, linewidth=1.8)
            panel.set(xlabel=_words(one["measure"]), ylim=(0, None))
            panel.xaxis.set_major_locator(MaxNLocator(5))
        panels[0].set_ylabel("share of the class")
        _legend(figure, panels[0], asks)

    return Drawing(name, draw, (2.9 * len(histograms), 3.0)).embedded()


def _legend(figure: Figure, panel: Axes, asks: Sequence[str]) -> None:
    lines = [
        panel.plot([], [], color=colour, linewidth=3, label=word)[0]
        for word, colour in zip(asks, (POSITIVE, NEGATIVE), strict=True)
    ]
    figure.legend(handles=lines, loc="outside upper left", ncols=2)


def correlations_svg(name: str, names: Sequence[str], values: Sequence[Sequence[float]]) -> str:
    """Draw Pearson's correlations; the last row and column are the class."""
    side = 2.2 + 0.26 * len(names)

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        told = np.array(values)
        drawn = panel.pcolormesh(told, cmap="RdBu_r", vmin=-1, vmax=1)
        places = np.arange(len(names)) + 0.5
        panel.set_xticks(places, [_words(one) for one in names], rotation=90, fontsize=8)
        panel.set_yticks(places, [_words(one) for one in names], fontsize=8)
        panel.invert_yaxis()
        panel.set_aspect("equal")
        edge = len(names) - 1
        panel.axhline(edge, color="#000000", linewidth=1.5)
        panel.axvline(edge, color="#000000", linewidth=1.5)
        if len(names) <= WIDEST:
            for (row, column), value in np.ndenumerate(told):
                panel.text(
                    column + 0.5, row + 0.5, f"{value:.1f}".replace("0.", "."),
                    ha="center", va="center", fontsize=7,
                    color="#ffffff" if abs(value) > 0.6 else "#000000",
                )  # fmt: skip
        figure.colorbar(drawn, ax=panel, shrink=0.6, label="correlation")

    return Drawing(name, draw, (side + 1.2, side)).embedded()


def biplot_svg(name: str, biplot: Mapping[str, Any], asks: Sequence[str]) -> str:
    """Draw rows on the two main axes of their scaled measures, with the longest arrows."""

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        points = np.array(biplot["points"])
        truth = np.array(biplot["truth"], dtype=bool)
        for rows, colour in ((~truth, NEGATIVE), (truth, POSITIVE)):
            across, up = points[rows].T
            panel.scatter(across, up, s=9, color=colour, alpha=0.55, linewidths=0)
        reach = 0.9 * np.abs(points).max()
        longest = max(float(np.hypot(*one["towards"])) for one in biplot["arrows"])
        tips = reach * np.array([one["towards"] for one in biplot["arrows"]]) / longest
        low, high = points[:, 1].min(), points[:, 1].max()
        heights = spread_out(tips[:, 1], LINE_HEIGHT * (max(high, reach) - min(low, -reach)))
        for one, (x, y), height in zip(biplot["arrows"], tips, heights, strict=True):
            panel.plot([0, x], [0, y], color=LINE, linewidth=1)
            side = 1 if x >= 0 else -1
            at = (x + side * 0.06 * reach, height)
            panel.annotate(
                _words(one["name"]), (x, y), at, fontsize=7, va="center",
                ha="left" if side > 0 else "right",
                arrowprops={"arrowstyle": "-", "color": LINE, "linewidth": 0.4},
            )  # fmt: skip
        first, second = (f"{100 * share:.0f} %" for share in biplot["explained"])
        panel.set(xlabel=f"first axis ({first} of the spread)", ylabel=f"second ({second})")
        _legend(figure, panel, asks)

    return Drawing(name, draw, (6.4, 5.0)).embedded()


def spread_out(heights: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Move labels apart: the same order, at least `gap` between neighbours, the middle kept.

    Parameters
    ----------
    heights : ndarray of shape (labels,)
    gap : 0 or more, in the same unit
    """
    order = np.argsort(heights, kind="stable")
    moved = heights[order].astype(np.float64)
    for place in range(1, len(moved)):
        moved[place] = max(moved[place], moved[place - 1] + gap)
    moved -= (moved - heights[order]).mean()
    spread = np.empty_like(moved)
    spread[order] = moved
    return spread


def _words(name: str) -> str:
    return name.replace("_", " ")
