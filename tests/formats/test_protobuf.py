"""Messages of protocol buffers; examples are those of the format's own documentation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.formats.protobuf import fields, message, varint, whole_number


def packed(value: int) -> bytes:
    """Seven bits a byte, the low ones first, as the documentation says."""
    out = []
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def test_the_documentations_examples_are_read():
    assert varint(bytes([0x96, 0x01]), 0) == (150, 2)
    assert list(fields(bytes.fromhex("089601"))) == [(1, 150)]
    number, value = next(fields(bytes.fromhex("120774657374696e67")))
    assert (number, bytes(message(value))) == (2, b"testing")


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_every_number_of_64_bits_is_read_where_it_stands(value, before):
    data = before + packed(value) + b"\xff"
    assert varint(data, len(before)) == (value, len(data) - 1)


def test_fields_of_a_fixed_size_are_given_as_their_bytes():
    data = bytes([0x0D, 1, 2, 3, 4, 0x11, 1, 2, 3, 4, 5, 6, 7, 8])
    assert [(n, bytes(v)) for n, v in fields(data)] == [(1, data[1:5]), (2, data[6:])]


def test_a_negative_number_is_its_complement_of_two():
    assert whole_number(2**64 - 2) == -2


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\x08", "cut short"),
        (b"\x08\xff\xff", "cut short"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "64 bits"),
        (b"\x08" + b"\x80" * 11, "64 bits"),
        (b"\x12\x05abc", "longer"),
        (b"\x0d\x01\x02", "longer"),
        (b"\x0b", "kind 3"),
        (b"\x02\x00", "number 0"),
    ],
)
def test_what_is_no_message_is_refused(data, fault):
    with pytest.raises(ValueError, match=fault):
        list(fields(data))


def test_a_field_of_another_kind_than_expected_is_refused():
    with pytest.raises(ValueError, match="bytes stand"):
        whole_number(memoryview(b"a"))
    with pytest.raises(ValueError, match="number stands"):
        message(3)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    try:
        read = list(fields(data))
    except ValueError:
        return
    assert sum(1 for _ in read) <= len(data)
