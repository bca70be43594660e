"""Which tiles an epoch shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.training.sampling import SamplingKind, SamplingSettings, epoch_order

LABELS = np.array([0] * 80 + [1] * 15 + [2] * 5)


def order(kind="shuffle", labels=LABELS, seed=1, epoch=0, scores=None, **settings):
    given_settings = SamplingSettings(kind=SamplingKind(kind), **settings)
    return epoch_order(labels, given_settings, seed=seed, epoch=epoch, scores=scores)


def test_a_shuffle_shows_each_tile_once():
    assert sorted(order()) == list(range(100))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 99))
def test_balanced_classes_come_equally_often_and_their_tiles_too(labels, seed):
    labels = np.array(labels)
    shown = order("balanced", labels, seed)
    counts = np.unique(labels[shown], return_counts=True)[1]
    assert len(shown) == len(labels)
    assert counts.max() - counts.min() <= 1 or len(np.unique(labels)) > len(labels)
    for name in np.unique(labels):
        often = np.bincount(shown[labels[shown] == name], minlength=len(labels))[labels == name]
        assert often.max() - often.min() <= 1


def test_hard_negatives_come_as_their_scores_say_and_abnormal_tiles_once():
    scores = np.where(np.arange(100) < 10, 0.9, 0.0)
    shown = np.concatenate(
        [order("hard-negative", epoch=k, scores=scores, easiest=0.1) for k in range(100)]
    )
    often = np.bincount(shown, minlength=100)
    assert (often[LABELS > 0] == 100).all()
    # 10 hard ones of .9 beside 70 easy ones of .1 get 9/16 of 8,000 draws.
    assert often[:10].sum() == pytest.approx(8000 * 9 / 16, rel=0.05)
    assert often[10:80].min() > 0


def test_hard_negatives_need_scores():
    with pytest.raises(ValueError, match="scores"):
        order("hard-negative")


def test_a_set_without_normal_tiles_has_no_hard_negatives_to_draw():
    shown = order("hard-negative", labels=np.ones(5, int), scores=np.ones(5))
    assert sorted(shown) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", list(SamplingKind))
def test_the_order_hangs_on_seed_and_epoch_alone(kind):
    scores = np.linspace(0, 1, 100)
    first = order(kind, scores=scores)
    assert np.array_equal(first, order(kind, scores=scores))
    assert not np.array_equal(first, order(kind, scores=scores, epoch=1))
    assert not np.array_equal(first, order(kind, scores=scores, seed=2))


def test_an_easiest_share_of_nothing_is_refused():
    with pytest.raises(ValueError, match="easiest"):
        SamplingSettings(easiest=0)
