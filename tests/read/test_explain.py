"""Explanations: the score of a made model rests on the spot, and the report can show it."""

import dataclasses

import numpy as np
import pytest

from mammoscope.core.geometry import Box
from mammoscope.core.reading import NearLesion
from mammoscope.models import zoo
from mammoscope.models.weights import load_model
from mammoscope.read.exam import read_exam, read_loaded
from mammoscope.read.explain import explain
from mammoscope.read.explain_nearest import (
    WINDOW_PX,
    features_of,
    make_index,
    read_index,
    window_round,
    write_index,
)
from mammoscope.read.find import find_exams
from mammoscope.scans.load import read_scan


@pytest.fixture(params=["left", "right"])
def scan(tmp_path, write_scan, request):
    name = "L_CC.png" if request.param == "left" else "R_CC.png"
    return read_scan(write_scan(tmp_path / name, wall=request.param), spacing_um=200)


def test_the_score_rests_on_the_spot_and_not_on_what_lies_round_it(scan, model):
    reading, _ = read_loaded(scan, model)
    prepared = model.prepare(scan.image, scan.spacing_mm)
    (one,) = explain(model, prepared, reading.detections)
    rows, columns = one.lost.shape
    box, spot = one.box_px, reading.detections[0].box_px.centre
    row = (np.arange(rows) + 0.5) / rows * box.height + box.top
    column = (np.arange(columns) + 0.5) / columns * box.width + box.left
    off = np.maximum(np.abs(row[:, None] - spot[0]), np.abs(column[None, :] - spot[1]))
    # The spot is 60 pixels wide, a patch 24: what is farther than 60 from its middle is beside it.
    assert np.abs(one.lost[off > 60]).max() == pytest.approx(0, abs=1e-6)
    assert box.top < spot[0] < box.bottom
    assert box.left < spot[1] < box.right


def test_reading_explains_only_where_it_was_asked_to(tmp_path, write_scan, model):
    write_scan(tmp_path / "L_CC.png")
    (exam,), _ = find_exams([tmp_path], spacing_um=200)
    assert read_exam(exam, model).scans[0].explanations == ()
    reading = read_exam(dataclasses.replace(exam, explained=True), model)
    assert len(reading.scans[0].explanations) == len(reading.scans[0].detections) == 1
    # The made network has no features that the index could know.
    assert reading.scans[0].explanations[0].nearest == ()


def test_a_window_lies_inside_the_scan_and_on_the_network_s_grid(scan, model):
    prepared = model.prepare(scan.image, scan.spacing_mm)
    for box in (Box(0, 0, 9, 9), Box(300, 90, 40, 40), Box(prepared.image.shape[0] - 5, 0, 5, 5)):
        for part, side in zip(window_round(prepared, box), prepared.image.shape, strict=True):
            assert part.start % 32 == 0
            assert 0 <= part.start < part.stop <= side
            assert part.stop - part.start == min(WINDOW_PX, side)


def test_features_are_means_of_three_levels_inside_the_box(scan):
    shipped = load_model("default")
    prepared = shipped.prepare(scan.image, scan.spacing_mm)
    found = features_of(shipped, prepared, Box(300, 90, 40, 40))
    assert found.shape == (40 + 112 + 320,)
    assert np.isfinite(found).all()
    again = features_of(shipped, prepared, Box(300, 90, 40, 40))
    assert np.array_equal(found, again)
    assert not np.allclose(found, features_of(shipped, prepared, Box(100, 20, 40, 40)))


def test_every_dense_network_has_features_and_no_lesions_but_its_own_are_near(scan):
    shipped = load_model("default")
    scratch = dataclasses.replace(
        shipped, network=zoo.build("tilenet-dense").eval(), digest="0" * 64
    )
    reading, _ = read_loaded(scan, shipped)
    prepared = scratch.prepare(scan.image, scan.spacing_mm)
    found = features_of(scratch, prepared, Box(300, 90, 40, 40))
    assert found.shape == (64 + 112 + 224,)
    assert np.isfinite(found).all()
    # The index in the package is of other features, which these cannot be compared with.
    assert all(e.nearest == () for e in explain(scratch, prepared, reading.detections[:1]))


@pytest.fixture
def index():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 20)).astype(np.float32)
    made = make_index(features, tuple(f"l{i}" for i in range(30)), ("BENIGN",) * 30, "digest")
    return features, made


def test_a_lesion_is_nearest_to_itself(index):
    features, made = index
    near = made.nearest(features[17], count=3)
    assert near[0].lesion_id == "l17"
    assert near[0].distance == pytest.approx(0, abs=1e-2)
    assert near[0].distance < near[1].distance <= near[2].distance


def test_an_index_comes_back_from_its_file(tmp_path, index):
    _, made = index
    write_index(tmp_path / "i.safetensors", made)
    back = read_index(tmp_path / "i.safetensors")
    for name in ("mean", "axes", "vectors"):
        assert np.array_equal(getattr(back, name), getattr(made, name))
    assert (back.lesion_ids, back.model_digest) == (made.lesion_ids, "digest")


def test_an_unknown_pathology_is_none(index):
    features, made = index
    blank = dataclasses.replace(made, pathologies=("",) * 30)
    assert isinstance(blank.nearest(features[0])[0], NearLesion)
    assert blank.nearest(features[0])[0].pathology is None
