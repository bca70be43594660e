"""Places of every form as masks and boxes: answers by hand, and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from mammoscope.core.errors import MissingFileError, ScanError, UnknownFormatError
from mammoscope.core.geometry import Box, Circle, MaskFile, Outline
from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import FindingKind
from mammoscope.formats.masks import box_of, boxed, fits, mask_of

DIAMOND = Outline([(0, 2), (1, 3), (2, 4), (3, 3), (4, 2), (3, 1), (2, 0), (1, 1)])


def draw(mask):
    return ["".join("#" if v else "." for v in row) for row in mask]


def save_mask(path, mask):
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return MaskFile(path)


def test_an_outline_holds_its_own_pixels_and_what_they_enclose():
    assert draw(mask_of(DIAMOND, (5, 6))) == [
        "..#...",
        ".###..",
        "#####.",
        ".###..",
        "..#...",
    ]


def test_an_outline_is_cut_off_at_the_edge_of_the_scan():
    moved = Outline(DIAMOND.points + np.array([-2, 3]))
    assert draw(mask_of(moved, (4, 6))) == ["...###", "....##", ".....#", "......"]
    assert not mask_of(Outline(DIAMOND.points + np.array([0, 50])), (5, 6)).any()


def test_an_open_outline_is_closed_by_a_straight_line():
    assert draw(mask_of(Outline([(0, 0), (0, 4), (4, 4)]), (5, 5))) == [
        "#####",
        ".####",
        "..###",
        "...##",
        "....#",
    ]


def test_an_outline_may_be_one_pixel():
    assert draw(mask_of(Outline([(1, 1)]), (3, 3))) == ["...", ".#.", "..."]


@given(st.integers(0, 2**32 - 1))
def test_drawing_the_border_of_a_blob_gives_the_blob_back(seed):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(40, 40)), 3)
    blob, _ = ndimage.label(np.pad(field > np.quantile(field, 0.6), 1))
    blob = ndimage.binary_fill_holes(blob == 1)
    # Its pixels that touch the outside, walked round by the tests of DDSM's chain codes; here the
    # whole blob must come back from any order of walking that visits its border.
    border = blob & ~ndimage.binary_erosion(blob)
    steps = walk(border)
    assert np.array_equal(mask_of(Outline(steps), blob.shape), blob)


def walk(border):
    """Visit every border pixel by a walk of single steps that goes back where it must."""
    left = {tuple(p) for p in np.argwhere(border)}
    path = []
    stack = [min(left)]
    left.discard(stack[0])
    while stack:
        row, column = stack[-1]
        path.append((row, column))
        near = [(row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1)]
        onward = next((p for p in near if p in left), None)
        if onward is None:
            stack.pop()
        else:
            left.discard(onward)
            stack.append(onward)
    return path


def test_boxes_and_circles_are_drawn_by_pixel_centres():
    assert draw(mask_of(Box(1, 1, 2, 3), (4, 5))) == [".....", ".###.", ".###.", "....."]
    assert draw(mask_of(Circle(1, 1, 1), (3, 4))) == [".#..", "###.", ".#.."]


def test_a_mask_is_read_from_its_file(tmp_path):
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:7] = True
    roi = save_mask(tmp_path / "m.png", mask)
    assert np.array_equal(mask_of(roi, (6, 8)), mask)
    assert box_of(roi, (6, 8)) == Box(2, 3, 2, 4)


def test_a_mask_of_another_size_is_resized_where_the_aspect_agrees(tmp_path):
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:7] = True
    roi = save_mask(tmp_path / "m.png", mask)
    assert box_of(roi, (12, 16)) == Box(4, 6, 4, 8)


def test_of_a_larger_mask_the_pixel_at_each_centre_counts(tmp_path):
    mask = np.zeros((3, 3), bool)
    mask[2, 2] = True
    assert draw(mask_of(save_mask(tmp_path / "m.png", mask), (2, 2))) == ["..", ".#"]


def test_a_mask_of_another_shape_is_refused_by_name(tmp_path):
    roi = save_mask(tmp_path / "m.png", np.ones((6, 8), bool))
    with pytest.raises(ScanError, match=r"m\.png.*6 x 8.*8 x 8"):
        mask_of(roi, (8, 8))


def test_an_empty_mask_has_no_box(tmp_path):
    roi = save_mask(tmp_path / "m.png", np.zeros((6, 8), bool))
    with pytest.raises(ScanError, match="empty"):
        box_of(roi, (6, 8))


def test_a_missing_or_foreign_mask_is_refused(tmp_path):
    with pytest.raises(MissingFileError, match="no such file"):
        mask_of(MaskFile(tmp_path / "none.dcm"), (6, 8))
    (tmp_path / "words.dcm").write_text("words")
    with pytest.raises(UnknownFormatError, match="expected a mask"):
        mask_of(MaskFile(tmp_path / "words.dcm"), (6, 8))


def test_an_outline_larger_than_any_mammogram_takes_no_memory():
    with pytest.raises(ScanError, match="larger than any mammogram"):
        mask_of(Outline([(0, 0), (10**6, 10**6)]), (100, 100))


@pytest.mark.parametrize(
    ("other", "does"), [((50, 100), True), ((101, 200), True), ((98, 200), False)]
)
def test_one_percent_of_aspect_is_borne(other, does):
    assert fits((100, 200), other) is does


def test_only_outlines_and_masks_become_boxes(tmp_path):
    roi = save_mask(tmp_path / "m.png", np.ones((5, 6), bool))
    rois = [Box(0, 0, 1, 1), Circle(1, 1, 1), None, DIAMOND, roi]
    findings = tuple(
        Finding(finding_id=str(i), scan_id="s", kind=FindingKind.MASS, roi=r)
        for i, r in enumerate(rois)
    )
    found = [finding.roi for finding in boxed(findings, (5, 6))]
    assert found == [*rois[:3], Box(0, 0, 5, 5), Box(0, 0, 5, 6)]


def test_a_mask_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    roi = save_mask(tmp_path / "m.png", np.ones((5, 6), bool))

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    with pytest.raises(MissingFileError, match=r"m\.png: .*Permission denied"):
        mask_of(roi, (5, 6))
