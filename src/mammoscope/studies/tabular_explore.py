"""A table to look at: distributions, correlations, and a biplot without the class in it."""

from typing import Any

import numpy as np

from mammoscope.studies.tabular_data import (
    ALONE,
    MASS,
    WDBC,
    WISCONSIN,
    WITHOUT,
    WPBC,
    Array,
    Question,
)

SHOWN = {
    WISCONSIN: ("cell_size_uniformity", "cell_shape_uniformity", "bland_chromatin"),
    WDBC: ("concave_points_mean", "radius_worst", "perimeter_worst", "concave_points_worst"),
    WPBC: ("radius_worst", "perimeter_worst", "area_worst"),
    MASS: ("age_years", "assessment"),
}
"""Measures that the paper's notebooks draw; of masses the two that are numbers."""
MOST_ARROWS = 10
BINS = 16
FEW_VALUES = 12


def explore(question: Question) -> dict[str, Any]:
    """Return what the page draws of a question, as plain lists of numbers."""
    filled = _filled(question.values)
    return {
        "asks": list(question.asks),
        "classes": [int(question.truth.sum()), int((~question.truth).sum())],
        "histograms": [
            _histogram(question, name) for name in SHOWN[question.table] if name in question.columns
        ],
        "correlations": _correlations(question, filled),
        "biplot": _biplot(question, filled),
    }


def is_explored(question: Question) -> bool:
    """Tell whether a question shows its table whole: of the masses only the fullest does."""
    return question.name not in (ALONE, WITHOUT)


def _filled(values: Array) -> Array:
    """Fill gaps with the column's median: these pictures judge no model."""
    return np.where(np.isnan(values), np.nanmedian(values, axis=0), values)


def _histogram(question: Question, name: str) -> dict[str, Any]:
    values = question.values[:, question.columns.index(name)]
    known = ~np.isnan(values)
    different = np.unique(values[known])
    if len(different) <= FEW_VALUES and np.array_equal(different, np.round(different)):
        edges = np.arange(different[0], different[-1] + 2) - 0.5
    else:
        edges = np.linspace(different[0], different[-1], BINS + 1)
    return {
        "measure": name,
        "edges": [float(edge) for edge in edges],
        "counts": [
            np.histogram(values[known & (question.truth == one)], edges)[0].tolist()
            for one in (True, False)
        ],
        "missing": int((~known).sum()),
    }


def _correlations(question: Question, filled: Array) -> dict[str, Any]:
    """Return Pearson's correlations of all columns and, last, of the class."""
    columns = np.column_stack([filled, question.truth.astype(np.float64)])
    varies = columns.std(axis=0) > 0
    names = [*question.columns, question.asks[0]]
    values = np.corrcoef(columns[:, varies], rowvar=False)
    return {
        "names": [name for name, one in zip(names, varies, strict=True) if one],
        "values": np.round(values, 4).tolist(),
    }


def _biplot(question: Question, filled: Array) -> dict[str, Any]:
    """Project scaled measures on their two main axes; neither class nor id is among them."""
    spread = filled.std(axis=0)
    varies = spread > 0
    scaled = (filled[:, varies] - filled[:, varies].mean(axis=0)) / spread[varies]
    _, lengths, axes = np.linalg.svd(scaled, full_matrices=False)
    axes = axes[:2]
    # The sign of an axis is arbitrary; its longest arrow points up or right.
    axes *= np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1))
    names = [name for name, one in zip(question.columns, varies, strict=True) if one]
    longest = np.argsort(-np.hypot(*axes), kind="stable")[:MOST_ARROWS]
    return {
        "explained": [float(one) for one in (lengths**2 / (lengths**2).sum())[:2]],
        "points": np.round(scaled @ axes.T, 3).tolist(),
        "truth": question.truth.astype(int).tolist(),
        "arrows": [
            {"name": names[i], "towards": [float(axes[0, i]), float(axes[1, i])]} for i in longest
        ],
    }
