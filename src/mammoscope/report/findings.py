"""A reading as `findings.json`: stable keys for other programs (schema mammoscope.findings/1)."""

from math import isfinite
from typing import Any

from mammoscope.core.contract import OperatingPoint
from mammoscope.core.reading import DomainStatement, ExamReading, Explanation, ScanReading
from mammoscope.core.records import Detection

SCHEMA = "mammoscope.findings/1"
NOTICE = "Research software, not a medical device: not for diagnosis or treatment."


def findings_json(reading: ExamReading) -> dict[str, Any]:
    """Return a reading as plain values that `json.dumps` takes.

    Boxes are (top, left, height, width) in pixels of the scan's file; scores lie in [0, 1];
    probabilities are null where the model was not calibrated, `score_against_other` is where there
    is no other breast, and so is what is no finite number.
    """
    contract = reading.contract
    point = contract.operating_point
    return {
        "schema": SCHEMA,
        "notice": NOTICE,
        "model": {
            "name": contract.name,
            "version": contract.version,
            "digest": reading.model_digest,
        },
        "exam": {
            "id": reading.exam_id,
            "patient_id": reading.patient_id,
            "breasts": [
                {
                    "laterality": breast.laterality,
                    "score": _score(breast.score),
                    "malignancy": _score(breast.malignancy),
                    "probability": _score(breast.probability),
                    "score_against_other": _score(breast.score_against_other),
                }
                for breast in reading.breasts
            ],
            "score": _score(reading.score),
            "malignancy": _score(reading.malignancy),
            "probability": _score(reading.probability),
        },
        "scans": [_scan(scan) for scan in reading.scans],
        "threshold": point.threshold if point else None,
        "operating_point": _point(point) if point else None,
        "operating_points": [_measured(one) for one in contract.points],
        "warnings": list(reading.warnings),
        "failures": dict(reading.failures),
        "timings_s": {name: round(seconds, 4) for name, seconds in reading.timings_s.items()},
    }


def _point(point: OperatingPoint) -> dict[str, Any]:
    return {"name": point.name, "threshold": point.threshold, "chosen_by": point.chosen_by}


def _measured(point: OperatingPoint) -> dict[str, Any]:
    """Return a point with its figures as `evaluation.json` has them, null where not measured."""
    return {
        **_point(point),
        "measured_on": point.measured_on or None,
        "sensitivity": dict(point.sensitivity) if point.sensitivity else None,
        "fp_per_scan": dict(point.fp_per_scan) if point.fp_per_scan else None,
    }


def _scan(scan: ScanReading) -> dict[str, Any]:
    return {
        "id": scan.scan_id,
        "file": scan.file,
        "laterality": scan.laterality,
        "view": scan.view,
        "shape_px": list(scan.shape_px),
        "spacing_mm": list(scan.spacing_mm),
        "spacing_source": scan.spacing_source,
        "score": _score(scan.score),
        "malignancy": _score(scan.malignancy),
        "warnings": list(scan.warnings),
        "domain": _domain(scan.domain),
        "detections": [_detection(found) for found in scan.detections],
        "explanations": [_explanation(one) for one in scan.explanations],
    }


def _explanation(one: Explanation) -> dict[str, Any]:
    box = one.box_px
    return {
        "box_px": [round(value, 1) for value in (box.top, box.left, box.height, box.width)],
        "patch_mm": round(one.patch_mm, 2),
        "lost": [[_score(float(share)) for share in row] for row in one.lost],
        "nearest": [
            {
                "lesion": near.lesion_id,
                "pathology": near.pathology,
                "distance": round(near.distance, 4),
            }
            for near in one.nearest
        ],
    }


def _domain(domain: DomainStatement | None) -> dict[str, Any] | None:
    if domain is None:
        return None
    return {
        "verdict": domain.verdict,
        "reasons": list(domain.reasons),
        "likeness": _score(domain.likeness),
    }


def _detection(found: Detection) -> dict[str, Any]:
    box = found.box_px
    return {
        "box_px": [round(value, 1) for value in (box.top, box.left, box.height, box.width)],
        "box_mm": [round(value, 1) for value in found.box_mm],
        "centre_mm": [round(value, 1) for value in found.centre_mm],
        "score": _score(found.score),
        "malignancy": _score(found.malignancy),
        "probability": _score(found.probability),
        "kind": found.kind,
    }


def _score(value: float | None) -> float | None:
    # JSON knows no NaN; a score that is none is null.
    return None if value is None or not isfinite(value) else round(value, 4)
