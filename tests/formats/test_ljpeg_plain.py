"""The plain decoder against one that takes a sample at a time, as the text of T.81 reads."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.ljpeg_huffman import HuffmanTable, bits_of, stuffed
from mammoscope.formats.ljpeg_plain import PIECE_BYTES, read_differences, samples_of

# All categories with codes of 5 bits: 17 of 32.
FLAT = HuffmanTable((0, 0, 0, 0, 17, *[0] * 11), tuple(range(17)))
OTHER = HuffmanTable((1, 0, 0, 0, 0, 16, *[0] * 10), (2, *range(2), *range(3, 17)))


def coded(differences, *tables):
    bits = "".join(bits_of(d, tables[i % len(tables)]) for i, d in enumerate(differences))
    return stuffed(bits + "1" * (-len(bits) % 8))


def slowly(differences, predictor, bits, archive):
    """T.81, H.1.2, and the archive's first line (a line of 2^(bits-1) above it), one by one."""
    rows, columns = differences.shape
    middle = 1 << (bits - 1)
    x = np.zeros((rows, columns), int)
    for r in range(rows):
        for c in range(columns):
            left = int(x[r, c - 1]) if c else middle
            above = int(x[r - 1, c]) if r else middle
            corner = int(x[r - 1, c - 1]) if r and c else middle
            guess = {
                1: left,
                2: above,
                3: corner,
                4: left + above - corner,
                5: left + ((above - corner) >> 1),
                6: above + ((left - corner) >> 1),
                7: (left + above) >> 1,
            }[predictor]
            if c == 0:
                guess = above
            elif r == 0 and not archive:
                guess = left
            x[r, c] = (guess + int(differences[r, c])) % (1 << bits)
    return x


differences = st.lists(st.integers(-32767, 32768), max_size=60)


@settings(deadline=None)
@given(differences, st.integers(1, 3))
def test_differences_read_back_whatever_tables_take_turns(values, turns):
    tables = [FLAT, OTHER, FLAT][:turns]
    found = read_differences(coded(values, *tables), tables, len(values))
    assert found.values.tolist() == values
    assert found.fault == ""


def test_differences_read_back_across_pieces():
    rng = np.random.default_rng(1)
    values = rng.integers(-32767, 32769, PIECE_BYTES).tolist()
    data = coded(values, FLAT, OTHER)
    assert len(data) > 2 * PIECE_BYTES
    assert read_differences(data, [FLAT, OTHER], len(values)).values.tolist() == values


@given(differences.filter(bool), st.data())
def test_cut_data_give_the_differences_before_the_cut(values, data):
    whole = coded(values, FLAT)
    # A zero byte that is only stuffed carries nothing.
    cut = data.draw(st.integers(0, len(whole) - 1 - whole.endswith(b"\xff\x00")))
    found = read_differences(whole[:cut], [FLAT], len(values))
    count = len(found.values)
    assert found.values.tolist() == values[:count]
    assert count < len(values)
    assert found.fault == "the data end too early"


def test_data_behind_the_last_difference_are_a_fault():
    found = read_differences(coded([5, 6, 7, 8], FLAT), [FLAT], 2)
    assert found.values.tolist() == [5, 6]
    assert found.fault == "the data go on behind the last pixel"


@pytest.mark.parametrize(
    ("more", "fault"), [(b"\xff\x00", ""), (b"\xff\x00" * 2, "go on"), (b"a", "go on")]
)
def test_one_byte_of_ones_behind_the_last_difference_fills_up(more, fault):
    values = [5, 6, 7]
    found = read_differences(coded(values, FLAT) + more, [FLAT], 3)
    assert found.values.tolist() == values
    assert fault in found.fault
    assert bool(fault) == bool(found.fault)


def test_bits_that_are_no_code_are_a_fault():
    found = read_differences(coded([5, 6], FLAT)[:1] + b"\xfe" * 9, [FLAT], 9)
    assert found.fault == "some bits are no code"


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("archive", [True, False])
@settings(max_examples=15, deadline=None)
@given(shape=st.tuples(st.integers(1, 9), st.integers(1, 9)), seed=st.integers(0, 2**32))
@example(shape=(9, 9), seed=1)
def test_samples_equal_those_taken_one_by_one(predictor, archive, shape, seed):
    values = np.random.default_rng(seed).integers(-32767, 32769, shape, dtype=np.int32)
    found = samples_of(values, predictor, 16, archive=archive)
    assert np.array_equal(found, slowly(values, predictor, 16, archive))


def test_the_archives_first_line_begins_as_its_genuine_file_does():
    # The first samples of A_0002_1.RIGHT_CC by either convention (DDSM's facts, 5.1).
    known = np.array([103, 51, 29, 30, 23, 26, 28, 27])
    by_t81 = [103, 49255, 32875, 16507, 131]
    changes = known - np.concatenate([[32768], (known[:-1] + 32768) >> 1])
    values = changes.astype(np.int32)[None]
    assert samples_of(values, 7, 16, archive=True)[0].tolist() == known.tolist()
    assert samples_of(values, 7, 16, archive=False)[0, :5].tolist() == by_t81


def test_differences_kept_modulo_the_range_are_taken_so():
    # 12 bits: 2048, then 2 more and 3 less, written as 2 - 4096 and 4096 - 3.
    values = np.array([[0, 2 - 4096, 4096 - 3]], np.int32)
    assert samples_of(values, 1, 12, archive=False).tolist() == [[2048, 2050, 2047]]


@pytest.mark.parametrize("shape", [(1, 3), (3, 1)])
def test_leaving_the_range_otherwise_is_damage(shape):
    values = np.array([0, 2000, 100], np.int32).reshape(shape)
    with pytest.raises(CorruptFileError, match="leave the range"):
        samples_of(values, 1, 12, archive=False)


def test_leaving_the_range_once_is_damage_even_where_it_shortens():
    values = np.zeros((20, 20), np.int32)
    values[0, 19] = 4090
    with pytest.raises(CorruptFileError, match="leave the range"):
        samples_of(values, 1, 12, archive=False)


def test_leaving_the_range_inside_the_image_is_damage():
    values = np.zeros((3, 3), np.int32)
    values[1, 1:] = 2047, 1100
    with pytest.raises(CorruptFileError, match="leave the range"):
        samples_of(values, 7, 12, archive=True)
