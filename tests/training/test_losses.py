"""Losses, worked by hand and against torch's own."""

import math

import pytest
import torch
from torch.nn import functional

from mammoscope.training.losses import LossKind, LossSettings, tile_loss

LOGITS = torch.tensor([[2.0, 0.0], [0.5, 1.5], [-1.0, 1.0]])
TRUTH = torch.tensor([0, 1, 0])


def loss(kind="cross-entropy", logits=LOGITS, targets=TRUTH, **numbers):
    settings = LossSettings(kind=LossKind(kind), **{"positive_weight": 1.0, **numbers})
    return tile_loss(logits, targets, settings)


def test_without_weights_it_is_the_cross_entropy_of_torch():
    torch.testing.assert_close(loss(), functional.cross_entropy(LOGITS, TRUTH))


def test_the_paper_s_weight_counts_abnormal_tiles_and_divides_by_the_number_of_tiles():
    # log(1 + e^-2), log(1 + e^-1), log(1 + e^2); the abnormal one in the middle counts 6 times.
    each = [math.log1p(math.exp(v)) for v in (-2, -1, 2)]
    expected = (each[0] + 6 * each[1] + each[2]) / 3
    assert loss(positive_weight=6.0).item() == pytest.approx(expected, rel=1e-6)


def test_every_abnormal_class_has_the_weight():
    logits = torch.zeros(5, 5)
    found = loss(logits=logits, targets=torch.arange(5), positive_weight=3.0)
    assert found.item() == pytest.approx(math.log(5) * (1 + 4 * 3) / 5, rel=1e-6)


def test_label_smoothing_is_that_of_torch():
    expected = functional.cross_entropy(LOGITS, TRUTH, label_smoothing=0.1)
    torch.testing.assert_close(loss(label_smoothing=0.1), expected)


def test_soft_targets_weigh_by_their_abnormal_share():
    shares = torch.tensor([[0.25, 0.75]])
    found = loss(logits=torch.zeros(1, 2), targets=shares, positive_weight=5.0)
    assert found.item() == pytest.approx((1 + 4 * 0.75) * math.log(2), rel=1e-6)


@pytest.mark.parametrize("kind", list(LossKind))
def test_hard_targets_are_soft_ones_of_one_class(kind):
    soft = functional.one_hot(TRUTH, 2).float()
    torch.testing.assert_close(
        loss(kind, positive_weight=2.0), loss(kind, targets=soft, positive_weight=2.0)
    )


def test_the_focal_loss_by_hand():
    # p = .5 for every answer: (1 - .5)^2 * log 2.
    found = loss("focal", logits=torch.zeros(3, 2), focus=2.0)
    assert found.item() == pytest.approx(0.25 * math.log(2), rel=1e-6)


def test_a_focal_loss_without_focus_is_the_cross_entropy():
    torch.testing.assert_close(loss("focal", focus=0.0), functional.cross_entropy(LOGITS, TRUTH))


def test_the_asymmetric_loss_by_hand():
    # The abnormal share of a normal tile is .5; margin .1 leaves .4.
    normal = loss(
        "asymmetric",
        logits=torch.zeros(1, 2),
        targets=torch.tensor([0]),
        normal_focus=3.0,
        margin=0.1,
    )
    assert normal.item() == pytest.approx(-(0.4**3) * math.log(0.6), rel=1e-5)
    abnormal = loss("asymmetric", logits=torch.zeros(1, 2), targets=torch.tensor([1]), focus=1.0)
    assert abnormal.item() == pytest.approx(0.5 * math.log(2), rel=1e-6)


def test_a_normal_tile_within_the_margin_costs_nothing():
    sure = torch.tensor([[4.0, 0.0]], requires_grad=True)
    found = loss("asymmetric", logits=sure, targets=torch.tensor([0]), margin=0.05)
    found.backward()
    assert found.item() == 0.0
    assert torch.equal(sure.grad, torch.zeros(1, 2))


@pytest.mark.parametrize("kind", list(LossKind))
@pytest.mark.parametrize("size", [1e3, -1e3])
def test_sure_answers_give_finite_losses_and_gradients(kind, size):
    logits = torch.tensor([[size, -size], [-size, size]], requires_grad=True)
    found = loss(kind, logits=logits, targets=torch.tensor([1, 1]))
    found.backward()
    assert math.isfinite(found.item())
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("kind", list(LossKind))
def test_a_sure_wrong_normal_tile_gives_a_finite_gradient(kind):
    logits = torch.tensor([[-200.0, 200.0]], requires_grad=True)
    found = loss(kind, logits=logits, targets=torch.tensor([0]))
    found.backward()
    assert found.item() > 1
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    "numbers", [{"positive_weight": 0}, {"label_smoothing": 1}, {"focus": -1}, {"margin": 1}]
)
def test_numbers_that_make_no_sense_are_refused(numbers):
    with pytest.raises(ValueError, match=next(iter(numbers))):
        LossSettings(**numbers)
