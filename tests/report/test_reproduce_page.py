"""What the page of a reproduction says of its figures, worked by hand."""

import itertools
from dataclasses import asdict

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mammoscope.report.reproduce_page import make_page
from mammoscope.report.study_figures import bars, training_curves
from mammoscope.studies.paper_tables import CURVES


def _figure(value, low, high):
    return {"value": value, "low": low, "high": high}


def _told(auc, accuracy=0.7, majority=0.8):
    some = _figure(0.5, 0.4, 0.6)
    return {
        "tiles": 9, "auc": _figure(*auc), "accuracy": _figure(accuracy, None, None),
        "majority": _figure(majority, None, None), "recall": some, "specificity": some,
    }  # fmt: skip


def _record(crossed, every=1, own=(0.9, 0.85, 0.95)):
    figures = {"test": _told(own), "crossed": _told(crossed), "mias-as-stored": _told(own)}
    strict = {"test": _told((0.8, 0.75, 0.85)), "mias-strict": _told((0.76, 0.7, 0.8))}
    runs = [
        {"name": "p", "set": "paper-way", "figures": figures, "history": [], "pr": None},
        {"name": "s", "set": "strict", "figures": strict, "history": [], "pr": None},
    ]
    shortcuts = {
        "paper-way": [("grey", 0.9), ("archive", 1.0)],
        "strict": [("grey", 0.6), ("noise", 0.7)],
    }
    sets = [
        {
            "name": name, "tiles": 1, "patients": 1, "counts": [],
            "shortcuts": [{"features": f, **_figure(v, v, v)} for f, v in told],
        }
        for name, told in shortcuts.items()
    ]  # fmt: skip
    return {
        "source": "s",
        "settings": {"quick": True, "network": "n", "epochs": 1, "seeds": 1, "every": every},
        "archives": [], "sets": sets, "runs": runs, "tables": [], "curves": [], "pr": [],
        "mixups": [],
        "same_places": [
            {"difference": d, "low": d - 0.05, "high": d + 0.05} for d in (0.09, 0.02, 0.07)
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("crossed", "said"),
    [
        ((0.3, 0.2, 0.4), "it goes by the archives, even against the lesions"),
        ((0.5, 0.4, 0.6), "as guessing: its figure at home is the archives', not the lesions'"),
        ((0.7, 0.6, 0.8), "part of its figure at home is the archives', not the lesions'"),
    ],
)
def test_a_fall_is_called_what_its_interval_bears(crossed, said):
    assert said in " ".join(make_page(_record(crossed)).notes)


def test_a_fall_that_the_intervals_do_not_bear_is_not_explained():
    for crossed in ((0.6, 0.3, 0.9), (0.5, None, None)):
        assert "figure at home" not in " ".join(make_page(_record(crossed)).notes)


def test_a_trial_on_some_scans_explains_nothing():
    notes = make_page(_record((0.3, 0.2, 0.4), every=3)).notes
    assert notes[0].startswith("A trial on one scan in 3:")
    assert not any("archives exchanged" in note for note in notes)


def test_the_audit_stands_beside_it_without_what_no_network_sees():
    (note,) = [n for n in make_page(_record((0.5, 0.4, 0.6))).notes if "Without any" in n]
    assert "area 0.900 (0.900 to 0.900) (grey statistics) in the set built" in note
    assert "0.700 (0.700 to 0.700) (the noise spectrum) by recipe strict" in note
    assert "archive's name" not in note


def test_the_middle_difference_at_the_same_places_is_told_with_the_span_of_the_seeds():
    notes = " ".join(make_page(_record((0.5, 0.4, 0.6))).notes)
    assert "+0.070 (+0.020 to +0.120 over patients, paired); +0.020 to +0.090 by seed" in notes
    assert "0.700 in its one run, where calling every tile normal has 0.800" in notes


def _drawn(drawing):
    made = Figure(figsize=drawing.inches, layout="constrained")
    drawing.draw(made)
    FigureCanvasAgg(made).draw()
    return made.axes


def test_a_point_below_the_papers_picture_breaks_its_line_and_gets_a_triangle():
    (figure_two,) = [asdict(one) for one in CURVES if one.figure == 2]
    line, below = _drawn(training_curves([figure_two], []))[0].lines
    assert np.isnan(line.get_ydata()).tolist() == [v is None for v in figure_two["accuracy"]]
    # Table of the paper's figure 2: the accuracy is below .3 after epochs 0 and 15.
    assert list(below.get_xdata()) == [0, 15]


def test_long_names_under_bars_do_not_run_into_each_other():
    names = ("DBA 21", "HOWTEK 43.5", "LUMISYS", "LUMISYS LASER", "LUMISYS LASER_DENSOTOMETER")
    (panel, *_) = _drawn(bars("b", [("scans", dict.fromkeys(names, 3))], "scans"))
    boxes = [label.get_window_extent() for label in panel.get_xticklabels()]
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    assert panel.get_legend() is None
