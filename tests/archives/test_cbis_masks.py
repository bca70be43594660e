"""Telling masks from crops by their headers and pixels, on small arrays."""

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mammoscope.archives import cbis_masks
from mammoscope.archives.cbis_heads import Head
from mammoscope.archives.cbis_masks import is_mask, look_at_mask, tell_apart
from mammoscope.archives.cbis_tables import Series, TableRow
from mammoscope.core.errors import CorruptFileError
from mammoscope.core.vocabulary import Assessment, Pathology

MASK = np.array([[0, 0, 0, 0], [0, 255, 255, 0], [0, 255, 255, 0], [0, 0, 0, 0]], np.uint8)
CROP = np.array([[7, 9], [11, 40]], np.uint16)
Pixels = dict[str, NDArray[Any]]


def row(mask: str = "s/t/u/1.dcm", crop: str = "s/t/u/0.dcm") -> TableRow:
    return TableRow(
        where="table, line 2",
        series=Series("Mass", "Test", "P_90001_LEFT_CC", 1),
        density="2",
        assessment=Assessment.SUSPICIOUS,
        pathology=Pathology.BENIGN,
        subtlety=3,
        descriptors=(),
        cut_out_file=PurePosixPath(crop),
        mask_file=PurePosixPath(mask),
    )


def heads(pixels: Pixels) -> dict[Path, Head]:
    return {
        Path(name): Head(
            rows=image.shape[0],
            columns=image.shape[1],
            bits=8 * image.dtype.itemsize,
            patient_id="",
            description="",
        )
        for name, image in pixels.items()
    }


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch):
    """Give `read_stored` arrays instead of files; tells which were asked for."""
    asked: list[str] = []

    def use(pixels: Pixels) -> list[str]:
        def read(path: Path) -> NDArray[Any]:
            asked.append(str(path))
            if str(path) not in pixels:
                raise CorruptFileError(f"{path}: the pixels are cut short; get it again.")
            return pixels[str(path)]

        monkeypatch.setattr(cbis_masks, "read_stored", read)
        return asked

    return use


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (MASK, True),
        (MASK // 255, True),
        (MASK.astype(np.uint16) * 257, True),
        (np.zeros((3, 3), np.uint8), False),
        (np.full((3, 3), 255, np.uint8), False),
        (MASK // 2 + 1, False),
        (np.array([[0, 1, 255]], np.uint8), False),
        (CROP, False),
    ],
)
def test_a_mask_has_two_grey_levels_and_one_is_zero(image: NDArray[Any], expected: bool):
    assert is_mask(image) is expected


def test_the_file_of_the_scan_s_size_is_the_mask_and_no_pixel_is_read(opened):
    pixels = {"u/0.dcm": CROP, "u/1.dcm": MASK}
    asked = opened(pixels)
    marks = tell_apart(row(), heads(pixels), (4, 4))

    assert (marks.mask, marks.cut_out) == (Path("u/1.dcm"), Path("u/0.dcm"))
    assert marks.problems == ()
    assert asked == []


def test_without_a_file_of_the_scan_s_size_the_pixels_tell(opened):
    pixels = {"u/0.dcm": CROP, "u/1.dcm": MASK}
    opened(pixels)
    marks = tell_apart(row(), heads(pixels), (8, 8))

    assert marks.mask == Path("u/1.dcm")
    assert "the same shape in another size" in marks.problems[0].what


def test_two_copies_of_one_mask_are_one_mask(opened):
    pixels = {"a/1.dcm": MASK, "b/1.dcm": MASK.copy(), "a/0.dcm": CROP}
    opened(pixels)
    marks = tell_apart(row(), heads(pixels), (4, 4))

    assert marks.mask == Path("a/1.dcm")
    assert marks.problems == ()


def test_a_crop_of_two_grey_levels_is_no_mask_where_one_has_the_scan_s_size(opened):
    pixels = {"a/1.dcm": MASK, "b/1.dcm": MASK.copy(), "a/0.dcm": MASK[:3, :3]}
    opened(pixels)

    assert tell_apart(row(), heads(pixels), (4, 4)).mask == Path("a/1.dcm")


def test_two_different_masks_are_told_and_neither_is_used(opened):
    pixels = {"u/1.dcm": MASK, "u/2.dcm": np.roll(MASK, 1)}
    opened(pixels)
    marks = tell_apart(row(), heads(pixels), (4, 4))

    assert marks.mask is None
    assert "2 different masks for Mass-Test_P_90001_LEFT_CC_1" in marks.problems[0].what


def test_pixels_that_cannot_be_read_are_told(opened):
    pixels = {"u/0.dcm": CROP, "u/1.dcm": MASK}
    opened({"u/0.dcm": CROP})
    marks = tell_apart(row(), heads(pixels), None)

    assert marks.mask is None
    assert marks.problems[0].where == "u/1.dcm"
    assert marks.problems[0].what.startswith("the pixels are cut short")


def test_names_of_another_numbering_are_not_called_exchanged(opened):
    pixels = {"u/1-1.dcm": MASK, "u/1-2.dcm": CROP}
    opened(pixels)

    assert tell_apart(row(), heads(pixels), (4, 4)).problems == ()


def test_series_that_are_exchanged_are_told(opened):
    pixels = {"x/1.2/0.dcm": MASK, "x/1.3/0.dcm": CROP}
    opened(pixels)
    marks = tell_apart(row("s/t/1.3/0.dcm", "s/t/1.2/0.dcm"), heads(pixels), (4, 4))

    assert marks.mask == Path("x/1.2/0.dcm")
    assert "are exchanged" in marks.problems[0].what


def test_a_crop_is_compared_with_its_mask_on_the_scan_s_grid(opened, monkeypatch):
    monkeypatch.setattr(cbis_masks, "MARGIN_PX", 1)
    # On a scan of 40 x 40 the mask's box has 20 x 20 pixels: 9 to 41 may be its crop.
    for side, told in ((8, True), (9, False), (20, False), (41, False), (42, True)):
        opened({"m": MASK, "c": np.zeros((side, side), np.uint8)})
        seen = list(look_at_mask("f", Path("m"), Path("c"), (40, 40)))
        assert bool(seen) is told, side


def test_a_mask_inside_out_is_told(opened):
    opened({"m": 255 - MASK})
    (problem,) = look_at_mask("f", Path("m"), None, (4, 4))

    assert "more than half of the scan" in problem.what


def test_a_damaged_crop_is_named(opened):
    opened({"m": MASK})
    (problem,) = look_at_mask("f", Path("m"), Path("c"), (4, 4))

    assert (problem.where, problem.what) == ("c", "the pixels are cut short; get it again.")
