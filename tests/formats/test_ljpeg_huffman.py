import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.ljpeg_huffman import HuffmanTable, bits_of, stuffed

# Codes 0, 10, 110 for the categories 0, 1 and 3.
SMALL = HuffmanTable((1, 1, 1, *[0] * 13), (0, 1, 3))


def test_codes_are_given_out_in_rising_order():
    assert SMALL.codes == {0: (0, 1), 1: (2, 2), 3: (6, 3)}


@pytest.mark.parametrize(
    ("difference", "bits"),
    [(0, "0"), (1, "101"), (-1, "100"), (7, "110111"), (4, "110100"), (-7, "110000")],
)
def test_differences_are_written_as_the_standard_says(difference, bits):
    assert bits_of(difference, SMALL) == bits


def test_a_difference_of_32768_has_no_further_bits():
    table = HuffmanTable((2, *[0] * 15), (0, 16))
    assert bits_of(32768, table) == "1"


def test_the_book_holds_what_is_written_for_every_difference():
    table = HuffmanTable((0, 0, 0, 0, 17, *[0] * 11), tuple(range(17)))
    length, code = table.book
    for difference in [*range(-700, 700), *range(-32767, 32768, 97), 32768]:
        bits = bits_of(difference, table)
        assert f"{code[difference % 65536]:0{length[difference % 65536]}b}" == bits


def test_sixteen_bits_are_looked_up():
    code_bits, category = SMALL.lookup
    assert (code_bits[0b0100 << 12], category[0b0100 << 12]) == (1, 0)
    assert (code_bits[0b1101 << 12], category[0b1101 << 12]) == (3, 3)
    assert SMALL.steps[0b1101 << 12] == 6
    assert SMALL.steps[0b1110 << 12] == 64


def test_closing_keeps_the_codes_and_leaves_only_sixteen_ones():
    closed = SMALL.closed()
    assert closed is not None
    assert closed.counts == (1,) * 16
    assert closed.values[:3] == (0, 1, 3)
    assert set(closed.values[3:]) == {16}
    assert closed.free_codes == 1
    assert np.flatnonzero(closed.steps >= 64).tolist() == [65535]


def test_a_table_with_too_few_codes_is_not_closed():
    assert HuffmanTable((0,) * 15 + (1,), (0,)).closed() is None


def test_a_full_table_is_not_closed():
    assert HuffmanTable((2, *[0] * 14, 0), (0, 1)).closed() is None


@pytest.mark.parametrize(
    ("counts", "values", "what"),
    [
        ((3, *[0] * 15), (0, 1, 2), "impossible"),
        ((0,) * 16, (), "impossible"),
        ((1, *[0] * 15), (17,), "category 17"),
    ],
)
def test_impossible_tables_are_refused(counts, values, what):
    with pytest.raises(CorruptFileError, match=what):
        HuffmanTable(counts, values)


@given(st.integers(0, 2**64 - 1))
def test_a_zero_byte_follows_each_byte_of_ones(number):
    data = stuffed(f"{number:064b}")
    assert data.replace(b"\xff\x00", b"\xff") == number.to_bytes(8, "big")
    assert data.count(b"\xff") == data.count(b"\xff\x00")
