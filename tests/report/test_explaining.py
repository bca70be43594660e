"""Explanations on the page: the picture shows the place, coloured where hiding it costs most."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from mammoscope.core.geometry import Box
from mammoscope.core.reading import DomainStatement, Explanation, NearLesion
from mammoscope.report.explaining import explained_png, whys
from mammoscope.report.findings import findings_json
from mammoscope.report.hanging import hang
from mammoscope.report.page import render

LOST = np.array([[0.8, 0.0], [0.0, 0.0]], np.float32)


@pytest.fixture
def explained(make_scan):
    scan = make_scan()
    one = Explanation(
        box_px=scan.detections[0].box_px,
        patch_mm=4.8,
        lost=LOST,
        nearest=(NearLesion(lesion_id="P_7_1", pathology="MALIGNANT", distance=0.25),),
    )
    return dataclasses.replace(scan, explanations=(one,))


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def colour(part):
    return float(np.abs(part[..., 0] - part[..., 2]).mean())


def test_the_patch_that_costs_most_is_coloured_and_the_others_are_grey(explained):
    made = pixels(explained_png(explained, explained.explanations[0], mirrored=False))
    rows, columns = made.shape[0] // 2, made.shape[1] // 2
    assert colour(made[: rows - 2, : columns - 2]) > 20
    assert colour(made[rows + 2 :]) == 0


def test_on_a_mirrored_view_the_picture_is_mirrored(explained):
    one = explained.explanations[0]
    plain, turned = (pixels(explained_png(explained, one, mirrored=m)) for m in (False, True))
    assert np.array_equal(plain[:, ::-1], turned)


def test_words_name_the_mark_the_loss_and_the_nearest_lesion(explained):
    (why,) = whys(hang([explained]))
    assert (why.title, why.most, why.patch_mm) == ("L CC, mark 1", "80 %", "4.8")
    assert why.nearest == ("P_7_1: malignant, distance 0.25",)


def test_a_place_at_the_very_corner_can_be_drawn(explained):
    one = dataclasses.replace(explained.explanations[0], box_px=Box(-3.0, -3.0, 4.0, 4.0))
    assert pixels(explained_png(explained, one, mirrored=False)).size


def test_page_and_findings_show_explanation_and_domain(explained, make_reading):
    said = DomainStatement(
        verdict="unlike", reasons=("its greys look inverted",), kinds=("inverted",), likeness=0.02
    )
    scan = dataclasses.replace(explained, domain=said)
    reading = dataclasses.replace(
        make_reading(), scans=(scan,), warnings=("L_CC.png: read on request, though odd",)
    )
    page = render(reading, hang(reading.scans))
    assert "Why these places were marked" in page
    assert "P_7_1: malignant, distance 0.25" in page
    assert "unlike (0.02)" in page
    assert "read on request, though odd" in page
    (found,) = findings_json(reading)["scans"]
    assert found["domain"] == {
        "verdict": "unlike",
        "reasons": ["its greys look inverted"],
        "likeness": 0.02,
    }
    assert found["explanations"][0]["lost"] == [[0.8, 0.0], [0.0, 0.0]]
    assert found["explanations"][0]["nearest"] == [
        {"lesion": "P_7_1", "pathology": "MALIGNANT", "distance": 0.25}
    ]


def test_without_explanations_the_page_has_no_such_section(make_reading):
    reading = make_reading()
    assert "Why these places were marked" not in render(reading, hang(reading.scans))
    assert findings_json(reading)["scans"][0]["domain"] is None
