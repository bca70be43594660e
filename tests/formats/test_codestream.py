"""Sizes read out of compressed images, against the encoders that wrote them."""

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.formats.codestream import FrameSize, frame_size

GREY = np.arange(13 * 7, dtype=np.uint8).reshape(13, 7)
COLOUR = np.stack([GREY] * 3, -1)
ENCODERS = {
    "jpeg": imagecodecs.jpeg8_encode,
    "jpeg lossless": lambda image: imagecodecs.jpeg8_encode(image, lossless=True),
    "jpeg-ls": imagecodecs.jpegls_encode,
    "jpeg 2000": lambda image: imagecodecs.jpeg2k_encode(image, codecformat="j2k"),
    "jp2": lambda image: imagecodecs.jpeg2k_encode(image, codecformat="jp2"),
    "high throughput": imagecodecs.htj2k_encode,
}


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize(("image", "channels"), [(GREY, 1), (COLOUR, 3)])
def test_the_size_is_that_of_the_image_encoded(kind, image, channels):
    assert frame_size(bytes(ENCODERS[kind](image))) == FrameSize(13, 7, channels)


def test_the_origin_of_a_jpeg_2000_image_is_taken_off():
    # SOC, SIZ: length 41, capabilities 0, corner 10 x 20, origin 3 x 5, tiles, one channel.
    head = bytes.fromhex("ff4fff51 0029 0000 0000000a 00000014 00000003 00000005")
    rest = bytes.fromhex("0000000a 00000014 00000000 00000000 0001 070101")
    assert frame_size(head + rest) == FrameSize(15, 7, 1)


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_stream_cut_in_its_head_has_no_size_or_the_true_one(kind):
    data = bytes(ENCODERS[kind](GREY))
    assert {frame_size(data[:end]) for end in range(len(data))} <= {None, FrameSize(13, 7, 1)}


def test_bytes_that_are_no_marker_have_no_size():
    assert frame_size(b"\xff\xd8\x00\x00" + bytes(20)) is None


@given(st.binary(max_size=200))
def test_any_bytes_give_a_size_or_none(data):
    for head in (b"", b"\xff\xd8\xff", b"\xff\x4f\xff\x51"):
        found = frame_size(head + data)
        assert found is None or isinstance(found.rows, int)
