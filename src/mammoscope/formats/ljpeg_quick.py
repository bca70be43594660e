"""Lossless JPEG of one component through libjpeg-turbo, with a proof that it read the right bits.

libjpeg-turbo is quick but follows T.81, keeps quiet about faults and fills up what is missing. So a
stream is not handed over as it is but written anew:

* header: a plain one of our own, 16 bits, no point transform. Samples then come out moved by
  2^15 - 2^(bits-1), which every predictor passes on, and those that leave their range can be seen.
* in front: for the archive's convention, whole lines of differences of zero. The archive predicts
  its first line from a line of 2^(bits-1) above it; these are such lines.
* behind: a few more lines whose differences we know. They come out as written only if libjpeg
  stood exactly at the end of the data after the last pixel, neither before nor behind it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from mammoscope.formats.jpeg_markers import ScanData
from mammoscope.formats.ljpeg_huffman import LARGEST_CATEGORY, HuffmanTable, bits_of, stuffed
from mammoscope.formats.ljpeg_plain import predicted, read_differences

LONGEST_SIDE = 65500
"""libjpeg's limit."""
LONG_RUN = 3
"""Bytes of 1-bits in a row. libjpeg takes sixteen 1-bits where a code should begin for a difference
of zero. Sound data hold such runs too; where one is as long as this (in one film of five or so),
all bits are counted again."""
WITNESSES = 48
"""Differences written behind the data; those of at least one bit each make 48 bits to agree."""
_NOISE = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251
"""Bits without a period (of the golden ratio), which the witnesses are made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Lines, samples a line, and bits of a sample (precision less point transform)."""

    rows: int
    columns: int
    bits: int


def is_quick(scan: ScanData, size: Size) -> bool:
    """Tell whether `decode` may try a scan: one component, no restarts, data for all pixels."""
    data = sum(map(len, scan.segments))
    return (
        len(scan.places) == 1
        and len(scan.segments) == 1
        and not scan.restart_interval
        and size.rows + 8 + WITNESSES < LONGEST_SIDE
        and size.columns < LONGEST_SIDE
        and size.rows * size.columns <= 8 * data
        and len(set(scan.tables[0].values)) > 1
        and scan.tables[0].closed() is not None
    )


def decode(scan: ScanData, size: Size, *, archive: bool) -> NDArray[np.uint16] | None:
    """Decode a scan and prove the number of bits read.

    Returns
    -------
    ndarray of shape (size.rows, size.columns), uint16 in [0, 2^bits), point transform not undone;
    None where this way cannot be gone or the proof fails (the plain decoder then says why)
    """
    table = scan.tables[0]
    closed = table.closed()
    front = _front(table, size.columns, archive=archive)
    if closed is None or front is None:
        return None
    tail = _tail(table)
    behind = -(-WITNESSES // size.columns)
    last = front.lines + size.rows
    header = header_of(closed, (last + behind, size.columns), 16, scan.predictor)
    raw = _libjpeg(header, (front.data, _whole(scan.segments[0]), tail))
    if raw is None or raw.shape != (last + behind, size.columns):
        return None
    image = _Framed(raw=raw, begin=front.lines, end=last, predictor=scan.predictor)
    if not _uses_all(image, scan.segments[0], tail, table):
        return None
    # A film whose first pixel is 0 begins with a difference of 32768.
    begins = read_differences(scan.segments[0][:16], [table], 1).values.tolist() == [32768]
    if size.bits == 16 and _has_false_codes(image, begins=begins):
        return None
    return _in_range(raw[front.lines : last], size.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Front:
    """Whole lines of differences of zero, and their bytes."""

    lines: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Framed:
    """What libjpeg gave: the image from line `begin` to `end`, our own lines before and behind."""

    raw: NDArray[np.uint16]
    begin: int
    end: int
    predictor: int

    def first_line(self) -> NDArray[np.int32]:
        """Differences of the image's first line, shape (columns,)."""
        if self.begin:
            return _differences(self.raw[self.begin - 1 : self.begin + 1], self.predictor)
        left = np.concatenate([np.array([1 << 15], np.uint16), self.raw[0, :-1]])
        return _signed(self.raw[0].astype(np.int32) - left)

    def blocks(self) -> Iterator[NDArray[np.uint16]]:
        """Lines in blocks that fit the processor's cache, each with the line before it."""
        lines = max(1, (1 << 15) // self.raw.shape[1])
        for top in range(self.begin, self.end - 1, lines):
            yield self.raw[top : min(top + lines + 1, self.end)]


def has_long_run(data: bytes) -> bool:
    """Tell whether coded data hold `LONG_RUN` bytes of 1-bits in a row, zero bytes stuffed."""
    places = np.flatnonzero(np.frombuffer(data, np.uint8) == 0xFF)
    apart = LONG_RUN - 1
    return bool((places[apart:] - places[:-apart] == 2 * apart).any())


def _uses_all(image: _Framed, data: bytes, tail: bytes, table: HuffmanTable) -> bool:
    """Tell whether the lines behind the image are the witnesses, so that it took all the data."""
    found = _differences(image.raw[image.end - 1 :], image.predictor)
    expected = _expected(data, tail, table)
    fills = [fill for fill, e in expected.items() if np.array_equal(found[: len(e)], e)]
    if not fills or not has_long_run(data):
        return bool(fills)
    length = table.book[0]
    count = int(length[image.first_line() & 0xFFFF].sum())
    for block in image.blocks():
        count += int(length[_differences(block, image.predictor) & 0xFFFF].sum())
    return 8 * (len(data) - data.count(b"\xff\x00")) - count in fills


def _moved(bits: int) -> int:
    return int((1 << 15) - (1 << (bits - 1)))


def _front(table: HuffmanTable, columns: int, *, archive: bool) -> _Front | None:
    """Write the lines in front: none by T.81; None where the table has no code for zero."""
    if not archive:
        return _Front(lines=0, data=b"")
    if 0 not in table.codes:
        return None
    zero = bits_of(0, table)
    # As many lines as fill whole bytes, so that the data behind need no shifting.
    lines = 8 // math.gcd(8, columns * len(zero))
    # Eight codes fill whole bytes, so the bits repeat; a long line is not written out as text.
    repeats, rest = divmod(lines * columns, 8)
    return _Front(lines=lines, data=stuffed(zero * 8) * repeats + stuffed(zero * rest))


def _whole(data: bytes) -> bytes:
    return data + b"\x00" if data.endswith(b"\xff") else data


def _witnesses(table: HuffmanTable) -> list[int]:
    """Differences of all kinds that a table has codes for, in an order without a period."""
    categories = sorted(table.codes)
    result = []
    for i in range(WITNESSES):
        noise = _NOISE >> (3 * i)
        category = categories[noise % len(categories)]
        low = (noise >> 2) & ((1 << category) - 1)
        result.append(_difference(category, low))
    return result


def _difference(category: int, low: int) -> int:
    if category in (0, LARGEST_CATEGORY):
        return category << 11
    return low if low >> (category - 1) else low - (1 << category) + 1


def _tail(table: HuffmanTable) -> bytes:
    bits = "".join(bits_of(difference, table) for difference in _witnesses(table))
    return stuffed(bits + "0" * (-len(bits) % 8))


def _expected(data: bytes, tail: bytes, table: HuffmanTable) -> dict[int, NDArray[np.int32]]:
    """Read the witnesses as libjpeg does behind 0 to 7 bits that fill up the data's last byte.

    The bits that fill up are read as codes too and shift what follows, so each number of them gives
    another row of differences; all of them are unlike any other stretch of the witnesses.
    """
    closed = table.closed()
    if not data or closed is None:
        return {}
    last = b"\xff" if data.endswith((b"\xff\x00", b"\xff")) else data[-1:]
    text = f"{last[0]:08b}" + "".join(f"{b:08b}" for b in tail.replace(b"\xff\x00", b"\xff"))
    result = {}
    for fill in range(8):
        bits = text[8 - fill :]
        found = read_differences(stuffed(bits[: len(bits) // 8 * 8]), [closed], WITNESSES - 16)
        if len(found.values) == WITNESSES - 16:
            result[fill] = found.values
    return result


def _libjpeg(header: bytes, parts: tuple[bytes, ...]) -> NDArray[np.uint16] | None:
    """Decode coded data by T.81; None where libjpeg refuses."""
    try:
        image = imagecodecs.jpeg8_decode(b"".join((header, *parts, b"\xff\xd9")))
    except imagecodecs.Jpeg8Error:
        return None
    return np.asarray(image, np.uint16)


def header_of(table: HuffmanTable, shape: tuple[int, int], precision: int, predictor: int) -> bytes:
    """Write a header as the program behind DDSM does: SOI, SOF3, DHT, SOS and nothing else."""
    rows, columns = shape
    count = len(table.values)
    return b"".join(
        (
            b"\xff\xd8\xff\xc3\x00\x0b",
            bytes((precision, *divmod(rows, 256), *divmod(columns, 256), 1, 1, 0x11, 0)),
            b"\xff\xc4",
            (19 + count).to_bytes(2, "big"),
            bytes((0, *table.counts, *table.values)),
            b"\xff\xda\x00\x08\x01\x01\x00",
            bytes((predictor, 0, 0)),
        )
    )


def _differences(lines: NDArray[np.uint16], predictor: int) -> NDArray[np.int32]:
    """Differences of all lines but the first, in one row, int32 in [-32767, 32768]."""
    now = lines.astype(np.int32)
    left, above, corner = now[1:, :-1], now[:-1, 1:], now[:-1, :-1]
    guess = now[:-1].copy()
    guess[:, 1:] = predicted(predictor, left, above, corner)
    return _signed((now[1:] - guess).reshape(-1))


def _signed(change: NDArray[np.int32]) -> NDArray[np.int32]:
    change = change & 0xFFFF
    return np.where(change > 32768, change - 65536, change).astype(np.int32)


def _has_false_codes(image: _Framed, *, begins: bool) -> bool:
    """Tell whether a difference is 32768, as bits that are no code read (see `closed`).

    `begins` says that the first one rightly is. With fewer than 16 bits a sample such a difference
    leaves the range and needs no search.
    """
    if (image.first_line()[int(begins) :] == 1 << 15).any():
        return True
    # From samples below 32768 these predictors stay there too, and 32768 more would be above.
    low = int(image.raw[image.begin : image.end].max()) < 1 << 15
    if low and image.predictor in (1, 2, 3, 7):
        return False
    return any(_steps_by_half(block, image.predictor) for block in image.blocks())


def _steps_by_half(lines: NDArray[np.uint16], predictor: int) -> bool:
    """Tell whether a difference behind the first line is 32768."""
    if predictor != 7:
        return bool((_differences(lines, predictor) == 32768).any())
    left, above = lines[1:, :-1], lines[:-1, 1:]
    # Half the sum without the bit that 16 bits have no room for; DDSM's predictor, so it is quick.
    guess = (left & above) + ((left ^ above) >> 1)
    return bool(
        (guess ^ 0x8000 == lines[1:, 1:]).any() or (lines[:-1, 0] ^ 0x8000 == lines[1:, 0]).any()
    )


def _in_range(raw: NDArray[np.uint16], bits: int) -> NDArray[np.uint16] | None:
    """Undo the move; None where a sample leaves its range."""
    if bits == 16:
        return raw
    low, moved = int(raw.min()), _moved(bits)
    if low < moved or int(raw.max()) >= moved + (1 << bits):
        return None
    raw -= np.uint16(moved)
    return raw
