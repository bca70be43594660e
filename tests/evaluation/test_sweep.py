"""The table of thresholds and contrasts, cell by cell against the figures of one threshold."""

import json

import numpy as np
import pytest

from mammoscope.evaluation.metrics import binary_figures
from mammoscope.evaluation.sweep import PAPER_CONTRASTS, PAPER_THRESHOLDS, sweep

TRUTH = [True, True, False, False, False]
PATIENTS = ["a", "a", "b", "c", "d"]
BY_CONTRAST = {2.0: [0.9, 0.9, 0.9, 0.8, 0.8], 1.0: [0.9, 0.6, 0.7, 0.2, 0.1]}


def test_four_cells_are_as_by_hand():
    table = sweep(BY_CONTRAST, TRUTH, PATIENTS, thresholds=[0.85, 0.5], draws=(40, 0))
    places = [(cell.contrast, cell.threshold) for cell in table.cells]
    assert places == [(1.0, 0.5), (1.0, 0.85), (2.0, 0.5), (2.0, 0.85)]
    values = [
        [cell.figures[name].value for name in ("called", "accuracy", "recall", "precision")]
        for cell in table.cells
    ]
    assert values[0] == pytest.approx([0.6, 0.8, 1.0, 2 / 3])
    assert values[1] == pytest.approx([0.2, 0.8, 0.5, 1.0])
    # Everything is called, as in the paper at contrast 2.
    assert values[2] == pytest.approx([1.0, 0.4, 1.0, 0.4])
    assert values[3] == pytest.approx([0.6, 0.8, 1.0, 2 / 3])
    assert table.majority.value == pytest.approx(0.6)


def test_a_cell_is_what_the_figures_at_its_threshold_are():
    rng = np.random.default_rng(0)
    truth = rng.random(120) < 0.4
    patients = [str(i // 2) for i in range(120)]
    scores = {contrast: rng.random(120) for contrast in PAPER_CONTRASTS}
    table = sweep(scores, truth, patients, draws=(100, 5))
    assert len(table.cells) == len(PAPER_CONTRASTS) * len(PAPER_THRESHOLDS)
    cell = table.cells[11]
    assert (cell.contrast, cell.threshold) == (1.5, 0.5)
    expected = binary_figures(scores[1.5], truth, patients, 0.5, resamples=100, seed=5)
    for name in ("accuracy", "recall", "precision", "specificity"):
        assert cell.figures[name] == expected[name]


def test_a_cell_without_calls_has_no_precision_and_the_table_is_plain_json():
    table = sweep({1.0: [0.1] * 5}, TRUTH, PATIENTS, thresholds=[0.5], draws=(40, 0))
    plain = json.loads(json.dumps(table.to_json(), allow_nan=False))
    assert plain["cells"][0]["precision"]["value"] is None
    assert "called positive" in plain["cells"][0]["precision"]["warning"]


@pytest.mark.parametrize(
    ("scores", "thresholds"), [({}, [0.5]), (BY_CONTRAST, []), ({1.0: [0.1, 0.2]}, [0.5])]
)
def test_what_makes_no_table_is_refused(scores, thresholds):
    with pytest.raises(ValueError, match=r"a sweep needs|same length"):
        sweep(scores, TRUTH, PATIENTS, thresholds=thresholds)


def test_nobody_is_no_table():
    with pytest.raises(ValueError, match="a sweep needs"):
        sweep({1.0: []}, [], [])
