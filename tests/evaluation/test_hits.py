"""The hit rule, worked by hand in millimetres."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.geometry import Box, Circle
from mammoscope.evaluation.hits import hits, lies_in
from mammoscope.evaluation.outcomes import Peak


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        ((15, 15), True),
        # 2.4 mm are 12 rows of 0.2 mm and 6 columns of 0.4 mm.
        ((-1.9, 15), True),
        ((-2.1, 15), False),
        ((31.9, 15), True),
        ((32.1, 15), False),
        ((15, 4.1), True),
        ((15, 3.9), False),
        ((15, 25.9), True),
        ((15, 26.1), False),
        # A box grows to a box, corners too.
        ((-1.9, 4.1), True),
    ],
)
def test_a_box_grows_by_millimetres_on_an_uneven_grid(place, inside):
    assert lies_in(Box(10, 10, 10, 10), place, (0.2, 0.4), 2.4) is inside


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        # Radius 10 px x sqrt(0.2 x 0.8) = 4 mm; grown by 2 mm: 6 mm, 30 rows or 7.5 columns.
        ((129.9, 100), True),
        ((130.1, 100), False),
        ((100, 107.4), True),
        ((100, 107.6), False),
        # 3.6 mm down (18 rows) and 4.8 mm right (6 columns) are 6 mm together.
        ((117.9, 106), True),
        ((118.1, 106), False),
    ],
)
def test_a_circle_is_round_in_the_breast_on_an_uneven_grid(place, inside):
    assert lies_in(Circle(100, 100, 10), place, (0.2, 0.8), 2.0) is inside


@given(
    row=st.floats(-50, 50),
    column=st.floats(-50, 50),
    row_mm=st.floats(0.04, 0.3),
    column_mm=st.floats(0.04, 0.3),
    roi=st.sampled_from([Box(0, 0, 20, 30), Circle(3, 5, 12)]),
)
def test_a_larger_margin_never_loses_a_hit(row, column, row_mm, column_mm, roi):
    spacing = (row_mm, column_mm)
    if lies_in(roi, (row, column), spacing, 1.0):
        assert lies_in(roi, (row, column), spacing, 1.5)


@given(factor=st.floats(0.25, 4), place=st.tuples(st.floats(0, 40), st.floats(0, 40)))
def test_a_finer_grid_of_the_same_scan_gives_the_same_answer(factor, place):
    coarse = lies_in(Box(10, 10, 10, 10), place, (0.2, 0.2))
    fine = Box(10 * factor, 10 * factor, 10 * factor, 10 * factor)
    # A hair of margin more or less keeps rounding at the border out of the comparison.
    there = (place[0] * factor, place[1] * factor)
    grid = (0.2 / factor, 0.2 / factor)
    assert (
        lies_in(fine, there, grid, 2.4 - 1e-6) <= coarse <= lies_in(fine, there, grid, 2.4 + 1e-6)
    )


def test_a_peak_in_two_findings_hits_both_and_unplaced_findings_are_never_hit(
    make_outcome, make_finding
):
    outcome = make_outcome(
        findings=(
            make_finding(roi=None),
            make_finding(roi=Box(10, 10, 10, 10)),
            make_finding(roi=Circle(18, 18, 5)),
            make_finding(roi=Box(60, 60, 5, 5)),
        )
    )
    assert hits(outcome, Peak(16, 16, 0.5, 0.5)) == (1, 2)


def test_a_scan_of_unknown_truth_is_never_hit(make_outcome):
    assert hits(make_outcome(findings=None), Peak(16, 16, 0.5, 0.5)) == ()
