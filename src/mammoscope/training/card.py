"""A model's card: its contract in Markdown, for people."""

from collections.abc import Mapping
from typing import Any

from mammoscope.core.contract import Calibration, ModelContract


def card_of(contract: ModelContract) -> str:
    """Write the card of a model from its contract alone, so that the two cannot differ."""
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
    if contract.operating_point:
        point = contract.operating_point
        lines.append(
            f"* Threshold of the lesion score: {point.threshold:.3f}, which gave {point.chosen_by}."
        )
    lines += _calibration("a marked place", contract.calibration)
    lines += _calibration("a breast", contract.breast_calibration)
    lines += ["", "## How well it did", ""]
    lines += _figures(contract.figures) or ["Nothing was measured.", ""]
    lines += ["## What it cannot do", "", *(f"* {limit}" for limit in contract.limits)]
    return "\n".join(lines) + "\n"


def _calibration(of_what: str, calibration: Calibration | None) -> list[str]:
    if calibration is None:
        return []
    return [
        f"* Probability of malignancy of {of_what}: {calibration.meaning}; fitted on "
        f"{calibration.fitted_on} ({calibration.numbers})."
    ]


def _figures(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Tables of figures, one for each thing they were measured on."""
    tables: dict[str, list[str]] = {}
    for key, figure in figures.items():
        where, _, name = key.rpartition(": ")
        value, low, high = (_three(figure.get(k)) for k in ("value", "low", "high"))
        row = f"| {name} | {value} | {low} to {high} | {figure['n']} ({figure['n_patients']}) |"
        tables.setdefault(where, []).append(row)
    lines: list[str] = []
    for where, rows in tables.items():
        lines += [f"Measured on {where}:", ""]
        lines += [
            "| figure | value | 95 % interval, by patient | n (patients) |",
            "|---|---|---|---|",
        ]
        lines += [*rows, ""]
    return lines


def _three(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
