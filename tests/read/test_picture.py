"""Pictures of a reading lie where the scan shows them."""

import numpy as np
import pytest

from mammoscope.core.contract import InputSpec
from mammoscope.models.whole_scan import Answer
from mammoscope.read.picture import display_picture, heat_on
from mammoscope.scans.prepare import prepare

GREYS = {"low": 2.0, "high": 99.5, "middle": 0.5, "bend": 2.5}
SPEC = InputSpec(
    spacing_mm=0.3,
    grey_rule="breast-percentiles",
    grey_numbers={**GREYS, "low": 0.0, "high": 100.0, "bend": 1.0},
)


def make_scan(wall):
    """A breast at the chest wall named, with one very bright disk; (image, row, column)."""
    row, column = np.mgrid[:1500, :1000]
    inside = ((row - 700) / 600) ** 2 + (column / 700) ** 2 < 1
    image = np.where(inside, 1000.0, 20.0)
    image[(row - 800) ** 2 + (column - 300) ** 2 < 40**2] = 4000
    return (image, 800, 300) if wall == "left" else (image[:, ::-1], 800, 999 - 300)


@pytest.mark.parametrize("wall", ["left", "right"])
def test_picture_and_heat_show_a_spot_where_the_scan_has_it(wall):
    image, row, column = make_scan(wall)
    spacing = (0.12, 0.1)
    prepared = prepare(SPEC, image, spacing)
    picture, breast = display_picture(SPEC, image, spacing, prepared)
    assert picture.dtype == np.uint8
    assert picture.shape == breast.shape
    expected = ((row + 0.5) * 0.12 / 0.15 - 0.5, (column + 0.5) * 0.1 / 0.15 - 0.5)

    bright = np.argwhere(picture > 200).mean(axis=0)
    assert bright == pytest.approx(expected, abs=1.0)

    rows, columns = prepared.image.shape
    lesion = prepared.image.reshape(rows // 8, 8, columns // 8, 8).mean(axis=(1, 3)) > 0.5
    found = Answer(lesion=lesion.astype(np.float32), malignancy=lesion * 0.0, stride_px=8)
    heat = heat_on(found, prepared, breast)
    assert heat.shape == picture.shape
    hot = np.argwhere(heat > 0.5).mean(axis=0)
    # Within one place of the answer, 16 pixels of the picture.
    assert hot == pytest.approx(expected, abs=10)
    assert (heat[~breast] == 0).all()
    assert 0 <= heat.min() <= heat.max() <= 1


@pytest.mark.parametrize("wall", ["left", "right"])
def test_the_breast_on_the_picture_is_the_breast_on_the_scan(wall):
    image, _, _ = make_scan(wall)
    prepared = prepare(SPEC, image, (0.15, 0.15))
    picture, breast = display_picture(SPEC, image, (0.15, 0.15), prepared)
    truth = image[: picture.shape[0], : picture.shape[1]] > 500
    assert (breast == truth).mean() > 0.985
    # The film far from the breast is black.
    assert (picture[:100, 480:520] == 0).all()
