"""Fixtures that several packages' tests share."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import SpacingSource, Split
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import Tile

# The same examples every time: a test that passed here passes elsewhere. Other examples are tried
# with `pytest --hypothesis-profile=default`. No deadline: a busy machine is no fault of an example.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-real",
        action="store_true",
        help="fail, instead of skipping, the tests whose real scans are not here",
    )


@pytest.fixture(scope="session")
def shared_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real scans beside the repository; tests that need it skip without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        missing = f"the real scans are not here ({folder})"
        if request.config.getoption("--require-real"):
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


@pytest.fixture
def tile_set(tmp_path):
    """Make a set: 6 normal tiles of 3 patients and 2 of a mass to train, 4 normal ones to test."""

    def make(spacing=(0.2, 0.1), scanner=None):
        patients = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
        tiles = [
            Tile(
                pixels=np.full((12, 12), 20 * number, np.uint8),
                scan=Scan(
                    scan_id=f"s{patient}",
                    archive="mini-mias",
                    path=tmp_path / "s.png",
                    patient_id=f"p{patient}",
                    exam_id=f"e{patient}",
                    spacing_mm=spacing,
                    spacing_source=SpacingSource.ARCHIVE if spacing else None,
                    facts={"scanner": scanner} if scanner else {},
                ),
                finding_id="f1" if patient == 3 else None,
                box=Box(0, 0, 10, 20),
                label="BENIGN_mass" if patient == 3 else "NORMAL",
            )
            for number, patient in enumerate(patients)
        ]
        split_of = {f"p{i}": Split.TRAIN if i < 4 else Split.TEST for i in range(6)}
        write_tiles(tmp_path / "set", tiles, split_of, {"recipe": "9", "seed": 1})
        return load_tiles(tmp_path / "set")

    return make
