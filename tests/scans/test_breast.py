"""Where the breast is on a scan."""

import numpy as np
import pytest
from PIL import Image

from mammoscope.core.errors import ScanError
from mammoscope.scans.breast import breast_mask, chest_wall_is_left


def film(rows=800, columns=500):
    """A dark film with noise and a half-ellipse of tissue at the left; image and truth."""
    row, column = np.mgrid[:rows, :columns]
    truth = ((row - 400) / 300) ** 2 + (column / 300) ** 2 < 1
    noise = np.random.default_rng(0).normal(0, 5, (rows, columns))
    return (np.where(truth, 150.0, 20.0) + noise).astype(np.float32), truth


def agreement(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def test_half_an_ellipse_is_found():
    image, truth = film()
    assert agreement(breast_mask(image, 0.3), truth) > 0.97


def test_labels_and_film_edges_are_left_out():
    image, truth = film()
    image[50:90, 380:460] = 255
    image[:, -6:] = 255
    image[:3, :] = 255
    assert agreement(breast_mask(image, 0.3), truth) > 0.97


def test_the_mask_reaches_the_frame_where_the_breast_does():
    image, _ = film()
    mask = breast_mask(image, 0.3)
    assert mask[400, 0]
    assert not mask[400, -1]


def test_the_chest_wall_is_where_the_breast_is_tall():
    _, truth = film()
    assert chest_wall_is_left(truth)
    assert not chest_wall_is_left(truth[:, ::-1])


@pytest.mark.parametrize("image", [np.zeros((300, 300)), np.full((300, 300), 7.0)])
def test_a_flat_image_is_refused(image):
    with pytest.raises(ScanError, match="one grey level"):
        breast_mask(image.astype(np.float32), 0.3)


def test_a_few_bright_dots_are_no_breast():
    image = np.zeros((600, 600), np.float32)
    image[100:130, 100:130] = 100
    with pytest.raises(ScanError, match="breast"):
        breast_mask(image, 0.3)


@pytest.mark.real
def test_the_lesions_of_mini_mias_lie_in_the_breast(shared_data):
    # Places are taken from Info.txt by hand here, not by our reader. The circles of mdb212 and
    # mdb214 lie in the air beside the breast, as anybody sees who draws them.
    lines = (shared_data / "mini-mias" / "Info.txt").read_text().splitlines()
    placed = [line.split() for line in lines if line.startswith("mdb") and len(line.split()) == 7]
    outside, seen = set(), 0
    for name, _, _, _, x, y, _ in placed:
        path = shared_data / f"mini-mias/scans/{name}.png"
        if not path.exists():
            continue
        seen += 1
        mask = breast_mask(np.asarray(Image.open(path).reduce(4), np.float32), 0.8)
        if not mask[(1024 - int(y)) // 4, int(x) // 4]:
            outside.add(name)
    assert seen > 80
    assert outside == {"mdb212", "mdb214"}
