"""The quick way gives what the plain one gives, or nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.formats.jpeg_markers import ScanData, read_stream
from mammoscope.formats.ljpeg_encode import encode_ljpeg
from mammoscope.formats.ljpeg_huffman import HuffmanTable, bits_of, stuffed
from mammoscope.formats.ljpeg_plain import samples_of
from mammoscope.formats.ljpeg_quick import Size, decode, has_long_run, is_quick
from mammoscope.formats.ljpeg_scan import planes_of, read_scan


def noise(rows, columns, seed=0, bits=12):
    image = np.random.default_rng(seed).normal(0, 12, (rows, columns)).cumsum(axis=1)
    return (image + 1000).clip(0, (1 << bits) - 1).astype(np.uint16)


def parts(image, **settings):
    stream = read_stream(encode_ljpeg(image, **settings))
    bits = stream.precision
    return stream.scans[0], Size(rows=stream.rows, columns=stream.columns, bits=bits)


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("shape", [(40, 33), (64, 3), (5, 64), (50, 1)])
def test_films_go_the_quick_way(shape, predictor, archive, bits):
    image = noise(*shape)
    convention = "archive" if archive else "t81"
    scan, size = parts(image, predictor=predictor, precision=bits, convention=convention)
    assert is_quick(scan, size)
    found = decode(scan, size, archive=archive)
    if found is None:
        # Only a table without a code for zero stands in the way of the archive's first line.
        assert archive
        assert 0 not in scan.tables[0].values
    else:
        assert np.array_equal(found, image)


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("predictor", range(1, 8))
def test_bright_films_of_sixteen_bits_go_the_quick_way(predictor, archive):
    ramp = np.linspace(20000, 60000, 130 * 300).reshape(130, 300)
    image = (ramp + noise(130, 300)).astype(np.uint16)
    convention = "archive" if archive else "t81"
    scan, size = parts(image, predictor=predictor, convention=convention)
    found = decode(scan, size, archive=archive)
    assert found is not None
    assert np.array_equal(found, image)


def test_a_step_of_half_the_range_is_left_to_the_plain_decoder():
    # Such a difference may be right or come from bits that are no code; the quick way cannot tell.
    image = noise(130, 300) + np.uint16(30000)
    image[70, 150] = ((int(image[70, 149]) + int(image[69, 150])) >> 1) - 32768 & 0xFFFF
    scan, size = parts(image)
    assert 16 in scan.tables[0].values
    assert decode(scan, size, archive=True) is None


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.data())
def test_changed_data_give_what_the_plain_decoder_gives_or_nothing(seed, data):
    scan, size = parts(noise(12, 20, seed % 7), convention="t81")
    coded = bytearray(scan.segments[0])
    at = data.draw(st.integers(0, len(coded) - 1))
    coded[at] = data.draw(st.integers(0, 254))
    coded = coded.replace(b"\xff", b"\xff\x00") if data.draw(st.booleans()) else coded[:at]
    damaged = type(scan)(
        places=scan.places,
        tables=scan.tables,
        predictor=scan.predictor,
        point_transform=0,
        restart_interval=0,
        segments=(bytes(coded),),
    )
    if not is_quick(damaged, size):
        return
    found = decode(damaged, size, archive=False)
    if found is not None:
        plain = read_scan(damaged, size.rows * size.columns)
        assert plain.fault == ""
        shape = (size.rows, size.columns)
        (known,) = planes_of(damaged, plain.values, shape, 16, archive=False)
        assert np.array_equal(found, known)


def test_bits_that_are_no_code_are_not_taken_for_zero():
    # Many 1-bits within the data: libjpeg reads sixteen of them as a difference of zero.
    image = noise(12, 20)
    scan, size = parts(image, convention="t81")
    caught = 0
    for at in range(3, len(scan.segments[0]) - 8, 5):
        run = b"\xff\x00" * (at % 4 + 3)
        coded = scan.segments[0][:at] + b"\xfe" + run + scan.segments[0][at + 3 :]
        damaged = type(scan)(
            places=(0,),
            tables=scan.tables,
            predictor=7,
            point_transform=0,
            restart_interval=0,
            segments=(coded,),
        )
        plain = read_scan(damaged, size.rows * size.columns)
        caught += plain.fault == "some bits are no code"
        if plain.fault:
            assert decode(damaged, size, archive=False) is None
    assert caught > 3


def test_a_run_of_ones_is_told_from_bytes_of_ones_nearby():
    assert has_long_run(b"a" + b"\xff\x00" * 3)
    assert not has_long_run(b"\xff\x00\xff\x00a\xff\x00")
    assert not has_long_run(b"")


def test_an_image_of_one_grey_goes_the_plain_way():
    scan, size = parts(np.full((5, 5), 32768, np.uint16))
    assert not is_quick(scan, size)


def test_too_little_data_for_the_pixels_go_the_plain_way():
    scan, _ = parts(noise(12, 20))
    assert not is_quick(scan, Size(rows=10000, columns=10000, bits=16))


@pytest.mark.parametrize("archive", [True, False])
def test_sound_data_with_a_long_run_of_ones_still_go_the_quick_way(archive):
    # Codes 0, 10, 110 and so on to fifteen 1-bits and a 0 for category 15, which itself brings
    # fifteen more when its difference is 32767.
    order = (3, 2, 1, 0, *range(4, 16))
    table = HuffmanTable((1,) * 16, order)
    values = [5, -3, 32767, 32767, 1, 0, 32767, 32767, -2, 7] * 12
    bits = "".join(bits_of(value, table) for value in values)
    data = stuffed(bits + "1" * (-len(bits) % 8))
    assert has_long_run(data)
    scan = ScanData(
        places=(0,),
        tables=(table,),
        predictor=1,
        point_transform=0,
        restart_interval=0,
        segments=(data,),
    )
    known = samples_of(np.array(values, np.int32).reshape(10, 12), 1, 16, archive=archive)
    found = decode(scan, Size(rows=10, columns=12, bits=16), archive=archive)
    assert found is not None
    assert np.array_equal(found, known)
