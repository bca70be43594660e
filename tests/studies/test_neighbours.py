"""Nearest neighbours: as the paper did, done right, and what makes the two differ."""

import numpy as np
import pytest

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import ArchiveError, UnknownNameError
from mammoscope.studies.neighbours import (
    Described,
    _small,
    as_the_paper,
    describe,
    done_right,
)

pytest.importorskip("sklearn", reason="extra `studies`")


def _described(features, truth, patients):
    return Described(
        np.asarray(features, np.float32), np.asarray(truth, bool), tuple(patients), "made"
    )


def _pairs(seed, patients=80):
    """Two scans a patient that look alike, with an answer that their looks do not tell."""
    rng = np.random.default_rng(seed)
    looks = np.repeat(rng.normal(size=(patients, 5)), 2, axis=0)
    truth = np.repeat(rng.random(patients) < 0.4, 2)
    return looks, truth, [f"p{i // 2}" for i in range(2 * patients)]


def test_the_papers_division_is_of_257_and_65_images_with_patients_in_both():
    rng = np.random.default_rng(0)
    patients = [f"p{i // 2}" for i in range(322)]
    told = as_the_paper(_described(rng.normal(size=(322, 3)), rng.random(322) < 0.36, patients))
    assert (told["train"], told["test"]) == (257, 65)
    assert told["shared_patients"] > 30


def test_features_that_tell_the_answer_are_found_out_by_both():
    truth = np.arange(200) % 3 == 0
    patients = [f"p{i}" for i in range(200)]
    described = _described(np.outer(truth, [5.0, 5.0]), truth, patients)
    assert as_the_paper(described)["accuracy"] == 1
    assert done_right(described, resamples=60)["auc"]["value"] == 1


def test_one_numbers_unit_does_not_decide_where_features_are_scaled():
    rng = np.random.default_rng(2)
    truth = np.arange(200) % 2 == 0
    telling = truth + rng.normal(0, 0.2, 200)
    features = np.column_stack([telling, 1e4 * rng.normal(size=200)])
    told = done_right(_described(features, truth, [f"p{i}" for i in range(200)]), resamples=60)
    assert told["auc"]["value"] > 0.95


def test_likeness_of_a_patients_two_scans_is_worth_nothing_by_patient():
    told = done_right(_described(*_pairs(1)), resamples=60)
    assert told["auc"]["low"] < 0.5 < told["auc"]["high"] or abs(told["auc"]["value"] - 0.5) < 0.15


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_a_picture_of_more_than_eight_bits_keeps_its_upper_eight(bits):
    eight = np.linspace(0, 255, 224).round().astype(np.uint8)[None, :].repeat(224, axis=0)
    deep = eight.astype(np.uint16) << (bits - 8)
    assert np.array_equal(_small(deep), _small(eight))


def test_a_network_without_imagenet_features_is_refused_with_those_that_have_them(tmp_path):
    archive = Archive(name="a", folder=tmp_path, licence="", citation="", records=())
    with pytest.raises(UnknownNameError, match="known are: inception_v3, lite0, vgg19"):
        describe(archive, "tilenet-s")


def test_an_archive_with_too_few_patients_is_refused(tmp_path):
    archive = Archive(name="mini-mias", folder=tmp_path, licence="", citation="", records=())
    with pytest.raises(ArchiveError, match="0 patients of mini-mias have scans with findings"):
        describe(archive)
