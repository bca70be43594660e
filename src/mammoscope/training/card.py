"""A model's card in Markdown: its contract, and what its run left behind, for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mammoscope.core.contract import Calibration, ModelContract, OperatingPoint

CORES = 2
WATTS_A_CORE = 10.0
KG_A_KWH = 0.48
"""Mean of the world's electricity in 2023 (Ember, Global Electricity Review 2024)."""
FITTED_HERE = (
    "Threshold and calibration were chosen on these very scans (not on those that trained the "
    "networks), so the figures of both are a little too good."
)
JOULES_A_KWH = 3_600_000
APART = {"strata"}
"""Sections of an evaluation whose figures get a table of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run left behind besides its contract; what is missing is left out of the card.

    Attributes
    ----------
    own : `evaluation.json` of the folds
    foreign : `evaluation.json` of the foreign archive
    own_name, foreign_name : of what they were measured on, in words
    digest : SHA-256 of the weight file
    patients : in the split
    seconds : of training, all networks of the run together
    ablation : rows of the table of steps that were tried, column to text
    """

    own: Mapping[str, Any] = field(default_factory=dict)
    foreign: Mapping[str, Any] = field(default_factory=dict)
    own_name: str = "the folds"
    foreign_name: str = "the foreign archive"
    digest: str | None = None
    patients: int | None = None
    seconds: float | None = None
    ablation: Sequence[Mapping[str, str]] = ()


def card_of(contract: ModelContract, facts: RunFacts | None = None) -> str:
    """Write the card of a model from its contract and its run, so that they cannot differ."""
    known = facts or RunFacts()
    lines = [
        *_head(contract, known),
        *_points(contract.points, contract.operating_point),
        "## How well it did",
        "",
        *(_figures(contract.figures) or ["Nothing was measured.", ""]),
        *_everything(known.own_name, known.own, FITTED_HERE),
        *_everything(known.foreign_name, known.foreign),
        *_ablation(known.ablation),
        *_cost(known.seconds),
        "## What it cannot do",
        "",
        *(f"* {limit}" for limit in contract.limits),
    ]
    return "\n".join(lines) + "\n"


def energy_of(seconds: float) -> tuple[float, float]:
    """Estimate what a training took: (kWh, kg of CO2 equivalents).

    Nothing is measured: seconds x `CORES` x `WATTS_A_CORE`, and `KG_A_KWH`.
    """
    kwh = seconds * CORES * WATTS_A_CORE / JOULES_A_KWH
    return kwh, kwh * KG_A_KWH


def _head(contract: ModelContract, facts: RunFacts) -> list[str]:
    lines = [
        f"# {contract.name}, version {contract.version}",
        "",
        "**Research software, not a medical device: not for diagnosis or treatment.**",
        "",
        f"* Architecture: `{contract.architecture}`; answers {', '.join(contract.output.targets)}"
        + (
            f" at every {contract.output.stride_px}th pixel of the input."
            if contract.output.stride_px
            else " for a tile."
        ),
        f"* Input: one grey channel at {contract.input.spacing_mm:g} mm a pixel, grey rule "
        f"`{contract.input.grey_rule}` ("
        + ", ".join(f"{k} {v:g}" for k, v in sorted(contract.input.grey_numbers.items()))
        + f"), orientation {contract.input.orientation}.",
        *(f"* {key.capitalize()}: {value}" for key, value in sorted(contract.origin.items())),
    ]
    if facts.patients is not None:
        lines.append(f"* Patients in the split: {facts.patients}, each in one fold.")
    if facts.digest is not None:
        lines.append(f"* Digest of the weight file (SHA-256): {facts.digest}")
    if contract.operating_point:
        point = contract.operating_point
        lines.append(
            f"* Threshold of the lesion score: {point.threshold:.3f}, which gave {point.chosen_by}."
        )
    lines += _calibration("a marked place", contract.calibration)
    lines += _calibration("a breast", contract.breast_calibration)
    return [*lines, ""]


def _calibration(of_what: str, calibration: Calibration | None) -> list[str]:
    if calibration is None:
        return []
    return [
        f"* Probability of malignancy of {of_what}: {calibration.meaning}; fitted on "
        f"{calibration.fitted_on} ({calibration.numbers})."
    ]


def _points(points: Sequence[OperatingPoint], used: OperatingPoint | None) -> list[str]:
    """Table of the operating points; none where only an old contract's threshold is known."""
    measured = [point for point in points if point.sensitivity or point.fp_per_scan]
    if not measured:
        return []
    rows = [
        [
            f"{point.name}{' (default)' if point == used else ''}",
            f"{point.threshold:.3f}",
            _value(point.sensitivity),
            _value(point.fp_per_scan),
            point.chosen_by,
        ]
        for point in measured
    ]
    heads = ["operating point", "threshold", "sensitivity", "false positives a scan", "gave"]
    return [
        "## Operating points",
        "",
        *_table(heads, rows),
        "Intervals are 95 %, over patients, for each threshold as it stands. Choose one with "
        "`mammoscope read --operating-point NAME`.",
        "",
    ]


def _figures(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Tables of figures, one for each thing they were measured on."""
    tables: dict[str, list[list[str]]] = {}
    for key, figure in figures.items():
        where, _, name = key.rpartition(": ")
        tables.setdefault(where, []).append([name, *_cells(figure)])
    lines: list[str] = []
    for where, rows in tables.items():
        lines += [f"Measured on {where}:", "", *_table(["figure", *_HEADS], rows)]
    return lines


_HEADS = ("value", "95 % interval, by patient", "n (patients)")


def _everything(where: str, summary: Mapping[str, Any], note: str = "") -> list[str]:
    """Every figure of an evaluation, then those of its groups."""
    if not summary:
        return []
    plain = {key: part for key, part in summary.items() if key not in APART}
    rows = [[name, *_cells(figure)] for name, figure in _walk(plain, ())]
    groups = [[name, *_cells(figure)] for name, figure in _walk(summary.get("strata") or {}, ())]
    lines = [f"### Every figure on {where}", "", *([note, ""] if note else [])]
    lines += _table(["figure", *_HEADS], rows)
    if groups:
        lines += [f"### By group on {where}", "", *_table(["group and figure", *_HEADS], groups)]
    return lines


def _walk(part: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Go through an evaluation and give each figure under its path, in words."""
    if isinstance(part, Mapping):
        if {"value", "low", "high", "n"} <= set(part):
            yield ", ".join(path).replace("_", " "), part
            return
        for key, inner in part.items():
            yield from _walk(inner, (*path, str(key)))
    elif isinstance(part, list):
        for position, inner in enumerate(part):
            yield from _walk(inner, (*path, _name_of(inner, position)))


def _name_of(inner: Any, position: int) -> str:
    """Name an entry of a list by the number that it is given at."""
    if isinstance(inner, Mapping):
        for key, words in (("fp_per_scan", "false positives a scan"), ("threshold", "threshold")):
            if isinstance(inner.get(key), float | int):
                return f"at {inner[key]:.3g} {words}"
    return str(position + 1)


def _ablation(rows: Sequence[Mapping[str, str]]) -> list[str]:
    if not rows:
        return []
    heads = list(rows[0])
    table = _table(heads, [[row.get(head) or "" for head in heads] for row in rows])
    return ["## Steps that were tried", "", *table]


def _cost(seconds: float | None) -> list[str]:
    if seconds is None:
        return []
    kwh, kg = energy_of(seconds)
    return [
        "## Time and energy of training",
        "",
        f"{seconds / 60:.0f} minutes for all networks of the run, without preparing and measuring. "
        f"An estimate, nothing was metered: {CORES} cores x {WATTS_A_CORE:g} W (assumed) x that "
        f"time = {kwh:.3f} kWh; at {KG_A_KWH:g} kg CO2e a kWh (mean of the world's electricity in "
        f"2023) {1000 * kg:.0f} g CO2e. Trials before this run are not in it.",
        "",
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"

    return [line(heads), "|" + "---|" * len(heads), *map(line, rows), ""]


def _cells(figure: Mapping[str, Any]) -> list[str]:
    interval = f"{_three(figure.get('low'))} to {_three(figure.get('high'))}"
    if figure.get("low") is None or figure.get("high") is None:
        interval = f"none: {figure.get('warning', 'not measured')}"
    count = f"{figure['n']} ({figure.get('n_patients', '?')})"
    return [_three(figure.get("value")), interval, count]


def _value(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "not measured"
    value, interval, _ = _cells(figure)
    return f"{value} ({interval})"


def _three(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
