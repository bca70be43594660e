"""Reading by another of a model's thresholds than its own choice."""

from dataclasses import replace

import pytest

from mammoscope.core.errors import UnknownNameError
from mammoscope.models.weights import load_model
from mammoscope.read.exam import read_exam
from mammoscope.read.find import find_exams


@pytest.fixture
def exam(shared_data):
    scan = shared_data / "mini-mias" / "scans" / "mdb028.png"
    return find_exams([scan], spacing_um=200)[0][0]


@pytest.mark.real
def test_marks_are_the_places_at_or_above_the_threshold_that_was_named(exam):
    model = load_model("default")
    marks = {}
    for point in model.contract.points:
        reading = read_exam(replace(exam, operating_point=point.name), model)
        marks[point.name] = reading.scans[0].detections
        assert all(mark.score >= point.threshold for mark in marks[point.name])
        assert reading.contract.operating_point == point
    sensitive, specific = marks["high-sensitivity"], marks["high-specificity"]
    assert len(sensitive) > len(specific) > 0
    assert marks["balanced"] == read_exam(exam, model).scans[0].detections


@pytest.mark.real
def test_an_unknown_threshold_is_named_with_those_there_are(exam):
    with pytest.raises(UnknownNameError, match=r"'best'.*balanced, high-sensitivity"):
        read_exam(replace(exam, operating_point="best"), "default")
