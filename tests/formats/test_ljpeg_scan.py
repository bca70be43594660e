"""Restarts and several components, in streams made here from known samples."""

import numpy as np
import pytest

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.ljpeg import decode_ljpeg
from mammoscope.formats.ljpeg_huffman import HuffmanTable, bits_of, stuffed

FLAT = HuffmanTable((0, 0, 0, 0, 17, *[0] * 11), tuple(range(17)))
DHT = b"\xff\xc4" + (36).to_bytes(2, "big") + bytes((0, *FLAT.counts, *FLAT.values))
ROWS, COLUMNS = 6, 5


def known(count):
    shape = (ROWS, COLUMNS, count)
    return np.random.default_rng(count).integers(90, 120, shape).astype(np.uint8)


def frame(count):
    parts = b"".join(bytes((i + 1, 0x11, 0)) for i in range(count))
    return b"\xff\xc3" + bytes((0, 8 + 3 * count, 8, 0, ROWS, 0, COLUMNS, count)) + parts


def scan(places, shift=0):
    parts = b"".join(bytes((i + 1, 0)) for i in places)
    head = bytes((0, 6 + 2 * len(places), len(places)))
    return b"\xff\xda" + head + parts + bytes((2, 0, shift))


def differences(image, first_row):
    """By predictor 2; in `first_row`s from the left, and the very first from 128."""
    wide = image.astype(int)
    result = np.diff(wide, axis=0, prepend=0)
    for row in first_row:
        result[row] = np.diff(wide[row], prepend=128)
    return result


def coded(values):
    bits = "".join(bits_of(int(v), FLAT) for v in values)
    return stuffed(bits + "1" * (-len(bits) % 8))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_components_that_take_turns_are_parted(count):
    image = known(count)
    turns = np.stack([differences(image[..., i], [0]) for i in range(count)], axis=-1)
    data = coded(turns.reshape(-1))
    whole = b"\xff\xd8" + frame(count) + DHT + scan(range(count)) + data + b"\xff\xd9"
    assert np.array_equal(decode_ljpeg(whole, convention="t81"), image)


def test_components_in_scans_of_their_own_are_put_together():
    image = known(3)
    scans = [scan([i]) + coded(differences(image[..., i], [0]).reshape(-1)) for i in (2, 0, 1)]
    whole = b"\xff\xd8" + frame(3) + DHT + b"".join(scans) + b"\xff\xd9"
    assert np.array_equal(decode_ljpeg(whole, convention="t81"), image)


def with_restarts(image, first_row, interval):
    values = differences(image, first_row).reshape(-1)
    pieces = [coded(values[i : i + interval]) for i in range(0, len(values), interval)]
    data = pieces[0]
    for i, piece in enumerate(pieces[1:]):
        data += bytes((0xFF, 0xD0 + i % 8)) + piece
    dri = b"\xff\xdd\x00\x04" + interval.to_bytes(2, "big")
    return b"\xff\xd8" + frame(1) + dri + DHT + scan([0]) + data + b"\xff\xd9"


@pytest.mark.parametrize("lines", [1, 2, 4, 6])
def test_restarts_begin_anew_by_the_standard(lines):
    image = known(1)[..., 0]
    stream = with_restarts(image, range(0, ROWS, lines), lines * COLUMNS)
    assert np.array_equal(decode_ljpeg(stream, convention="t81"), image)


def archive_values(image):
    """By predictor 2 from a line of 128 above, as the archive's program does."""
    return np.diff(image.astype(int), axis=0, prepend=np.full((1, COLUMNS), 128))


@pytest.mark.parametrize("interval", [5, 10, 7, 30])
def test_restarts_change_nothing_by_the_archives_program(interval, monkeypatch):
    image = known(1)[..., 0]
    monkeypatch.setitem(globals(), "differences", lambda image, _: archive_values(image))
    stream = with_restarts(image, [], interval)
    assert np.array_equal(decode_ljpeg(stream, convention="archive"), image)
    if interval % COLUMNS:
        assert np.array_equal(decode_ljpeg(stream), image)
        with pytest.raises(CorruptFileError, match="do not fit lines"):
            decode_ljpeg(stream, convention="t81")


def test_a_missing_interval_is_named_by_its_rows():
    image = known(1)[..., 0]
    stream = with_restarts(image, range(ROWS), COLUMNS)
    cut = stream[: stream.index(b"\xff\xd3")] + b"\xff\xd9"
    with pytest.raises(CorruptFileError, match="4 of 6 rows"):
        decode_ljpeg(cut, convention="t81")
    assert np.array_equal(decode_ljpeg(cut, convention="t81", partial=True), image[:4])


def test_an_interval_too_many_is_refused():
    image = known(1)[..., 0]
    stream = with_restarts(image, range(ROWS), COLUMNS)
    more = stream[:-2] + b"\xff\xd5\x12\xff\xd9"
    with pytest.raises(CorruptFileError, match="go on behind"):
        decode_ljpeg(more, convention="t81")


def test_the_point_transform_is_undone():
    image = known(1)[..., 0] >> 3 << 3
    values = differences(image >> 3, [0])
    values[0, 0] = int(image[0, 0] >> 3) - 16
    whole = b"\xff\xd8" + frame(1) + DHT + scan([0], 3) + coded(values.reshape(-1)) + b"\xff\xd9"
    assert np.array_equal(decode_ljpeg(whole, convention="t81"), image)
