"""A plain decoder of lossless JPEG for the streams that the quick one cannot take.

Two steps. `read_differences` turns bits into differences: the length of the code that would begin
at each bit is looked up for a whole piece of the data at once, then a short loop hops from code to
code. `samples_of` turns differences into samples along diagonals: the three neighbours that a
prediction uses lie on the two diagonals before, so each diagonal is one step of numpy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.ljpeg_huffman import LARGEST_CATEGORY, NO_CODE, HuffmanTable

PIECE_BYTES = 1 << 13
LEAST_WRAPPED = 0.01
"""Share of the samples that leave their range where differences are kept modulo it. Every falling
one does in the streams that are known, so half of an image; damage has some few."""
AHEAD_BYTES = 8
"""A difference has at most 31 bits, so the codes of a piece end less than 8 bytes behind it."""
_LEFT = (
    "The LJPEG stream is damaged: some pixels leave the range of their bits; get the file again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """The differences that a run of coded data holds.

    Attributes
    ----------
    values : ndarray of shape (count,), int32 in [-32767, 32768]
    fault : what ended them before their number was reached, or what follows them; "" when sound
    """

    values: NDArray[np.int32]
    fault: str


def read_differences(segment: bytes, tables: Sequence[HuffmanTable], count: int) -> Differences:
    """Read `count` differences, whose tables take turns, from coded data without markers."""
    data = segment.replace(b"\xff\x00", b"\xff")
    pieces: list[NDArray[np.int32]] = []
    place = done = 0
    fault = ""
    while done < count and place < 8 * len(data) and not fault:
        values, place, fault = _piece(data, place, (tables, done), count - done)
        pieces.append(values)
        done += len(values)
    if not fault and done < count:
        fault = "the data end too early"
    elif not fault and not _is_filled_up(data, place):
        fault = "the data go on behind the last pixel"
    return Differences(
        values=np.concatenate(pieces) if pieces else np.zeros(0, np.int32), fault=fault
    )


def _is_filled_up(data: bytes, place: int) -> bool:
    """Tell whether only bits that fill up the last byte remain; a further byte of 1-bits may."""
    left = 8 * len(data) - place
    ones = (1 << left) - 1 if left < 16 else 0
    return left < 8 or (left < 16 and int.from_bytes(data[-2:], "big") & ones == ones)


def _piece(
    data: bytes, place: int, turn: tuple[Sequence[HuffmanTable], int], wanted: int
) -> tuple[NDArray[np.int32], int, str]:
    """Read the differences that begin within one piece of the data, from bit `place` on."""
    tables, done = turn
    first = place >> 3
    held = data[first : first + PIECE_BYTES]
    ahead = data[first + PIECE_BYTES : first + PIECE_BYTES + AHEAD_BYTES]
    windows = _windows(held + ahead.ljust(AHEAD_BYTES, b"\0"), len(held))
    order = [tables[(done + i) % len(tables)] for i in range(len(tables))]
    places = _hop([_steps(windows, table) for table in order], place & 7, wanted)
    values, ends, sound = _values(windows, places, order)
    left = 8 * (len(data) - first)
    good = sound & (ends <= left)
    keep = len(good) if good.all() else int(np.argmin(good))
    fault = ""
    if keep < len(good):
        fault = "the data end too early" if ends[keep] > left else "some bits are no code"
        # What is cut off within a code may look like none; the end of the data is the reason.
        fault = "the data end too early" if left - places[keep] < 16 else fault
    behind = 8 * first + (int(ends[keep - 1]) if keep else place & 7)
    return values[:keep], behind, fault


def _windows(data: bytes, count: int) -> NDArray[np.uint64]:
    """Give the 40 bits that begin at each byte, shape (count,), uint64."""
    octets = np.frombuffer(data, np.uint8).astype(np.uint64)
    result = np.zeros(count, np.uint64)
    for i in range(5):
        result = (result << np.uint64(8)) | octets[i : i + count]
    return result


def _steps(windows: NDArray[np.uint64], table: HuffmanTable) -> bytes:
    """For each bit the way from there to the next difference, one byte a bit."""
    top = (windows >> np.uint64(16)).astype(np.uint32)
    shifts = np.arange(8, 0, -1, dtype=np.uint32)
    codes = ((top[:, None] >> shifts) & np.uint32(0xFFFF)).astype(np.uint16)
    return bytes(table.steps[codes].tobytes())


def _hop(steps: list[bytes], place: int, wanted: int) -> NDArray[np.int64]:
    """Places (in bits) at which differences begin, at most `wanted`, all within the piece."""
    places: list[int] = []
    note = places.append
    if len(steps) == 1:
        way = steps[0]
        try:
            for _ in range(wanted):
                hop = way[place]
                note(place)
                place += hop
        except IndexError:
            pass
    else:
        try:
            for i in range(wanted):
                hop = steps[i % len(steps)][place]
                note(place)
                place += hop
        except IndexError:
            pass
    return np.array(places, np.int64)


def _values(
    windows: NDArray[np.uint64], places: NDArray[np.int64], order: list[HuffmanTable]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]:
    """Give the differences at these places, where each ends, and whether there is a code at all."""
    shift = (8 - (places & 7)).astype(np.uint64)
    bits = ((windows[places >> 3] >> shift) & np.uint64(0xFFFFFFFF)).astype(np.int64)
    code_bits = np.zeros(len(places), np.int64)
    category = np.zeros(len(places), np.int64)
    for i, table in enumerate(order):
        turn = slice(i, None, len(order))
        lengths, categories = table.lookup
        code_bits[turn] = lengths[bits[turn] >> 16]
        category[turn] = categories[bits[turn] >> 16]
    further = np.where(category == LARGEST_CATEGORY, 0, category)
    ends = places + code_bits + further
    sound = code_bits != NO_CODE
    low = (bits >> np.maximum(32 - code_bits - further, 0)) & ((1 << further) - 1)
    half = (1 << further) >> 1
    values = np.where(low < half, low - (1 << further) + 1, low)
    values[category == LARGEST_CATEGORY] = 1 << 15
    return values.astype(np.int32), ends, sound


def samples_of(
    differences: NDArray[np.int32], predictor: int, bits: int, *, archive: bool
) -> NDArray[np.int32]:
    """Turn differences into samples.

    Parameters
    ----------
    differences : ndarray of shape (rows, columns), int32
    predictor : 1 to 7 (T.81, table H.1)
    bits : bits of a sample before the point transform is undone, 1 to 16
    archive : predict the first line as the program behind DDSM does, from a line of 2^(bits-1)
        above it; else by T.81, from the left alone

    Returns
    -------
    ndarray of shape (rows, columns), int32 in [0, 2^bits)

    Raises
    ------
    CorruptFileError
        When samples leave their range other than in streams whose differences are kept modulo
        2^bits: there leaving it shortens the difference each time, and it happens often.
    """
    start = 1 << (bits - 1)
    columns = differences.shape[1]
    if archive:
        differences = np.vstack([np.zeros((1, columns), np.int32), differences])
    raw = np.zeros(differences.shape, np.int32)
    raw[0] = start + np.cumsum(differences[0], dtype=np.int64)
    raw[:, 0] = start + np.cumsum(differences[:, 0], dtype=np.int64)
    mask = (1 << bits) - 1
    grid = raw & mask
    wrapped = 0
    if bits < 16:
        for line, step in ((grid[0], differences[0]), (grid[:, 0], differences[:, 0])):
            wrapped += _wrapped(np.diff(line, prepend=start), step)
    for here, left, above, corner in _diagonals(*grid.shape):
        flat, step = grid.reshape(-1), differences.reshape(-1)[here]
        expected = predicted(predictor, flat[left], flat[above], flat[corner])
        found = (expected + step) & mask
        flat[here] = found
        if bits < 16:
            wrapped += _wrapped(found - expected, step)
    if 0 < wrapped < LEAST_WRAPPED * grid.size:
        raise CorruptFileError(_LEFT)
    return grid[1:] if archive else grid


def _diagonals(rows: int, columns: int) -> Iterator[tuple[slice, slice, slice, slice]]:
    """Flat slices of each diagonal behind the first row and column, and of its neighbours."""
    for total in range(2, rows + columns - 1 if columns > 1 else 0):
        first, last = max(1, total - columns + 1), min(rows - 1, total - 1)
        begin, end = first * (columns - 1) + total, last * (columns - 1) + total + 1
        yield (
            slice(begin, end, columns - 1),
            slice(begin - 1, end - 1, columns - 1),
            slice(begin - columns, end - columns, columns - 1),
            slice(begin - columns - 1, end - columns - 1, columns - 1),
        )


def predicted(
    predictor: int, left: NDArray[np.int32], above: NDArray[np.int32], corner: NDArray[np.int32]
) -> NDArray[np.int32]:
    """T.81, table H.1: the prediction from the left, the upper and the upper left neighbour."""
    match predictor:
        case 1:
            result = left
        case 2:
            result = above
        case 3:
            result = corner
        case 4:
            result = left + above - corner
        case 5:
            result = left + ((above - corner) >> 1)
        case 6:
            result = above + ((left - corner) >> 1)
        case _:
            result = (left + above) >> 1
    return result


def _wrapped(change: NDArray[np.int32], difference: NDArray[np.int32]) -> int:
    """Count the samples that left their range; refuse those that so came to differ more."""
    if (np.abs(change) > np.abs(difference)).any():
        raise CorruptFileError(_LEFT)
    return int(np.count_nonzero(change != difference))
