"""Tiles cut as the paper cut them, from what is at hand: each film's own greys, nothing evened out.

The paper's abnormal tiles came from CBIS-DDSM and its normal ones from DDSM. DDSM is often at hand
as pictures of 299 pixels only, so all tiles have that coarse spacing, whatever their archive: what
is left to tell the archives apart is how they were digitised and turned into grey levels.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.core.geometry import Box, MaskFile
from mammoscope.core.records import Finding, Scan
from mammoscope.formats.masks import box_of
from mammoscope.formats.raster import read_raster
from mammoscope.scans.load import load
from mammoscope.tiles.store import TileSet
from mammoscope.tiles.tile import NORMAL, Origin, Tile, label_of

SPACING_MM = 0.8
"""About that of DDSM at 299 pixels, whose rows are 0.8 mm apart and whose columns 0.5 mm."""
TILE_MM = 40.0
SIDE_PX = round(TILE_MM / SPACING_MM)
MARGIN_MM = 5.0
"""Normal tissue stays so far from the box round every finding."""
DARK, MOST_DARK, LEAST_MEAN = 20, 50_000 / 598**2, 30.0
"""Recipe 9's tests of normal tiles (method facts 1.1): levels up to 20 are dark, and 50,000 of a
tile's 357,604 pixels may be; the mean is that asked of Howtek's films."""
SHIFT = 0.25
"""A finding lies up to so much of a tile's side from its middle, as recipe 9's crops may."""
TRIES = 200
SMALL = "ddsm-299"


@dataclass(frozen=True, slots=True)
class Amount:
    """How many tiles a scan gives: round each of its findings, and of normal tissue."""

    lesion: int
    normal: int


def cut_scans(
    scans: Iterable[Scan],
    amount: Amount,
    seed: int,
    on_done: Callable[[], None] = lambda: None,
) -> Iterator[Tile]:
    """Cut tiles of 40 mm from scans, with the grey levels that their files have.

    Parameters
    ----------
    scans : with a spacing and known findings; the others give nothing
    amount : a scan with a finding that has no place gives no normal tissue
    seed : with the scan's id, draws the places: a scan's tiles do not hang on the others
    on_done : called after each scan

    Yields
    ------
    Tile
        of `SIDE_PX` pixels a side, `SPACING_MM` apart.

    Raises
    ------
    MammoscopeError
        When a scan cannot be read.
    """
    for scan in scans:
        yield from _cut(scan, amount, _generator(scan, seed))
        on_done()


def cut_again(tiles: TileSet, scans: Iterable[Scan]) -> Iterator[Tile]:
    """Cut the places of another set once more, with the grey levels that the files have.

    A place that reaches over its scan's edge is moved inside.

    Parameters
    ----------
    tiles : that were cut from some of `scans`

    Raises
    ------
    MammoscopeError
        When a scan cannot be read.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in tiles.table.to_dicts():
        rows.setdefault(row["scan_id"], []).append(row)
    for scan in scans:
        told = rows.get(scan.scan_id, [])
        image = _eight_bits(_image_of(scan)) if told else np.empty((0, 0), np.uint8)
        for row in told:
            place = _inside(Box(*(row[k] for k in ("top", "left", "height", "width"))), image.shape)
            yield Tile(
                pixels=tile_of(image, place),
                scan=scan,
                finding_id=row["finding_id"],
                box=place,
                label=row["label"],
                origin=Origin(row["origin"]),
                lesion_share=row["lesion_share"],
            )


def tile_of(image: NDArray[Any], box: Box) -> NDArray[np.uint8]:
    """Return what lies in a box as a tile; where pixels are joined they are averaged.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), uint8
    box : inside the image, at least a pixel in both directions

    Returns
    -------
    ndarray of shape (`SIDE_PX`, `SIDE_PX`), uint8
    """
    corners = (box.left, box.top, box.right, box.bottom)
    small = Image.fromarray(image).resize(
        (SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, box=corners
    )
    return np.asarray(small, dtype=np.uint8)


def _cut(scan: Scan, amount: Amount, rng: np.random.Generator) -> Iterator[Tile]:
    if scan.spacing_mm is None or scan.findings is None:
        return
    placed = [one for one in scan.findings if one.roi is not None]
    wants_lesions = amount.lesion > 0 and bool(placed)
    wants_normal = amount.normal > 0 and len(placed) == len(scan.findings)
    if not (wants_lesions or wants_normal):
        return
    image = _eight_bits(_image_of(scan))
    rows, columns = image.shape
    window = Box(0, 0, TILE_MM / scan.spacing_mm[0], TILE_MM / scan.spacing_mm[1])
    if window.height > rows or window.width > columns:
        return
    boxes = [_box(one, (rows, columns)) for one in placed]
    if wants_lesions:
        for finding, box in zip(placed, boxes, strict=True):
            if finding.pathology is not None:
                for _ in range(amount.lesion):
                    place = _round(box, window, (rows, columns), rng)
                    yield _tile(scan, image, place, finding)
    if wants_normal:
        margins = [MARGIN_MM / mm for mm in scan.spacing_mm]
        forbidden = [box.grown(margins[0], margins[1]) for box in boxes]
        for place in _normal_places(image, window, forbidden, amount.normal, rng):
            yield _tile(scan, image, place, None)


def _tile(scan: Scan, image: NDArray[np.uint8], box: Box, finding: Finding | None) -> Tile:
    return Tile(
        pixels=tile_of(image, box),
        scan=scan,
        finding_id=None if finding is None else finding.finding_id,
        box=box,
        label=NORMAL if finding is None else label_of(finding),
        origin=Origin.NORMAL if finding is None else Origin.LESION,
    )


def _box(finding: Finding, shape_px: tuple[int, int]) -> Box:
    assert finding.roi is not None
    return box_of(finding.roi, shape_px if isinstance(finding.roi, MaskFile) else (0, 0))


def _round(lesion: Box, window: Box, shape_px: tuple[int, int], rng: np.random.Generator) -> Box:
    """Lay a window about a lesion's middle, moved by chance, inside the image."""
    row, column = lesion.centre
    down, right = rng.uniform(-SHIFT, SHIFT, 2)
    top = row + down * window.height - window.height / 2
    left = column + right * window.width - window.width / 2
    return _inside(Box(top, left, window.height, window.width), shape_px)


def _inside(box: Box, shape_px: tuple[int, ...]) -> Box:
    return Box(
        float(np.clip(box.top, 0, shape_px[0] - box.height)),
        float(np.clip(box.left, 0, shape_px[1] - box.width)),
        box.height,
        box.width,
    )


def _normal_places(
    image: NDArray[np.uint8],
    window: Box,
    forbidden: list[Box],
    count: int,
    rng: np.random.Generator,
) -> Iterator[Box]:
    """Draw places away from all findings that pass recipe 9's tests; fewer where few do."""
    found = 0
    for _ in range(TRIES):
        top = float(rng.uniform(0, image.shape[0] - window.height))
        left = float(rng.uniform(0, image.shape[1] - window.width))
        place = Box(top, left, window.height, window.width)
        if all(place.iou(box) == 0 for box in forbidden) and _is_tissue(tile_of(image, place)):
            yield place
            found += 1
            if found == count:
                return


def _is_tissue(tile: NDArray[np.uint8]) -> bool:
    return bool((tile <= DARK).mean() <= MOST_DARK and tile.mean() >= LEAST_MEAN)


def _image_of(scan: Scan) -> NDArray[Any]:
    """Read a scan; DDSM's pictures of 299 pixels are too small for `load`, which is for reading."""
    return read_raster(scan.path) if scan.archive == SMALL else load(scan).image


def _eight_bits(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Take the upper eight bits, as the paper's notebooks do with 16."""
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    return np.asarray(image.astype(np.uint32) >> 8, dtype=np.uint8)


def _generator(scan: Scan, seed: int) -> np.random.Generator:
    key = hashlib.sha256(f"{scan.archive}/{scan.scan_id}".encode()).digest()[:8]
    return np.random.default_rng([seed, int.from_bytes(key, "little")])
