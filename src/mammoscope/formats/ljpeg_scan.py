"""One scan of a lossless JPEG stream through the plain decoder: restarts and several components."""

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.jpeg_markers import ScanData
from mammoscope.formats.ljpeg_plain import Differences, read_differences, samples_of


def read_scan(scan: ScanData, pixels: int) -> Differences:
    """Read the differences of the first `pixels` pixels, components in turn, up to a fault."""
    each = scan.restart_interval or pixels
    count = len(scan.places)
    pieces, done, fault = [], 0, ""
    for segment in scan.segments:
        wanted = min(each, pixels - done)
        if not wanted:
            fault = "the data go on behind the last pixel" if segment else ""
            break
        # The longest difference has 31 bits, and stuffing can double its bytes.
        held = segment[: 8 * wanted * count + 16]
        found = read_differences(held, scan.tables, wanted * count)
        pieces.append(found.values)
        done += wanted
        fault = found.fault
        if fault:
            break
    if not fault and done < pixels:
        fault = "the data end too early"
    return Differences(values=np.concatenate(pieces), fault=fault)


def planes_of(
    scan: ScanData,
    values: NDArray[np.int32],
    shape: tuple[int, int],
    bits: int,
    *,
    archive: bool,
) -> list[NDArray[np.int32]]:
    """Turn a scan's differences into its components.

    Parameters
    ----------
    values : ndarray, int32: at least rows * columns * components differences, components in turn
    shape : rows and columns
    bits : bits of a sample before the point transform is undone
    archive : whether the archive's convention holds (see `ljpeg_convention`)

    Returns
    -------
    list of ndarray of this shape, int32 in [0, 2^bits), one for each component

    Raises
    ------
    CorruptFileError
        When samples leave their range, or restarts lie within a line by T.81.
    """
    rows, columns = shape
    count = len(scan.places)
    turns = values[: rows * columns * count].reshape(rows, columns, count)
    interval = scan.restart_interval
    if archive or not interval:
        blocks = [turns]
    elif interval % columns:
        raise CorruptFileError(
            f"The LJPEG stream is damaged: restarts after {interval} samples do not fit lines of "
            f"{columns}; get the file again."
        )
    else:
        step = interval // columns
        blocks = [turns[top : top + step] for top in range(0, rows, step)]
    return [
        np.vstack(
            [
                samples_of(np.ascontiguousarray(b[:, :, i]), scan.predictor, bits, archive=archive)
                for b in blocks
            ]
        )
        for i in range(count)
    ]
