"""The page of a sweep: how it went, what each option does, and a row a trial."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from mammoscope.report.drawing import Drawing
from mammoscope.report.trials_page import (
    NONE,
    Picture,
    Table,
    TrialsPage,
    read_record,
    write_page,
    written,
)

SCHEMA = "mammoscope.sweep/1"
DONE, STOPPED, FAILED = "done", "stopped early", "failed"
BLUE, ORANGE, GREY = "#3d8fd1", "#e69f00", "#8f8f8f"
ACROSS = 3
"""Options in a row of drawings."""
FEW = 4
"""Trials for each option below which a sweep says little about it."""


def write_sweep_page(source: str | Path, path: str | Path) -> None:
    """Write the page of ``sweep.json``.

    Raises
    ------
    MissingFileError, CorruptFileError
        When the record cannot be read.
    OSError
        When the page cannot be written.
    """
    write_page(make_page(read_record(source, SCHEMA)), path)


def make_page(record: Mapping[str, Any]) -> TrialsPage:
    """Lay a record out as a page."""
    trials, options = record["trials"], list(record["search"])
    states = [trial["state"] for trial in trials]
    told = ", ".join(f"{states.count(one)} {one}" for one in (DONE, STOPPED, FAILED))
    return TrialsPage(
        title=f"{record['name']}: a sweep of {len(trials)} trials",
        lead=f"validation {record['metric']}, to {record['direction']}; {told}",
        notes=tuple(_notes(record)),
        drawings=tuple(_pictures(record)) if _values(record) else (),
        tables=(
            Table(
                title="Trials, the best first",
                columns=sweep_columns(options),
                rows=tuple(sweep_rows(record)),
            ),
        ),
    )


def sweep_columns(options: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of `sweep_rows`."""
    return ("trial", "state", "value", "epochs", "seconds", *options)


def sweep_rows(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Write a row a trial: the best first, then those without a value in their order."""
    rising = 1 if record["direction"] == "maximize" else -1

    def place(trial: Mapping[str, Any]) -> tuple[bool, float]:
        value = trial["value"]
        return (value is None, 0.0 if value is None else -rising * value)

    return [
        (
            str(trial["number"]),
            trial["state"],
            written(trial["value"]),
            str(trial["epochs"]),
            NONE if trial["seconds"] is None else f"{trial['seconds']:.0f}",
            *(written(trial["options"].get(name)) for name in record["search"]),
        )
        for trial in sorted(record["trials"], key=place)
    ]


def _values(record: Mapping[str, Any]) -> list[float]:
    return [trial["value"] for trial in record["trials"] if trial["value"] is not None]


def _notes(record: Mapping[str, Any]) -> list[str]:
    notes = [
        f"Trial {trial['number']} failed: {trial['why']}"
        for trial in record["trials"]
        if trial["state"] == FAILED
    ]
    if (best := record["best"]) is not None:
        notes.append(
            f"Trial {best} is the best of {len(_values(record))}, so its figure is too good: it "
            "was chosen for it. Train its options again with several seeds, and judge on the test."
        )
    if len(_values(record)) < FEW * len(record["search"]):
        notes.append("There are few trials for so many options, so little can be said of each.")
    return notes


def _pictures(record: Mapping[str, Any]) -> list[Picture]:
    options = list(record["search"])
    down = -(-len(options) // ACROSS)
    return [
        Picture(
            title="How it went",
            text="A dot is a trial that was done; the line is the best one so far. Crosses failed, "
            "and triangles were stopped early, at their last figure.",
            drawing=Drawing("history", lambda made: _history(made, record), (10.5, 3.6)),
        ),
        Picture(
            title="What each option does",
            text="Every trial that was done, over one option at a time; the others differ too.",
            drawing=Drawing(
                "options", lambda made: _slices(made, record, options), (10.5, 3.2 * down)
            ),
        ),
        Picture(
            title="Epoch by epoch",
            text="Blue: trials that were done, the best one strong. Grey: stopped early or failed.",
            drawing=Drawing("epochs", lambda made: _curves(made, record), (10.5, 3.6)),
        ),
    ]


def _history(made: Figure, record: Mapping[str, Any]) -> None:
    panel = made.subplots()
    better = max if record["direction"] == "maximize" else min
    best: list[tuple[int, float]] = []
    for trial in record["trials"]:
        number, value = trial["number"], trial["value"]
        if value is not None:
            panel.plot(number, value, "o", color=BLUE)
            best.append((number, better(value, best[-1][1]) if best else value))
        elif trial["curve"]:
            mark = "v" if trial["state"] == STOPPED else "x"
            panel.plot(number, trial["curve"][-1][1], mark, color=GREY)
    panel.step(*zip(*best, strict=True), where="post", color=ORANGE)
    panel.set(xlabel="trial", ylabel=record["metric"])
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.grid(alpha=0.25)


def _slices(made: Figure, record: Mapping[str, Any], options: Sequence[str]) -> None:
    across = min(ACROSS, len(options))
    panels = made.subplots(-(-len(options) // across), across, squeeze=False, sharey=True).ravel()
    for panel, name in zip(panels, options, strict=False):
        _slice(panel, record, name)
    for panel in panels[len(options) :]:
        panel.set_visible(False)
    for panel in panels[::across]:
        panel.set_ylabel(record["metric"])


def _slice(panel: Axes, record: Mapping[str, Any], name: str) -> None:
    entry = record["search"][name]
    done = [trial for trial in record["trials"] if trial["value"] is not None]
    chosen = [trial["options"][name] for trial in done]
    if "values" in entry:
        # By place: 1 and true, or 1 and 1.0, are one value to Python and two to the user.
        known = [repr(one) for one in entry["values"]]
        chosen = [known.index(repr(one)) for one in chosen]
        panel.set_xticks(range(len(known)), [str(one) for one in entry["values"]])
        panel.set_xlim(-0.5, len(known) - 0.5)
    elif entry["log"]:
        panel.set_xscale("log")
        # The drawings show no formulas, which the usual labels of powers are.
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
    for place, trial in zip(chosen, done, strict=True):
        colour = ORANGE if trial["number"] == record["best"] else BLUE
        panel.plot(place, trial["value"], "o", color=colour)
    panel.set_xlabel(name)
    panel.grid(alpha=0.25)


def _curves(made: Figure, record: Mapping[str, Any]) -> None:
    panel = made.subplots()
    for trial in record["trials"]:
        if not trial["curve"]:
            continue
        is_best = trial["number"] == record["best"]
        panel.plot(
            [epoch for epoch, _ in trial["curve"]],
            [value for _, value in trial["curve"]],
            color=BLUE if trial["state"] == DONE else GREY,
            linewidth=2.4 if is_best else 1.0,
            alpha=1.0 if is_best else 0.75,
            marker="o" if len(trial["curve"]) == 1 else None,
        )
    panel.set(xlabel="epoch", ylabel=record["metric"])
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.grid(alpha=0.25)
