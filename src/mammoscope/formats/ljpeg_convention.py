"""Which convention a lossless JPEG stream follows: T.81, or that of the program behind DDSM.

That program (PVRG, Stanford 1993) predicts the first line with the chosen predictor from a line of
2^(bits-1) above it, T.81 from the left alone; and it does not begin anew after a restart marker.
No byte of the stream says so. What can be held against one another are the two readings.
"""

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, UnknownFormatError
from mammoscope.formats.jpeg_markers import ScanData, Stream
from mammoscope.formats.ljpeg_scan import planes_of, read_scan

LOOKED_AT_PX = 64
"""The archive's reading goes wrong in the first few samples of a line; later ones tell less."""
FEWEST_PX = 16
CLEARLY = 8.0
"""How much rougher the wrong reading must be. On the streams of `benchmarks/decoders.py` that show
a picture the archive's reading of a stream by T.81 is at least a third as rough as the right one;
T.81's reading of a stream of the archive's program is 90 times as rough as that or more."""

LEAST_FROM_MIDDLE, SMOOTH = 1 / 128, 1 / 8
"""Shares of the range: median distance from the middle grey, and steps from pixel to pixel. Noise
that fills the range steps by 0.4 of it."""


def is_archive(stream: Stream) -> bool:
    """Tell whether a stream follows the archive's convention.

    The first samples that can differ are read both ways, and the first of these that holds decides:

    1. Restarts within a line, which T.81 forbids, mean the archive.
    2. Where both readings are one (without restarts: predictors 1, 4 and 5, a single column, a
       first line of nothing but the middle grey) nothing hangs on it.
    3. Where one reading leaves the range of the bits (fewer than 16) it is the other.
    4. Where one reading is 8 times as rough (sum of squared differences of neighbours) it is the
       other, unless differences of 32768 within the image show that this is no film, or the
       archive's reading is the smoother but hardly leaves the middle grey, as the wrong one does.
    5. A header that the archive's program does not write means T.81.
    6. Fewer than 16 bits mean T.81 when its first line, so read, is smooth and in range all along:
       DDSM has no such streams, and what is wrongly read so adds up half of each pixel's distance
       from the middle grey, which only noise about just that grey comes through.

    Raises
    ------
    UnknownFormatError
        When nothing tells; the caller must say.
    """
    scan = stream.scans[0]
    if scan.restart_interval % stream.columns:
        return True
    line = read_scan(scan, stream.columns).values
    if _is_one(stream, scan, line):
        return False
    values, shape = _looked_at(stream, scan, line)
    bits = stream.precision - scan.point_transform
    t81 = _reading(scan, values, shape, bits, archive=False)
    archive = _reading(scan, values, shape, bits, archive=True)
    # The first line says nothing where only what follows restarts can differ.
    speaks = stream.precision < 16 and scan.predictor not in (1, 4, 5)
    first = line[:: len(scan.places)] if speaks else None
    no_film = bool((values[len(scan.places) :] == 1 << 15).any())
    for verdict in (
        True if t81 is None and archive is not None else None,
        False if archive is None and t81 is not None else None,
        None if no_film else _by_roughness(t81, archive, bits, vertical=scan.restart_interval > 0),
        None if stream.archive_header else False,
        False if first is not None and _is_image_by_t81(t81, archive, first, bits) else None,
    ):
        if verdict is not None:
            return verdict
    raise UnknownFormatError(
        "The LJPEG stream does not tell whether its first line follows the standard or DDSM's "
        'program; give convention="t81" or convention="archive".'
    )


def _is_one(stream: Stream, scan: ScanData, line: NDArray[np.int32]) -> bool:
    """Tell whether both conventions give the same image; `line` are the first line's differences.

    Where these are all zero, both begin with a line of the middle grey and go on alike.
    """
    if scan.restart_interval:
        return False
    return scan.predictor in (1, 4, 5) or stream.columns == 1 or not line.any()


def _looked_at(
    stream: Stream, scan: ScanData, line: NDArray[np.int32]
) -> tuple[NDArray[np.int32], tuple[int, int]]:
    """Choose the differences to look at; give them with their lines and columns."""
    columns, count = stream.columns, len(scan.places)
    if not scan.restart_interval and columns > LOOKED_AT_PX:
        # As long as differences are zero both readings stay at the middle grey.
        begin = int(np.argmax(line != 0)) // count
        values = line[begin * count : (begin + LOOKED_AT_PX) * count]
        return values, (1, len(values) // count)
    # Two intervals show what happens between them.
    lines = 2 * scan.restart_interval // columns or -(-LOOKED_AT_PX // columns)
    values = read_scan(scan, min(stream.rows, lines) * columns).values
    return values, (len(values) // (columns * count), columns)


def _reading(
    scan: ScanData,
    values: NDArray[np.int32],
    shape: tuple[int, int],
    bits: int,
    *,
    archive: bool,
) -> NDArray[np.int32] | None:
    """Give the samples of the first component; None where they leave their range."""
    if not min(shape):
        return None
    try:
        return planes_of(scan, values, shape, bits, archive=archive)[0][:, :LOOKED_AT_PX]
    except CorruptFileError:
        return None


def _by_roughness(
    t81: NDArray[np.int32] | None, archive: NDArray[np.int32] | None, bits: int, *, vertical: bool
) -> bool | None:
    if t81 is None or archive is None or t81.size < FEWEST_PX:
        return None
    rough = [_roughness(reading, vertical=vertical) for reading in (t81, archive)]
    if max(rough) < CLEARLY * min(rough):
        return None
    from_middle = float(np.median(np.abs(archive - (1 << (bits - 1)))))
    if rough[1] < rough[0] and from_middle < LEAST_FROM_MIDDLE * (1 << bits):
        return None
    return rough[1] < rough[0]


def _is_image_by_t81(
    t81: NDArray[np.int32] | None,
    archive: NDArray[np.int32] | None,
    line: NDArray[np.int32],
    bits: int,
) -> bool:
    """Tell whether a first line, read by T.81, is an image all along and nothing speaks against."""
    if t81 is None or archive is None or len(line) < FEWEST_PX:
        return False
    if CLEARLY * _roughness(archive, vertical=False) <= _roughness(t81, vertical=False):
        return False
    samples = (1 << (bits - 1)) + np.cumsum(line, dtype=np.int64)
    if samples.min() < 0 or samples.max() >= 1 << bits:
        return False
    return bool(np.sqrt((np.diff(samples) ** 2).mean()) < SMOOTH * (1 << bits))


def _roughness(reading: NDArray[np.int32], *, vertical: bool) -> float:
    samples = reading.astype(np.float64)
    total = float((np.diff(samples, axis=1) ** 2).sum())
    if vertical:
        total += float((np.diff(samples, axis=0) ** 2).sum())
    return total + 1.0
