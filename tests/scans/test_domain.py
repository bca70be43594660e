"""The guard: verdicts worked by hand, and a file that cannot be changed unnoticed."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from mammoscope.core.errors import WeightsError
from mammoscope.core.vocabulary import ViewPosition
from mammoscope.scans.domain import (
    REASONS,
    Check,
    Guard,
    features,
    guard_from_json,
    guard_to_json,
)
from mammoscope.scans.domain_statistics import NAMES

COUNT = len(NAMES)


def check(kind, place, views=(), limit=2.0):
    """Score a scan by one statistic alone."""
    weights = np.zeros(2 * COUNT)
    weights[place] = 1.0
    return Check(kind=kind, weights=weights, bias=0.0, limit=limit, views=views)


@pytest.fixture
def guard():
    """Guard of the unit normal distribution; 'inverted' is a large first statistic."""
    return Guard(
        archive="made",
        made_by="a command",
        centre=np.zeros(COUNT),
        scale=np.ones(COUNT),
        middle=np.zeros(COUNT),
        inverse=np.eye(COUNT),
        distances=np.linspace(0, 10, 101),
        odd=6.0,
        farthest=9.0,
        checks=(
            check("inverted", 0),
            check("implant", 1),
            check("no mammogram", 3),
            check("turned by 180 degrees", 2, (ViewPosition.MLO,)),
        ),
    )


def values(**at):
    made = np.zeros(COUNT)
    for place, value in at.items():
        made[int(place[1:])] = value
    return made


def test_the_middle_of_the_training_scans_is_like_them(guard):
    found = guard.judge(values())
    assert (found.verdict, found.reasons, found.kinds) == ("like", (), ())
    assert found.likeness == 1.0


def test_likeness_is_the_share_of_training_scans_that_are_farther_off(guard):
    # The distance is 4, and 40 of 100 training scans lie nearer.
    assert guard.judge(values(_5=4.0)).likeness == pytest.approx(0.6)


def test_a_fault_is_named_and_the_worst_comes_first(guard):
    found = guard.judge(values(_0=2.5, _1=4.0))
    assert found.verdict == "unlike"
    assert found.kinds == ("implant", "inverted")
    assert found.reasons == (REASONS["implant"], REASONS["inverted"])


def test_at_the_limit_nothing_is_flagged(guard):
    assert guard.judge(values(_0=2.0)).verdict == "like"


def test_a_check_of_one_view_is_left_out_on_others_and_where_the_view_is_not_known(guard):
    turned = values(_2=3.0)
    assert guard.judge(turned, ViewPosition.MLO).kinds == ("turned by 180 degrees",)
    assert guard.judge(turned, ViewPosition.CC).verdict == "like"
    assert guard.judge(turned, None).verdict == "like"


def test_what_is_far_off_is_doubtful_and_its_oddest_statistics_are_named(guard):
    found = guard.judge(values(_7=7.5, _9=-3.0))
    assert found.verdict == "doubtful"
    assert found.kinds == ()
    (reason,) = found.reasons
    assert NAMES[7] in reason
    assert NAMES[9] in reason
    assert found.likeness == pytest.approx(1 - np.ceil(np.hypot(7.5, 3.0) * 10) / 100)


def test_what_is_farther_off_than_any_mammogram_is_refused_without_a_fault(guard):
    # The distance is 10.6.
    found = guard.judge(values(_7=7.5, _9=-7.5))
    assert (found.verdict, found.kinds) == ("unlike", ())


def test_a_file_that_says_it_is_a_mammogram_is_doubted_where_it_looks_like_none(guard):
    strange = values(_3=3.0)
    assert guard.judge(strange).verdict == "unlike"
    assert guard.judge(strange, declared=True).verdict == "doubtful"
    assert guard.judge(strange, declared=True).reasons == (REASONS["no mammogram"],)
    assert guard.judge(values(_7=7.5, _9=-7.5), declared=True).verdict == "doubtful"


def test_a_file_that_says_it_is_a_mammogram_is_refused_for_a_fault(guard):
    assert guard.judge(values(_0=3.0), declared=True).verdict == "unlike"
    assert guard.judge(values(_0=3.0, _3=4.0), declared=True).verdict == "unlike"


def test_one_statistic_beyond_all_measure_counts_as_eight():
    assert features(np.array([8.0])).tolist() == [8.0, 8.0]


def test_a_guard_comes_back_from_its_file(guard):
    back = guard_from_json(guard_to_json(guard))
    for field in dataclasses.fields(guard):
        if field.name != "checks":
            # Numbers are written with six digits.
            mine, written = getattr(back, field.name), getattr(guard, field.name)
            assert mine == written if isinstance(mine, str) else np.allclose(mine, written)
    assert [(c.kind, c.limit, c.views) for c in back.checks] == [
        (c.kind, c.limit, c.views) for c in guard.checks
    ]


def test_a_limit_that_was_changed_by_hand_is_noticed(guard):
    content = json.loads(guard_to_json(guard))
    content["farthest"] = 1e9
    with pytest.raises(WeightsError, match="was changed since"):
        guard_from_json(json.dumps(content))


def test_a_guard_of_other_statistics_is_not_taken(guard):
    content = json.loads(guard_to_json(guard))
    content["names"] = content["names"][:-1]
    content.pop("digest")
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    with pytest.raises(WeightsError, match=r"other statistics.*a command"):
        guard_from_json(json.dumps({"digest": digest, **content}))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": 1, "schema": 2}', "\0"])
def test_what_is_no_guard_is_a_clear_error(text):
    with pytest.raises(WeightsError, match="guard's file"):
        guard_from_json(text)
