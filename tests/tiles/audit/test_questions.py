"""What is asked of a table of pictures."""

import numpy as np
import polars as pl
import pytest

from mammoscope.tiles.audit.pictures import COLUMNS
from mammoscope.tiles.audit.questions import (
    LEAST_PATIENTS,
    is_normal,
    patients_of,
    questions,
    source_columns,
    sources_of,
)


def table_of(rows):
    return pl.DataFrame([{**dict.fromkeys(COLUMNS), **row} for row in rows], schema=COLUMNS)


def make_rows(labels, patients=LEAST_PATIENTS, **more):
    return [
        {"label": label, "patient_id": f"{label}{number}", **more}
        for label in labels
        for number in range(patients)
    ]


def asked(rows):
    return {question.name: question for question in questions(table_of(rows))}


def test_the_papers_classes_ask_for_abnormal_and_malignant():
    found = asked(make_rows(("NORMAL", "BENIGN_mass", "MALIGNANT_mass")))
    assert set(found) == {"abnormal", "malignant"}
    assert found["abnormal"].classes.tolist() == [0] * 10 + [1] * 20
    assert found["malignant"].rows.tolist() == list(range(10, 30))
    assert found["malignant"].names == ("benign", "malignant")


def test_labels_that_mean_nothing_to_us_are_asked_for_as_they_are():
    found = asked(make_rows(("3", "4", "5")))
    assert found["label"].names == ("3", "4", "5")


def test_a_class_of_fewer_patients_takes_no_part():
    rows = make_rows(("NORMAL", "BENIGN_mass")) + make_rows(("MALIGNANT_mass",), 9)
    assert "malignant" not in asked(rows)
    assert "abnormal" not in asked(make_rows(("NORMAL",)) + make_rows(("BENIGN_mass",), 9))


def test_many_pictures_of_few_patients_are_still_few():
    rows = [{"label": label, "patient_id": label} for label in ("NORMAL", "bad")] * 30
    assert asked(rows) == {}


def test_normal_tissue_is_compared_by_whether_its_patient_has_a_finding():
    rows = make_rows(("NORMAL",)) + [
        {"label": label, "patient_id": f"sick{number}"}
        for number in range(LEAST_PATIENTS)
        for label in ("NORMAL", "BENIGN_mass")
    ]
    control = asked(rows)["control"]
    assert control.rows.tolist() == [*range(10), *range(10, 30, 2)]
    assert control.classes.tolist() == [0] * 10 + [1] * 10


def test_archives_and_scanners_are_asked_for_where_there_are_several():
    rows = make_rows(("NORMAL",), archive="a", scanner="x") + make_rows(("bad",), archive="b")
    found = asked(rows)
    assert found["archive"].names == ("a", "b")
    assert found["scanner"].names == ("unknown", "x")


def test_who_a_picture_is_of_falls_back_to_what_is_known():
    rows = [{"patient_id": "p"}, {"exam_id": "p"}, {"scan_id": "s"}, {"file": "f.png"}, {}, {}]
    assert len(set(patients_of(table_of(rows)).tolist())) == 6


@pytest.mark.parametrize("label", ["NORMAL", "normal", "Negative", " 0 ", "no finding"])
def test_words_for_normal_are_known(label):
    assert is_normal(label)


@pytest.mark.parametrize("label", ["1", "BENIGN", "abnormal", "Normalised"])
def test_other_words_are_not_taken_for_normal(label):
    assert not is_normal(label)


def test_sources_are_archive_and_scanner_together():
    rows = [
        {"archive": "a", "scanner": "x"},
        {"archive": "a"},
        {"archive": "b", "scanner": "x"},
        {"archive": "a", "scanner": "x"},
    ]
    numbers = sources_of(table_of(rows))
    assert numbers[0] == numbers[3]
    assert len(set(numbers.tolist())) == 3


def test_the_names_of_sources_are_columns_where_they_differ():
    rows = [{"archive": "a", "scanner": "x"}, {"archive": "a"}, {"archive": "a", "scanner": "x"}]
    columns = source_columns(table_of(rows))
    assert list(columns) == ["scanner"]
    assert np.array_equal(columns["scanner"], [[1, 0], [0, 1], [1, 0]])
