"""The page and the drawings of runs."""

import io
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mammoscope.formats.tf_events import Picture, PrCurve
from mammoscope.report.run_figures import (
    half_point,
    more_figure,
    paper_figure,
    pr_figure,
)
from mammoscope.report.run_page import render, write_figures, write_run_page
from mammoscope.report.run_record import TRAIN, VALIDATION, Curve, RunRecord, Told

COUNTS = np.array([[10.0, 8, 0], [30, 2, 0], [0, 28, 30], [0, 2, 10]])
PR = PrCurve(300, COUNTS, np.array([0.25, 0.8, 0.0]), np.array([1.0, 0.8, 0.0]))


def png(side=8):
    stream = io.BytesIO()
    Image.new("L", (side, side), 90).save(stream, "PNG")
    return stream.getvalue()


def curve(*values):
    return Curve(np.arange(1.0, len(values) + 1), np.array(values))


def make_run(**changes):
    run = RunRecord(
        name="mine <b>",
        unit="epoch",
        curves={
            (TRAIN, "accuracy"): curve(0.7, 0.8, 0.9, 0.91, 0.92),
            (VALIDATION, "accuracy"): curve(0.9, 0.6, 0.8, 0.7, 0.9),
            (TRAIN, "cross_entropy"): curve(0.6, 0.5, 0.4, 0.3, 0.2),
            (TRAIN, "learning_rate"): curve(1e-3, 1e-3, 8e-4, 8e-4, 8e-4),
            (VALIDATION, "recall"): curve(0.0, 0.5, math.nan, 0.75, 0.75),
            (TRAIN, "f1"): curve(0.1, 0.2, 0.3, 0.4, 0.5),
            (TRAIN, "made_up"): curve(12345.0),
        },
        baselines={TRAIN: 0.75, VALIDATION: 0.8125},
        pr_curves={"validation/pr_curve": PR},
        kernels=Picture(300, png(), (8, 8)),
        worst=Picture(300, png(), (8, 8)),
        alarms=(
            Told(sentence="scale: far.", first=2, last=2),
            Told(sentence="b.", first=1, last=4),
        ),
        settings=(("optimiser.learning_rate", "0.001"),),
        problems=("something was cut short.",),
    )
    return replace(run, **changes)


@pytest.fixture(scope="module")
def page():
    return render([make_run()])


def text_of(svg):
    return " ".join(re.findall(r">([^<>]+)</text>", svg))


def test_the_page_loads_nothing_from_elsewhere_and_holds_no_markup_of_a_run(page):
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "<script" not in page
    assert "mine <b>" not in page
    assert "mine &lt;b&gt;" in page


def test_the_page_shows_alarms_problems_settings_and_last_values(page):
    rows = re.findall(r"<tr><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td>(?:<td[^>]*>(.*?)</td>)?", page)
    assert ("epoch 2", "scale: far.", "") in rows
    assert ("epochs 1 to 4", "b.", "") in rows
    assert ("optimiser.learning_rate", "0.001", "") in rows
    assert ("Accuracy", "0.92", "0.9") in rows
    assert ("Recall", "\N{EN DASH}", "0.75") in rows
    assert ("made_up", "12,345", "\N{EN DASH}") in rows
    assert "something was cut short." in page
    assert "5 epochs, validation accuracy 0.900 at the end, 0.812 for always guessing" in page


def test_pictures_stand_in_the_page_and_only_pictures(page):
    assert page.count("data:image/png;base64,") == 2
    unknown = Picture(3, b"<svg onload=...>", (1, 1))
    without = render([RunRecord(name="a", unit="step", curves={}, kernels=unknown)])
    assert "data:image" not in without
    assert "Worst tiles" not in without


def test_a_run_with_nothing_logged_has_a_page():
    page = render([RunRecord(name="new", unit="step", curves={})])
    assert "nothing logged yet" in page
    assert "<svg" not in page


def test_several_runs_are_listed_and_their_drawings_share_no_names():
    plain = {"curves": {}, "kernels": None}
    page = render([make_run(name="a", **plain), make_run(name="b", **plain)])
    assert page.index('href="#run1"') < page.index('href="#run2"')
    names = re.findall(r' id="([^"]+)"', page)
    assert len(names) == len(set(names))


def test_the_papers_figure_has_four_panels_with_baseline_and_mean_of_the_last_four():
    words = text_of(paper_figure(make_run(), "x").embedded())
    # (0.6 + 0.8 + 0.7 + 0.9) / 4; of recall 0, 0.5, 0.75 and 0.75 are numbers.
    assert "Accuracy: validation 0.75 (mean of the last 4)" in words
    assert "Recall: validation 0.5 (mean of the last 4)" in words
    assert "always guessing the commonest class (0.812)" in words
    for title in ("Cross entropy", "Learning rate"):
        assert title in words


def test_the_legend_names_each_line_as_what_it_is():
    lines = {(TRAIN, "recall"): curve(0.1, 0.2), (VALIDATION, "recall"): curve(0.8, 0.9)}
    figure = Figure()
    paper_figure(make_run(curves=lines, baselines={}), "x").draw(figure)
    (panel,) = [one for one in figure.axes if one.get_title().startswith("Recall")]
    drawn = {line.get_color(): line.get_ydata().tolist() for line in panel.lines}
    legend = panel.get_legend()
    named = {
        text.get_text(): drawn[line.get_color()]
        for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
    }
    assert named == {"training": [0.1, 0.2], "validation": [0.8, 0.9]}


def test_the_baseline_is_the_runs_own_and_missing_where_it_is_not_known():
    words = text_of(paper_figure(make_run(baselines={}), "x").embedded())
    assert "always guessing" not in words
    plain = {"curves": {(VALIDATION, "accuracy"): curve(0.5)}, "pr_curves": {}}
    assert "no baseline is drawn" in render([make_run(baselines={}, **plain)])
    words = text_of(paper_figure(make_run(baselines={TRAIN: 0.75}, **plain), "x").embedded())
    assert "(0.750)" in words


def test_a_wide_range_is_drawn_by_powers_with_plain_numbers():
    run = make_run(curves={(TRAIN, "cross_entropy"): curve(300.0, 10.0, 0.1)})
    words = text_of(paper_figure(run, "x").embedded())
    assert "mathdefault" not in words
    assert " 100 " in words


def test_many_points_steps_counted_apart_and_one_point_can_be_drawn():
    many = Curve(np.arange(500.0), np.sin(np.arange(500.0)) + 2)
    run = make_run(
        unit="step",
        curves={(TRAIN, "accuracy"): many, (VALIDATION, "accuracy"): curve(0.5)},
    )
    assert run.are_apart
    assert "step of validation" in text_of(paper_figure(run, "x").embedded())


def test_there_is_no_drawing_of_what_was_not_logged():
    empty = make_run(curves={(TRAIN, "made_up"): curve(1.0)}, pr_curves={})
    assert paper_figure(empty, "x") is None
    assert more_figure(empty, "x") is None
    assert pr_figure(empty, "x") is None


def test_the_pr_curves_point_is_at_one_half(page):
    assert half_point(PR) == (0.5, 0.8, 0.8)
    assert "at threshold 0.50 recall 0.800 and precision 0.800" in page


def test_equal_numbers_give_equal_bytes(page):
    assert page == render([make_run()])
    drawing = pr_figure(make_run(), "x")
    assert drawing.file("svg") == drawing.file("svg")
    assert drawing.file("png") == drawing.file("png")


def test_drawings_are_written_as_files_of_their_own(tmp_path):
    runs = [RunRecord(name="a/b", unit="step", curves={}, pr_curves={"a": PR})] * 2
    paths = write_figures(runs, tmp_path / "new")
    assert [path.name for path in paths[:2]] == ["a_b-pr.svg", "a_b-pr.png"]
    assert len({path.name for path in paths}) == len(paths) == 4
    assert Image.open(paths[1]).getpixel((0, 0))[:3] == (255, 255, 255)
    root = ET.fromstring(paths[0].read_text(encoding="utf-8"))
    assert root.tag.endswith("svg")
    assert b"currentColor" not in paths[0].read_bytes()


def test_the_page_goes_into_a_folder_that_is_made(tmp_path):
    write_run_page([RunRecord(name="a", unit="step", curves={})], tmp_path / "new" / "run.html")
    assert (tmp_path / "new" / "run.html").read_text("utf-8").endswith("</html>")


@pytest.mark.browser
def test_chromium_draws_the_page(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("Chromium is not installed")
    write_run_page([make_run()], tmp_path / "run.html")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--window-size=420,3000", f"--screenshot={tmp_path / 'shot.png'}",
        (tmp_path / "run.html").as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    picture = np.asarray(Image.open(tmp_path / "shot.png").convert("L"))
    assert picture.std() > 5
