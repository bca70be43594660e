"""Huffman tables of lossless JPEG (ITU-T T.81, annexes C and H): what a run of bits stands for."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError

LONGEST_CODE = 16
LARGEST_CATEGORY = 16
"""Differences of category 16 are 32768 and carry no further bits (T.81, table H.2)."""
NO_CODE = 64
"""Length given to bits that are no code; a code with its further bits has at most 31."""


@dataclass(frozen=True)
class HuffmanTable:
    """One table: how many codes there are of each length, and the categories in order of code.

    Attributes
    ----------
    counts : 16 numbers, of codes of 1 to 16 bits
    values : as many categories (0 to 16) as there are codes

    Raises
    ------
    CorruptFileError
        When no set of codes has these counts, or a category does not exist.
    """

    counts: tuple[int, ...]
    values: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.free_codes < 0 or not self.values:
            raise CorruptFileError(
                "The Huffman table of the LJPEG stream is impossible (no set of codes has its "
                "counts); get the file again."
            )
        if max(self.values) > LARGEST_CATEGORY:
            raise CorruptFileError(
                f"The Huffman table of the LJPEG stream names category {max(self.values)}, the "
                "largest is 16; get the file again."
            )

    @property
    def free_codes(self) -> int:
        """How many codes of 16 bits are left over; negative when the counts are impossible."""
        return int((1 << LONGEST_CODE) - sum(n << (15 - i) for i, n in enumerate(self.counts)))

    @cached_property
    def codes(self) -> dict[int, tuple[int, int]]:
        """The code of each category and its length in bits; the first where there are several."""
        result: dict[int, tuple[int, int]] = {}
        code = place = 0
        for length, count in enumerate(self.counts, start=1):
            for _ in range(count):
                result.setdefault(self.values[place], (code, length))
                code += 1
                place += 1
            code <<= 1
        return result

    @cached_property
    def lookup(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """What 16 bits begin with.

        Returns
        -------
        code_bits : ndarray of shape (65536,), uint8: length of the code, `NO_CODE` for none
        category : ndarray of shape (65536,), uint8
        """
        code_bits = np.full(1 << LONGEST_CODE, NO_CODE, np.uint8)
        category = np.zeros(1 << LONGEST_CODE, np.uint8)
        begin = place = 0
        for length, count in enumerate(self.counts, start=1):
            width = 1 << (LONGEST_CODE - length)
            for value in self.values[place : place + count]:
                code_bits[begin : begin + width] = length
                category[begin : begin + width] = value
                begin += width
            place += count
        return code_bits, category

    @cached_property
    def steps(self) -> NDArray[np.uint8]:
        """Bits to the next difference for each 16 bits, shape (65536,); from 64 on for no code."""
        code_bits, category = self.lookup
        further = np.where(category == LARGEST_CATEGORY, 0, category)
        return (code_bits + further).astype(np.uint8)

    @cached_property
    def book(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """What is written for each difference modulo 2^16.

        Returns
        -------
        length, code : ndarray of shape (65536,), uint64: how many bits (0 where there is no code),
            and these bits
        """
        length = np.zeros(1 << 16, np.uint64)
        code = np.zeros(1 << 16, np.uint64)
        for category in self.codes:
            # The smallest positive and the smallest negative difference; the rest count up.
            smallest = 1 << category >> 1
            steps = np.arange(max(1, smallest) if category < LARGEST_CATEGORY else 1)
            for first in {smallest, 1 - (1 << category)} if 0 < category < 16 else {smallest}:
                bits = bits_of(first, self)
                length[first + steps] = len(bits)
                code[first + steps] = int(bits, 2) + steps
        return length, code

    def closed(self) -> "HuffmanTable | None":
        """Give the table further codes until only sixteen 1-bits are no code.

        The codes that it has stay as they are. The new ones are for category 16: a difference of
        32768 then tells that bits were read which may be no code. None when it would need too many.
        """
        counts = list(self.counts)
        last = max(i for i in range(LONGEST_CODE) if counts[i])
        spare = self.free_codes >> (15 - last)
        if not 1 <= spare <= 64:
            return None
        counts[last] += spare - 1
        for length in range(last + 1, LONGEST_CODE):
            counts[length] = 1
        fresh = sum(counts) - len(self.values)
        return HuffmanTable(tuple(counts), self.values + (LARGEST_CATEGORY,) * fresh)


def bits_of(difference: int, table: HuffmanTable) -> str:
    """Write a difference (-32767 to 32768) as the characters 0 and 1 of its code and bits."""
    category = abs(difference).bit_length()
    code, length = table.codes[category]
    text = f"{code:0{length}b}"
    if category in (0, LARGEST_CATEGORY):
        return text
    low = difference if difference > 0 else difference + (1 << category) - 1
    return text + f"{low:0{category}b}"


def stuffed(bits: str) -> bytes:
    """Turn characters 0 and 1 (a multiple of 8) into bytes, a zero byte after each 0xFF."""
    if not bits:
        return b""
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
