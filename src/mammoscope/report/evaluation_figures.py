"""Drawings of an evaluation: ROC, precision-recall, FROC, reliability, confusion.

They are drawn from `evaluation.json` alone; what it does not hold is not drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscope.formats.files import write_atomic
from mammoscope.report.drawing import Drawing
from mammoscope.report.run_figures import more_figure, paper_figure, pr_figure
from mammoscope.report.run_record import RunRecord

COLOURS = ("#3d8fd1", "#e69f00", "#009e73", "#cc79a7")
"""Told apart by people with any colour vision (Okabe and Ito 2008), on dark and on white ground."""
WIDTHS = (4.5, 2.8, 1.6, 1.0)
"""The lines of scans and of breasts may be the same; then the wider one shows beside."""
CHANCE = "#8f8f8f"
HALF = 0.5
SQUARE = (5.2, 4.6)
MARKS = ("o", "D", "s", "^")


@dataclass(frozen=True, slots=True)
class Captioned:
    """A drawing with what is said below it, and its kind: "roc", "pr", "confusion" and so on."""

    kind: str
    drawing: Drawing
    caption: str


def drawings_of(measured: Mapping[str, Any]) -> list[Captioned]:
    """Return the drawings that an evaluation's sections allow, in the page's order."""
    return [
        *_of_curves(measured.get("curves") or {}),
        *_of_froc(measured.get("froc")),
        *_of_reliability(measured.get("calibration") or {}),
        *_of_sweep(measured.get("sweep")),
        *_of_confusion(measured),
    ]


def drawings_of_runs(runs: Sequence[RunRecord]) -> list[Captioned]:
    """Return the paper's Figures 2 to 4, further curves and Figure 5 of the runs that trained."""
    found = []
    for number, run in enumerate(runs, start=1):
        for made, caption in (
            (
                paper_figure,
                "accuracy, cross entropy, recall, rate, as the paper's Figures 2 to 4",
            ),
            (more_figure, "precision, F1, loss and AUC"),
            (pr_figure, "precision and recall with the point of .50, as the paper's Figure 5"),
        ):
            drawing = made(run, f"training-{number}")
            if drawing is not None:
                found.append(Captioned("training", drawing, f"Training of {run.name}: {caption}."))
    return found


def write_figures(
    measured: Mapping[str, Any], folder: str | Path, runs: Sequence[RunRecord] = ()
) -> list[Path]:
    """Write each drawing as SVG and PNG, black on white, into a folder that is made if missing.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for one in (*drawings_of(measured), *drawings_of_runs(runs)):
        for kind in ("svg", "png"):
            path = place / f"{one.drawing.name}.{kind}"
            write_atomic(path, one.drawing.file("svg" if kind == "svg" else "png"))
            written.append(path)
    return written


def _of_curves(curves: Mapping[str, Any]) -> Iterator[Captioned]:
    """Draw the levels of one question together: on one ROC and one precision-recall picture."""
    questions: dict[str, dict[str, Any]] = {}
    for name, one in curves.items():
        level, _, question = name.partition(": ")
        if one:
            questions.setdefault(question, {})[level] = one
    for question, levels in questions.items():
        slug = question.replace(" ", "-")
        yield Captioned(
            "roc",
            Drawing(f"roc-{slug}", _drawn(levels, _roc), SQUARE),
            f"ROC, {question}. {_told(levels)}",
        )
        yield Captioned(
            "pr",
            Drawing(f"pr-{slug}", _drawn(levels, _pr), SQUARE),
            f"Precision and recall, {question}, as the paper's Figure 5. {_told(levels)} Dashed: "
            "precision of calling every one positive.",
        )


def _told(levels: Mapping[str, Any]) -> str:
    points = next(iter(levels.values()))["points"]
    marks = [f"{_mark_name(place)} the threshold {p['threshold']:.3g}" for place, p in _few(points)]
    return f"Marked: {', '.join(marks)}."


def _few(points: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    return list(enumerate(points))[: len(MARKS)]


def _mark_name(place: int) -> str:
    return ("dot", "diamond", "square", "triangle")[place]


def _drawn(levels: Mapping[str, Any], panel_of: Any) -> Any:
    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        for number, (level, one) in enumerate(levels.items()):
            label = f"{level} ({one['n_positive']} of {one['n']} positive)"
            panel_of(panel, one, (label, COLOURS[number], WIDTHS[number]))
        panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))
        panel.grid(alpha=0.25)
        panel.legend(loc="lower right" if panel_of is _roc else "lower left", fontsize=9)

    return draw


def _roc(panel: Axes, one: Mapping[str, Any], style: tuple[str, str, float]) -> None:
    roc, (label, colour, width) = one["roc"], style
    at = (roc["false_positive_rate"], roc["recall"])
    panel.plot(*at, color=colour, label=label, linewidth=width)
    panel.plot([0, 1], [0, 1], color=CHANCE, linewidth=1, linestyle="--")
    for place, point in _few(one["points"]):
        if point["specificity"] is not None:
            at = ([1 - point["specificity"]], [point["recall"]])
            panel.plot(*at, MARKS[place], color=colour, markersize=8)
    panel.set(xlabel="share of negatives called positive (1 - specificity)", ylabel="recall")


def _pr(panel: Axes, one: Mapping[str, Any], style: tuple[str, str, float]) -> None:
    curve, (label, colour, width) = one["pr"], style
    panel.plot(curve["recall"], curve["precision"], color=colour, label=label, linewidth=width)
    panel.axhline(one["n_positive"] / one["n"], color=colour, linewidth=1, linestyle="--")
    for place, point in _few(one["points"]):
        if point["precision"] is not None:
            at = ([point["recall"]], [point["precision"]])
            panel.plot(*at, MARKS[place], color=colour, markersize=8)
    panel.set(xlabel="recall", ylabel="precision")


def _of_froc(froc: Mapping[str, Any] | None) -> Iterator[Captioned]:
    if not froc or not froc.get("curve", {}).get("fp_per_scan"):
        return
    curve = froc["curve"]

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        rates = [*curve["fp_per_scan"], max(10.0, curve["fp_per_scan"][-1])]
        found = [*curve["sensitivity"], curve["sensitivity"][-1]]
        panel.step(rates, found, where="post", color=COLOURS[0])
        for point in froc["points"]:
            figures = point["sensitivity"]
            if figures["value"] is not None and figures["low"] is not None:
                rate = point["fp_per_scan"]
                # Not error bars: an interval by BCa need not hold the value itself.
                panel.vlines(rate, figures["low"], figures["high"], color=COLOURS[1])
                panel.plot([rate], [figures["value"]], "o", color=COLOURS[1])
        panel.set_xscale("log")
        panel.set(xlim=(0.05, 10), ylim=(-0.02, 1.03))
        panel.set_xticks([0.1, 0.25, 0.5, 1, 2, 4], ["0.1", "0.25", "0.5", "1", "2", "4"])
        panel.set_xticks([], minor=True)
        panel.set(xlabel="false positives a scan", ylabel="share of findings found")
        panel.grid(alpha=0.25)

    caption = f"FROC with 95 % intervals over patients. Rule: {froc['rule']}."
    yield Captioned("froc", Drawing("froc", draw, SQUARE), caption)


def _of_reliability(calibration: Mapping[str, Any]) -> Iterator[Captioned]:
    for name, one in calibration.items():
        if not one or not one.get("reliability"):
            continue

        def draw(figure: Figure, bins: Sequence[Mapping[str, Any]] = one["reliability"]) -> None:
            panel = figure.subplots()
            panel.plot([0, 1], [0, 1], color=CHANCE, linewidth=1, linestyle="--")
            said = [group["mean_probability"] for group in bins]
            true = [group["share_positive"] for group in bins]
            panel.plot(said, true, color=COLOURS[0], linewidth=1)
            for group in bins:
                if group.get("low") is not None and group.get("high") is not None:
                    at = group["mean_probability"]
                    panel.vlines(at, group["low"], group["high"], color=COLOURS[0], alpha=0.5)
            sizes = [group["n"] for group in bins]
            panel.scatter(
                said, true, s=[20 + 180 * n / max(sizes) for n in sizes], color=COLOURS[0]
            )
            panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))
            panel.set(xlabel="mean probability", ylabel="share that was positive")
            panel.grid(alpha=0.25)

        yield Captioned(
            "reliability",
            Drawing(f"reliability-{name.replace(',', '').replace(' ', '-')}", draw, SQUARE),
            f"Reliability, {name}: {one.get('meaning', '')}. A dot is a tenth of them, its size "
            "their number, the line its 95 % interval over patients; fitted on "
            f"{one.get('fitted_on', 'nothing')}.",
        )


def _of_sweep(sweep: Mapping[str, Any] | None) -> Iterator[Captioned]:
    """Draw a panel a contrast: what each threshold does, as the paper's second report."""
    cells = (sweep or {}).get("cells")
    if not sweep or not cells:
        return
    contrasts = list(dict.fromkeys(one["contrast"] for one in cells))

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(contrasts), sharey=True, squeeze=False)[0]
        for panel, contrast in zip(panels, contrasts, strict=True):
            _swept(panel, [one for one in cells if one["contrast"] == contrast], sweep["majority"])
            panel.set_title(f"contrast x {contrast:g}", fontsize=10)
        panels[0].set_ylabel("share")
        panels[-1].legend(loc="best", fontsize=8)

    yield Captioned(
        "sweep",
        Drawing("sweep", draw, (2.2 + 3.1 * len(contrasts), 3.6)),
        "Thresholds and contrasts, as the sweep of the paper's second report. Bands: 95 % "
        "intervals over patients. Grey: accuracy of calling every one what most are.",
    )


def _swept(panel: Axes, cells: Sequence[Mapping[str, Any]], majority: Mapping[str, Any]) -> None:
    at = [one["threshold"] for one in cells]
    names = ("accuracy", "recall", "precision", "specificity")
    for name, colour in zip(names, COLOURS, strict=True):
        figures = [one[name] for one in cells]
        values, low, high = (
            [np.nan if one[key] is None else one[key] for one in figures]
            for key in ("value", "low", "high")
        )
        panel.plot(at, values, "o-", color=colour, label=name, markersize=3, linewidth=1.5)
        panel.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
    panel.axhline(majority["value"], color=CHANCE, linewidth=1, linestyle="--")
    panel.set(xlim=(0.15, 1.0), ylim=(-0.02, 1.03), xlabel="threshold")
    panel.grid(alpha=0.25)


def _of_confusion(measured: Mapping[str, Any]) -> Iterator[Captioned]:
    classes = measured.get("classes")
    if classes:
        names = classes["names"]
        size = (2.6 + 0.8 * len(names), 2.0 + 0.7 * len(names))
        yield Captioned(
            "confusion",
            Drawing("confusion-classes", _matrix(classes["confusion"], names), size),
            "Confusion of the classes: rows are the truth, columns the likeliest class.",
        )
    for name, one in (measured.get("curves") or {}).items():
        for point in (one or {}).get("points", ()):
            slug = f"{name.replace(': ', '-').replace(' ', '-')}-{point['threshold']:.3g}"
            yield Captioned(
                "confusion",
                Drawing(
                    f"confusion-{slug}", _matrix(point["confusion"], ("no", "yes")), (3.4, 2.9)
                ),
                f"Confusion, {name}, at the threshold {point['threshold']:.3g}: rows are the "
                "truth, columns the call.",
            )


def _matrix(counts: Sequence[Sequence[int]], names: Sequence[str]) -> Any:
    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        values = np.asarray(counts, dtype=np.float64)
        shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
        panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            # On its own blue ground the number must be read in a dark and in a bright page.
            colour = "#ffffff" if share > HALF else "#10243a"
            text = f"{int(values[row, column])}\n{share:.0%}"
            panel.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
        places = np.arange(len(names))
        turned = 30 if len(names) > len(("no", "yes")) else 0
        side = "right" if turned else "center"
        panel.set_xticks(places, names, rotation=turned, ha=side)
        panel.set_yticks(places, names)
        panel.set(xlabel="called", ylabel="truth")

    return draw
