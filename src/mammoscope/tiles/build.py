"""`build_tiles`: an archive and a recipe to a tile set on disk, split by patient."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

import mammoscope
from mammoscope.archives.archive import Archive
from mammoscope.archives.splits import folds, split_digest
from mammoscope.core.errors import BadValueError, ScanError, UnknownNameError
from mammoscope.core.vocabulary import Split
from mammoscope.scans.load import load
from mammoscope.tiles.recipe9 import mias_tiles
from mammoscope.tiles.store import TileSet, load_tiles, write_tiles
from mammoscope.tiles.tile import Tile

ARCHIVE_OF = {"9": "mini-mias"}
"""Each recipe, and the archive that it is for."""
PARTS = 10
"""One part of ten patients is for the test, one for validation, as the paper divides (80/10/10)."""


def build_tiles(
    archive: Archive,
    recipe: str,
    out: str | Path,
    *,
    seed: int = 0,
    radius_as_side: bool = True,
    advance: Callable[[], None] = lambda: None,
) -> TileSet:
    """Build a tile set, or open the one at `out` when it was built in the same way.

    Parameters
    ----------
    archive : as `mammoscope.archives.open.open_archive` gives it
    recipe : "9"
    out : folder of the tile set
    seed : draws the split and the tiles; the same seed and scans give the same bytes
    radius_as_side : see `mammoscope.tiles.recipe9.mias_tiles`
    advance : called after each scan

    Raises
    ------
    UnknownNameError
        When there is no such recipe.
    BadValueError
        When the recipe is not for this archive, or `out` holds something else.
    ArchiveError, FormatError, ScanError
        When a scan is missing or cannot be used.
    """
    if recipe not in ARCHIVE_OF:
        raise UnknownNameError.among("recipe", recipe, ARCHIVE_OF)
    if archive.name != ARCHIVE_OF[recipe]:
        raise BadValueError(
            f"{archive.folder}: recipe {recipe} is for {ARCHIVE_OF[recipe]}, "
            f"not for {archive.name}; open that archive instead."
        )
    folder, split_of = Path(out), split_by_patient(archive, seed)
    origin: dict[str, str | int | bool] = {
        "recipe": recipe,
        "archive": archive.name,
        "scans": len(archive.scans()),
        "seed": seed,
        "radius_as_side": radius_as_side,
        "split": split_digest(split_of),
    }
    if folder.exists():
        return _built_before(folder, origin)
    tiles = _tiles(archive, seed, radius_as_side=radius_as_side, advance=advance)
    write_tiles(folder, tiles, split_of, {**origin, "code": f"mammoscope {mammoscope.__version__}"})
    return load_tiles(folder)


def split_by_patient(archive: Archive, seed: int) -> dict[str, str]:
    """Split of each patient: a tenth each for test and validation, strata by the gravest finding.

    Returns
    -------
    dict of patient_id to a value of `Split`.
    """
    gravest: dict[str, str] = {}
    for scan in archive.scans():
        # Alphabetical order happens to put BENIGN before MALIGNANT.
        now = str(scan.pathology or "")
        gravest[scan.patient_id] = max(gravest.get(scan.patient_id, ""), now)
    parts = {0: Split.TEST, 1: Split.VALIDATION}
    part_of = folds(gravest, PARTS, seed)
    return {patient: str(parts.get(part, Split.TRAIN)) for patient, part in part_of.items()}


def _built_before(folder: Path, origin: Mapping[str, str | int | bool]) -> TileSet:
    """Open the tile set at `folder` if it was built as `origin` says."""
    found = load_tiles(folder)
    for key, value in origin.items():
        if found.provenance.get(key) != value:
            raise BadValueError(
                f"{folder}: holds tiles built with {key} {found.provenance.get(key)}, not {value}; "
                "remove it or name another folder."
            )
    return found


def _tiles(
    archive: Archive, seed: int, *, radius_as_side: bool, advance: Callable[[], None]
) -> Iterator[Tile]:
    for scan in archive.scans():
        image = load(scan).image
        if image.dtype != np.uint8:
            raise ScanError(
                f"{scan.path}: mini-MIAS has 8 bits a pixel, this file has {image.dtype}; "
                "take the archive's own files."
            )
        # Seeded by its name, a scan gives the same tiles whatever other scans are there.
        rng = np.random.default_rng([seed, *scan.scan_id.encode()])
        yield from mias_tiles(image, scan, rng, radius_as_side=radius_as_side)
        advance()
