"""Views on the light box: chest walls together, marks where the lesions are."""

import io

import numpy as np
import pytest
from PIL import Image

from mammoscope.report.hanging import hang
from mammoscope.report.pictures import heat_png, view_png


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
