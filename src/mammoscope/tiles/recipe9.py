"""Recipe 9 of the paper for mini-MIAS: three crops round each finding, a grid on normal scans.

Method facts 1.4, 1.6 and 2.4 (Scuccimarra 2018, notebook crop_mias_images_9). What the notebook
does is the default, its slips included where they shape the data: a finding's radius is taken as
the side of its box. Tiles are 299 x 299, uint8.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.core.geometry import Box, Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.tiles.grid import cut, places
from mammoscope.tiles.tile import NORMAL, Origin, Tile, label_of

SIDE_PX = 299
SCALE = 2.58
"""Half the mean height of CBIS-DDSM's scans over the 1024 rows of mini-MIAS."""
CROPS = 3
STRIDE_PX = 200
KEPT = 0.3
BRIGHT, MOST_BRIGHT = 225, 100
DARK, MOST_DARK = 20, 50_000
LEAST_MEAN = 38
VARIANCE = (20, 2000)


def mias_tiles(
    image: NDArray[np.uint8],
    scan: Scan,
    rng: np.random.Generator,
    *,
    radius_as_side: bool = True,
) -> Iterator[Tile]:
    """Cut the tiles of one scan.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), uint8
    scan : its record, with findings whose Roi is a circle; findings without a place give no tile,
        and neither does a scan of which the archive does not say whether it is normal
    rng : draws crops, turns, and which normal tiles are kept
    radius_as_side : a finding's box is as wide as its radius, as in the notebook; False: as its
        diameter

    Yields
    ------
    Tile
        Three a finding with a place, or of a normal scan three in ten usable places of the grid.
    """
    if scan.findings is None:
        return
    large = np.asarray(
        Image.fromarray(image).resize(
            (round(image.shape[1] * SCALE), round(image.shape[0] * SCALE)),
            Image.Resampling.BILINEAR,
        )
    )
    if len(scan.findings) == 0:
        yield from _normal_tiles(large, scan, rng)
        return
    for finding in scan.findings:
        if isinstance(finding.roi, Circle):
            side = finding.roi.radius * SCALE * (1 if radius_as_side else 2)
            yield from _finding_tiles(large, scan, finding, finding.roi, side, rng)


def turned(tile: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Flip and turn at random as the notebooks do (method facts 1.6).

    Each flip with probability one half; quarter turns by k = randint(-3, 3), the upper end left
    out, so that no turn is half as likely as a quarter turn to the left.
    """
    if rng.random() < 0.5:
        tile = tile[:, ::-1]
    if rng.random() < 0.5:
        tile = tile[::-1]
    return np.ascontiguousarray(np.rot90(tile, int(rng.integers(-3, 3))))


def _finding_tiles(
    image: NDArray[np.uint8],
    scan: Scan,
    finding: Finding,
    circle: Circle,
    side: float,
    rng: np.random.Generator,
) -> Iterator[Tile]:
    """Three crops at random places of a box round the finding, each flipped and turned.

    The notebook turns the box before it crops. Cropping first gives the same tiles with the same
    chances (but for one pixel, as the draw leaves the last place out), and keeps each tile's place
    on the scan known.
    """
    factor = 1.2 if side < SIDE_PX else 1.05
    extent = int(max(factor * SIDE_PX, side))
    extent = min(extent, *image.shape)
    top, left = (
        int(np.clip(centre * SCALE - extent / 2, 0, length - extent))
        for centre, length in zip(circle.centre, image.shape, strict=True)
    )
    for _ in range(CROPS):
        down, across = (int(rng.integers(0, max(1, extent - SIDE_PX))) for _ in range(2))
        place = (top + down, left + across)
        yield _tile(image, scan, place, finding.finding_id, label_of(finding), rng)


def _normal_tiles(image: NDArray[np.uint8], scan: Scan, rng: np.random.Generator) -> Iterator[Tile]:
    """Tiles of a grid that are neither film nor background, three in ten of them."""
    # Black columns beside the film go first: those with nearly all of their pixels at zero.
    tissue = np.flatnonzero((image == 0).sum(axis=0) < image.shape[0] - 10)
    if tissue.size == 0:
        return
    first = int(tissue[0])
    trimmed = image[:, first : int(tissue[-1]) + 1]
    for top, left in places((trimmed.shape[0], trimmed.shape[1]), SIDE_PX, STRIDE_PX):
        tile = np.asarray(cut(trimmed, (top, left), SIDE_PX), dtype=np.uint8)
        if is_usable(tile) and rng.random() < KEPT:
            yield _tile(image, scan, (top, first + left), None, NORMAL, rng)


def is_usable(tile: NDArray[np.uint8]) -> bool:
    """Test a normal tile as the notebook does: bright and dark pixels, mean and variance."""
    return bool(
        (tile >= BRIGHT).sum() < MOST_BRIGHT
        and (tile <= DARK).sum() <= MOST_DARK
        and tile.mean() >= LEAST_MEAN
        and VARIANCE[0] <= tile.var() <= VARIANCE[1]
    )


def _tile(
    image: NDArray[np.uint8],
    scan: Scan,
    place: tuple[int, int],
    finding_id: str | None,
    label: str,
    rng: np.random.Generator,
) -> Tile:
    return Tile(
        pixels=turned(np.asarray(cut(image, place, SIDE_PX), dtype=np.uint8), rng),
        scan=scan,
        finding_id=finding_id,
        box=Box(place[0], place[1], SIDE_PX, SIDE_PX).scaled(1 / SCALE, 1 / SCALE),
        label=label,
        origin=Origin.NORMAL if finding_id is None else Origin.LESION,
    )
