"""The page of UCI's tables: the paper's figures beside ours, why they failed, and the right way."""

from collections.abc import Mapping
from importlib.resources import files
from math import copysign
from pathlib import Path
from typing import Any

import jinja2

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.files import write_atomic
from mammoscope.report.findings import NOTICE
from mammoscope.report.tabular_figures import (
    WIDEST,
    biplot_svg,
    correlations_svg,
    histograms_svg,
    importance_svg,
    intervals_svg,
)

SCHEMA = "mammoscope-tabular-1"
DASH = "\N{EN DASH}"
TITLES = {
    "wisconsin-original": "Wisconsin original: cells graded by eye",
    "wdbc": "Wisconsin diagnostic (WDBC): nuclei measured",
    "wpbc": "Wisconsin prognostic (WPBC): recurrence",
    "mammographic-mass": "Mammographic masses, without the reader's opinion",
    "mammographic-mass, with BI-RADS": "Mammographic masses, with the reader's opinion (BI-RADS)",
    "mammographic-mass, BI-RADS alone": "The reader's opinion (BI-RADS) alone",
}
CLASSIFIERS = {
    "tree": "decision tree",
    "nearest": "k nearest",
    "network": "network 64-48",
    "radial": "SVM, RBF",
    "linear": "SVM, linear",
}


def write_tabular_page(record: Mapping[str, Any], path: str | Path) -> None:
    """Write the page of a record of `mammoscope tabular` as one file that loads nothing.

    Parameters
    ----------
    record : what `tabular.json` holds
    path : of the page; its folder is made where it is missing

    Raises
    ------
    CorruptFileError
        When the record is of another schema.
    OSError
        When the page cannot be written.
    """
    target = Path(path)
    text = render(record)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, text)


def render(record: Mapping[str, Any]) -> str:
    """Return the page as HTML.

    Raises
    ------
    CorruptFileError
        When the record is of another schema.
    """
    if record.get("schema") != SCHEMA:
        raise CorruptFileError(
            f"The record of the tables has the schema {record.get('schema')!r}, not {SCHEMA!r}; "
            "make it again with: mammoscope tabular"
        )
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("mammoscope.report") / "templates" / "tabular.html.jinja"
    questions = record["questions"]
    return environment.from_string(template.read_text("utf-8")).render(
        notice=NOTICE,
        record=record,
        settings=record["settings"],
        paper=[_paper_row(row) for row in record["paper"]],
        baselines=[_baseline_row(row) for row in record["baselines"]],
        summary=[_summary_row(one) for one in questions],
        questions=[_question(one, number) for number, one in enumerate(questions)],
        unsettled=sum(one["unsettled"] for q in questions for one in q["candidates"]),
        fits=sum(one["fits"] for q in questions for one in q["candidates"]),
    )


def _paper_row(row: Mapping[str, Any]) -> dict[str, Any]:
    ours, n = row["ours"], row["ours"]["n"]
    return {
        "table": row["table"],
        "classifier": CLASSIFIERS[row["classifier"]],
        "label": row["label"],
        "paper": _share(row["paper"]["accuracy"]),
        "ours": f"{_share(ours['accuracy']['value'])} ({ours['right']}/{n})",
        "interval": f"{_share(ours['accuracy']['low'])} to {_share(ours['accuracy']['high'])}",
        "larger": _share(row["larger_class"]),
        "tuned": f"{_tuned(row['paper']['tuned'])} / {_tuned(ours['tuned'])}",
        "today": DASH if row["today"] is None else _run(row["today"], n),
        "scaled": _run(row["scaled"], n),
        "agrees": row["agrees"],
        "why": ". ".join(_sentence(one) for one in (row["why"], _by_seed(ours)) if one),
    }


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _by_seed(ours: Mapping[str, Any]) -> str:
    """Say what the seed changes, and how often a run did not converge or told one class only."""
    seeds = ours["seeds"]
    if seeds == 1:
        return ""
    low, high = ours["right_lowest"], ours["right_highest"]
    told = [
        f"{low} right in each of {seeds} seeds"
        if low == high
        else f"{low} to {high} right in {seeds} seeds",
        f"the paper's figure in {ours['seeds_as_paper']}",
    ]
    if ours["seeds_unsettled"]:
        told.append(f"a fit that had not converged in {ours['seeds_unsettled']}")
    if ours["seeds_with_one_class"]:
        told.append(f"one class for every row in {ours['seeds_with_one_class']}")
    return ", ".join(told)


def _run(run: Mapping[str, Any], n: int) -> str:
    return f"{_share(run['accuracy'])} ({run['right']}/{n})" + (
        ", one class" if run["one_class"] else ""
    )


def _baseline_row(row: Mapping[str, Any]) -> dict[str, str]:
    often, drawn = row["most_frequent"], row["stratified"]
    return {
        "table": row["table"],
        "n": str(row["n"]),
        "often": f"{_share(often['paper'])} / {_share(often['ours'])}",
        "drawn": f"{_share(drawn['paper'])} / {_share(drawn['ours'])} "
        f"({_share(drawn['low'])} to {_share(drawn['high'])})",
    }


def _summary_row(question: Mapping[str, Any]) -> dict[str, str]:
    """Tell the larger class, logistic regression, and the highest AUC, named as chosen after."""
    by_name = {one["name"]: one for one in question["candidates"]}
    logistic = by_name["logistic regression"]
    best = max(question["candidates"], key=lambda one: float(one["auc"]["value"]))
    plain = by_name.get("most frequent")
    return {
        "title": TITLES[question["name"]],
        "rows": f"{question['rows']:,}",
        "positive": f"{question['positive']:,}",
        "plain": DASH if plain is None else _figure(plain["accuracy"]),
        "accuracy": _figure(logistic["accuracy"]),
        "auc": _figure(logistic["auc"]),
        "best": f"{best['name']}: {_share(best['auc']['value'])}",
    }


def _question(question: Mapping[str, Any], number: int) -> dict[str, Any]:
    candidates, importance = question["candidates"], question["importance"]
    return {
        "id": f"q{number}",
        "title": TITLES[question["name"]],
        "asks": question["asks"],
        "rows": f"{question['rows']:,}",
        "groups": f"{question['groups']:,}",
        "positive": f"{question['positive']:,}",
        "told": question["told"],
        "reference": question["reference"],
        "candidates": [_candidate(one) for one in candidates],
        "intervals": intervals_svg(f"auc{number}", candidates) if len(candidates) > 1 else None,
        "importance": None
        if importance is None
        else importance_svg(f"importance{number}", importance["measures"]),
        "of": len(question["measures"]),
        **_explored(question["explored"], number),
    }


def _candidate(one: Mapping[str, Any]) -> dict[str, str]:
    chosen = ", ".join(
        f"{' '.join(f'{name} {value}' for name, value in kind['settings'].items())} "
        f"\N{MULTIPLICATION SIGN}{kind['folds']}"
        for kind in one["chosen"]
        if kind["settings"]
    )
    return {
        "name": one["name"],
        "auc": _figure(one["auc"]),
        "difference": _figure(one.get("auc_difference"), signed=True),
        "accuracy": _figure(one["accuracy"]),
        "above": _figure(one.get("accuracy_above_most_frequent"), signed=True),
        "balanced": _figure(one["balanced_accuracy"]),
        "unsettled": f"{one['unsettled']} of {one['fits']:,}",
        "chosen": chosen or DASH,
    }


def _explored(explored: Mapping[str, Any] | None, number: int) -> dict[str, Any]:
    if explored is None:
        return {"explored": False}
    asks, correlations = explored["asks"], explored["correlations"]
    return {
        "explored": True,
        "histograms": histograms_svg(f"histograms{number}", explored["histograms"], asks),
        "big": len(correlations["names"]) > WIDEST,
        "panels": len(explored["histograms"]),
        "correlations": correlations_svg(
            f"correlations{number}", correlations["names"], correlations["values"]
        ),
        "biplot": biplot_svg(f"biplot{number}", explored["biplot"], asks),
    }


def _figure(told: Mapping[str, Any] | None, *, signed: bool = False) -> str:
    if told is None or told["value"] is None:
        return DASH
    text = _signed(told["value"]) if signed else _share(told["value"], 3)
    if told["low"] is None:
        return text
    ends = [_signed(told[end]) if signed else _share(told[end], 3) for end in ("low", "high")]
    return f"{text} ({ends[0]} to {ends[1]})"


def _share(value: float, places: int = 4) -> str:
    """Write a share as papers do: without the 0 in front."""
    text = f"{value:.{places}f}"
    return text.removeprefix("0") if text.startswith("0.") else text


def _signed(value: float) -> str:
    rounded = round(value, 3)
    sign = "\N{MINUS SIGN}" if copysign(1, rounded) < 0 and rounded else "+"
    return f"{sign}{_share(abs(rounded), 3)}"


def _tuned(value: float | None) -> str:
    return DASH if value is None else _share(value)
