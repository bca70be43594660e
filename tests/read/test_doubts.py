"""Doubts about an exam: each said once, in words, and a whole exam has none."""

import numpy as np
import pytest

from mammoscope.core.reading import DomainStatement, ScanReading
from mammoscope.core.vocabulary import Laterality, SpacingSource, ViewPosition
from mammoscope.read.doubts import doubts_of

COLUMN = np.mgrid[:60, :40][1]
WALL_LEFT = 20 - np.abs(np.arange(60) - 30)[:, None] / 2 > COLUMN


@pytest.fixture
def scan():
    def make(side="L", view="CC", *, wall=None, **changes):
        at_left = wall == "left" if wall else side != "R"
        facts = {
            "scan_id": f"{side}_{view}",
            "file": f"{side}_{view}.png",
            "laterality": Laterality(side) if side else None,
            "view": ViewPosition(view) if view else None,
            "shape_px": (60, 40),
            "spacing_mm": (0.2, 0.2),
            "spacing_source": SpacingSource.HEADER,
            "score": 0.1,
            "malignancy": 0.1,
            "detections": (),
            "warnings": (),
            "picture": np.zeros((60, 40), np.uint8),
            "heat": np.zeros((60, 40), np.float32),
            "breast": WALL_LEFT if at_left else WALL_LEFT[:, ::-1],
            "picture_spacing_mm": 0.2,
        }
        return ScanReading(**facts | changes)

    return make


@pytest.fixture
def whole(scan):
    return [scan(side, view) for side in "RL" for view in ("CC", "MLO")]


def test_a_whole_exam_raises_no_doubt(whole):
    assert doubts_of(whole) == ()


def test_an_exam_with_one_view_lacks_the_other_and_the_other_breast(scan):
    assert [note.split(":")[0] for note in doubts_of([scan("R", "MLO")])] == [
        "only one view of the right breast (MLO)",
        "only the right breast was given, so the two sides cannot be compared",
    ]


def test_repeated_views_may_be_two_patients(whole, scan):
    (note,) = doubts_of([*whole, scan("L", "CC")])
    assert note.startswith("several scans of the same view: L CC")
    assert "two patients" in note


@pytest.mark.parametrize("name", ["L_CC_spot.png", "mag-L_CC.dcm", "L CC Magnification.png"])
def test_a_spot_view_is_known_by_its_name(whole, scan, name):
    (note,) = doubts_of([*whole[:-2], scan("L", "CC", file=name), whole[-1]])
    assert note.startswith(f"{name}: by its name a spot")


@pytest.mark.parametrize("name", ["image_L_CC.png", "spotless_L_CC.png", "magda_L_CC.png"])
def test_other_words_are_no_spot_view(whole, scan, name):
    assert doubts_of([*whole[:-2], scan("L", "CC", file=name), whole[-1]]) == ()


def test_a_scan_whose_wall_is_on_the_other_side_is_named(whole, scan):
    (note,) = doubts_of([*whole[:-1], scan("L", "MLO", wall="right")])
    assert note.startswith("L_MLO.png: the chest wall lies on the side of the other breast")


def test_when_all_sides_are_exchanged_it_is_said_once(scan):
    swapped = [
        scan(side, view, wall="left" if side == "R" else "right")
        for side in "RL"
        for view in ("CC", "MLO")
    ]
    (note,) = doubts_of(swapped)
    assert note.startswith("every scan: the chest wall lies on the side of the other breast")


def test_unknown_sides_and_assumed_pixels_are_told(scan):
    notes = doubts_of([scan(None, None, spacing_source=SpacingSource.ASSUMED)])
    assert [note[:20] for note in notes] == ["some files do not sa", "the pixel size of so"]


def test_a_scan_read_on_request_says_why(whole, scan):
    domain = DomainStatement(
        verdict="unlike", reasons=("it is odd", "it is large"), kinds=(), likeness=0.0
    )
    (note,) = doubts_of([*whole[:-1], scan("L", "MLO", domain=domain)])
    assert note == "L_MLO.png: read on request, though it is odd; it is large"
