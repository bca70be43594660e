"""A made exam reading: half-ellipse breasts, one heat bump, known places."""

import numpy as np
import pytest

from mammoscope.core.contract import (
    Calibration,
    InputSpec,
    ModelContract,
    OperatingPoint,
    OutputSpec,
)
from mammoscope.core.geometry import Box
from mammoscope.core.reading import BreastReading, ExamReading, ScanReading
from mammoscope.core.records import Detection
from mammoscope.core.vocabulary import FindingKind, Laterality, SpacingSource, ViewPosition

CONTRACT = ModelContract(
    name="made",
    version="1",
    architecture="lite0-dense",
    input=InputSpec(
        spacing_mm=0.3,
        grey_rule="breast-percentiles",
        grey_numbers={"low": 2.0, "high": 99.5, "middle": 0.5, "bend": 2.5},
    ),
    output=OutputSpec(targets=("lesion", "malignant"), activation="sigmoid", stride_px=8),
    operating_point=OperatingPoint(
        threshold=0.42, chosen_by="1 false positive a scan on made scans"
    ),
    breast_calibration=Calibration(
        slope=1.0, intercept=0.0, fitted_on="made breasts", meaning="how likely, in a made world"
    ),
    origin={"archives": "made-archive", "licence": "CC BY 3.0, made attribution"},
    figures={
        "made-archive, 5 folds: sensitivity at 1 false positives a scan": {
            "value": 0.812,
            "low": 0.777,
            "high": 0.845,
            "n": 90,
            "n_patients": 80,
            "method": "made",
        }
    },
    limits=("Knows masses alone.",),
)


@pytest.fixture
def make_scan():
    def make(laterality="L", view="CC", *, wall="left", detections=1, **changes):
        rows, columns = 400, 300
        row, column = np.mgrid[:rows, :columns]
        breast = ((row - 200) / 150) ** 2 + (column / 200) ** 2 < 1
        heat = np.exp(-(((row - 150) / 20) ** 2) - ((column - 60) / 20) ** 2) * breast
        picture = np.where(breast, 120, 0)
        # The spot that the detection marks is brighter than all else.
        picture[130:170, 40:80] = 250
        box_left = 20.0
        if wall == "right":
            breast, heat, picture = breast[:, ::-1], heat[:, ::-1], picture[:, ::-1]
            box_left = 150 - 20 - 20.0
        found = Detection(
            box_px=Box(65.0, box_left, 20.0, 20.0),
            box_mm=(6.0, 6.0),
            centre_mm=(22.5, 9.0),
            score=0.9,
            malignancy=0.6,
            probability=None,
            kind=FindingKind.MASS,
        )
        values = {
            "scan_id": f"{laterality}{view}",
            "file": f"{laterality}{view}.dcm",
            "laterality": Laterality(laterality) if laterality else None,
            "view": ViewPosition(view) if view else None,
            # The picture has two pixels for one of the file.
            "shape_px": (200, 150),
            "spacing_mm": (0.3, 0.3),
            "spacing_source": SpacingSource.HEADER,
            "score": 0.9,
            "malignancy": 0.54,
            "detections": (found,) * detections if isinstance(detections, int) else detections,
            "warnings": (),
            "picture": picture.astype(np.uint8),
            "heat": heat.astype(np.float32),
            "breast": breast,
            "picture_spacing_mm": 0.15,
        }
        return ScanReading(**{**values, **changes})

    return make


@pytest.fixture
def make_reading(make_scan):
    def make(scans=None, **changes):
        if scans is None:
            scans = [
                make_scan("L", "MLO"),
                make_scan("R", "CC", wall="right"),
                make_scan("L", "CC"),
                make_scan("R", "MLO", wall="right"),
            ]
        values = {
            "exam_id": "E1",
            "patient_id": "P1",
            "scans": tuple(scans),
            "breasts": (
                BreastReading(
                    laterality=Laterality.LEFT,
                    score=0.9,
                    malignancy=0.54,
                    probability=0.6,
                    score_against_other=0.8182,
                ),
                BreastReading(
                    laterality=Laterality.RIGHT,
                    score=0.8,
                    malignancy=0.3,
                    probability=0.4,
                    score_against_other=0.5714,
                ),
            ),
            "score": 0.9,
            "malignancy": 0.54,
            "probability": 0.6,
            "contract": CONTRACT,
            "model_digest": "abc123",
            "warnings": ("one thing to know",),
            "failures": {"x.dcm": "x.dcm: not a DICOM file."},
            "timings_s": {"network": 0.123456},
        }
        return ExamReading(**{**values, **changes})

    return make
