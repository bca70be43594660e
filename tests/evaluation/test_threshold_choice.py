"""Thresholds chosen by a rule, and what is suspected of having been."""

import numpy as np
import pytest

from mammoscope.core.errors import BadValueError
from mammoscope.evaluation.threshold_choice import (
    best_threshold,
    looks_chosen_on,
    threshold_number,
)

SCORES = np.array([0.1, 0.34567, 0.4, 0.8, 0.9])
TRUTH = np.array([0, 1, 0, 1, 1], dtype=bool)


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [
        # At .8 two of three positives and no negative; at .34567 all three, and one of two.
        ("youden", 0.8),
        ("recall=1", 0.34567),
        ("recall=0.6", 0.8),
        ("specificity=1", 0.8),
        ("specificity=0.5", 0.34567),
        # Two of five are 40 %; a third would be .4.
        ("rate=0.4", 0.8),
        # A miss costs as much as a false alarm and half are positive: .8 misses a third of the
        # positives, .34567 calls half of the negatives.
        ("cost=1:1:0.5", 0.8),
        # Missing is so dear that every positive is worth a false alarm.
        ("cost=100:1:0.5", 0.34567),
    ],
)
def test_a_rule_chooses_what_is_found_by_hand(rule, threshold):
    assert best_threshold(rule, SCORES, TRUTH) == threshold


def test_where_the_highest_score_is_negative_full_specificity_calls_none():
    threshold = best_threshold("specificity=1", np.array([0.5, 0.9]), np.array([True, False]))
    assert threshold > 0.9


@pytest.mark.parametrize(
    "rule",
    [
        "best",
        "youden=1",
        "recall",
        "recall=x",
        "recall=0",
        "recall=2",
        "rate=0",
        "cost",
        "cost=1:1",
        "cost=1:1:2",
        "cost=-1:1:0.1",
        "cost=0:0:0.1",
        "cost=a:b:c",
    ],
)
def test_an_unknown_rule_or_share_is_told(rule):
    with pytest.raises(BadValueError, match="rule"):
        best_threshold(rule, SCORES, TRUTH)


def test_a_threshold_that_is_the_best_to_the_last_digit_is_suspected():
    truth = np.array([0, 1, 1, 1, 1], dtype=bool)
    assert looks_chosen_on(0.34567, SCORES, truth)
    assert not looks_chosen_on(0.34568, SCORES, truth)
    # A round number may be the best by chance.
    assert not looks_chosen_on(0.8, SCORES, TRUTH)


def test_a_number_is_a_number_and_a_rule_is_none():
    assert threshold_number("0.25") == 0.25
    assert threshold_number("youden") is None
    for text in ("1.5", "nan", "-1"):
        with pytest.raises(BadValueError, match="0 to 1"):
            threshold_number(text)
