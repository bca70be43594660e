"""Plain pictures to grey levels: exact, or refused."""

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from mammoscope.core.errors import (
    CorruptFileError,
    FormatError,
    MammoscopeError,
    MissingFileError,
    ScanError,
    UnknownFormatError,
)
from mammoscope.formats.raster import is_raster, read_raster

RANDOM = np.random.default_rng(5)
BYTES = RANDOM.integers(0, 256, (31, 17), dtype=np.uint8)
WORDS = RANDOM.integers(0, 65536, (31, 17), dtype=np.uint16)
SHARED_FOLDER = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def with_pillow(image: NDArray[Any], kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def with_tifffile(image: NDArray[Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, image, **options)
    return stream.getvalue()


def pgm(image: NDArray[Any], top: int, *, plain: bool = False) -> bytes:
    """Write a PGM by the letter of netpbm's description, with a comment after each word."""
    head = f"P{2 if plain else 5}\n# made\n{image.shape[1]} # columns\n{image.shape[0]}\n{top}\n"
    if plain:
        return (head + "\n".join(" ".join(map(str, row)) for row in image) + "\n").encode()
    return head.encode() + image.astype(np.uint8 if top < 256 else ">u2").tobytes()


EXACT = {
    "png8": (with_pillow(BYTES, "PNG"), BYTES),
    "png16": (with_pillow(WORDS, "PNG"), WORDS),
    "webp": (with_pillow(BYTES, "WEBP", lossless=True), BYTES),
    "tiff8": (with_tifffile(BYTES), BYTES),
    "tiff16": (with_tifffile(WORDS), WORDS),
    "tiff16 of the other byte order": (with_tifffile(WORDS, byteorder=">"), WORDS),
    "tiff lzw": (with_tifffile(WORDS, compression="lzw"), WORDS),
    "tiff deflate": (with_tifffile(WORDS, compression="zlib", predictor=True), WORDS),
    "tiff packbits": (with_tifffile(BYTES, compression="packbits", rowsperstrip=5), BYTES),
    "tiff tiled": (with_tifffile(WORDS, tile=(16, 16), compression="zlib"), WORDS),
    "tiff miniswhite": (with_tifffile(255 - BYTES, photometric="miniswhite"), BYTES),
    "tiff16 miniswhite": (with_tifffile(65535 - WORDS, photometric="miniswhite"), WORDS),
    "tiff of floats": (with_tifffile(WORDS.astype(np.float32)), WORDS.astype(np.float32)),
    "pgm binary": (pgm(BYTES, 255), BYTES),
    "pgm binary 16": (pgm(WORDS, 65535), WORDS),
    "pgm plain": (pgm(BYTES, 255, plain=True), BYTES),
    "pgm plain 16": (pgm(WORDS, 65535, plain=True), WORDS),
}


def read_bytes(tmp_path: Path, data: bytes) -> NDArray[Any]:
    # The ending says nothing: content decides.
    file = tmp_path / "scan.bin"
    file.write_bytes(data)
    return read_raster(file)


@pytest.mark.parametrize("kind", EXACT)
def test_every_lossless_format_gives_the_pixels_that_were_written(tmp_path: Path, kind: str):
    data, expected = EXACT[kind]
    found = read_bytes(tmp_path, data)

    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_a_jpeg_is_as_pillow_decodes_it(tmp_path: Path):
    smooth = np.add.outer(np.arange(32), np.arange(24)).astype(np.uint8)
    found = read_bytes(tmp_path, with_pillow(smooth, "JPEG", quality=95))

    assert found.shape == (32, 24)
    assert np.abs(found.astype(int) - smooth).max() <= 3


@pytest.mark.parametrize("kind", EXACT)
def test_a_file_cut_anywhere_is_an_error_or_whole(tmp_path: Path, kind: str):
    data, expected = EXACT[kind]
    for cut in sorted({*range(0, len(data), max(1, len(data) // 60)), *range(1, 20)}):
        try:
            found = read_bytes(tmp_path, data[:cut])
        except FormatError:
            continue
        # Some formats end with marks that carry no pixels.
        np.testing.assert_array_equal(found, expected, err_msg=f"{kind} cut at {cut}")


@pytest.mark.parametrize("cut", range(1, 8))
def test_the_last_bytes_of_the_pixels_are_missed(tmp_path: Path, cut: int):
    for kind in ("pgm binary", "pgm binary 16", "pgm plain", "tiff8"):
        with pytest.raises(CorruptFileError, match=r"scan\.bin.*again"):
            read_bytes(tmp_path, EXACT[kind][0][:-cut])


def test_a_jpeg_cut_anywhere_is_an_error_or_whole(tmp_path: Path):
    data = with_pillow(BYTES, "JPEG")
    expected = read_bytes(tmp_path, data)
    for cut in range(0, len(data), 7):
        try:
            found = read_bytes(tmp_path, data[:cut])
        except FormatError:
            continue
        np.testing.assert_array_equal(found, expected, err_msg=f"cut at {cut}")


@SHARED_FOLDER
@given(
    kind=st.sampled_from(sorted(EXACT)),
    place=st.floats(0, 0.999),
    byte=st.integers(0, 255),
)
def test_a_changed_byte_never_ends_in_a_foreign_error(
    tmp_path: Path, kind: str, place: float, byte: int
):
    data = bytearray(EXACT[kind][0])
    data[int(place * len(data))] = byte
    message = "scan.bin"
    try:
        assert read_bytes(tmp_path, bytes(data)).ndim == 2
    except MammoscopeError as error:
        message = str(error)
    assert "scan.bin" in message


@SHARED_FOLDER
@given(
    image=arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    plain=st.booleans(),
)
def test_any_pgm_comes_back_as_written(tmp_path: Path, image: NDArray[np.uint16], plain: bool):
    np.testing.assert_array_equal(read_bytes(tmp_path, pgm(image, 65535, plain=plain)), image)


@SHARED_FOLDER
@given(
    image=arrays(
        st.sampled_from([np.uint8, np.uint16]), st.tuples(st.integers(1, 9), st.integers(1, 9))
    )
)
def test_any_png_comes_back_as_written(tmp_path: Path, image: NDArray[Any]):
    found = read_bytes(tmp_path, with_pillow(image, "PNG"))

    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_equal_colour_channels_are_one_grey_channel(tmp_path: Path, kind: str):
    colour = np.repeat(BYTES[..., None], 3, axis=2)
    options = {"lossless": True} if kind == "WEBP" else {}

    np.testing.assert_array_equal(read_bytes(tmp_path, with_pillow(colour, kind, **options)), BYTES)


def test_equal_colour_channels_of_16_bits_are_not_cut_to_8(tmp_path: Path):
    colour = np.repeat(WORDS[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_bytes(tmp_path, imagecodecs.png_encode(colour)), WORDS)


def test_a_grey_palette_is_looked_up(tmp_path: Path):
    palette = Image.new("P", (2, 2))
    palette.putdata([0, 1, 2, 1])
    palette.putpalette([10, 10, 10, 20, 20, 20, 30, 30, 30])
    stream = io.BytesIO()
    palette.save(stream, "PNG")

    np.testing.assert_array_equal(
        read_bytes(tmp_path, stream.getvalue()), np.array([[10, 20], [30, 20]])
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_picture_in_colour_is_refused(tmp_path: Path, kind: str):
    colour = np.zeros((16, 16, 3), np.uint8)
    colour[..., 0] = 200
    with pytest.raises(ScanError, match=r"scan\.bin: a picture in colour.*grey"):
        read_bytes(tmp_path, with_pillow(colour, kind))


def test_an_opaque_alpha_channel_is_dropped(tmp_path: Path):
    for channels in (2, 4):
        image = np.repeat(BYTES[..., None], channels, axis=2)
        image[..., -1] = 255
        np.testing.assert_array_equal(read_bytes(tmp_path, with_pillow(image, "PNG")), BYTES)


def test_a_transparent_picture_is_refused(tmp_path: Path):
    image = np.repeat(BYTES[..., None], 4, axis=2)
    image[..., 3] = 255
    image[3, 3, 3] = 254
    with pytest.raises(ScanError, match="transparent"):
        read_bytes(tmp_path, with_pillow(image, "PNG"))


def test_a_tiff_of_several_pages_is_refused(tmp_path: Path):
    two = with_tifffile(np.stack([BYTES, BYTES]), photometric="minisblack")
    with pytest.raises(ScanError, match=r"2 pages.*one page"):
        read_bytes(tmp_path, two)


def test_an_animation_is_refused(tmp_path: Path):
    stream = io.BytesIO()
    first, second = Image.fromarray(BYTES), Image.fromarray(255 - BYTES)
    first.save(stream, "WEBP", save_all=True, append_images=[second], lossless=True)
    with pytest.raises(ScanError, match="2 pictures"):
        read_bytes(tmp_path, stream.getvalue())


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.complex64, np.float64])
def test_a_tiff_of_other_numbers_is_refused_or_exact(tmp_path: Path, dtype: type):
    data = with_tifffile(BYTES.astype(dtype))
    if dtype is np.float64:
        np.testing.assert_array_equal(read_bytes(tmp_path, data), BYTES)
        return
    with pytest.raises(ScanError, match="expected 8 or 16 bits"):
        read_bytes(tmp_path, data)


def test_a_tiff_with_values_that_are_no_numbers_is_refused(tmp_path: Path):
    image = BYTES.astype(np.float32)
    image[2, 2] = np.nan
    with pytest.raises(ScanError, match="not finite"):
        read_bytes(tmp_path, with_tifffile(image))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"P5\n0 3\n255\n", "0 pixels"),
        (b"P5\n2 2\n0\n....", "cannot have 0 grey levels"),
        (b"P5\n2 2\n65536\n........", "cannot have 65536"),
        (b"P5\n2 2\n100\n" + bytes([1, 2, 3, 101]), "larger than the file's 100"),
        (b"P5\n2 x\n255\n", "heading"),
        (b"P2\n2 1\n255\n1 -2\n", "no numbers"),
        (b"P2\n2 1\n255\n1 99999999999999999999999\n", "larger than"),
        (b"P2\n2 1\n255\n1 2.5\n", "no numbers"),
    ],
)
def test_a_damaged_pgm_is_refused(tmp_path: Path, data: bytes, words: str):
    with pytest.raises(CorruptFileError, match=words):
        read_bytes(tmp_path, data)


def test_a_picture_larger_than_any_mammogram_is_refused_before_it_is_decoded(tmp_path: Path):
    with pytest.raises(ScanError, match="more than any mammogram"):
        read_bytes(tmp_path, b"P5\n100000 100000\n255\n")


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MissingFileError, match=r"no\.png"):
        read_raster(tmp_path / "no.png")


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"hello", b"P6\n1 1\n255\n...", b"P55 5 5", b"BM"]
)
def test_an_unknown_format_is_told_what_is_expected(tmp_path: Path, data: bytes):
    with pytest.raises(UnknownFormatError, match=r"scan\.bin.*PNG, TIFF, PGM"):
        read_bytes(tmp_path, data)
    assert not is_raster(data)


@pytest.mark.parametrize("kind", EXACT)
def test_sixteen_bytes_tell_a_picture(kind: str):
    assert is_raster(EXACT[kind][0][:16])


def test_a_tiff_of_palette_colours_is_refused(tmp_path: Path):
    path = tmp_path / "palette.tif"
    palette = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("P")
    palette.save(path)
    with pytest.raises(ScanError, match=r"palette\.tif: .*palette"):
        read_raster(path)


def test_a_pgm_of_one_byte_too_many_is_refused_and_not_shifted(tmp_path):
    path = tmp_path / "view.pgm"
    path.write_bytes(b"P5\n3 2\n65535\n\n" + bytes(range(12)))
    with pytest.raises(CorruptFileError, match="one byte more than 2 x 3 pixels"):
        read_raster(path)


def test_a_picture_that_may_not_be_opened_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MissingFileError, match=r"a\.png: the file cannot be opened \(Permission"):
        read_raster(path)
