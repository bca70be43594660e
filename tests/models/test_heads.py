"""Heads: from the five classes of a tile's label to what a network answers."""

import numpy as np
import pytest

from mammoscope.core.errors import TrainingError, UnknownNameError
from mammoscope.models.heads import HEADS, Head, head_of
from mammoscope.tiles.tile import CLASSES, NORMAL


def test_the_five_classes_are_the_papers_integers():
    # Method facts 2: normal 0, benign calcification 1 and mass 2, malignant ones 3 and 4.
    labels = [
        "NORMAL",
        "BENIGN_calcification",
        "BENIGN_mass",
        "MALIGNANT_calcification",
        "MALIGNANT_mass",
    ]
    assert HEADS["five"].truth(labels).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("binary", ["normal", "abnormal", "abnormal", "abnormal", "abnormal"]),
        ("mass-calcification", ["normal", "calcification", "mass", "calcification", "mass"]),
        ("benign-malignant", ["normal", "benign", "benign", "malignant", "malignant"]),
    ],
)
def test_each_head_names_what_a_label_means(name, answers):
    head = head_of(name)
    assert [head.targets[i] for i in head.truth(CLASSES)] == answers


@pytest.mark.parametrize("name", HEADS)
def test_normal_comes_first_and_alone(name):
    head = HEADS[name]
    assert head.targets[0] == "normal"
    assert [label for label in CLASSES if head.index_of[label] == 0] == [NORMAL]


def test_labels_keep_their_order_and_their_number():
    labels = np.array(["BENIGN_mass", "NORMAL", "BENIGN_mass", "MALIGNANT_mass"], dtype=object)
    assert HEADS["benign-malignant"].truth(labels).tolist() == [1, 0, 1, 2]
    assert HEADS["five"].truth([]).tolist() == []


def test_an_unknown_label_is_named():
    with pytest.raises(TrainingError, match=r"label 'mass'.*BENIGN_mass"):
        HEADS["binary"].truth(["NORMAL", "mass"])


def test_an_unknown_head_is_answered_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="head called 'binar'; known are: binary"):
        head_of("binar")


@pytest.mark.parametrize("answers", [(1, 0, 0, 0, 0), (0, 1, 1, 1, 3)])
def test_a_head_without_normal_at_0_or_with_an_idle_answer_cannot_be_made(answers):
    index_of = dict(zip(CLASSES, answers, strict=True))
    with pytest.raises(ValueError, match="head 'odd'"):
        Head(name="odd", targets=("normal", "a", "b", "c"), index_of=index_of)
