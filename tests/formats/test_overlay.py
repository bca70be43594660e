"""The .OVERLAY files: every line by hand, faults of real files, damage, and all real ones."""

import gzip
import json
import lzma
import tarfile
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import CorruptFileError, MammoscopeError
from mammoscope.core.geometry import Box, Outline
from mammoscope.formats.chain_code import points_of
from mammoscope.formats.masks import mask_of
from mammoscope.formats.overlay import (
    LesionType,
    OverlayFinding,
    format_overlay,
    parse_overlay,
    read_overlay,
)

SQUARE = "20 10  2 2 4 4 6 6 0 0 #"
TEXT = f"""TOTAL_ABNORMALITIES 2
ABNORMALITY 1 
LESION_TYPE CALCIFICATION TYPE PLEOMORPHIC-PUNCTATE DISTRIBUTION N/A
LESION_TYPE MASS SHAPE IRREGULAR-ARCHITECTURAL_DISTORTION MARGINS SPICULATED
ASSESSMENT 5 
SUBTLETY 3 
PATHOLOGY MALIGNANT
TOTAL_OUTLINES 2 
BOUNDARY
{SQUARE}
\tCORE
21 11  #
ABNORMALITY 2 
LESION_TYPE MASS SHAPE OVAL MARGINS CIRCUMSCRIBED
ASSESSMENT 0 
SUBTLETY 1 
PATHOLOGY BENIGN_WITHOUT_CALLBACK
TOTAL_OUTLINES 1 
BOUNDARY
{SQUARE}
"""  # noqa: W291  (blanks at line ends are the archive's)


def notes_of(text):
    return " | ".join(note for finding in parse_overlay(text) for note in finding.notes)


def test_every_line_is_read():
    first, second = parse_overlay(TEXT)
    assert [str(lesion) for lesion in first.lesion_types] == [
        "CALCIFICATION TYPE PLEOMORPHIC-PUNCTATE DISTRIBUTION N/A",
        "MASS SHAPE IRREGULAR-ARCHITECTURAL_DISTORTION MARGINS SPICULATED",
    ]
    assert (first.assessment, first.subtlety, first.pathology) == (5, 3, "MALIGNANT")
    assert (second.assessment, second.pathology) == (0, "BENIGN_WITHOUT_CALLBACK")
    assert second.notes == ()


def test_words_are_parted_at_hyphens_and_not_said_is_no_word():
    lesion = parse_overlay(TEXT)[0].lesion_types[0]
    assert lesion.kind == "CALCIFICATION"
    assert lesion.words("TYPE") == ("PLEOMORPHIC", "PUNCTATE")
    assert lesion.words("DISTRIBUTION") == lesion.words("SHAPE") == ()


def test_the_start_of_an_outline_is_column_first_then_row():
    # A square of 3 x 3 pixels whose upper left pixel is in row 10, column 20.
    boundary = parse_overlay(TEXT)[0].boundary
    assert boundary.box == Box(10, 20, 3, 3)
    assert boundary.points[0].tolist() == boundary.points[-1].tolist() == [10, 20]
    assert boundary.cores == (Outline(np.array([[11, 21]])),)


def test_what_an_outline_encloses_is_filled_with_its_own_pixels():
    mask = mask_of(parse_overlay(TEXT)[1].boundary, (20, 30))
    assert mask.sum() == 9
    assert mask[10:13, 20:23].all()


def test_the_form_is_kept_byte_for_byte():
    assert format_overlay(parse_overlay(TEXT)) == TEXT


def test_lines_may_end_as_on_other_machines_and_the_chain_may_be_broken():
    text = TEXT.replace("2 2 4 4", "2 2\n4 4").replace("\n", "\r\n")
    assert parse_overlay(text) == parse_overlay(TEXT)


@pytest.mark.parametrize(
    ("line", "other", "note"),
    [
        ("TOTAL_ABNORMALITIES 2", "TOTAL_ABNORMALITIES 3", "TOTAL_ABNORMALITIES is '3', 2 are"),
        ("TOTAL_ABNORMALITIES 2\n", "", "no line TOTAL_ABNORMALITIES"),
        ("TOTAL_OUTLINES 2", "TOTAL_OUTLINES 4", "TOTAL_OUTLINES is '4', 2 are there"),
        ("SUBTLETY 3", "SUBTLETY 0", "SUBTLETY is '0', expected 1 to 5"),
        ("ASSESSMENT 5", "ASSESSMENT N/A", "ASSESSMENT is 'N/A', expected 0 to 5"),
        ("PATHOLOGY MALIGNANT", "PATHOLOGY MALIGMANT", "PATHOLOGY 'MALIGMANT' is not known"),
        ("MASS SHAPE OVAL", "MASZ SHAPE OVAL", "LESION_TYPE 'MASZ' is not known"),
        ("SHAPE OVAL", "SHAPD OVAL", "word out of place: 'SHAPD'"),
        ("LESION_TYPE MASS SHAPE OVAL", "LESION_TYPF MASS SHAPE OVAL", "no LESION_TYPE"),
        ("SUBTLETY 3", "SUBTLETX 3", "a line that is not known: 'SUBTLETX'"),
        (f"BOUNDARY\n{SQUARE}\n\tCORE", "BOUNDARY\n21 11 2 6 #\n\tCORF", "'CORF'"),
        ("4 4 6 6 0 0 #", "4 4 6 6 0 #", "BOUNDARY does not close: it ends 1 pixels"),
        ("4 4 6 6 0 0 #", "4 4 6 6 0 0 2 2 4 #", "BOUNDARY runs on for 3 steps after it has"),
        (SQUARE, "20 10  #", "BOUNDARY is a single point"),
        (f"OUTLINES 1 \nBOUNDARY\n{SQUARE}", "OUTLINES 1 \nBOUNDARY", "BOUNDARY without an"),
    ],
)
def test_what_departs_from_the_rules_is_noted(line, other, note):
    assert line in TEXT
    assert note in notes_of(TEXT.replace(line, other))


def test_what_is_not_known_is_none():
    text = TEXT.replace("SUBTLETY 3", "SUBTLETY 0").replace("MALIGNANT", "MALIGMANT")
    first = parse_overlay(text)[0]
    assert (first.subtlety, first.pathology, first.assessment) == (None, None, 5)


def test_many_lines_that_are_not_known_are_one_note():
    text = TEXT.replace("SUBTLETY 1", "SUBTLETY 1\n" + "x\n" * 9)
    assert parse_overlay(text)[1].notes == ("a line that is not known: 'x' and 8 more",)


def test_more_abnormalities_than_any_film_has_are_refused():
    with pytest.raises(CorruptFileError, match="101 abnormalities"):
        parse_overlay("ABNORMALITY 1\n" * 101)
    assert len(parse_overlay("ABNORMALITY 1\n" * 100)) == 100


def test_a_second_word_of_a_quality_is_noted_and_does_not_replace_the_first():
    second = parse_overlay(TEXT.replace("SHAPE OVAL", "SHAPE OVAL ROUND"))[1]
    assert second.notes == ("LESION_TYPE has a word out of place: 'ROUND'",)
    assert second.lesion_types[0].words("SHAPE") == ("OVAL",)


def test_a_quality_with_no_value_is_taken_as_not_said():
    text = TEXT.replace("DISTRIBUTION N/A", "DISTRIBUTION")
    assert parse_overlay(text)[0].lesion_types[0].words("DISTRIBUTION") == ()


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("4 4 6 6 0 0 #", "4 4 6 6 0 0"),
        ("2 2 4 4", "2 2 8 4"),
        ("2 2 4 4", "2 24 4"),
        ("2 2 4 4", "2 2 x 4"),
        ("20 10  2", "20 #0  2"),
        ("20 10  2", "20 900000  2"),
        (f"{SQUARE}\n\tCORE", f"{SQUARE}\n{SQUARE}\n\tCORE"),
        ("\tCORE\n21 11  #", f"BOUNDARY\n{SQUARE}"),
        ("SUBTLETY 3", "SUBTLETY 3\nSUBTLETY 4"),
    ],
)
def test_half_an_outline_or_a_contradiction_is_refused_with_the_files_name(line, other):
    assert line in TEXT
    with pytest.raises(CorruptFileError, match=r"^A\.OVERLAY: .*get the file again"):
        parse_overlay(TEXT.replace(line, other, 1), "A.OVERLAY")


@pytest.mark.parametrize("text", ["", "TOTAL_ABNORMALITIES 0\n", "mammogram"])
def test_a_text_without_an_abnormality_is_refused(text):
    with pytest.raises(CorruptFileError, match="no line ABNORMALITY"):
        parse_overlay(text)


def test_a_core_without_a_boundary_is_refused():
    with pytest.raises(CorruptFileError, match="0 boundaries"):
        parse_overlay(f"ABNORMALITY 1\n\tCORE\n{SQUARE}\n")


def test_a_packed_file_is_read_too(tmp_path):
    path = tmp_path / "A_9001_1.LEFT_CC.OVERLAY.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    assert read_overlay(path) == parse_overlay(TEXT)


def test_bytes_that_are_no_ascii_are_refused(tmp_path):
    path = tmp_path / "A_9001_1.LEFT_CC.OVERLAY"
    path.write_bytes(TEXT.encode().replace(b"MASS", b"MA\xffS"))
    with pytest.raises(CorruptFileError, match=r"OVERLAY: byte \d+ is no ASCII"):
        read_overlay(path)


@given(st.data())
def test_damage_ends_in_a_result_or_in_our_error(data):
    letters = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        letters[data.draw(st.integers(0, len(letters) - 1))] = data.draw(st.integers(0, 127))
    cut = data.draw(st.integers(0, len(letters)))
    try:
        found = parse_overlay(letters[:cut].decode("ascii"))
    except MammoscopeError:
        return
    assert all(one.assessment in {None, *range(6)} for one in found)


outlines = st.builds(
    lambda start, digits: Outline(points_of(start, np.array(digits, np.uint8))),
    st.tuples(st.integers(-20, 7000), st.integers(-20, 6000)),
    st.lists(st.integers(0, 7), max_size=50),
)
lesions = st.builds(
    LesionType,
    kind=st.sampled_from(["MASS", "CALCIFICATION", "OTHER"]),
    qualities=st.sampled_from(
        [
            (),
            (("SHAPE", ("OVAL", "ROUND")), ("MARGINS", ())),
            (("TYPE", ("PUNCTATE",)), ("DISTRIBUTION", ("CLUSTERED", "LINEAR"))),
        ]
    ),
)
findings = st.builds(
    OverlayFinding,
    lesion_types=st.lists(lesions, min_size=1, max_size=2).map(tuple),
    assessment=st.integers(0, 5),
    subtlety=st.integers(1, 5),
    pathology=st.sampled_from(["BENIGN", "MALIGNANT", "BENIGN_WITHOUT_CALLBACK", "UNPROVEN"]),
    boundary=st.builds(
        lambda outline, cores: Outline(outline.points, tuple(cores)),
        outlines,
        st.lists(outlines, max_size=2),
    ),
)


@given(st.lists(findings, min_size=1, max_size=3).map(tuple))
def test_what_is_written_is_read_again(found):
    assert parse_overlay(format_overlay(found)) == found


@pytest.mark.real
@pytest.mark.parametrize(("view", "count"), [("LEFT_CC", 2529), ("LEFT_MLO", 3357)])
def test_the_genuine_outlines_close_and_are_written_again_byte_for_byte(shared_data, view, count):
    path = shared_data / f"ddsm/genuine/case4000/D_4000_1.{view}.OVERLAY"
    (finding,) = read_overlay(path)
    assert len(finding.boundary.points) == count
    assert (finding.boundary.points[0] == finding.boundary.points[-1]).all()
    assert format_overlay((finding,)).encode() == path.read_bytes()


def slow_points(text):
    """The points of every outline of a file, step by step, as its definition says."""
    moves = {0: (-1, 0), 1: (-1, 1), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (1, -1), 6: (0, -1)}
    for line in text.splitlines():
        if line.rstrip().endswith("#"):
            column, row, *digits = map(int, line.replace("#", "").split())
            points = [(row, column)]
            for digit in digits:
                down, right = moves.get(digit, (-1, -1))
                points.append((points[-1][0] + down, points[-1][1] + right))
            yield points


@pytest.mark.real
def test_all_real_overlays_are_read_as_a_plain_program_reads_them(shared_data):
    notes: Counter[str] = Counter()
    files = drawn = 0
    with tarfile.open(shared_data / "ddsm/genuine/overlays-cancer.tar.xz") as packed:
        for member in packed:
            if not member.isfile():
                continue
            text = packed.extractfile(member).read().decode("ascii")
            found = parse_overlay(text, member.name)
            files += 1
            outlines = [one.boundary for one in found]
            every = [part.points for whole in outlines for part in (whole, *whole.cores)]
            drawn += len(every)
            if files % 10 == 0:
                assert [p.tolist() for p in every] == [
                    list(map(list, p)) for p in slow_points(text)
                ]
            notes.update(n.split(" is ")[0].split(" for ")[0] for one in found for n in one.notes)
            assert parse_overlay(format_overlay(found)) == found
    assert (files, drawn) == (1416, 1727)
    assert notes == {
        "BOUNDARY runs on": 81,
        "CORE runs on": 5,
        "TOTAL_OUTLINES": 5,
        "TOTAL_ABNORMALITIES": 3,
        "SUBTLETY": 2,
    }


@pytest.mark.real
def test_all_heads_of_the_web_site_are_read_without_their_outlines(shared_data):
    words: Counter[str] = Counter()
    heads = 0
    with lzma.open(shared_data / "ddsm/genuine/web/case_pages.jsonl.xz", "rt") as stream:
        for line in stream:
            for overlay in json.loads(line)["overlays"]:
                found = parse_overlay(overlay["text"], overlay["file"])
                heads += 1
                for finding in found:
                    assert finding.boundary is None
                    assert finding.lesion_types
                    words[finding.pathology] += 1
    assert heads == 1045
    assert None not in words


@pytest.mark.real
def test_the_outline_printed_in_a_report_is_read(shared_data):
    text = (shared_data / "ddsm/genuine/text/B_3013_1.RIGHT_MLO.printed.txt").read_text()
    first, second = parse_overlay(text)
    assert (first.boundary, first.pathology) == (None, "MALIGNANT")
    assert len(second.boundary.points) == 1633
    assert not second.notes
