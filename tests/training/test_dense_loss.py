"""The dense loss, by hand."""

import math

import pytest
import torch

from mammoscope.training.dense_data import DenseBatch
from mammoscope.training.dense_loss import dense_loss


def make_batch(lesion, malignant, weight, words=()):
    def shaped(values):
        return torch.tensor(values, dtype=torch.float32)[None, None]

    return DenseBatch(
        images=torch.zeros(1, 1, 8, 24),
        lesion=shaped(lesion),
        malignant=shaped(malignant),
        weight=shaped(weight),
        words=torch.tensor(words, dtype=torch.float32).reshape(1, len(words), 1, len(lesion)),
    )


def logits_of(lesion, malignant):
    return torch.tensor([[lesion], [malignant]], dtype=torch.float32).reshape(1, 2, 1, -1)


def test_one_lesion_one_empty_place_one_left_out():
    batch = make_batch([1, 0, -1], [1, -1, -1], [1, 0, 0])
    loss = dense_loss(logits_of([0.0, 0.0, 9.0], [0.0, 5.0, 5.0]), batch, 1.0)
    # Scores of one half: 0.25 * ln 2 for the lesion, and as much for the empty place.
    assert loss.lesion.item() == pytest.approx(0.5 * math.log(2), rel=1e-6)
    # Cross entropy at a score of one half is ln 2 whatever the aim.
    assert loss.malignant.item() == pytest.approx(math.log(2), rel=1e-6)
    assert loss.total.item() == pytest.approx(1.5 * math.log(2), rel=1e-6)


def test_a_confident_right_answer_costs_next_to_nothing():
    batch = make_batch([1, 0], [-1, -1], [1, 0])
    loss = dense_loss(logits_of([8.0, -8.0], [0.0, 0.0]), batch, 1.0)
    assert loss.total.item() < 1e-6


def test_a_batch_without_lesions_has_a_finite_loss_and_gradient():
    batch = make_batch([0, 0], [-1, -1], [0, 0])
    logits = logits_of([0.0, 1.0], [0.0, 0.0]).requires_grad_()
    loss = dense_loss(logits, batch, 1.0)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert torch.isfinite(logits.grad).all()
    assert loss.malignant.item() == 0


def test_malignancy_is_learnt_where_it_is_proven():
    batch = make_batch([1, 1], [1, 0], [1, 1])
    good = dense_loss(logits_of([0, 0], [2.0, -2.0]), batch, 1.0).malignant
    bad = dense_loss(logits_of([0, 0], [-2.0, 2.0]), batch, 1.0).malignant
    assert good < math.log(2) < bad


def test_words_are_learnt_where_they_were_said_and_weigh_what_they_are_given():
    logits = torch.zeros(1, 4, 1, 2)
    logits[0, 2] = torch.tensor([2.0, 9.0])
    batch = make_batch([1, 1], [-1, -1], [1, 3], words=[[1, -1], [-1, -1]])
    without, with_words = (dense_loss(logits, batch, 1.0, weight) for weight in (0.0, 0.5))
    # One place of one word is known; it is aimed at .95.
    expected = 0.95 * math.log1p(math.exp(-2)) + 0.05 * math.log1p(math.exp(2))
    assert with_words.words.item() == pytest.approx(expected, rel=1e-5)
    added = with_words.total.item() - without.total.item()
    assert added == pytest.approx(0.5 * expected, rel=1e-5)


def test_a_network_that_says_no_words_has_no_loss_of_them():
    batch = make_batch([1, 0], [1, -1], [1, 0], words=[[1, -1], [0, -1]])
    assert dense_loss(logits_of([0.0, 0.0], [0.0, 0.0]), batch, 1.0, 1.0).words.item() == 0
