"""Looking into an archive's pictures for what is damaged or of another size."""

import os
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from mammoscope.archives.look import Look
from mammoscope.core.errors import MammoscopeError
from mammoscope.core.records import Problem, Scan
from mammoscope.formats.raster import read_raster

LONGEST_NAME = 255
"""Bytes of a file's name; the file systems in use refuse to look for longer ones."""


def file_named(text: str) -> PurePosixPath:
    """Understand the name of a picture in an archive's table, relative to the archive's folder.

    Raises
    ------
    ValueError
        When it leads out of the folder, or no file can have it.
    """
    file = PurePosixPath(text)
    if file.is_absolute() or ".." in file.parts:
        raise ValueError("its file lies outside the archive")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in file.parts):
        raise ValueError("no file has so long a name")
    return file


def look_at(scan: Scan, shape_px: tuple[int, int]) -> tuple[Look, NDArray[Any] | None]:
    """Read a scan's picture and tell what is wrong with the file.

    Parameters
    ----------
    scan : a record whose `path` is a picture
    shape_px : (rows, columns) that every picture of the archive has

    Returns
    -------
    What was seen, and the image of shape `shape_px` as stored; None where it cannot be used.
    """
    try:
        image = read_raster(scan.path)
    except MammoscopeError as error:
        return Look(problems=(unreadable(scan, error),)), None
    if image.shape != shape_px:
        return Look(problems=(_wrong_size(scan, image.shape, shape_px),)), None
    return Look(digest=pixel_digest(image)), image


def unreadable(scan: Scan, error: MammoscopeError) -> Problem:
    """Make the problem of a scan's file that cannot be read."""
    what = str(error).removeprefix(f"{scan.path}: ")
    for told in ("; get it again.", "; get the file again.", ", get it again."):
        # The remedy has a column of its own.
        what = what.removesuffix(told)
    return Problem(where=str(scan.path), what=what, remedy="get it again")


def pixel_digest(image: NDArray[Any]) -> str:
    """BLAKE2b of shape, type and pixels: equal only for the same picture."""
    digest = blake2b(f"{image.shape} {image.dtype.str}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def pixel_crc(image: NDArray[Any]) -> int:
    """CRC-32 (ISO 3309, as in zlib) of the pixels, row by row, in the image's own type."""
    return crc32(image.tobytes())


def _wrong_size(scan: Scan, shape: tuple[int, ...], wanted: tuple[int, int]) -> Problem:
    return Problem(
        where=str(scan.path),
        what=f"the picture has {shape[0]} x {shape[1]} pixels, not {wanted[0]} x {wanted[1]}",
        remedy="get it again: places and sizes in millimetres would be wrong",
    )
