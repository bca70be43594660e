"""The page of UCI's tables, from a record alone."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import CorruptFileError
from mammoscope.report.tabular_figures import spread_out
from mammoscope.report.tabular_page import render, write_tabular_page


def figure(value, low=None, high=None):
    return {"value": value, "low": low, "high": high, "n": 9, "n_patients": 9, "method": "m"}


def candidate(name, area, **more):
    return {
        "name": name,
        "auc": figure(area, area - 0.0212, area + 0.01),
        "accuracy": figure(0.9),
        "balanced_accuracy": figure(0.88),
        "auc_by_repeat": [area, area],
        "chosen": [{"settings": {"C": 0.1}, "folds": 4}, {"settings": {"C": 1}, "folds": 1}],
        "fits": 1200,
        "unsettled": 0,
        **more,
    }


def paper_row(**more):
    accuracy = figure(133 / 137, 0.92, 0.99)
    row = {
        "table": "wisconsin-original",
        "classifier": "nearest",
        "label": "pathology",
        "paper": {"accuracy": 0.9473, "tuned": None},
        "ours": {
            "accuracy": accuracy, "right": 133, "n": 137, "tuned": 0.9725, "chosen": {},
            "one_class": False, "seeds": 1, "right_lowest": 133, "right_highest": 133,
            "seeds_with_one_class": 0, "seeds_as_paper": 0, "seeds_unsettled": 0,
        },
        "agrees": False,
        "larger_class": 87 / 137,
        "today": None,
        "scaled": {"right": 87, "accuracy": 87 / 137, "one_class": True},
        "why": "not this table's",
    }  # fmt: skip
    return row | more


def record(*, drawn=False, **more):
    """A record; drawings take a second, so most tests go without."""
    explored = {
        "asks": ["malignant", "benign"],
        "histograms": [
            {"measure": "bland_chromatin", "edges": [0.5, 1.5, 2.5], "counts": [[1, 2], [3, 0]]}
        ],
        "correlations": {"names": ["a_b", "malignant"], "values": [[1, 0.5], [0.5, 1]]},
        "biplot": {
            "explained": [0.6, 0.3],
            "points": [[0, 1], [1, 0], [-1, 0.5]],
            "truth": [1, 0, 0],
            "arrows": [{"name": "a_b", "towards": [0.3, 0.3]}],
        },
    }
    question = {
        "name": "wisconsin-original",
        "table": "wisconsin-original",
        "asks": ["malignant", "benign"],
        "rows": 699,
        "groups": 645,
        "positive": 241,
        "measures": ["a_b"] * 13,
        "told": ["<b>54 rows</b> repeat an id"],
        "reference": "logistic regression",
        "candidates": [
            candidate("most frequent", 0.5, auc_difference=figure(-0.4941, -0.5, -0.48)),
            candidate("logistic regression", 0.9941),
        ],
        "importance": {"measures": [{"measure": "a_b", "auc_lost": figure(0.02, 0.01, 0.03)}]},
        "explored": explored,
    }
    if not drawn:
        question |= {"importance": None, "explored": None}
    return {
        "schema": "mammoscope-tabular-1",
        "version": "0",
        "libraries": {"scikit-learn": "1.9"},
        "settings": {
            "repeats": 3, "folds": 5, "inner": 3, "resamples": 1000, "paper_seeds": 20, "seed": 0,
            "quick": False,
        },
        "archive": {"missing": [], "citation": "Wolberg 1990", "licence": "CC BY 4.0"},
        "not_whole": [],
        "paper": [paper_row()],
        "baselines": [],
        "questions": [question],
    } | more  # fmt: skip


def cells(text, start):
    row = next(row for row in re.findall(r"<tr.*?</tr>", text, re.S) if f">{start}</td>" in row)
    return re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)


def test_the_page_loads_nothing_from_elsewhere():
    text = render(record(drawn=True))
    assert "default-src 'none'" in text
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert "<script" not in text
    assert text.count("<svg") == 5


def test_ours_stands_beside_the_papers_with_interval_and_larger_class():
    row = cells(render(record()), "k nearest")
    assert row[3:] == [
        ".9473", ".9708 (133/137)", ".9200 to .9900", ".6350", "\N{EN DASH} / .9725", "\N{EN DASH}",
        ".6350 (87/137), one class",
    ]  # fmt: skip


def test_what_the_seed_changes_is_told():
    ours = paper_row()["ours"] | {
        "seeds": 20, "right_lowest": 67, "right_highest": 109, "seeds_as_paper": 1,
        "seeds_unsettled": 20, "seeds_with_one_class": 2,
    }  # fmt: skip
    text = render(record(paper=[paper_row(ours=ours)]))
    assert (
        "67 to 109 right in 20 seeds, the paper&#39;s figure in 1, a fit that had not converged in "
        "20, one class for every row in 2" in text
    )


def test_figures_have_their_intervals_and_differences_their_sign():
    row = cells(render(record()), "most frequent")
    assert row[1] == ".500 (.479 to .510)"
    assert row[2] == "\N{MINUS SIGN}.494 (\N{MINUS SIGN}.500 to \N{MINUS SIGN}.480)"


def test_fits_that_did_not_converge_are_told_above_all():
    assert "All 2,400 fits converged" in render(record())
    loose = record()
    loose["questions"][0]["candidates"][0]["unsettled"] = 7
    assert "7 warnings that a fit had not converged, in 2,400 fits" in render(loose)


def test_a_quick_run_and_what_is_missing_are_told():
    settings = record()["settings"] | {"quick": True}
    archive = record()["archive"] | {"missing": ["wdbc"]}
    text = render(record(settings=settings, archive=archive, not_whole=["wpbc"]))
    assert "Do not quote" in text
    assert "left out: wdbc" in text
    assert "not set beside the paper: wpbc" in text
    assert "Do not quote" not in render(record())


def test_words_of_a_record_are_text_and_never_markup():
    assert "&lt;b&gt;54 rows&lt;/b&gt;" in render(record())


def test_another_schema_is_refused(tmp_path):
    with pytest.raises(CorruptFileError, match="mammoscope-tabular-1"):
        write_tabular_page(record(schema="else"), tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def test_the_same_record_gives_the_same_page(tmp_path):
    pages = [tmp_path / "new" / "a.html", tmp_path / "b.html"]
    for page in pages:
        write_tabular_page(record(drawn=True), page)
    assert pages[0].read_bytes() == pages[1].read_bytes()


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.floats(0, 2))
def test_labels_keep_their_order_and_their_distance(heights, gap):
    given_heights = np.array(heights)
    moved = spread_out(given_heights, gap)
    order = np.argsort(given_heights, kind="stable")
    assert (np.diff(moved[order]) >= gap - 1e-9).all()
    assert moved.mean() == pytest.approx(given_heights.mean(), abs=1e-9)
