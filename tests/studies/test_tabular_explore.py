"""What the page draws of a table: counts, correlations, and axes without the class."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mammoscope.studies.tabular_data import WPBC, Question
from mammoscope.studies.tabular_explore import explore


def made(seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
    return Question(
        name=WPBC,
        table=WPBC,
        asks=("up", "down"),
        measures=("radius_worst", "b", "c", "d"),
        columns=("radius_worst", "b", "c", "d"),
        measure_of=np.arange(4),
        values=values,
        truth=rng.random(50) < 0.4,
        groups=tuple(map(str, range(50))),
        told=(),
    )


def test_the_class_moves_no_point_of_the_biplot():
    asked = made()
    turned = replace(asked, truth=~asked.truth)
    first, second = explore(asked)["biplot"], explore(turned)["biplot"]
    assert first["points"] == second["points"]
    assert {arrow["name"] for arrow in first["arrows"]} == set(asked.measures)
    assert first["truth"] != second["truth"]


def test_the_axes_explain_what_the_correlations_eigenvalues_say():
    asked = made()
    values = np.linalg.eigvalsh(np.corrcoef(asked.values, rowvar=False))[::-1]
    assert explore(asked)["biplot"]["explained"] == pytest.approx(list(values[:2] / 4))


def test_correlations_are_pearsons_with_the_class_last():
    asked = made()
    told = explore(asked)["correlations"]
    assert told["names"][-1] == "up"
    by_scipy = stats.pearsonr(asked.values[:, 2], asked.truth.astype(float)).statistic
    assert told["values"][2][-1] == pytest.approx(by_scipy, abs=6e-5)


def test_a_measure_that_never_varies_is_left_out_of_both():
    asked = made()
    asked.values[:, 1] = 7
    told = explore(asked)
    assert told["correlations"]["names"] == ["radius_worst", "c", "d", "up"]
    assert "b" not in {arrow["name"] for arrow in told["biplot"]["arrows"]}


def test_histograms_count_every_known_value_once_in_its_class():
    asked = made()
    asked.values[:3, 0] = np.nan
    (told,) = explore(asked)["histograms"]
    known = asked.truth[3:]
    assert [sum(counts) for counts in told["counts"]] == [known.sum(), (~known).sum()]
    assert told["missing"] == 3


def test_grades_have_a_bin_each():
    asked = made()
    asked.values[:, 0] = np.arange(50) % 5 + 1
    (told,) = explore(asked)["histograms"]
    assert told["edges"] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert np.sum(told["counts"], axis=0).tolist() == [10] * 5
