"""Small tile sets to exchange."""

from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import SpacingSource, Split
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import CLASSES, Tile

SPLITS = (Split.TEST, Split.TRAIN, Split.TRAIN, Split.VALIDATION)


def make_tile(number, side, archive):
    """One tile; two tiles a patient, every third scan without a spacing."""
    rng = np.random.default_rng(number)
    patient = number // 2
    known = number % 3 != 0
    scan = Scan(
        scan_id=f"skån {number}" if number % 2 else f"s{number}",
        archive=archive,
        path=Path("s.png"),
        patient_id=f"p{patient}",
        exam_id=f"e,{patient}",
        spacing_mm=(0.1 + number / 70, 0.05) if known else None,
        spacing_source=SpacingSource.ARCHIVE if known else None,
        breast_density="D" if known else None,
    )
    label = CLASSES[number % 5]
    return Tile(
        pixels=rng.integers(0, 256, (side, side), dtype=np.uint8),
        scan=scan,
        finding_id=None if number % 5 == 0 else f"s{number}_1",
        box=Box(number / 3, -0.1, 4, 1e-7 + number),
        label=label,
        lesion_share=None if number % 2 else number / 11,
    )


@pytest.fixture
def make_set(tmp_path):
    """Write a tile set and open it."""

    def make(name="set", *, count=12, side=8, archive="mini-mias", recipe="9"):
        tiles = [make_tile(number, side, archive) for number in range(count)]
        split_of = {tile.scan.patient_id: SPLITS[i // 2 % 4] for i, tile in enumerate(tiles)}
        origin = {"recipe": recipe, "seed": 3, "splits": "by patient", "archives": [archive]}
        write_tiles(tmp_path / name, tiles, split_of, origin)
        return load_tiles(tmp_path / name)

    return make
