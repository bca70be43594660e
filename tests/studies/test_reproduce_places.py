"""Two networks at the same places, whatever order their sets hold the tiles in."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from mammoscope.studies.reproduce_places import Read, difference_at_places


def _read(rows, scores):
    names = ("scan_id", "label", "patient_id")
    table = pl.DataFrame(rows, schema=list(names), orient="row")
    return Read(SimpleNamespace(table=table), np.asarray(scores))


ROWS = [
    ("s1", "NORMAL", "p1"),
    ("s1", "MASS_MALIGNANT", "p1"),
    ("s2", "NORMAL", "p2"),
    ("s2", "MASS_BENIGN", "p2"),
]


def test_a_set_in_another_order_of_scans_is_paired_scan_by_scan():
    strict = _read(ROWS, [0.1, 0.9, 0.2, 0.8])
    paper = _read([ROWS[2], ROWS[3], ROWS[0], ROWS[1]], [0.6, 0.5, 0.1, 0.7])
    told = difference_at_places(strict, paper)
    # By hand: strict orders all four pairs rightly; paper's .5 is below its .6.
    assert told["a"] == pytest.approx(1.0)
    assert told["b"] == pytest.approx(0.75)
    assert told["difference"] == pytest.approx(0.25)
    assert told["n_patients"] == 2


def test_sets_of_other_places_are_not_compared():
    strict = _read(ROWS, [0.1, 0.9, 0.2, 0.8])
    other = _read([ROWS[0], ROWS[1], ROWS[2], ("s3", "MASS_BENIGN", "p3")], [0.1, 0.9, 0.2, 0.8])
    assert difference_at_places(strict, other) is None
