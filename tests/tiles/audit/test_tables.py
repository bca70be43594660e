"""Leaks that tables show: worked by hand, and counted on the official split of CBIS-DDSM."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import AnnotationError, MissingFileError
from mammoscope.core.geometry import Box
from mammoscope.tiles.audit.tables import (
    LEAST_SHARE,
    LeakKind,
    missing_classes,
    overlapping_boxes,
    read_cbis_split,
    shared_ids,
    shared_patients,
    shared_scans,
)


def boxes(*rows):
    names = ["scan_id", "split", "top", "left", "height", "width"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_a_patient_in_two_splits_is_one_leak_that_names_the_first_picture_of_each():
    table = pl.DataFrame({"patient_id": ["a", "b", "b", "a", "a"], "split": list("xxyxx")})
    (leak,) = shared_ids(table, LeakKind.PATIENT)
    assert (leak.subject, leak.first, leak.second) == ("b", 1, 2)
    assert (leak.first_split, leak.second_split, leak.relation) == ("x", "y", "1 in x, 1 in y")


def test_a_patient_in_three_splits_is_a_leak_of_each_two():
    table = pl.DataFrame({"patient_id": ["a"] * 3, "split": ["x", "y", "z"]})
    pairs = [(leak.first_split, leak.second_split) for leak in shared_ids(table, LeakKind.PATIENT)]
    assert pairs == [("x", "y"), ("x", "z"), ("y", "z")]


def test_a_lesion_that_is_not_known_joins_nothing():
    table = pl.DataFrame(
        {"finding_id": [None, None], "split": ["x", "y"]},
        schema_overrides={"finding_id": pl.String},
    )
    assert shared_ids(table, LeakKind.LESION) == ()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=40))
def test_shared_patients_are_those_that_a_plain_count_finds(rows):
    table = pl.DataFrame(
        {"patient_id": [str(p) for p, _ in rows], "split": [str(s) for _, s in rows]}
    )
    plain = {str(p) for p, _ in rows if len({s for q, s in rows if q == p}) > 1}
    assert set(shared_patients(table)) == plain


def test_boxes_that_share_half_are_told_with_share_and_intersection_over_union():
    (leak,) = overlapping_boxes(boxes(("s", "x", 0, 0, 10, 10), ("s", "y", 0, 5, 10, 10)))
    assert (leak.first, leak.second, leak.score) == (0, 1, 0.5)
    assert leak.relation == "50% of the smaller box, intersection over union 0.33"


def test_a_small_box_within_a_large_one_overlaps_wholly():
    (leak,) = overlapping_boxes(boxes(("s", "x", 0, 0, 100, 100), ("s", "y", 50, 50, 5, 5)))
    assert leak.score == 1.0


@pytest.mark.parametrize(
    "other",
    [("s", "x", 0, 5, 10, 10), ("t", "y", 0, 5, 10, 10), ("s", "y", 0, 10, 10, 10)],
    ids=["same split", "other scan", "side by side"],
)
def test_boxes_of_one_split_of_two_scans_or_side_by_side_are_no_leak(other):
    assert overlapping_boxes(boxes(("s", "x", 0, 0, 10, 10), other, ("s", "y", 90, 90, 1, 1))) == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20), st.integers(1, 20)),
        min_size=2,
        max_size=12,
    )
)
def test_overlaps_are_those_that_a_plain_comparison_finds(places):
    table = boxes(*(("s", "xy"[i % 2], *map(float, place)) for i, place in enumerate(places)))
    found = {(leak.first, leak.second) for leak in overlapping_boxes(table)}
    plain = set()
    for i, one in enumerate(places):
        for j, two in enumerate(places[:i]):
            iou = Box(*one).iou(Box(*two))
            both, areas = iou / (1 + iou), (one[2] * one[3], two[2] * two[3])
            if (i + j) % 2 and both * sum(areas) / min(areas) >= LEAST_SHARE - 1e-9:
                plain.add((j, i))
    assert found == plain


def test_a_class_without_a_picture_in_a_split_is_named():
    table = pl.DataFrame({"label": ["m", "m", "c"], "split": ["x", "y", "x"]})
    assert missing_classes(table) == (("c", "y"),)


@pytest.mark.real
def test_the_official_split_of_cbis_shares_31_patients_and_29_scans(shared_data: Path):
    table = read_cbis_split(shared_data / "cbis-ddsm" / "csv")
    assert table.height == 3568
    assert (len(shared_patients(table)), len(shared_scans(table))) == (31, 29)


def test_a_folder_without_the_four_tables_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="all four tables are needed"):
        read_cbis_split(tmp_path)


@pytest.mark.real
def test_a_damaged_table_is_refused_rather_than_counted_in_part(shared_data: Path, tmp_path):
    for path in (shared_data / "cbis-ddsm" / "csv").glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    broken = tmp_path / "mass_case_description_test_set.csv"
    broken.write_text(broken.read_text().replace("MALIGNANT", "PERHAPS", 1))
    with pytest.raises(AnnotationError, match="mass_case_description_test_set"):
        read_cbis_split(tmp_path)
