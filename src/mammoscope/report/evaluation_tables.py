"""Tables of an evaluation's page: groups, abstention, and the paper's sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

NONE = "\N{EN DASH}"
WORDS = {
    "auc": "area under the ROC curve",
    "partial_auc": "area under the ROC curve, specificity .9 to 1",
    "auc_finding": "AUC, any finding against none",
    "auc_malignant": "AUC, malignant against benign",
    "auc_malignant_normal": "AUC, malignant against none, by lesion score",
    "auc_malignant_normal_by_malignancy": "AUC, malignant against none, by malignancy",
    "auc_finding_against_other": "AUC, any finding against none, against the other breast",
    "auc_malignant_normal_against_other": "AUC, malignant against none, by lesion score "
    "against the other breast",
    "majority": "accuracy of calling every one what most are",
    "majority_baseline": "accuracy of calling every one what most are",
    "class_baseline": "accuracy of calling every one the commonest class",
    "accuracy_above_majority": "accuracy above that",
    "negative_predictive_value": "negative predictive value",
    "f1": "F1",
    "ece": "expected calibration error",
    "brier": "Brier score",
    "brier_parts": "of the Brier score",
    "fp_per_scan": "false positives a scan",
    "recall_rate": "share called back",
    "ppv_at_0.1": "called rightly, at a prevalence of 10 % (the paper's)",
    "npv_at_0.1": "not called rightly, at a prevalence of 10 % (the paper's)",
    "ppv_at_0.005": "called rightly, at a prevalence of 0.5 % (screening's)",
    "npv_at_0.005": "not called rightly, at a prevalence of 0.5 % (screening's)",
    "sensitivity_at_1_fp": "sensitivity at 1 false positive a scan",
}
"""What a key of `evaluation.json` is called on the page; others lose their underscores."""
ABSTENTION = {
    "abstained": "left out",
    "risk": "wrong among the rest",
    "gain": "fewer than of all",
    "recall": "recall among the rest",
    "specificity": "specificity among the rest",
}
SWEEP = {
    "contrast": "contrast",
    "threshold": "threshold",
    "called": "called positive",
    "accuracy": "accuracy",
    "recall": "recall",
    "precision": "precision",
    "specificity": "specificity",
}


def called(key: str) -> str:
    """Return what a key is called on the page."""
    return WORDS.get(key, key.replace("_", " "))


def group_tables(strata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Make a table of each grouping: a row a group, a column a figure."""
    tables = []
    for name, groups in strata.items():
        keys = list(
            dict.fromkeys(
                key
                for group in groups.values()
                for key in group
                if key not in ("n", "n_patients", "too_small")
            )
        )
        rows = [
            {
                "name": value,
                "measured": f"{group['n']:,} ({group['n_patients']:,} patients)",
                "too_small": bool(group.get("too_small")),
                "cells": [cell(group.get(key)) for key in keys],
            }
            for value, group in groups.items()
        ]
        heads = [called(key) for key in keys]
        tables.append({"title": name.replace("_", " "), "heads": heads, "rows": rows})
    return tables


def abstention_table(called_back: Any) -> dict[str, Any] | None:
    """Make the table of what abstaining from the least certain buys; None where not measured."""
    points = called_back.get("abstention") if isinstance(called_back, Mapping) else None
    if not points:
        return None
    rows = [
        [said(f"{point['abstained']:.0%}"), *_cells(point, list(ABSTENTION)[1:])]
        for point in points
    ]
    return {"heads": list(ABSTENTION.values()), "rows": rows, "note": _said_once(rows, 1)}


def sweep_table(sweep: Any) -> dict[str, Any] | None:
    """Make the table of the paper's sweep; None where there is none."""
    cells = sweep.get("cells") if isinstance(sweep, Mapping) else None
    if not cells:
        return None
    rows = [
        [
            *(said(f"{one[key]:g}") for key in ("contrast", "threshold")),
            *_cells(one, list(SWEEP)[2:]),
        ]
        for one in cells
    ]
    return {
        "heads": list(SWEEP.values()),
        "rows": rows,
        "note": _said_once(rows, 2),
        "majority": cell(sweep["majority"])["text"],
    }


def cell(figure: Any) -> dict[str, str]:
    """Return a figure as a cell: value with interval, and its warning."""
    if figure is None:
        return said(NONE)
    if not isinstance(figure, Mapping):
        return said(str(figure))
    warning = str(figure.get("warning") or "")
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    if value is None:
        return said(NONE, warning)
    if low is None or high is None:
        return said(f"{value:.3f}", warning)
    return said(f"{value:.3f} ({low:.3f} to {high:.3f})", warning)


def _said_once(rows: Sequence[Sequence[dict[str, str]]], plain: int) -> str:
    """Take the commonest warning off a table's figures where each has one, and return it.

    The first `plain` cells of a row are no figures.
    """
    cells = [one for row in rows for one in row[plain:]]
    warnings = [one["warning"] for one in cells if one["warning"]]
    common = max(set(warnings), key=warnings.count, default="")
    if not cells or len(warnings) < len(cells):
        return ""
    for one in cells:
        if one["warning"] == common:
            one["warning"] = ""
    return f"Unless a cell says otherwise: {common}."


def said(text: str, warning: str = "") -> dict[str, str]:
    """Return a cell of plain words."""
    return {"text": text, "warning": warning}


def _cells(point: Mapping[str, Any], keys: Sequence[str]) -> list[dict[str, str]]:
    return [cell(point.get(key)) for key in keys]
