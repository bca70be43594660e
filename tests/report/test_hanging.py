"""Views on the light box: chest walls together, marks where the lesions are."""

import io

import numpy as np
import pytest
from PIL import Image

from mammoscope.core.geometry import Box
from mammoscope.core.records import Detection
from mammoscope.core.vocabulary import FindingKind
from mammoscope.report.hanging import hang, picture_box
from mammoscope.report.pictures import MARK, heat_png, view_png


def wall_side(picture):
    """The side on which the breast is tall."""
    tissue = picture > 0
    height = tissue.sum(axis=0)
    columns = np.flatnonzero(height)
    return "left" if height[columns[0]] > height[columns[-1]] else "right"


@pytest.mark.parametrize("file_wall", ["left", "right"])
@pytest.mark.parametrize(("laterality", "wanted"), [("R", "right"), ("L", "left")])
def test_chest_walls_meet_in_the_middle_whatever_the_files_orientation(
    make_scan, file_wall, laterality, wanted
):
    views = hang([make_scan(laterality, "CC", wall=file_wall)])
    (view,) = (v for v in views if v.reading is not None)
    assert wall_side(view.picture) == wanted
    assert view.mirrored == (file_wall != wanted)


@pytest.mark.parametrize("file_wall", ["left", "right"])
@pytest.mark.parametrize("laterality", ["R", "L"])
def test_boxes_stay_on_the_spot_they_mark(make_scan, file_wall, laterality):
    views = hang([make_scan(laterality, "CC", wall=file_wall)])
    (view,) = (v for v in views if v.reading is not None)
    rows, columns = np.nonzero(view.picture == 250)
    box = view.boxes[0]
    assert (box.top, box.bottom) == pytest.approx((rows.min(), rows.max() + 1), abs=1)
    assert (box.left, box.right) == pytest.approx((columns.min(), columns.max() + 1), abs=1)
    hottest = np.unravel_index(view.heat.argmax(), view.heat.shape)
    assert box.holds(*hottest)


def test_all_views_have_one_size_and_empty_ones_are_black(make_scan):
    views = hang([make_scan("L", "CC"), make_scan("R", "MLO", wall="right")])
    assert [v.title for v in views] == ["R CC", "L CC", "R MLO", "L MLO"]
    assert len({v.picture.shape for v in views}) == 1
    assert views[0].reading is None
    assert not views[0].picture.any()


def test_further_scans_follow_the_four_standard_views(make_scan):
    views = hang([make_scan("L", "ML"), make_scan("L", "CC"), make_scan("L", "CC")])
    assert [v.title for v in views] == ["R CC", "L CC", "R MLO", "L MLO", "L ML", "L CC"]


def test_marks_are_drawn_where_the_boxes_are(make_scan):
    views = hang([make_scan("L", "CC")])
    view = views[1]
    drawn = np.asarray(Image.open(io.BytesIO(view_png(view, 0.15, "score 0.90"))))
    box = view.boxes[0]
    edge = drawn[round(box.top) + 1, round(box.left) + 8 : round(box.right) - 8]
    assert (edge == (255, 209, 102)).all()


def test_heat_is_clear_where_there_is_none_and_rises_with_the_score():
    heat = np.zeros((64, 64), np.float32)
    heat[16:32] = 0.3
    heat[32:48] = 0.9
    layer = np.asarray(Image.open(io.BytesIO(heat_png(heat))))
    none, some, much = (layer[row, 8, 3] for row in (1, 5, 10))
    assert none == 0 < some < much


def detection_at(box):
    return Detection(
        box_px=box,
        box_mm=(box.height, box.width),
        centre_mm=box.centre,
        score=0.5,
        malignancy=0.5,
        probability=None,
        kind=FindingKind.MASS,
    )


def test_a_box_of_the_whole_file_is_the_whole_picture(make_scan):
    scan = make_scan(shape_px=(200, 75), spacing_mm=(0.3, 0.6))
    assert picture_box(scan, detection_at(Box(0, 0, 200, 75))) == Box(0, 0, 400, 300)


def test_a_scan_without_a_breast_is_hung_whole(make_scan):
    scan = make_scan("L", "CC", breast=np.zeros((400, 300), np.bool_), detections=0)
    (view,) = (v for v in hang([scan]) if v.reading is not None)
    assert (view.picture == scan.picture).all()
    assert not view.mirrored


def test_views_of_unequal_size_keep_their_boxes_on_the_spot(make_scan):
    tall = make_scan("R", "CC", wall="right")
    row, column = np.mgrid[:400, :300]
    small = ((row - 150) / 60) ** 2 + (column / 120) ** 2 < 1
    scan = make_scan("L", "CC", breast=small)
    view = hang([tall, scan])[1]
    rows, columns = np.nonzero(view.picture == 250)
    assert view.boxes[0].top == rows.min()
    assert view.boxes[0].left == columns.min()


def test_the_label_of_a_mark_at_the_edge_stays_on_the_picture(make_scan):
    # The view is 240 pixels wide: the box lies at its right edge, where no label has room.
    scan = make_scan("L", "CC", detections=(detection_at(Box(65, 95, 20, 20)),))
    view = hang([scan])[1]
    drawn = np.asarray(Image.open(io.BytesIO(view_png(view, 0.15, ""))))
    box = view.boxes[0]
    label = (drawn[round(box.top) - 34 : round(box.top) - 4] == MARK).all(axis=-1)
    # Drawn from the box's own left edge, it would be cut in its last letter.
    columns = np.flatnonzero(label.any(axis=0))
    assert columns[0] < box.left
    assert columns[-1] < drawn.shape[1] - 2


def test_the_heat_map_lies_on_its_place_when_stretched_over_the_picture():
    heat = np.zeros((203, 101), np.float32)
    heat[150:170, 60:80] = 0.9
    layer = Image.open(io.BytesIO(heat_png(heat)))
    opacity = np.asarray(layer.resize((101, 203), Image.Resampling.BILINEAR))[..., 3].astype(float)
    rows, columns = np.mgrid[:203, :101]
    assert (opacity * rows).sum() / opacity.sum() == pytest.approx(159.5, abs=0.7)
    assert (opacity * columns).sum() / opacity.sum() == pytest.approx(69.5, abs=0.7)


def test_a_heat_that_is_no_number_is_clear():
    layer = np.asarray(Image.open(io.BytesIO(heat_png(np.full((8, 8), np.nan, np.float32)))))
    assert not layer[..., 3].any()
