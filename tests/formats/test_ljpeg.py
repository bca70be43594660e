"""Lossless JPEG streams of every kind, against their known pixels; faults are refused by reason."""

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.errors import (
    CorruptFileError,
    FormatError,
    MammoscopeError,
    ScanError,
    UnknownFormatError,
)
from mammoscope.formats.ljpeg import decode_film, decode_ljpeg, is_ljpeg
from mammoscope.formats.ljpeg_encode import encode_ljpeg

CONVENTIONS = {"t81": "t81", "mod2P": "t81", "pvrg": "archive"}
# What nothing tells by itself: 16 bits near the middle grey or noise that fills them, steps of half
# the range, images of a few columns, restarts near the middle grey.
UNTOLD = {
    *("t81_p2_16bit", "t81_p3_16bit", "t81_p6_16bit", "t81_p7_16bit_pt1", "t81_p7_16bit_pt3"),
    *("t81_noise_p6_16bit", "pvrg_noise_p6_16bit", "pvrg_noise_p7_16bit"),
    *("t81_cat16_p2", "t81_cat16_p7", "t81_extreme_p6_16bit", "t81_extreme_p7_16bit"),
    *("t81_p2_12bit_257x3", "t81_p7_12bit_2x2", "t81_p7_12bit_257x3", "pvrg_p7_2x2"),
    *("t81_p1_8bit_rst4rows", "t81_p1_12bit_rst1rows", "t81_p1_16bit_rst4rows"),
    *("t81_p7_16bit_rst1rows", "t81_p7_16bit_rst4rows"),
}
REASONS = {
    "damaged_t81_p7_12bit_cut30": "10 of 37 rows",
    "damaged_t81_p7_12bit_cut60": "21 of 37 rows",
    "damaged_pvrg_p7_12in16_cut30": "10 of 41 rows",
    "damaged_pvrg_p7_12in16_cut60": "23 of 41 rows",
    "damaged_turbo_p1_16bit_cut30": "9 of 33 rows",
    "damaged_turbo_p1_16bit_cut60": "19 of 33 rows",
    "damaged_bits_flipped": "the data go on behind the last pixel",
    "damaged_no_dht": "a Huffman table is missing",
    "damaged_no_sof": "the frame header is missing",
    "damaged_header_only": "ends within the header",
    "damaged_empty": "There are no bytes",
    "damaged_not_jpeg": "no JPEG stream",
    "damaged_sof0": "SOF0",
    "damaged_huge_size": "65535 x 65535 pixels",
    "damaged_predictor0": "predictor 0",
    "damaged_predictor9": "predictor 9",
    "damaged_dht_overfull": "Huffman table",
    "damaged_precision17": "17 bits",
    "damaged_rst_order": "restart marker 5 stands where number 2",
}


def film(rows=40, columns=30, seed=0, bits=12):
    """A smooth image with noise and a dark left side, as a film has."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns] / max(rows, columns)
    image = 300 + 2500 * np.clip(x + y / 3 - 0.2, 0, 1) ** 2 + rng.normal(0, 8, (rows, columns))
    return image.clip(0, (1 << bits) - 1).astype(np.uint16)


def changed(stream, at, new):
    return stream[:at] + new + stream[at + len(new) :]


@pytest.fixture(scope="session")
def vectors(shared_data: Path) -> Path:
    return shared_data / "ddsm/ljpeg/vectors"


@pytest.mark.real
def test_every_vector_is_exact_when_its_convention_is_given(vectors: Path):
    records = json.loads((vectors / "index.json").read_text())
    assert len(records) == 175
    for record in records:
        size = record["shape"][:2] if record.get("swapped") else (None, None)
        convention = CONVENTIONS[record["convention"]]
        image = decode_ljpeg((vectors / record["file"]).read_bytes(), *size, convention=convention)
        known = np.load(vectors / record["pixels"])
        assert image.dtype == known.dtype, record["name"]
        assert np.array_equal(image, known), record["name"]


@pytest.mark.real
def test_every_vector_is_exact_or_refused_when_it_is_not(vectors: Path):
    untold = set()
    for record in json.loads((vectors / "index.json").read_text()):
        size = record["shape"][:2] if record.get("swapped") else (None, None)
        try:
            image = decode_ljpeg((vectors / record["file"]).read_bytes(), *size)
        except UnknownFormatError:
            untold.add(record["name"])
            continue
        assert np.array_equal(image, np.load(vectors / record["pixels"])), record["name"]
    assert untold == UNTOLD


@pytest.mark.real
@pytest.mark.parametrize("convention", ["t81", "archive"])
def test_every_damaged_vector_is_refused_with_its_reason(vectors: Path, convention):
    records = json.loads((vectors / "damaged.json").read_text())
    assert {record["name"] for record in records} == set(REASONS)
    for record in records:
        data = (vectors / record["file"]).read_bytes()
        with pytest.raises(MammoscopeError, match=REASONS[record["name"]]):
            decode_ljpeg(data, convention=convention)


@pytest.mark.real
def test_what_is_sound_of_a_cut_vector_is_given_when_asked(vectors: Path):
    sources = {r["name"]: r for r in json.loads((vectors / "index.json").read_text())}
    count = 0
    for record in json.loads((vectors / "damaged.json").read_text()):
        if not record["sound_samples"] or record["made_from"] not in sources:
            continue
        source = sources[record["made_from"]]
        known = np.load(vectors / source["pixels"])
        found = decode_ljpeg(
            (vectors / record["file"]).read_bytes(),
            convention=CONVENTIONS[source["convention"]],
            partial=True,
        )
        rows = record["sound_samples"] // known.shape[1]
        assert np.array_equal(found, known[:rows]), record["name"]
        count += 1
    assert count >= 4


@pytest.mark.real
def test_the_genuine_file_gives_its_rows_and_says_how_many(shared_data: Path):
    folder = shared_data / "ddsm/genuine/ljpeg"
    data = (folder / "A_0002_1.RIGHT_CC.LJPEG").read_bytes()
    with pytest.raises(CorruptFileError, match="175 of 4334 rows"):
        decode_ljpeg(data, 4334, 1874)
    known = np.load(folder / "A_0002_1.RIGHT_CC.rows.npz")["rows"]
    assert np.array_equal(decode_ljpeg(data, 4334, 1874, partial=True), known)


@pytest.mark.real
def test_the_made_cases_are_exact_also_with_exchanged_headers(shared_data: Path):
    folder = shared_data / "ddsm/ljpeg/minicase"
    records = json.loads((folder / "index.json").read_text())
    assert sum(record["header_swapped"] for record in records) == 8
    for record in records:
        path = folder / record["path"]
        image = decode_ljpeg(path.read_bytes(), record["rows"], record["cols"])
        assert np.array_equal(image, np.load(path.with_name(path.name + ".npy"))), record["path"]


@pytest.mark.real
def test_a_whole_film_is_exact_in_both_conventions(shared_data: Path):
    folder = shared_data / "ddsm/ljpeg/realistic"
    known = json.loads((folder / "realistic.json").read_text())["pixels_sha256"]
    for name in ("realistic_pvrg_p7.ljpeg", "realistic_turbo_p7.ljpeg"):
        image = decode_ljpeg((folder / name).read_bytes())
        assert hashlib.sha256(image.astype(">u2").tobytes()).hexdigest() == known


@pytest.mark.parametrize("predictor", [2, 3, 6, 7])
@pytest.mark.parametrize("convention", ["t81", "archive"])
def test_a_films_convention_is_told(predictor, convention):
    image = film()
    stream = encode_ljpeg(image, predictor=predictor, convention=convention)
    assert np.array_equal(decode_ljpeg(stream), image)


def test_the_convention_that_is_given_wins():
    stream = encode_ljpeg(film(), convention="archive")
    assert not np.array_equal(decode_ljpeg(stream, convention="t81"), film())


@pytest.mark.parametrize("convention", ["t81", "archive"])
def test_the_convention_is_told_behind_a_border_of_the_middle_grey(convention):
    image = film(40, 130, bits=12)
    image[:5, :70] = 32768
    stream = encode_ljpeg(image, convention=convention)
    assert np.array_equal(decode_ljpeg(stream), image)


@pytest.mark.parametrize("convention", ["t81", "archive"])
def test_a_first_line_of_the_middle_grey_needs_no_convention(convention):
    image = film(40, 130)
    image[0] = 32768
    assert np.array_equal(decode_ljpeg(encode_ljpeg(image, convention=convention)), image)


@pytest.mark.parametrize("convention", ["t81", "archive"])
@pytest.mark.parametrize("level", [0.02, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_no_level_of_grey_makes_a_film_read_wrongly(convention, level, bits):
    rng = np.random.default_rng(int(100 * level) + bits)
    top = (1 << bits) - 1
    image = rng.normal(level * top, 0.004 * top, (12, 400)).clip(0, top).astype(np.uint16)
    stream = encode_ljpeg(image, convention=convention, precision=bits)
    if level == 0.5 and bits == 16:
        with pytest.raises(UnknownFormatError, match="convention"):
            decode_ljpeg(stream)
    else:
        # DDSM has only streams of 16 bits; noise about the middle of fewer is taken for T.81's.
        told = {"convention": convention} if level == 0.5 else {}
        assert np.array_equal(decode_ljpeg(stream, **told), image)


def test_noise_that_fills_the_range_does_not_tell_its_convention():
    noise = np.random.default_rng(3).integers(0, 65536, (9, 33)).astype(np.uint16)
    with pytest.raises(UnknownFormatError, match="convention"):
        decode_ljpeg(encode_ljpeg(noise))


def test_a_film_that_begins_black_is_read_though_it_needs_category_16():
    image = film()
    image[:, 0] = 0
    assert np.array_equal(decode_ljpeg(encode_ljpeg(image)), image)


def test_exchanged_rows_and_columns_are_laid_out_by_the_size_that_is_given():
    image = film(64, 40)
    stream = encode_ljpeg(image, header_rows_columns_exchanged=True)
    assert decode_ljpeg(stream).shape == (40, 64)
    assert np.array_equal(decode_ljpeg(stream, 64, 40), image)


def test_where_only_the_numbers_were_exchanged_the_smoother_image_wins():
    image = film(64, 40)
    stream = encode_ljpeg(image)
    assert stream[7:11] == bytes((0, 64, 0, 40))
    assert np.array_equal(decode_ljpeg(changed(stream, 7, bytes((0, 40, 0, 64))), 64, 40), image)


def test_rows_of_a_cut_stream_are_also_those_of_the_smoother_image():
    image = film(64, 40)
    stream = changed(encode_ljpeg(image), 7, bytes((0, 40, 0, 64)))
    with pytest.raises(CorruptFileError, match="of 40 rows"):
        decode_ljpeg(stream[: len(stream) // 2], 64, 40)
    rows = decode_ljpeg(stream[: len(stream) // 2], 64, 40, partial=True)
    assert 25 < len(rows) < 40
    assert np.array_equal(rows, image[: len(rows)])


def test_another_size_of_as_many_pixels_is_laid_out_with_a_warning():
    image = film(64, 40)
    stream = encode_ljpeg(image.reshape(80, 32))
    with pytest.warns(UserWarning, match="80 x 32 pixels and was laid out as the 64 x 40"):
        assert np.array_equal(decode_ljpeg(stream, 64, 40), image)


def test_another_size_that_gives_no_image_is_refused():
    with pytest.raises(CorruptFileError, match="64 x 40 pixels and is no image"):
        decode_ljpeg(encode_ljpeg(film(64, 40)), 80, 32)


@pytest.mark.parametrize("size", [(64, 41), (65, 40), (0, 0), (-64, -40)])
def test_a_size_of_other_pixels_is_refused(size):
    with pytest.raises(CorruptFileError, match="64 x 40 pixels"):
        decode_ljpeg(encode_ljpeg(film(64, 40)), *size)


def test_half_a_size_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="both rows and columns"):
        decode_ljpeg(encode_ljpeg(film()), rows=40)


@pytest.mark.parametrize("convention", ["t81", "archive"])
@pytest.mark.parametrize("bits", [12, 16])
def test_no_cut_stream_passes_for_whole(convention, bits):
    image = film(9, 30)
    stream = encode_ljpeg(image, precision=bits, convention=convention)
    begin = stream.index(b"\xff\xda") + 10
    for end in range(begin, len(stream) - 3):
        with pytest.raises(CorruptFileError, match=r"\d of 9 rows"):
            decode_ljpeg(stream[:end] + b"\xff\xd9", convention=convention)


@pytest.mark.parametrize("convention", ["t81", "archive"])
def test_rows_of_a_cut_stream_are_those_of_the_whole(convention):
    image = film(9, 30)
    stream = encode_ljpeg(image, convention=convention)
    for end in range(len(stream) - 120, len(stream) - 3, 7):
        rows = decode_ljpeg(stream[:end], convention=convention, partial=True)
        assert 0 < len(rows) < 9
        assert np.array_equal(rows, image[: len(rows)])


@pytest.mark.parametrize("convention", ["t81", "archive"])
@pytest.mark.parametrize("sample", [-1, 4096])
def test_a_sample_beside_the_range_of_its_bits_is_refused(convention, sample):
    image = film().astype(int)
    image[20, 10] = sample
    # The same differences as those of 16 bits round the middle of their range.
    moved = (image + (1 << 15) - (1 << 11)).astype(np.uint16)
    stream = changed(encode_ljpeg(moved, convention=convention), 6, b"\x0c")
    with pytest.raises(CorruptFileError, match="leave the range"):
        decode_ljpeg(stream, convention=convention)
    image[20, 10] = 0
    moved = (image + (1 << 15) - (1 << 11)).astype(np.uint16)
    stream = changed(encode_ljpeg(moved, convention=convention), 6, b"\x0c")
    assert np.array_equal(decode_ljpeg(stream, convention=convention), image)


def test_a_row_too_many_or_too_few_in_the_header_is_refused():
    stream = encode_ljpeg(film(9, 30))
    for rows, reason in ((8, "go on behind"), (10, "9 of 10 rows")):
        with pytest.raises(CorruptFileError, match=reason):
            decode_ljpeg(changed(stream, 7, bytes((0, rows))))


def test_nothing_left_is_an_error_also_when_parts_are_welcome():
    stream = encode_ljpeg(film(9, 30))
    with pytest.raises(CorruptFileError, match="0 of 9 rows"):
        decode_ljpeg(stream[: stream.index(b"\xff\xda") + 14], convention="archive", partial=True)


@pytest.mark.parametrize(("rows", "columns"), [(60000, 60000), (65535, 65535), (14000, 14000)])
def test_a_header_that_promises_too_much_is_refused_at_once(rows, columns):
    stream = encode_ljpeg(film(9, 30))
    size = rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    began = time.perf_counter()
    with pytest.raises((ScanError, CorruptFileError), match=rf"{rows} (x {columns} pixels|rows)"):
        decode_ljpeg(changed(stream, 7, size), convention="archive")
    assert time.perf_counter() - began < 1


def test_streams_too_large_for_the_plain_decoder_are_refused(monkeypatch):
    monkeypatch.setattr("mammoscope.formats.ljpeg.MOST_PLAIN", 24)
    grey = encode_ljpeg(np.full((5, 5), 32768, np.uint16))
    assert decode_ljpeg(grey[:7] + b"\0\4" + grey[9:], partial=True).shape == (4, 5)
    with pytest.raises(ScanError, match="5 x 5 pixels"):
        decode_ljpeg(grey)


def test_lossless_streams_are_told_by_their_first_bytes():
    stream = encode_ljpeg(film())
    assert is_ljpeg(stream[:64])
    assert is_ljpeg(stream[:2] + b"\xff\xe0\x00\x04ab" + stream[2:])
    assert not is_ljpeg(stream.replace(b"\xff\xc3", b"\xff\xc0", 1))
    assert not is_ljpeg(b"P5 2 2 255\n")
    assert not is_ljpeg(b"")
    assert not is_ljpeg(b"\xff\xd8\xff\xda\x00\x08")


faults = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["flip", "insert", "cut", "drop"]), st.binary()),
    min_size=1,
    max_size=3,
)


@settings(max_examples=250, deadline=2000)
@given(faults, st.sampled_from(["t81", "archive", "auto"]), st.booleans(), st.booleans())
def test_damaged_streams_give_an_image_of_the_promised_size_or_an_error(
    damage, convention, partial, noisy
):
    image = film(9, 30) * (15 if noisy else 1)
    data = bytearray(encode_ljpeg(image, predictor=7 if noisy else 6))
    for where, kind, more in damage:
        at = int(where * (len(data) - 1)) if data else 0
        if kind == "cut":
            del data[at:]
        elif kind == "insert":
            data[at:at] = more
        elif kind == "drop":
            del data[at : at + 3]
        elif data:
            data[at] ^= 1 << len(more) % 8
    try:
        found = decode_ljpeg(bytes(data), convention=convention, partial=partial)
    except (FormatError, ScanError):
        return
    assert found.dtype in (np.uint8, np.uint16)
    assert found.ndim in (2, 3)
    rows, columns = (int.from_bytes(data[i : i + 2], "big") for i in (7, 9))
    if data[3] == 0xC3 and data[2] == 0xFF and not partial:
        assert found.shape[:2] == (rows, columns)


def test_a_huffman_table_of_other_kinds_of_jpeg_is_passed_over():
    stream = encode_ljpeg(film())
    table = b"\xff\xc4\x00\x15\x10" + bytes((2, *[0] * 15)) + bytes((0, 1))
    at = stream.index(b"\xff\xda")
    found = decode_ljpeg(stream[:at] + table + stream[at:], convention="archive")
    assert np.array_equal(found, film())


@pytest.mark.parametrize("word", ["pvrg", "T81", "", None])
def test_a_convention_that_does_not_exist_is_a_mistake_of_the_caller(word):
    with pytest.raises(ValueError, match="expected auto, t81 or archive"):
        decode_ljpeg(encode_ljpeg(film()), convention=word)


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda b: np.frombuffer(b, np.uint8)])
def test_bytes_of_every_kind_are_taken(kind):
    assert np.array_equal(decode_ljpeg(kind(encode_ljpeg(film()))), film())


@pytest.mark.parametrize("data", ["film.LJPEG", Path("film.LJPEG"), 5, None, [255, 216]])
def test_what_is_no_bytes_is_a_mistake_of_the_caller(data):
    with pytest.raises(
        TypeError, match=r"expected the bytes of a stream, such as path\.read_bytes"
    ):
        decode_ljpeg(data)


def test_bytes_in_wider_numbers_are_a_mistake_of_the_caller():
    with pytest.raises(TypeError, match="items of 2"):
        decode_ljpeg(np.frombuffer(encode_ljpeg(film()), np.uint8).astype(np.uint16))


def test_sizes_may_be_numbers_of_numpy_however_small_their_type():
    image = film(300, 200)
    stream = encode_ljpeg(image, header_rows_columns_exchanged=True)
    assert np.array_equal(decode_ljpeg(stream, np.int16(300), np.int16(200)), image)


@pytest.mark.parametrize("size", [("40", "30"), (40.0, 30.0)])
def test_sizes_that_are_no_whole_numbers_are_a_mistake_of_the_caller(size):
    with pytest.raises(TypeError, match="integer"):
        decode_ljpeg(encode_ljpeg(film()), *size)


@pytest.mark.parametrize("convention", ["t81", "archive"])
def test_a_film_named_as_of_ddsm_is_read_by_what_its_stream_tells(convention):
    image, told = decode_film(encode_ljpeg(film(), convention=convention), 40, 30, of_ddsm=True)
    assert np.array_equal(image, film())
    assert told == ()


def test_a_film_named_as_of_ddsm_whose_stream_tells_nothing_is_the_archives():
    image = np.random.default_rng(5).integers(0, 1 << 16, (40, 30)).astype(np.uint16)
    stream = encode_ljpeg(image)
    assert np.array_equal(decode_film(stream, 40, 30, of_ddsm=True)[0], image)
    with pytest.raises(UnknownFormatError, match="does not tell"):
        decode_film(stream, 40, 30, of_ddsm=False)


def test_a_film_of_ddsm_without_a_size_is_higher_than_wide():
    image = film(64, 40)
    stream = encode_ljpeg(image, header_rows_columns_exchanged=True)
    assert np.array_equal(decode_film(stream, None, None, of_ddsm=True)[0], image)
    assert decode_film(stream, None, None, of_ddsm=False)[0].shape == (40, 64)
    assert decode_film(stream, 40, 64, of_ddsm=True)[0].shape == (40, 64)
    upright = encode_ljpeg(image)
    assert np.array_equal(decode_film(upright, None, None, of_ddsm=True)[0], image)


def test_what_a_film_is_warned_of_is_given_with_it():
    image = film(64, 40)
    found, told = decode_film(encode_ljpeg(image.reshape(80, 32)), 64, 40, of_ddsm=True)
    assert np.array_equal(found, image)
    assert len(told) == 1
    assert "laid out as the 64 x 40" in told[0]
