"""Deletion and insertion, worked by hand on scores that are known functions of the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.evaluation.heat_maps import (
    OUTSIDE,
    HeatMapTest,
    StepCurve,
    blurred_intensity,
    compare_maps,
    judge_order,
    order_by,
    random_order,
    square_labels,
)

# Four squares of 1 x 1 pixel; the score is their weighted sum.
IMAGE = np.array([[1.0, 1.0], [1.0, 1.0]])
EMPTY = np.zeros((2, 2))
WORTH = np.array([[0.5, 0.3], [0.2, 0.0]])
LABELS = square_labels((2, 2), 1)


def weighed(image):
    return float((image * WORTH).sum())


def test_the_best_order_is_as_by_hand():
    test = judge_order((IMAGE, EMPTY), LABELS, np.array([0, 1, 2, 3]), weighed)
    assert test.deletion.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert test.deletion.scores == pytest.approx([1, 0.5, 0.2, 0, 0])
    assert test.insertion.scores == pytest.approx([0, 0.5, 0.8, 1, 1])
    # Trapezoids of width 1/4: (1 + 0) / 2 + .7, and (0 + 1) / 2 + 2.3.
    assert test.deletion.area == pytest.approx(1.2 / 4)
    assert test.insertion.area == pytest.approx(2.8 / 4)
    assert test.gain == pytest.approx(0.4)


def test_the_worst_order_is_the_best_one_mirrored():
    best = judge_order((IMAGE, EMPTY), LABELS, np.array([0, 1, 2, 3]), weighed)
    worst = judge_order((IMAGE, EMPTY), LABELS, np.array([3, 2, 1, 0]), weighed)
    assert worst.gain == pytest.approx(-best.gain)


def test_patches_at_the_border_may_be_smaller():
    assert square_labels((3, 5), 2).tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]


def test_patches_without_a_pixel_inside_are_left_out_and_never_changed():
    inside = np.zeros((2, 4), bool)
    inside[0, 3] = True
    labels = square_labels((2, 4), 2, inside)
    assert labels.tolist() == [[OUTSIDE, OUTSIDE, 0, 0]] * 2
    seen = []

    def keep(image):
        seen.append(image.copy())
        return 0.0

    judge_order((np.ones((2, 4)), np.zeros((2, 4))), labels, np.array([0]), keep)
    assert all((image[:, :2] == 1).all() for image in seen)
    assert any((image[:, 2:] == 0).all() for image in seen)


def test_patches_are_ordered_by_their_mean_heat():
    labels = square_labels((2, 4), 2)
    heat = np.array([[9, 0, 3, 3], [0, 0, 3, 3]])
    assert order_by(heat, labels, np.random.default_rng(0)).tolist() == [1, 0]


def test_a_flat_map_gives_a_random_order():
    labels = square_labels((20, 20), 1)
    orders = [order_by(np.ones((20, 20)), labels, np.random.default_rng(s)) for s in (0, 1)]
    assert not np.array_equal(*orders)
    assert sorted(orders[0]) == list(range(400))


def test_heat_outside_the_patches_does_not_matter():
    labels = np.array([[OUTSIDE, 0, 1]])
    heat = np.array([[np.nan, 1.0, 2.0]])
    assert order_by(heat, labels, np.random.default_rng(0)).tolist() == [1, 0]


@given(seed=st.integers(0, 1000), steps=st.integers(1, 40))
def test_every_order_gives_the_same_ends_and_changes_everything(seed, steps):
    rng = np.random.default_rng(seed)
    image, worth = rng.random((2, 6, 7))
    labels = square_labels((6, 7), 2)

    def score(picture):
        return float((picture * worth).sum())

    stand_in = blurred_intensity(image, 2)
    test = judge_order((image, stand_in), labels, random_order(labels, rng), score, steps)
    assert test.deletion.scores[[0, -1]] == pytest.approx([score(image), score(stand_in)])
    assert test.insertion.scores[[0, -1]] == pytest.approx([score(stand_in), score(image)])
    assert len(test.deletion.shares) == min(steps, 12) + 1
    assert (np.diff(test.insertion.shares) > 0).all()


@given(seed=st.integers(0, 1000))
def test_random_orders_gain_nothing_on_average_and_the_true_map_is_best(seed):
    rng = np.random.default_rng(seed)
    worth = rng.random((5, 5))
    labels = square_labels((5, 5), 1)
    pictures = (np.ones((5, 5)), np.zeros((5, 5)))

    def score(picture):
        return float((picture * worth).sum())

    true = judge_order(pictures, labels, order_by(worth, labels, rng), score)
    other = judge_order(pictures, labels, random_order(labels, rng), score)
    assert true.deletion.area <= other.deletion.area + 1e-9
    assert true.insertion.area >= other.insertion.area - 1e-9


def test_the_score_is_asked_for_twice_a_step():
    calls = []
    judge_order((IMAGE, EMPTY), LABELS, np.array([2, 0, 3, 1]), lambda i: calls.append(i) or 0.0, 2)
    assert len(calls) == 4


def test_the_pictures_are_left_as_they_were():
    image, stand_in = IMAGE.copy(), EMPTY.copy()
    judge_order((image, stand_in), LABELS, np.array([0, 1, 2, 3]), weighed)
    assert (image == IMAGE).all()
    assert (stand_in == EMPTY).all()


@pytest.mark.parametrize(
    ("pictures", "order", "steps", "said"),
    [
        ((IMAGE, EMPTY[:1]), [0, 1, 2, 3], 2, "one shape"),
        ((IMAGE, EMPTY.astype(np.float32)), [0, 1, 2, 3], 2, "one type"),
        ((IMAGE, EMPTY), [0, 1, 2], 2, "every square once"),
        ((IMAGE, EMPTY), [0, 1, 2, 2], 2, "every square once"),
        ((IMAGE, EMPTY), [0, 1, 2, 3], 0, "at least one step"),
    ],
)
def test_what_does_not_fit_is_refused(pictures, order, steps, said):
    with pytest.raises(ValueError, match=said):
        judge_order(pictures, LABELS, np.array(order), weighed, steps)


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not a finite number"):
        judge_order((IMAGE, EMPTY), LABELS, np.array([0, 1, 2, 3]), lambda _: np.nan)


def test_bad_patches_and_maps_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="side of 0"):
        square_labels((2, 2), 0)
    with pytest.raises(ValueError, match="does not fit"):
        square_labels((2, 2), 1, np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="no pixel is inside"):
        square_labels((2, 2), 1, np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match="does not fit"):
        order_by(np.ones((3, 3)), LABELS, rng)
    with pytest.raises(ValueError, match="not a finite number"):
        order_by(np.full((2, 2), np.inf), LABELS, rng)


def flat(deletion, insertion):
    ends = np.array([0.0, 1.0])
    return HeatMapTest(
        StepCurve(ends, np.array([deletion] * 2)), StepCurve(ends, np.array([insertion] * 2))
    )


def test_maps_are_averaged_over_scans_and_differences_are_paired():
    tests = [
        {"ours": flat(0.1 + i / 100, 0.7 + i / 50), "random": flat(0.4 + i / 100, 0.5)}
        for i in range(10)
    ]
    figures = compare_maps(tests, [str(i // 2) for i in range(10)], resamples=200)
    assert list(figures) == ["ours", "random", "ours less random"]
    assert figures["ours"]["deletion"].value == pytest.approx(0.145)
    assert figures["ours"]["insertion"].value == pytest.approx(0.79)
    difference = figures["ours less random"]
    # The same on every scan, so there is nothing to resample.
    assert difference["deletion"].value == pytest.approx(-0.3)
    assert difference["insertion"].value == pytest.approx(0.29)
    assert difference["insertion"].low > 0.2
    assert difference["gain"].value == pytest.approx(0.59)
    assert (difference["gain"].n, difference["gain"].n_patients) == (10, 5)


def test_scans_with_other_maps_are_refused():
    with pytest.raises(ValueError, match="same maps"):
        compare_maps([{"a": flat(0, 0)}, {"b": flat(0, 0)}], ["1", "2"])
    with pytest.raises(ValueError, match="a patient for every scan"):
        compare_maps([{"a": flat(0, 0)}], ["1", "2"])
