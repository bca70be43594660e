"""Views of whole scans, and what a network should answer for them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mammoscope.core.records import Scan
from mammoscope.scans.prepare import Prepared
from mammoscope.training.dense_data import (
    Augmentation,
    DenseSample,
    View,
    apply_view,
    draw_view,
    make_batch,
    make_targets,
)

WORD_VALUES = (1.0, 0.0, -1.0)
STILL = {"gamma": 1.0, "gain": 1.0, "shift": 0.0, "bend": 0.0, "detail": 1.0, "noise": 0.0}


def make_sample(image, boxes=(), malignant=()):
    image = np.asarray(image, np.float32)
    prepared = Prepared(
        image=image,
        breast=image > 0,
        spacing_mm=0.3,
        origin_px=(0, 0),
        grid_px=image.shape,
        mirrored=False,
        scan_spacing_mm=(0.3, 0.3),
    )
    scan = Scan(scan_id="s", archive="made", path=Path("s.png"), patient_id="p", exam_id="e")
    return DenseSample(
        scan=scan,
        prepared=prepared,
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        malignant=np.array(malignant, np.float64),
        words=np.tile(np.array(WORD_VALUES, np.float32), (len(boxes), 1)),
    )


def make_view(matrix=((1, 0), (0, 1)), offset=(0, 0), **greys):
    return View(
        matrix=np.array(matrix, float), offset=np.array(offset, float), **{**STILL, **greys}
    )


def test_the_plain_view_is_the_scan_itself():
    image = np.random.default_rng(0).uniform(0.1, 1, (64, 96))
    seen = apply_view(make_sample(image), make_view(), (64, 96), np.random.default_rng(0))
    np.testing.assert_allclose(seen.numpy(), image, atol=1e-5)


def test_a_flip_is_exact():
    image = np.random.default_rng(0).uniform(0.1, 1, (64, 96)).astype(np.float32)
    view = make_view(((-1, 0), (0, 1)), (63, 0))
    seen = apply_view(make_sample(image), view, (64, 96), np.random.default_rng(0))
    np.testing.assert_allclose(seen.numpy(), image[::-1], atol=1e-5)


def test_an_offset_moves_by_whole_pixels_and_shows_black_beyond_the_scan():
    image = np.full((64, 64), 0.5)
    view = make_view(offset=(32, -16))
    seen = apply_view(make_sample(image), view, (64, 64), np.random.default_rng(0)).numpy()
    assert (seen[:32, 16:] == 0.5).all()
    assert (seen[32:] == 0).all()
    assert (seen[:, :16] == 0).all()


def test_gamma_gain_and_shift_act_inside_the_breast_alone():
    image = np.zeros((32, 32))
    image[:, :16] = 0.25
    view = make_view(gamma=0.5, gain=1.2, shift=0.1)
    seen = apply_view(make_sample(image), view, (32, 32), np.random.default_rng(0)).numpy()
    # 1.2 * 0.25 ** 0.5 + 0.1, by hand.
    np.testing.assert_allclose(seen[:, :15], 0.7, atol=1e-6)
    assert (seen[:, 17:] == 0).all()


def test_detail_changes_what_is_fine_and_keeps_what_is_coarse():
    image = np.full((64, 64), 0.5)
    image[:, ::2] += 0.1
    rng = np.random.default_rng(0)
    half = apply_view(make_sample(image), make_view(detail=0.5), (64, 64), rng).numpy()
    inner = np.s_[8:-8, 8:-8]
    assert half[inner].mean() == pytest.approx(0.55, abs=1e-3)
    assert np.ptp(half[inner]) == pytest.approx(0.05, abs=5e-3)


def test_targets_follow_the_view():
    # A lesion of 64 x 64 pixels in the lower right of a scan of 256 x 256, shown upside down.
    sample = make_sample(np.ones((256, 256)), [(160, 160, 64, 64)], [1.0])
    still, _, _, _ = make_targets(sample, make_view(), (256, 256), 8)
    turned, worth, weight, _ = make_targets(
        sample, make_view(((-1, 0), (0, 1)), (255, 0)), (256, 256), 8
    )
    np.testing.assert_array_equal(turned, still[::-1])
    assert turned[32 - 1 - 24, 24] == 1
    assert set(np.unique(worth[turned == 1])) == {1.0}
    assert (worth[turned != 1] == -1).all()
    # The lesion's places together weigh the square root of their number.
    assert weight.sum() == pytest.approx(np.sqrt((turned == 1).sum()), rel=1e-5)


def test_places_of_a_lesion_are_an_ellipse_in_its_box_with_a_ring_left_out():
    sample = make_sample(np.ones((256, 256)), [(96, 64, 64, 128)], [0.0])
    lesion, _, _, _ = make_targets(sample, make_view(), (256, 256), 8)
    ones = np.argwhere(lesion == 1) * 8 + 3.5
    middle = np.array([127.5, 127.5])
    inside = (((ones - middle) / [0.8 * 32, 0.8 * 64]) ** 2).sum(axis=1)
    assert inside.max() <= 1
    # Every place within the ellipse is there: its area is pi * a * b, in places of 64 pixels.
    assert len(ones) == pytest.approx(np.pi * 25.6 * 51.2 / 64, rel=0.1)
    assert lesion[96 // 8, 64 // 8] == -1
    assert lesion[0, 0] == 0


def test_a_lesion_smaller_than_a_place_still_has_one():
    sample = make_sample(np.ones((64, 64)), [(33, 33, 2, 2)], [np.nan])
    lesion, malignant, _, _ = make_targets(sample, make_view(), (64, 64), 8)
    assert (lesion == 1).sum() == 1
    assert lesion[4, 4] == 1
    assert (malignant == -1).all()


def test_views_near_a_lesion_show_it():
    sample = make_sample(np.ones((900, 500)), [(400, 200, 40, 40)], [1.0])
    always = Augmentation(near_lesion=1.0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        view = draw_view(sample, always, rng)
        lesion, _, _, _ = make_targets(sample, view, (always.rows, always.columns), 8)
        assert (lesion == 1).any()


def test_words_are_told_where_the_lesion_is_and_nowhere_else():
    sample = make_sample(np.ones((256, 256)), [(96, 64, 64, 128)], [0.0])
    lesion, _, _, words = make_targets(sample, make_view(), (256, 256), 8)
    assert words.shape == (3, 32, 32)
    assert (words[:, lesion == 1].T == WORD_VALUES).all()
    assert (words[:, lesion != 1] == -1).all()


def test_a_bend_keeps_the_ends_and_the_order_of_greys():
    ramp = np.tile(np.linspace(0.01, 1, 64), (64, 1))
    rng = np.random.default_rng(0)
    plain, bent = (
        apply_view(make_sample(ramp), make_view(bend=bend), (64, 64), rng).numpy()
        for bend in (0.0, 0.8)
    )
    assert np.abs(bent[:, [0, -1]] - plain[:, [0, -1]]).max() < 0.02
    assert (np.diff(bent[32]) > 0).all()
    assert np.abs(bent - plain).max() > 0.1


def test_the_same_seed_gives_the_same_batch():
    sample = make_sample(
        np.random.default_rng(5).uniform(0, 1, (600, 400)), [(300, 200, 40, 40)], [1]
    )
    one, two, other = (
        make_batch([sample, sample], Augmentation(), 8, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one.images, two.images)
    assert torch.equal(one.lesion, two.lesion)
    assert not torch.equal(one.images, other.images)
    assert one.images.shape == (2, 1, 384, 256)
    assert one.lesion.shape == (2, 48, 32)
    assert 0 <= one.images.min() <= one.images.max() <= 1
