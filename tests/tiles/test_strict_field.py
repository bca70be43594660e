"""Sums in windows and shares of lesions, worked by hand."""

from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.contract import InputSpec
from mammoscope.core.geometry import Box, Outline
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.scans.load import LoadedScan
from mammoscope.tiles.strict_field import Lesion, field_of, gravity

SPEC = InputSpec(
    spacing_mm=0.5,
    grey_rule="breast-percentiles",
    grey_numbers={"low": 2.0, "high": 99.5, "middle": 0.5, "bend": 2.5},
    orientation="as-acquired",
    margin_mm=30.0,
    multiple_px=1,
)


def make_finding(roi=None, name="f", pathology=Pathology.BENIGN):
    return Finding(
        finding_id=name, scan_id="s", kind=FindingKind.MASS, roi=roi, pathology=pathology
    )


def make_field(*findings, spacing=(0.25, 0.5)):
    rows, columns = np.mgrid[:400, :160]
    inside = ((rows - 200) / 180) ** 2 + (columns / 130) ** 2 <= 1
    image = np.where(inside, 500 + rows + columns, 20 + rows / 100).astype(np.uint16)
    loaded = LoadedScan(
        path=Path("s.png"),
        image=image,
        spacing_mm=spacing,
        spacing_source=SpacingSource.USER,
        laterality=None,
        view=None,
        patient_id=None,
        exam_id=None,
        intent=None,
    )
    scan = Scan(
        scan_id="s",
        archive="made",
        path=Path("s.png"),
        patient_id="p",
        exam_id="p",
        findings=findings,
    )
    return field_of(scan, loaded, SPEC, 40)


def test_a_window_shows_its_share_of_a_lesion_of_six_pixels():
    # 1 2 0
    # 0 0 3     at row 10, column 20
    counts = np.array([[1, 2, 0], [0, 0, 3]])
    sums = np.zeros((3, 4), np.int64)
    sums[1:, 1:] = counts.cumsum(0).cumsum(1)
    lesion = Lesion(finding=make_finding(), box=Box(10, 20, 2, 3), sums=sums)
    places = np.array([[10, 20], [9, 19], [10, 21], [11, 21], [12, 20], [-500, 900], [0, 0]])
    # Windows of 2 x 2 pixels.
    assert (lesion.shares(places, 2) * 6).round(9).tolist() == [3, 1, 5, 3, 0, 0, 0]
    assert lesion.shares(np.array([[0, 0]]), 100).tolist() == [1.0]


def test_a_squashed_scan_gives_a_lesion_its_true_shape():
    # 80 rows of 0.25 mm and 40 columns of 0.5 mm are 20 x 20 mm: 40 x 40 pixels of 0.5 mm.
    field = make_field(make_finding(Box(160, 20, 80, 40)))
    (lesion,) = field.lesions
    top, left = field.prepared.origin_px
    assert lesion.box == Box(80 - top, 20 - left, 40, 40)
    corner = np.array([[80 - top, 20 - left]])
    assert lesion.shares(corner, 40).tolist() == [1.0]
    assert lesion.shares(corner + np.array([0, 20]), 40).tolist() == [0.5]
    assert lesion.shares(corner + 20, 40).tolist() == [0.25]


def test_the_most_that_a_tile_can_show_of_a_large_lesion_is_known():
    # 60 x 40 pixels against tiles of 40 x 40.
    (lesion,) = make_field(make_finding(Box(120, 20, 120, 40))).lesions
    assert lesion.largest == pytest.approx(40 / 60)


def test_of_equal_shares_the_gravest_finding_owns_a_tile():
    box = Box(160, 20, 40, 20)
    names = {"benign": Pathology.BENIGN, "worst": Pathology.MALIGNANT, "unproven": None}
    field = make_field(*(make_finding(box, name, worth) for name, worth in names.items()))
    top, left = field.prepared.origin_px
    owner = field.owners(np.array([[75 - top, 15 - left]]))[0]
    assert field.lesions[owner].finding.finding_id == "worst"
    assert [gravity(lesion.finding) for lesion in field.lesions] == [1, 3, 0]


def test_greys_and_breast_are_those_of_the_window():
    field = make_field()
    places = np.array([[60, 0], [100, 5], [0, 30]])
    breast = field.prepared.breast
    for place, grey, share in zip(
        places, field.grey_means(places), field.breast_shares(places), strict=True
    ):
        window = np.s_[place[0] : place[0] + 40, place[1] : place[1] + 40]
        assert grey == pytest.approx(field.grey[window].mean() / 255)
        assert share == pytest.approx(breast[window].mean())


def test_the_spacing_of_the_file_is_written_into_the_record_of_a_tile():
    field = make_field()
    assert field.scan.spacing_mm == (0.25, 0.5)
    assert field.scan.spacing_source is SpacingSource.USER


def test_a_lesions_outline_of_one_line_counts_by_its_pixels():
    points = np.array([[100, 30], [100, 49]], np.float32)
    (lesion,) = make_field(make_finding(Outline(points))).lesions
    assert lesion.sums[-1, -1] == 20
