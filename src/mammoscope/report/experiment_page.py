"""The page of an experiment: what of a paper's claims held, and what the runs say of each value."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mammoscope.report.experiment_figures import CURVES, SHOWN, curves_drawing, dots_drawing
from mammoscope.report.trials_page import (
    NONE,
    Picture,
    Table,
    TrialsPage,
    joined,
    read_record,
    write_page,
    written,
)

SCHEMA = "mammoscope.experiment/1"
COLUMNS = (
    "value",
    "figure",
    "paper",
    "mean",
    "deviation",
    "range",
    "other seeds",
    "other patients",
)
RULE = (
    "The rule is the same for every claim. The difference is taken seed by seed, both runs with "
    "the same seed. The claim held where two 95 % intervals of its mean both lie above 0: the t "
    "interval over the seeds (would other seeds show it?) and the BCa bootstrap over patients "
    "(would other patients?). It did not hold where both lie at or below 0. Else it cannot be "
    "told from these runs. Volatility belongs to a run, not to patients: there the seeds alone "
    "decide. Every claim is tested by itself at 95 %, without a correction for their number."
)
MARKS = {"held": "\N{CHECK MARK}", "did not hold": "\N{BALLOT X}", "cannot be told": "?"}


def write_experiment_page(source: str | Path, path: str | Path) -> None:
    """Write the page of ``experiment.json``.

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
    claims = Table(
        title="What the paper says, and what came of it",
        text=RULE,
        columns=("claim", "where", "as tested", "paper", "here (mean)", "verdict", "because"),
        rows=tuple(map(_claim_row, record["claims"])),
    )
    return TrialsPage(
        title=f"Experiment {record['name']}: {record['option']} of {joined(record['values'])}",
        lead=lead_of(record),
        notes=tuple(record["notes"]),
        answers=(claims,) if record["claims"] else (),
        drawings=tuple(_pictures(record)),
        tables=(
            Table(
                title="By value",
                text="Mean, deviation and range are over the seeds; the last columns are 95 % "
                "intervals of the mean.",
                columns=COLUMNS,
                rows=tuple(value_rows(record, SHOWN)),
            ),
            Table(
                title="Differences, seed by seed",
                columns=("difference", "mean", "by seed", "other seeds", "other patients", "sign"),
                rows=tuple(map(_difference_row, record["differences"])),
            ),
            Table(
                title="How the claims were checked",
                columns=("claim", "quantity that must be above 0", "mean", "by seed",
                         "other seeds", "other patients", "verdict"),
                rows=tuple(_check_rows(record["claims"])),
            ),
            Table(
                title="Every run",
                columns=("value", "seed", "minutes", *SHOWN),
                rows=tuple(map(_run_row, record["runs"])),
            ),
        ),
    )  # fmt: skip


def lead_of(record: Mapping[str, Any]) -> str:
    """Say what was trained and on whom it is measured."""
    who = record["patients"]
    kind = "validation and test" if who["kind"] == "both" else who["kind"]
    audit = record["tiles"]["audit_verdict"] or "without a stored audit"
    return (
        f"{record['network']}, {record['epochs']} epochs ({record['steps']:,} steps), seeds "
        f"{joined([str(seed) for seed in record['seeds']])}, tiles of recipe "
        f"{record['tiles']['recipe']} ({audit}); measured on the {kind} patients, who chose "
        f"nothing: {who['tiles']} tiles of {who['patients']}, {who['abnormal']} abnormal ones of "
        f"{who['abnormal_patients']}; calling all normal gives accuracy {who['majority']:.4f}"
    )


def value_rows(record: Mapping[str, Any], figures: Sequence[str]) -> list[tuple[str, ...]]:
    """Write a row a value and figure, under `COLUMNS`; the metric comes first."""
    names = dict.fromkeys((record["metric"], *figures))
    rows: list[tuple[str, ...]] = []
    for name in names:
        for word, spreads in record["spreads"].items():
            one = next(spread for spread in spreads if spread["name"] == name)
            paper = record["published"].get(name, {}).get(word)
            ends = NONE if one["low"] is None else f"{one['low']:.3f} to {one['high']:.3f}"
            rows.append(
                (
                    word, name, _number(paper), _number(one["mean"]), _number(one["deviation"]),
                    ends, _interval(one["by_seeds"]), _interval(one["by_patients"]),
                )
            )  # fmt: skip
    return rows


def claim_lines(record: Mapping[str, Any]) -> list[str]:
    """Write a line a claim, for the terminal."""
    return [
        f"{MARKS[one['verdict']]} {one['verdict']}: {one['says']}"
        + (f" ({one['why']})" if one["why"] else "")
        for one in record["claims"]
    ]


def _claim_row(claim: Mapping[str, Any]) -> tuple[str, ...]:
    ours = ", ".join(f"{_number(value)} at {word}" for word, value in claim["ours"].items())
    return (
        claim["says"], claim["source"], claim["test"], claim["paper"] or NONE, ours,
        f"{MARKS[claim['verdict']]} {claim['verdict']}", claim["why"] or _told(claim),
    )  # fmt: skip


def _told(claim: Mapping[str, Any]) -> str:
    """Give the intervals of the check that is nearest to not being settled."""
    nearest = min(claim["checks"], key=lambda check: abs(check["mean"]))
    text = f"mean {nearest['mean']:.3f}; seeds {_interval(nearest['seeds'])}"
    patients = nearest["patients"]
    return text if patients is None else f"{text}; patients {_interval(patients)}"


def _check_rows(claims: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (str(number), one["what"], *_measured(one), one["verdict"])
        for number, claim in enumerate(claims, 1)
        for one in claim["checks"]
    ]


def _difference_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    signs = {"held": "above 0", "did not hold": "not above 0", "cannot be told": "cannot be told"}
    return (one["what"], *_measured(one), signs[one["verdict"]])


def _measured(check: Mapping[str, Any]) -> tuple[str, ...]:
    seeds = ", ".join(_number(value) for value in check["by_seed"])
    return (
        _number(check["mean"]), seeds, _interval(check["seeds"]), _interval(check["patients"])
    )  # fmt: skip


def _run_row(run: Mapping[str, Any]) -> tuple[str, ...]:
    minutes = "failed" if run["seconds"] is None else f"{run['seconds'] / 60:.1f}"
    return (
        run["value"], str(run["seed"]), minutes, *(_number(run["figures"][n]) for n in SHOWN)
    )  # fmt: skip


def _pictures(record: Mapping[str, Any]) -> list[Picture]:
    pictures = [
        Picture(
            title="Each value, every seed",
            text="A dot is a run; the bar is the mean of the seeds, the thin line one standard "
            "deviation about it. A diamond is the paper's figure, of its own network and patients.",
            drawing=dots_drawing(record),
        )
    ]
    if any(run["curves"][CURVES[0]] for run in record["runs"]):
        pictures.append(
            Picture(
                title="Validation, epoch by epoch",
                text="A thin line is a run, the strong one the mean of the seeds. The dotted line "
                "is the accuracy of calling every tile what most are.",
                drawing=curves_drawing(record),
            )
        )
    return pictures


def _number(value: float | None) -> str:
    return written(None if value is None else f"{value:.3f}")


def _interval(ends: Sequence[float] | None) -> str:
    return NONE if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
