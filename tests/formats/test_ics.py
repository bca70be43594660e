"""The .ics files: values by hand, the archive's form byte for byte, damage, and all real pages."""

import csv
import json
import lzma
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import CorruptFileError, MammoscopeError, MissingFileError
from mammoscope.core.vocabulary import Laterality, ViewPosition
from mammoscope.formats.ics import (
    VIEWS,
    Ics,
    IcsView,
    find_ics,
    format_ics,
    is_heading_of,
    parse_ics,
    read_ics,
    view_of,
)
from mammoscope.formats.ics_date import DateOrder, written

TEXT = """ 
ics_version 1.0
filename A-9001-1
DATE_OF_STUDY 21 6 1995
PATIENT_AGE 57
FILM 
FILM_TYPE REGULAR
DENSITY 2
DATE_DIGITIZED 4 5 1999 
DIGITIZER HOWTEK 43.5
SEQUENCE
LEFT_CC LINES 150 PIXELS_PER_LINE 74 BITS_PER_PIXEL 12 RESOLUTION 43.5 OVERLAY
LEFT_MLO LINES 158 PIXELS_PER_LINE 83 BITS_PER_PIXEL 12 RESOLUTION 43.5 NON_OVERLAY
RIGHT_CC LINES 166 PIXELS_PER_LINE 92 BITS_PER_PIXEL 12 RESOLUTION 43.5 NON_OVERLAY
RIGHT_MLO LINES 174 PIXELS_PER_LINE 101 BITS_PER_PIXEL 12 RESOLUTION 43.5 NON_OVERLAY
"""  # noqa: W291  (blanks at line ends are the archive's)


def test_every_value_is_read():
    ics = parse_ics(TEXT)
    assert (ics.filename, ics.age, ics.film_type, ics.density) == ("A-9001-1", 57, "REGULAR", 2)
    assert (ics.digitizer, ics.selection) == ("HOWTEK 43.5", "SEQUENCE")
    assert ics.study_date.day == date(1995, 6, 21)
    assert ics.scan_date.order is DateOrder.ASSUMED
    assert ics.views[0] == IcsView(
        name="LEFT_CC", lines=150, pixels_per_line=74, bits=12, resolution_um=43.5, overlay=True
    )
    assert [film.overlay for film in ics.views] == [True, False, False, False]
    assert ics.notes == ()


def test_a_film_is_found_by_its_view():
    ics = parse_ics(TEXT)
    assert ics.of((Laterality.RIGHT, ViewPosition.MLO)).lines == 174
    assert ics.of(view_of("A_9001_1.LEFT_MLO.LJPEG")).lines == 158
    assert ics.of((Laterality.RIGHT, ViewPosition.ML)) is None
    assert ics.of(None) is None


def test_the_form_is_kept_byte_for_byte():
    assert format_ics(parse_ics(TEXT)) == TEXT


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("PATIENT_AGE 57", "PATIENT_AGE"),
        ("DENSITY 2", "DENSITY"),
        ("SEQUENCE", "SELECTED"),
        ("SEQUENCE", ""),
        ("DATE_OF_STUDY 21 6 1995", "DATE_OF_STUDY 5 11 92"),
        ("DIGITIZER HOWTEK 43.5", "DIGITIZER LUMISYS"),
        ("RESOLUTION 43.5 OVERLAY", "RESOLUTION 42"),
    ],
)
def test_what_real_files_vary_is_written_as_it_was_read(line, other):
    text = TEXT.replace(line, other)
    assert text != TEXT
    assert format_ics(parse_ics(text)) == text


def test_lines_are_read_wherever_they_stand_and_however_they_end():
    mixed = "\r\n".join(["", *reversed(TEXT.splitlines()), ""])
    assert set(parse_ics(mixed).views) == set(parse_ics(TEXT).views)
    assert parse_ics(mixed).age == 57


def test_what_a_file_does_not_say_is_none_and_noted():
    text = TEXT.replace("PATIENT_AGE 57", "PATIENT_AGE").replace("DIGITIZER HOWTEK 43.5\n", "")
    ics = parse_ics(text)
    assert (ics.age, ics.digitizer) == (None, None)
    assert ics.notes == ("PATIENT_AGE has no value", "DIGITIZER has no value")


@pytest.mark.parametrize(
    ("line", "other", "note"),
    [
        ("DENSITY 2", "DENSITY 0", "DENSITY is 0"),
        ("LEFT_CC LINES", "LEFT_ML LINES", "'LEFT_ML'"),
        ("21 6 1995", "21 6 95", "DATE_OF_STUDY has a year of two digits"),
        ("21 6 1995", "6 21 1995", "DATE_DIGITIZED may be"),
    ],
)
def test_what_departs_from_the_rules_is_noted(line, other, note):
    assert note in " ".join(parse_ics(TEXT.replace(line, other)).notes)


def test_many_lines_that_are_not_known_are_one_note():
    assert parse_ics(TEXT + "x 1\ny\nz\n").notes == ("a line that is not known: 'x' and 2 more",)


def test_a_film_without_a_line_is_noted():
    text = "".join(line for line in TEXT.splitlines(keepends=True) if "RIGHT_CC" not in line)
    assert parse_ics(text).notes == ("no line for RIGHT_CC",)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("LINES 150", "LINES 15x"),
        ("LINES 150", "LINES 0"),
        ("LINES 150", "LINES 70000"),
        ("BITS_PER_PIXEL 12", "BITS_PER_PIXEL 120"),
        ("BITS_PER_PIXEL 12", "BITS_PER_PIXEL 17"),
        ("BITS_PER_PIXEL 12", "BITS_PER_PIXEL 1"),
        ("RESOLUTION 43.5 OVERLAY", "RESOLUTION 0 OVERLAY"),
        ("RESOLUTION 43.5 OVERLAY", "RESOLUTION 43.5 OVERLAP"),
        ("PATIENT_AGE 57", "PATIENT_AGE 5#"),
        ("PATIENT_AGE 57", "PATIENT_AGE 57\nPATIENT_AGE 58"),
    ],
)
def test_a_number_that_is_none_is_refused_with_the_files_name(line, other):
    with pytest.raises(CorruptFileError, match=r"^A-9001-1\.ics: "):
        parse_ics(TEXT.replace(line, other), "A-9001-1.ics")


@pytest.mark.parametrize("text", ["", "\n\n", "hello", "filename A-9001-1"])
def test_other_texts_are_refused(text):
    with pytest.raises(CorruptFileError, match=r"not an \.ics file"):
        parse_ics(text)


def test_bytes_that_are_no_ascii_are_refused(tmp_path):
    path = tmp_path / "A-9001-1.ics"
    path.write_bytes(TEXT.encode().replace(b"FILM", b"FI\xccM"))
    with pytest.raises(CorruptFileError, match="no ASCII"):
        read_ics(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"nothing\.ics"):
        read_ics(tmp_path / "nothing.ics")


@given(st.data())
def test_damage_ends_in_a_result_or_in_our_error(data):
    letters = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(letters) - 1))
        letters[place] = data.draw(st.integers(0, 127))
    cut = data.draw(st.integers(0, len(letters)))
    try:
        ics = parse_ics(letters[:cut].decode("ascii"))
    except MammoscopeError:
        return
    assert all(0 < film.lines < 65536 and film.name in VIEWS for film in ics.views)


texts = st.one_of(st.none(), st.sampled_from(["DBA 21", "HOWTEK 43.5", "LUMISYS LASER"]))
films = st.builds(
    IcsView,
    name=st.just("LEFT_CC"),
    lines=st.integers(1, 65535),
    pixels_per_line=st.integers(1, 65535),
    bits=st.integers(2, 16),
    resolution_um=st.sampled_from([42.0, 43.5, 50.0, 400.0, 12.25]),
    overlay=st.sampled_from([True, False, None]),
)


@given(
    st.builds(
        Ics,
        filename=st.just("C-0001-1"),
        study_date=st.one_of(st.none(), st.dates(date(1980, 1, 1), date(2001, 1, 1)).map(written)),
        age=st.one_of(st.none(), st.integers(0, 120)),
        film_type=st.sampled_from(["REGULAR", None]),
        density=st.one_of(st.none(), st.integers(0, 4)),
        digitizer=texts,
        selection=st.sampled_from(["SEQUENCE", "SELECTED", ""]),
        views=films.map(lambda film: (film,)),
    )
)
def test_what_is_written_is_read_again(ics):
    assert parse_ics(format_ics(ics)) == ics


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("A_1234_1.LEFT_CC.LJPEG", (Laterality.LEFT, ViewPosition.CC)),
        ("a_1234_1.right_mlo.ljpeg.gz", (Laterality.RIGHT, ViewPosition.MLO)),
        ("folder/D_4000_1.RIGHT_CC.LJPEG.1", (Laterality.RIGHT, ViewPosition.CC)),
        ("A_1234_1.LEFT_ML.LJPEG", None),
        ("mdb001.pgm", None),
        ("", None),
    ],
)
def test_a_view_is_told_by_the_name_of_the_image(name, view):
    assert view_of(name) == view


def test_the_ics_beside_an_image_is_found_with_hyphens_or_underscores(tmp_path):
    image = tmp_path / "A_1234_1.LEFT_CC.LJPEG"
    assert find_ics(image) is None
    (tmp_path / "A-1235-1.ics").write_text("")
    assert find_ics(image) is None
    (tmp_path / "a_1234_1.ICS").write_text("")
    assert find_ics(image) == tmp_path / "a_1234_1.ICS"
    (tmp_path / "A-1234-1.ics").write_text("")
    assert find_ics(image) == tmp_path / "A-1234-1.ics"
    assert find_ics(tmp_path / "mdb001.pgm") is None
    assert find_ics(tmp_path / "nowhere" / image.name) is None


@pytest.mark.real
def test_the_genuine_file_is_written_again_byte_for_byte(shared_data):
    path = shared_data / "ddsm/genuine/case4000/D-4000-1.ics"
    ics = read_ics(path)
    assert format_ics(ics).encode() == path.read_bytes()
    assert ics.of((Laterality.LEFT, ViewPosition.CC)).pixels_per_line == 2566
    assert (ics.age, ics.density, ics.notes) == (37, 3, ())


def table_rows(shared_data):
    """The values that somebody else took from the same pages, by file name."""
    rows = {}
    for kind in ("benign", "cancer", "normal"):
        name = f"ddsm/genuine/tables/all_{kind}_cases_data.csv.xz"
        with lzma.open(shared_data / name, "rt") as stream:
            for row in csv.DictReader(stream):
                rows.setdefault(row["filename"], []).append(row)
    return rows


@pytest.mark.real
def test_all_pages_of_the_web_site_agree_with_the_tables_made_from_them(shared_data):
    tables = table_rows(shared_data)
    notes: Counter[str] = Counter()
    agreed = read = 0
    with lzma.open(shared_data / "ddsm/genuine/web/case_pages.jsonl.xz", "rt") as stream:
        for line in stream:
            ics = parse_ics(json.loads(line)["ics"])
            read += 1
            assert [film.name for film in ics.views] == list(VIEWS)
            notes.update(note.split(":")[0] for note in ics.notes)
            # A few numbers stand in two volumes, and have a row for each.
            agreed += values_of(ics) in [values_in(row) for row in tables[ics.filename]]
    assert (read, agreed) == (1196, 1196)
    assert notes == {
        "DATE_OF_STUDY has a year of two digits": 31,
        "DATE_DIGITIZED is no date": 1,
    }


def values_of(ics):
    lines = format_ics(ics).splitlines()[-4:]
    dates = ics.study_date.text, ics.scan_date.text
    films = [line.split(" ", 1)[1] for line in lines]
    return str(ics.age), str(ics.density), ics.digitizer, dates, films


def values_in(row):
    dates = row["DATE_OF_STUDY"], row["DATE_DIGITIZED"]
    films = [row[view] for view in VIEWS]
    return row["PATIENT_AGE"], row["DENSITY"], row["DIGITIZER"], dates, films


@pytest.mark.real
def test_every_single_file_reads_without_loss(shared_data):
    # These texts are of web pages, where blanks at line ends are gone.
    def bare(text):
        return [line.strip() for line in text.splitlines()]

    paths = sorted((shared_data / "ddsm/genuine/web/ics").glob("*.ics"))
    assert len(paths) == 54
    for path in paths:
        assert bare(format_ics(read_ics(path)))[1:] == bare(path.read_text())


@pytest.mark.real
def test_dates_of_the_one_mixed_volume_are_proven_or_left_open(shared_data):
    orders: Counter[str] = Counter()
    rows = [row for same in table_rows(shared_data).values() for row in same]
    for row in rows:
        if row["CASE"] == "cancer_15":
            lines = f"ics_version 1.0\nDATE_OF_STUDY {row['DATE_OF_STUDY']}\n"
            ics = parse_ics(lines, orders_mixed=True)
            orders[f"{ics.study_date.order} {ics.study_date.day is not None}"] += 1
    assert orders == {"proven True": 39, "ambiguous False": 33}


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(MissingFileError, match="cannot be listed"):
        find_ics(tmp_path / "A_1234_1.LEFT_CC.LJPEG")


@pytest.mark.parametrize(
    ("filename", "case", "is_its"),
    [
        ("A-1234-1", "A_1234", True),
        ("a-1234-1", "A_1234", True),
        ("A-1234-1", "a_1234", True),
        (None, "A_1234", True),
        ("A-1235-1", "A_1234", False),
        ("B-1234-1", "A_1234", False),
        ("A-1234", "A_1234", False),
    ],
)
def test_a_heading_calls_itself_by_its_case(filename, case, is_its):
    assert is_heading_of(Ics(filename=filename), case) is is_its
