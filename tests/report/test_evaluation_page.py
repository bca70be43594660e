"""The page of an evaluation: of a model, of tiles, of scores; what is said, drawn and left out."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from mammoscope.evaluation.picture_points import curves_of, worst_errors
from mammoscope.report.evaluation_figures import drawings_of, write_figures
from mammoscope.report.evaluation_page import render, worst_ids, write_evaluation_page
from mammoscope.report.run_record import Curve, RunRecord


def figure(value=0.8, low=0.7, high=0.9, **more):
    return {"value": value, "low": low, "high": high, "n": 10, "n_patients": 5, **more}


def of_tiles():
    """What a run on tiles writes: few sections."""
    return {
        "schema": "mammoscope.evaluation/1",
        "dataset": {"name": "tiles of recipe 9", "digest": "ab", "audit_verdict": "suspect"},
        "counts": {"tiles": 1234, "patients": 5},
        "tiles": {"accuracy": figure(0.6125), "recall of mass": figure(None, None, None)},
    }


def of_a_model():
    rng = np.random.default_rng(0)
    truth = np.arange(40) % 4 == 0
    scores = np.clip(rng.normal(0.4 + 0.2 * truth, 0.1), 0, 1)
    ids = [f"s<{i}>" for i in range(40)]
    return {
        "schema": "mammoscope.evaluation/1",
        "model": {"name": "net", "version": "2", "digest": "cd" * 32},
        "dataset": {"name": "made", "digest": "ef", "failures": {"s9": "s9.png is cut short."}},
        "counts": {"scans": 40},
        "tiles": None,
        "scans": {"joined_by": "each", "auc_finding": figure(), "auc_malignant": None},
        "froc": {
            "rule": "inside the box",
            "points": [{"fp_per_scan": 0.5, "sensitivity": figure(0.65)}],
            "curve": {"fp_per_scan": [0.0, 0.5, 2.0], "sensitivity": [0.2, 0.65, 0.9]},
        },
        "operating_points": [{"threshold": 0.3, "fp_per_scan": figure(2.5, 2.0, 3.0)}],
        "calibration": {
            "breasts": {
                "meaning": "malignant",
                "fitted_on": "others",
                "ece": figure(0.1, 0.0, 0.2),
                "reliability": [{"mean_probability": 0.2, "share_positive": 0.3, "n": 4}],
            },
            "lesions": None,
        },
        "strata": {
            "view": {
                "CC": {"n": 30, "n_patients": 25, "too_small": False, "auc_finding": figure(0.71)},
                "MLO": {"n": 4, "n_patients": 4, "too_small": True, "auc_finding": None},
            }
        },
        "something_new": {"rule": "of another day", "share": figure(0.42)},
        "curves": {"scans: any finding against none": curves_of(scores, truth, (0.5, 0.45))},
        "worst": worst_errors(ids, ids, scores, truth),
        "warnings": ["A <warning>."],
        "environment": {"numpy": "1.2.3"},
    }


@pytest.fixture(scope="module")
def text():
    return render(of_a_model(), {})


def test_a_model_page_holds_its_figures_groups_failures_and_versions(text):
    for words in (
        "net 2 on made", "0.700 to 0.900", "A &lt;warning&gt;.", "too few patients",
        "s9.png is cut short.", "1.2.3", "cd" * 32, "inside the box", "not a medical device",
    ):  # fmt: skip
        assert words in text, words


def test_a_section_that_the_page_does_not_know_is_shown_under_its_name(text):
    assert "<h3>Something new</h3>" in text
    assert "of another day" in text


def test_a_tile_run_page_warns_of_its_audit_and_shows_what_is_undefined():
    text = render(of_tiles(), {})
    assert "A network on tiles of recipe 9" in text
    assert "&#39;suspect&#39;" in text
    assert "0.613" in text or "0.612" in text
    assert "recall of mass" in text
    assert '<h2 id="drawings">' not in text


def test_a_figure_beyond_1_has_no_place_on_the_line_from_0_to_1(text):
    row = text[text.index("false positives a scan</td>") :]
    assert "<svg" not in row[: row.index("</tr>")]


def test_nothing_is_loaded_from_elsewhere(text):
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)
    assert "default-src 'none'" in text


def test_the_worst_errors_have_pictures_where_they_are_at_hand():
    measured = of_a_model()
    ids = worst_ids(measured)
    assert len(ids) == 12
    text = render(measured, {ids[0]: np.full((60, 40), 9, np.uint16)})
    assert text.count("data:image/jpeg;base64,") == 1
    assert text.count("the scan is not at hand") == 11
    assert "s&lt;" in text


def test_drawings_are_what_the_sections_allow(tmp_path):
    assert drawings_of(of_tiles()) == []
    kinds = [one.kind for one in drawings_of(of_a_model())]
    assert kinds == ["roc", "pr", "froc", "reliability", "confusion", "confusion"]
    written = write_figures(of_a_model(), tmp_path / "new")
    assert len(written) == 12
    png = next(path for path in written if path.name == "pr-any-finding-against-none.png")
    with Image.open(png) as picture:
        assert picture.size == (780, 690)


def test_the_point_at_one_half_is_where_the_numbers_say(tmp_path):
    """The marker of .50 in the drawing lies at the point's recall and precision."""
    from matplotlib.figure import Figure

    measured = of_a_model()
    drawing = next(one for one in drawings_of(measured) if one.kind == "pr").drawing
    drawn = Figure()
    drawing.draw(drawn)
    half = measured["curves"]["scans: any finding against none"]["points"][0]
    dots = [line for line in drawn.axes[0].lines if line.get_marker() == "o"]
    assert [line.get_xydata().tolist() for line in dots] == [[[half["recall"], half["precision"]]]]


@pytest.mark.browser
def test_chromium_shows_the_page(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("Chromium is not here")
    page = write_evaluation_page(of_a_model(), tmp_path / "e.html")
    shot = tmp_path / "shot.png"
    subprocess.run(
        [
            *(
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path}/u",
            ),
            *("--window-size=1200,900", f"--screenshot={shot}", page.as_uri()),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    with Image.open(shot) as picture:
        assert len(picture.convert("L").getcolors(256) or ()) > 20


def test_curves_of_the_run_are_drawn_beside():
    curve = Curve(np.array([1.0, 2.0]), np.array([0.5, 0.7]))
    run = RunRecord(name="run 1", unit="epoch", curves={("train", "accuracy"): curve})
    text = render(of_tiles(), {}, [run])
    assert "Training of run 1: accuracy" in text
    assert "Figure 5" not in text


def of_points():
    """What abstention, sweep, calibration and marked groups look like."""
    few = "fewer than 10 units of a class"
    point = {"abstained": 0.1, "risk": figure(0.123), "gain": figure(0.045)}
    cell = {"called": figure(0.3), "accuracy": figure(0.61), "precision": figure(None, None, None)}
    return {
        **of_a_model(),
        "called_back": {
            "rule": "by patient",
            "threshold": 0.5,
            "figures": {"ppv_at_0.005": figure(0.031)},
            "abstention": [point | {"recall": figure(0.7), "specificity": figure(0.75)}],
        },
        "sweep": {
            "majority": figure(0.888),
            "cells": [
                {"contrast": c, "threshold": t, **cell, "recall": figure(), "specificity": figure()}
                for c in (1.0, 2.0)
                for t in (0.2, 0.5)
            ],
        },
        "calibration": {
            "scans, calibrated by platt": {
                "kind": "platt",
                "numbers": "slope 0.900, intercept 0.100",
                "fitted_on": "others",
                "meaning": "malignant",
                "brier": figure(0.2),
                "brier_parts": {"resolution": figure(0.021)},
                "ece": figure(0.1),
                "ece_if_calibrated": 0.0567,
                "reliability": [
                    {
                        "mean_probability": 0.2,
                        "share_positive": 0.3,
                        "n": 4,
                        "low": 0.1,
                        "high": 0.5,
                    }
                ],
            }
        },
        "strata": {
            "view": {
                "CC": {
                    "n": 30,
                    "n_patients": 25,
                    "too_small": False,
                    "auc": figure(0.71, warning=few),
                }
            }
        },
        "strata_rule": "none of fewer than 20",
    }


def test_abstention_sweep_calibration_and_marks_are_shown():
    text = render(of_points(), {})
    for words in (
        "Patients called back at the threshold", "prevalence of 0.5 %", "0.123 (0.700 to 0.900)",
        "Thresholds and contrasts", "accuracy of 0.888", "contrast x 2",
        "platt (slope 0.900, intercept 0.100), fitted on others",
        "would be 0.057 by chance", "of the Brier score: resolution",
        "fewer than 10 units of a class", "Rule: none of fewer than 20",
    ):  # fmt: skip
        assert words in text, words
    # The table holds what abstaining buys; the list of figures does not hold it again.
    assert text.count("0.045") == 1


def test_a_warning_that_most_rows_share_is_said_once():
    few = "fewer than 20 patients"
    measured = of_tiles()
    measured["tiles"] = {
        **{f"figure {i}": figure(warning=few) for i in range(5)},
        "other": figure(None, None, None, warning="undefined: a class is empty"),
    }
    text = render(measured, {})
    assert text.count(few) == 1
    assert f"Unless a row says otherwise: {few}." in text
    assert "undefined: a class is empty" in text


def test_drawings_of_the_sweep_and_of_calibrations_have_names_for_files(tmp_path):
    names = {path.name for path in write_figures(of_points(), tmp_path)}
    assert {"sweep.svg", "sweep.png", "reliability-scans-calibrated-by-platt.svg"} <= names


def test_a_warning_stays_with_its_rows_where_another_row_has_none():
    few = "fewer than 20 patients"
    measured = of_tiles()
    measured["tiles"] = {
        **{f"figure {i}": figure(warning=few) for i in range(5)},
        "other": figure(),
    }
    assert render(measured, {}).count(few) == 5
