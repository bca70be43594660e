"""Arrays to lossless JPEG streams, as the program behind DDSM wrote them or by ITU-T T.81.

The streams are byte for byte those of that program (PVRG, Stanford 1993): its header, its way with
the first line, and the Huffman table of T.81's annex K.2 for the image.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mammoscope.formats.ljpeg_huffman import LARGEST_CATEGORY, LONGEST_CODE, HuffmanTable
from mammoscope.formats.ljpeg_plain import predicted
from mammoscope.formats.ljpeg_quick import header_of

LONGEST_SIDE = 65535
BLOCK_PX = 1 << 15
"""Pixels worked on at once: few enough that they stay in the processor's cache."""


def encode_ljpeg(
    image: NDArray[Any],
    *,
    precision: int = 16,
    predictor: int = 7,
    convention: Literal["archive", "t81"] = "archive",
    header_rows_columns_exchanged: bool = False,
) -> bytes:
    """Write an image as a lossless JPEG stream.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), uint8 or uint16 in [0, 2^precision)
    precision : bits of a sample that the header states, 2 to 16; DDSM has 16 for 12-bit films too
    predictor : 1 to 7; DDSM has 7
    convention : ``"archive"`` predicts the first line as the program behind DDSM, ``"t81"`` as the
        standard does
    header_rows_columns_exchanged : state rows and columns the wrong way round and code the samples,
        in their own order, under that line length, as in some of DDSM's files

    Returns
    -------
    bytes, from SOI to EOI

    Raises
    ------
    ValueError
        When the image is of another kind, or a value does not fit the precision.
    """
    if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16) or not image.size:
        raise ValueError(
            f"expected a 2-D image of uint8 or uint16, got {image.dtype} {image.shape}"
        )
    if max(image.shape) > LONGEST_SIDE:
        raise ValueError(f"a side of {max(image.shape)} pixels is too long for JPEG")
    if not (2 <= precision <= 16 and 1 <= predictor <= 7):
        raise ValueError(f"there is no precision {precision} or no predictor {predictor}")
    if convention not in ("archive", "t81"):
        raise ValueError(f"there is no convention {convention!r}")
    if int(image.max()) >> precision:
        raise ValueError(f"the image has values of more than {precision} bits")
    samples = np.ascontiguousarray(image, np.uint16)
    if header_rows_columns_exchanged:
        samples = samples.reshape(samples.shape[::-1])
    changes = _differences(samples, precision, predictor, archive=convention == "archive")
    table = _best_table(np.bincount(changes, minlength=1 << 16))
    header = header_of(table, (samples.shape[0], samples.shape[1]), precision, predictor)
    return b"".join((header, _packed(changes, table), b"\xff\xd9"))


def _differences(
    samples: NDArray[np.uint16], precision: int, predictor: int, *, archive: bool
) -> NDArray[np.uint16]:
    """All differences modulo 2^16, shape (rows * columns,)."""
    rows, columns = samples.shape
    middle = np.uint16(1 << (precision - 1))
    result = np.empty((rows, columns), np.uint16)
    step = max(1, BLOCK_PX // columns)
    for top in range(0, rows, step):
        now = samples[top : top + step]
        above = samples[top - 1 : top + len(now) - 1]
        if top == 0:
            above = np.vstack([np.full((1, columns), middle), now[:-1]])
        result[top : top + step] = now - _guess(now, above, predictor)
    if not archive:
        result[0, 1:] = np.diff(samples[0])
    return result.reshape(-1)


def _guess(
    now: NDArray[np.uint16], above: NDArray[np.uint16], predictor: int
) -> NDArray[np.uint16]:
    """Predict lines from themselves and the lines above; their first samples from above."""
    guess = above.copy()
    left, up, corner = now[:, :-1], above[:, 1:], above[:, :-1]
    if predictor == 7:
        # Half the sum without the bit that 16 bits have no room for.
        guess[:, 1:] = (left & up) + ((left ^ up) >> 1)
    else:
        wide = (part.astype(np.int32) for part in (left, up, corner))
        guess[:, 1:] = predicted(predictor, *wide).astype(np.uint16)
    return guess


def _best_table(counts: NDArray[np.int64]) -> HuffmanTable:
    """Make the table of T.81's annex K.2 for differences (modulo 2^16) of these counts.

    An extra category that occurs once takes the code of all 1-bits, which T.81 forbids.
    """
    signed = np.arange(1 << 16)
    categories = _category(np.where(signed > 32768, (1 << 16) - signed, signed))
    weight = np.bincount(categories, weights=counts, minlength=LARGEST_CATEGORY + 1).tolist()
    groups = [(count, [i]) for i, count in enumerate(weight) if count] + [(1, [17])]
    lengths = dict.fromkeys((i for _, (i,) in groups), 0)
    while len(groups) > 1:
        # K.2 joins the two rarest, of equals the one with the largest number first.
        groups.sort(key=lambda group: (group[0], -group[1][0]))
        (first, ours), (second, theirs) = groups[:2]
        joined = ours + theirs
        for i in joined:
            lengths[i] += 1
        groups = [(first + second, joined), *groups[2:]]
    return _table_of(lengths)


def _table_of(lengths: dict[int, int]) -> HuffmanTable:
    """Bring code lengths to 16 bits at most, drop the extra category, order by length."""
    counts = [0] * 33
    for length in lengths.values():
        counts[length] += 1
    for length in range(32, LONGEST_CODE, -1):
        while counts[length]:
            # K.2, figure K.3: two of the longest give way; one shorter code becomes two.
            shorter = next(j for j in range(length - 2, 0, -1) if counts[j])
            counts[length] -= 2
            counts[length - 1] += 1
            counts[shorter + 1] += 2
            counts[shorter] -= 1
    longest = max(i for i in range(LONGEST_CODE + 1) if counts[i])
    counts[longest] -= 1
    values = sorted((i for i in lengths if i != 17), key=lambda i: (lengths[i], i))
    return HuffmanTable(tuple(counts[1 : LONGEST_CODE + 1]), tuple(values))


def _category(size: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many bits a difference of this size (0 to 32768) has."""
    return np.frexp(size.astype(np.float64))[1].astype(np.int64)


def _packed(changes: NDArray[np.uint16], table: HuffmanTable) -> bytes:
    """Write the codes of all differences, 1-bits at the end, zero bytes stuffed."""
    length, code = table.book
    parts = []
    rest, held = 0, 0
    for begin in range(0, len(changes), BLOCK_PX):
        block = changes[begin : begin + BLOCK_PX]
        words, rest, held = _words(code[block], length[block], rest, held)
        parts.append(words.astype(">u8").tobytes())
    tail = (rest << 64 - held | (1 << 64 - held) - 1).to_bytes(8, "big")[: -(-held // 8)]
    return b"".join((*parts, tail)).replace(b"\xff", b"\xff\x00")


def _words(
    code: NDArray[np.uint64], length: NDArray[np.uint64], rest: int, held: int
) -> tuple[NDArray[np.uint64], int, int]:
    """Pack codes of up to 32 bits into whole words of 64, behind `held` bits that were left over.

    Returns the whole words, and the bits that are left over again with their number.
    """
    if len(code) % 2:
        code, length = np.append(code, np.uint64(0)), np.append(length, np.uint64(0))
    both = length[0::2] + length[1::2]
    pair = (code[0::2] << length[1::2]) | code[1::2]
    ends = np.cumsum(both) + np.uint64(held)
    begins = ends - both
    place = begins & np.uint64(63)
    # A pair has 2 to 62 bits, so it fills its word from `place` on and may reach into the next.
    top = pair << (np.uint64(64) - both)
    first = top >> place
    second = (top << (np.uint64(63) - place)) << np.uint64(1)
    word = (begins >> np.uint64(6)).astype(np.int64)
    total = int(ends[-1])
    result = np.zeros(total // 64 + 2, np.uint64)
    edges = np.flatnonzero(np.diff(word, prepend=-1))
    result[word[edges]] = np.bitwise_or.reduceat(first, edges)
    over = (ends >> np.uint64(6)).astype(np.int64) > word
    result[word[over] + 1] |= second[over]
    if held:
        result[0] |= np.uint64(rest << (64 - held))
    left = total % 64
    return result[: total // 64], int(result[total // 64]) >> (64 - left) if left else 0, left
