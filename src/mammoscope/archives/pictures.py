"""Looking into an archive's pictures for what is damaged, of another size, or there twice."""

from collections.abc import Iterable, Iterator
from typing import Any
from zlib import crc32

from numpy.typing import NDArray

from mammoscope.core.errors import MammoscopeError
from mammoscope.core.records import Problem, Scan
from mammoscope.formats.raster import read_raster


def images_of(
    scans: Iterable[Scan], shape_px: tuple[int, int]
) -> Iterator[tuple[Scan, NDArray[Any] | None, tuple[Problem, ...]]]:
    """Read each scan's picture and tell what is wrong with the file.

    Parameters
    ----------
    scans : records whose `path` is a picture
    shape_px : (rows, columns) that every picture of the archive has

    Yields
    ------
    The scan, its image of shape `shape_px` as stored (None where it cannot be used), its problems.
    """
    first: dict[int, str] = {}
    for scan in scans:
        try:
            image = read_raster(scan.path)
        except MammoscopeError as error:
            what = str(error).removeprefix(f"{scan.path}: ")
            yield scan, None, (Problem(where=str(scan.path), what=what, remedy="get it again"),)
            continue
        if image.shape != shape_px:
            yield scan, None, (_wrong_size(scan, image.shape, shape_px),)
            continue
        twin = first.setdefault(pixel_crc(image), scan.scan_id)
        yield scan, image, () if twin == scan.scan_id else (_twice(scan, twin),)


def pixel_crc(image: NDArray[Any]) -> int:
    """CRC-32 (ISO 3309, as in zlib) of the pixels, row by row, in the image's own type."""
    return crc32(image.tobytes())


def _wrong_size(scan: Scan, shape: tuple[int, ...], wanted: tuple[int, int]) -> Problem:
    return Problem(
        where=str(scan.path),
        what=f"the picture has {shape[0]} x {shape[1]} pixels, not {wanted[0]} x {wanted[1]}",
        remedy="get it again: places and sizes in millimetres would be wrong",
    )


def _twice(scan: Scan, twin: str) -> Problem:
    return Problem(
        where=str(scan.path),
        what=f"the same pixels as {twin}",
        remedy="get both again: one picture cannot be two scans",
    )
