"""A made model that finds bright spots, and made scans with one, as files."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mammoscope.core.contract import (
    Calibration,
    InputSpec,
    ModelContract,
    OperatingPoint,
    OutputSpec,
)
from mammoscope.models.weights import Model


class BrightSpots(nn.Module):
    """Scores a place by its mean grey: 0.9 where it is nearly white, next to nothing elsewhere."""

    def forward(self, x):
        grey = nn.functional.avg_pool2d(x, 8)
        lesion = torch.where(grey > 0.95, 2.2, -6.0)
        return torch.cat([lesion, torch.full_like(lesion, 1.0)], dim=1)


CONTRACT = ModelContract(
    name="bright",
    version="1",
    architecture="lite0-dense",
    input=InputSpec(
        spacing_mm=0.3,
        grey_rule="breast-percentiles",
        grey_numbers={"low": 0.0, "high": 100.0, "middle": 0.5, "bend": 1.0},
    ),
    output=OutputSpec(targets=("lesion", "malignant"), activation="sigmoid", stride_px=8),
    operating_point=OperatingPoint(threshold=0.5, chosen_by="made"),
    calibration=Calibration(slope=1.0, intercept=0.0, fitted_on="made", meaning="made"),
    breast_calibration=Calibration(slope=1.0, intercept=0.0, fitted_on="made", meaning="made"),
    origin={"archives": "made"},
)


@pytest.fixture
def model():
    return Model(
        contract=CONTRACT, network=BrightSpots().eval(), digest=hashlib.sha256(b"").hexdigest()
    )


@pytest.fixture
def uncalibrated(model):
    contract = dataclasses.replace(CONTRACT, calibration=None, breast_calibration=None)
    return dataclasses.replace(model, contract=contract)


@pytest.fixture
def write_scan():
    """Write a PNG of a breast of 0.2 mm a pixel, with bright square spots of 60 pixels (12 mm)."""

    def write(path, *, wall="left", spots=((500, 150),)):
        row, column = np.mgrid[:1000, :700]
        inside = ((row - 500) / 420) ** 2 + (column / 480) ** 2 < 1
        image = np.where(inside, 100, 2).astype(np.uint8)
        # A speck that no place of the answer is filled by, so that white is white on every scan.
        image[300:304, 60:64] = 255
        for centre_row, centre_column in spots:
            image[centre_row - 30 : centre_row + 30, centre_column - 30 : centre_column + 30] = 255
        Image.fromarray(image if wall == "left" else image[:, ::-1]).save(path)
        return path

    return write
