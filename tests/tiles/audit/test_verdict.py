"""From figures to a verdict: every rule at both of its sides."""

import pytest

from mammoscope.tiles.audit.features import GROUPS, LESION_FREE
from mammoscope.tiles.audit.questions import LABEL_QUESTIONS, SOURCES
from mammoscope.tiles.audit.shortcuts import Shortcuts, Told
from mammoscope.tiles.audit.verdict import (
    GROUP_WORDS,
    MOST_BY_TISSUE,
    WORDS,
    Reason,
    Verdict,
    limit_of,
    shortcut_reasons,
    verdict_of,
)


def told(question, group, low, within=None, value=None, chance=0.55):
    return Told(
        question=question,
        group=group,
        value=low + 0.02 if value is None else value,
        low=low,
        high=min(low + 0.04, 1.0),
        n=200,
        n_patients=100,
        chance=chance,
        within=within,
        feature="mean",
        telling=(3, 4),
    )


def reasons_of(*figures):
    told_label = told("abnormal", "grey", 0.5)
    return shortcut_reasons(Shortcuts(told=(told_label, *figures), n=200, of=200, n_patients=100))


@pytest.mark.parametrize(
    ("question", "group", "low", "found"),
    [
        ("abnormal", "border", 0.66, True),
        ("abnormal", "border", 0.64, False),
        ("malignant", "file", 0.66, True),
        ("label", "spacing", 0.66, True),
        ("abnormal", "grey", 0.96, True),
        ("abnormal", "grey", 0.94, False),
        ("abnormal", "noise", 0.86, True),
        ("abnormal", "blur", 0.84, False),
        ("control", "grey", 0.71, True),
        ("control", "grey", 0.69, False),
        ("archive", "grey", 0.99, False),
        ("scanner", "border", 0.99, False),
    ],
)
def test_a_figure_is_a_reason_above_its_limit_only(question, group, low, found):
    assert bool(reasons_of(told(question, group, low))) is found


def test_the_lower_end_of_the_interval_counts_not_the_value():
    assert not reasons_of(told("abnormal", "border", 0.6, value=0.9))


def test_what_chance_reaches_is_no_reason():
    assert not reasons_of(told("abnormal", "border", 0.66, value=0.68, chance=0.7))


def test_a_source_that_tells_the_label_and_is_told_from_pixels_is_a_reason():
    (reason,) = reasons_of(
        told("abnormal", "archive", 0.8), told("archive", "noise", 0.9, value=0.95)
    )
    assert reason.sentence.startswith("Normal or abnormal is told from the archive's name alone")
    assert "the archive from the noise spectrum" in reason.sentence
    assert reason.pictures == (3, 4)


@pytest.mark.parametrize(
    "figures",
    [
        (told("abnormal", "scanner", 0.8),),
        (told("abnormal", "scanner", 0.8), told("scanner", "noise", 0.7)),
        (told("abnormal", "scanner", 0.54), told("scanner", "noise", 0.99)),
        (told("abnormal", "scanner", 0.8), told("archive", "noise", 0.99)),
    ],
)
def test_a_source_alone_or_pixels_alone_are_none(figures):
    assert not reasons_of(*figures)


def test_what_is_left_within_one_source_is_said():
    (reason,) = reasons_of(
        told("abnormal", "blur", 0.80, within=0.51),
        told("abnormal", "scanner", 0.8),
        told("scanner", "noise", 0.9),
    )
    assert "from sharpness normal or abnormal is told with area 0.820, within one source with " in (
        reason.sentence
    )
    assert reason.sentence.endswith("0.510.")


def test_a_set_whose_label_cannot_be_asked_for_is_not_clean():
    empty = Shortcuts(
        told=(told("archive", "grey", 0.9),), n=9, of=9, n_patients=3, not_measured=("too few",)
    )
    (reason,) = shortcut_reasons(empty)
    assert (reason.kind, reason.sentence) == ("unknown", "Not measured: too few.")
    assert verdict_of((reason,)) is Verdict.SUSPECT


def test_the_gravest_reason_gives_the_verdict():
    leak = Reason(kind="leak", sentence="")
    shortcut = Reason(kind="shortcut", sentence="")
    assert verdict_of(()) is Verdict.CLEAN
    assert verdict_of((shortcut,)) is Verdict.SUSPECT
    assert verdict_of((shortcut, leak)) is Verdict.LEAKING


def test_every_group_and_question_has_a_limit_or_none_and_words():
    assert set(GROUPS) == {*LESION_FREE, *MOST_BY_TISSUE}
    assert set(GROUP_WORDS) == {*GROUPS, *SOURCES}
    for question in (*LABEL_QUESTIONS, "control", *SOURCES):
        assert question in WORDS
        for group in (*GROUPS, *SOURCES):
            limit = limit_of(told(question, group, 0.5))
            assert (limit is None) == (question in SOURCES or group in SOURCES)
