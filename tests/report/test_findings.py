"""findings.json has the keys that other programs rely on."""

import json
from dataclasses import replace

from mammoscope.core.contract import OperatingPoint
from mammoscope.report.findings import findings_json


def test_keys_are_those_of_the_schema(make_reading):
    found = json.loads(json.dumps(findings_json(make_reading()), allow_nan=False))
    assert found["schema"] == "mammoscope.findings/1"
    assert set(found) >= {
        "model", "exam", "scans", "threshold", "operating_point", "warnings", "timings_s", "notice",
    }  # fmt: skip
    assert set(found["model"]) == {"name", "version", "digest"}
    assert set(found["exam"]) >= {"id", "patient_id", "breasts", "score", "probability"}
    assert set(found["exam"]["breasts"][0]) >= {"laterality", "score", "probability"}
    assert set(found["scans"][0]) >= {
        "id", "file", "laterality", "view", "spacing_mm", "spacing_source", "score", "warnings",
        "detections",
    }  # fmt: skip
    assert set(found["scans"][0]["detections"][0]) >= {
        "box_px", "box_mm", "centre_mm", "score", "probability", "kind",
    }  # fmt: skip


def test_values_are_those_of_the_reading(make_reading):
    found = findings_json(make_reading())
    assert found["exam"]["breasts"][0] == {
        "laterality": "L",
        "score": 0.9,
        "malignancy": 0.54,
        "probability": 0.6,
        "score_against_other": 0.8182,
    }
    detection = found["scans"][0]["detections"][0]
    assert detection["box_px"] == [65.0, 20.0, 20.0, 20.0]
    assert detection["kind"] == "MASS"
    assert detection["probability"] is None
    assert found["scans"][0]["spacing_source"] == "header"
    assert found["threshold"] == 0.42
    assert found["failures"] == {"x.dcm": "x.dcm: not a DICOM file."}


def test_a_breast_without_another_has_null_against_it(make_reading):
    (left, _) = make_reading().breasts
    found = findings_json(make_reading(breasts=(replace(left, score_against_other=None),)))
    assert found["exam"]["breasts"][0]["score_against_other"] is None


def test_a_score_that_is_no_finite_number_is_null(make_reading):
    found = findings_json(make_reading(score=float("nan"), probability=float("inf")))
    json.dumps(found, allow_nan=False)
    assert found["exam"]["score"] is None
    assert found["exam"]["probability"] is None


SENSITIVE = OperatingPoint(
    name="high-sensitivity",
    threshold=0.2,
    chosen_by="a sensitivity of 0.9 on made scans",
    sensitivity={"value": 0.9, "low": 0.85, "high": 0.93, "n": 90, "n_patients": 80},
    fp_per_scan={"value": 3.1, "low": 2.9, "high": 3.3, "n": 90, "n_patients": 80},
    measured_on="made scans",
)


def test_every_operating_point_is_told_with_its_figures_and_the_one_in_use(make_reading):
    reading = make_reading()
    contract = reading.contract
    several = replace(contract, operating_points=(SENSITIVE, contract.operating_point))
    found = findings_json(make_reading(contract=several.using("high-sensitivity")))
    assert found["operating_point"]["name"] == "high-sensitivity"
    assert found["threshold"] == 0.2
    sensitive, balanced = found["operating_points"]
    assert sensitive == {
        "name": "high-sensitivity",
        "threshold": 0.2,
        "chosen_by": "a sensitivity of 0.9 on made scans",
        "measured_on": "made scans",
        "sensitivity": dict(SENSITIVE.sensitivity),
        "fp_per_scan": dict(SENSITIVE.fp_per_scan),
    }
    assert balanced["sensitivity"] is None
    assert balanced["measured_on"] is None
