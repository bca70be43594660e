"""Streams as the program behind DDSM writes them, held against its own and read back."""

import hashlib
import json
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mammoscope.formats.ljpeg import decode_ljpeg
from mammoscope.formats.ljpeg_encode import _table_of, encode_ljpeg

precisions = st.integers(2, 16)


@st.composite
def images(draw, precision=precisions):
    bits = draw(precision)
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))
    values = st.integers(0, (1 << bits) - 1)
    return draw(hnp.arrays(np.uint16, shape, elements=values)), bits


@settings(max_examples=80, deadline=None)
@given(images(), st.integers(1, 7), st.sampled_from(["archive", "t81"]), st.booleans())
def test_what_is_written_reads_back_as_it_was(case, predictor, convention, exchanged):
    image, bits = case
    stream = encode_ljpeg(
        image,
        precision=bits,
        predictor=predictor,
        convention=convention,
        header_rows_columns_exchanged=exchanged,
    )
    shape = image.shape[::-1] if exchanged else image.shape
    back = decode_ljpeg(stream, convention=convention)
    assert back.shape == shape
    assert np.array_equal(back.reshape(image.shape), image)


@settings(max_examples=40, deadline=None)
@given(images(st.integers(9, 16)), st.integers(1, 7))
def test_libjpeg_reads_what_is_written_by_the_standard(case, predictor):
    image, bits = case
    stream = encode_ljpeg(image, precision=bits, predictor=predictor, convention="t81")
    assert np.array_equal(imagecodecs.jpeg8_decode(stream), image)


def test_an_image_of_several_blocks_reads_back():
    rng = np.random.default_rng(5)
    image = (rng.normal(0, 20, (70, 2100)).cumsum(axis=1) + 2048).clip(0, 4095).astype(np.uint16)
    assert np.array_equal(decode_ljpeg(encode_ljpeg(image)), image)


def test_two_pixels_by_hand():
    # 32768 and 32767: differences 0 and, from (32768 + 32768) / 2, -1. Both occur once, as does the
    # extra category of annex K.2, which joins the larger of the two first: codes 0 and 10.
    stream = encode_ljpeg(np.array([[32768, 32767]], np.uint16))
    header = "ffd8 ffc3000b1000010002 01011100 ffc40015 00 0101" + "00" * 14 + "0001"
    # 0, 10 and the bit 0 of -1, then 1-bits: 0100 1111.
    assert stream == bytes.fromhex(header + "ffda0008010100070000 4f ffd9")


def test_long_codes_are_brought_to_sixteen_bits():
    # A degenerate tree: one code of each length and two of the longest, 17.
    table = _table_of({i: min(i + 1, 17) for i in range(18)})
    assert sum(table.counts) == 17
    assert table.free_codes == 1


@pytest.mark.parametrize(
    ("image", "settings"),
    [
        (np.zeros((2, 2), np.int16), {}),
        (np.zeros((2, 2, 3), np.uint8), {}),
        (np.zeros((0, 2), np.uint8), {}),
        (np.zeros((1, 65536), np.uint8), {}),
        (np.full((2, 2), 4096, np.uint16), {"precision": 12}),
        (np.zeros((2, 2), np.uint16), {"precision": 17}),
        (np.zeros((2, 2), np.uint16), {"predictor": 0}),
        (np.zeros((2, 2), np.uint16), {"convention": "pvrg"}),
    ],
)
def test_what_cannot_be_written_is_refused(image, settings):
    with pytest.raises(ValueError, match=r"expected|too long|values of more|there is no"):
        encode_ljpeg(image, **settings)


@pytest.mark.real
def test_streams_of_the_archives_program_are_written_byte_for_byte(shared_data: Path):
    folder = shared_data / "ddsm/ljpeg/minicase"
    records = json.loads((folder / "index.json").read_text())
    assert len(records) == 20
    for record in records:
        path = folder / record["path"]
        image = np.load(path.with_name(path.name + ".npy"))
        ours = encode_ljpeg(image, header_rows_columns_exchanged=record["header_swapped"])
        assert ours == path.read_bytes(), record["path"]


@pytest.mark.real
def test_vectors_of_the_archives_program_are_written_byte_for_byte(shared_data: Path):
    folder = shared_data / "ddsm/ljpeg/vectors"
    count = 0
    for record in json.loads((folder / "index.json").read_text()):
        plain = not (record["restart_interval"] or record["point_transform"])
        if record["convention"] != "pvrg" or record["components"] > 1 or not plain:
            continue
        ours = encode_ljpeg(
            np.load(folder / record["pixels"]),
            precision=record["precision"],
            predictor=record["predictor"],
            header_rows_columns_exchanged=bool(record.get("swapped")),
        )
        assert hashlib.sha256(ours).hexdigest() == record["sha256"], record["name"]
        count += 1
    assert count == 23
