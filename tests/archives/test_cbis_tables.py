"""CBIS-DDSM's tables: their grammar, their spellings, and the published ones."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mammoscope.archives.cbis_tables import TABLES, Series, Tables, parse_series, read_tables
from mammoscope.core.vocabulary import Assessment, Pathology

HEADING = (
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,"
    "mass shape,mass margins,assessment,pathology,subtlety,image file path,"
    "cropped image file path,ROI mask file path"
)
ROW = (
    "P_00001,3,LEFT,CC,1,mass,IRREGULAR-ARCHITECTURAL_DISTORTION,SPICULATED,4,MALIGNANT,4,"
    "Mass-Training_P_00001_LEFT_CC/1.1/1.2/000000.dcm,"
    'Mass-Training_P_00001_LEFT_CC_1/1.3/1.4/000000.dcm,"Mass-Training_P_00001_LEFT_CC_1/1.3/1.4/'
    '000001.dcm\n"'
)
NAME = "mass_case_description_train_set.csv"


def read(folder: Path, text: str | bytes, name: str = NAME) -> Tables:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_tables({name: path})


def test_a_row_is_understood_to_its_last_cell(tmp_path: Path):
    tables = read(tmp_path, f"{HEADING}\r\n{ROW}\r\n")

    (row,) = tables.rows
    assert row.series == Series("Mass", "Training", "P_00001_LEFT_CC", 1)
    assert str(row.series) == "Mass-Training_P_00001_LEFT_CC_1"
    assert str(row.scan) == "Mass-Training_P_00001_LEFT_CC"
    assert (row.density, row.subtlety) == ("3", 4)
    assert (row.assessment, row.pathology) == (Assessment.SUSPICIOUS, Pathology.MALIGNANT)
    assert row.descriptors == ("IRREGULAR-ARCHITECTURAL_DISTORTION", "SPICULATED", "MALIGNANT")
    assert row.mask_file is not None
    assert row.mask_file.name == "000001.dcm"
    assert (tables.problems, tables.damage) == ((), "")


def test_a_row_is_named_by_the_line_where_it_begins(tmp_path: Path):
    second = ROW.replace("_CC", "_MLO").replace(",CC,", ",MLO,")

    assert [r.where[-6:] for r in read(tmp_path, f"{HEADING}\n{ROW}\n{second}\n").rows] == [
        "line 2",
        "line 4",
    ]


def test_both_spellings_of_density_and_the_words_of_calcifications_are_understood(tmp_path: Path):
    heading = HEADING.replace("breast_density", "breast density")
    heading = heading.replace("mass shape", "calc type").replace(
        "mass margins", "calc distribution"
    )
    name = "calc_case_description_test_set.csv"
    (row,) = read(tmp_path, f"{heading}\n{ROW}\n", name).rows

    assert row.density == "3"
    assert row.series == Series("Calc", "Test", "P_00001_LEFT_CC", 1)


def test_benign_without_callback_is_benign_and_the_word_is_kept(tmp_path: Path):
    text = ROW.replace("MALIGNANT", "BENIGN_WITHOUT_CALLBACK")
    (row,) = read(tmp_path, f"{HEADING}\n{text}\n").rows

    assert row.pathology is Pathology.BENIGN
    assert "BENIGN_WITHOUT_CALLBACK" in row.descriptors


def test_what_was_not_noted_is_none(tmp_path: Path):
    text = ROW.replace(",3,LEFT", ",0,LEFT").replace("MALIGNANT,4", "MALIGNANT,0")
    (row,) = read(tmp_path, f"{HEADING}\n{text}\n").rows

    assert (row.density, row.subtlety) == (None, None)


def test_paths_with_the_slashes_of_windows_tell_their_uids(tmp_path: Path):
    tables = read(tmp_path, f"{HEADING}\n{ROW.replace('/', chr(92))}\n")

    assert tables.series_by_uid() == {
        "1.1": Series("Mass", "Training", "P_00001_LEFT_CC"),
        "1.2": Series("Mass", "Training", "P_00001_LEFT_CC"),
        "1.3": Series("Mass", "Training", "P_00001_LEFT_CC", 1),
        "1.4": Series("Mass", "Training", "P_00001_LEFT_CC", 1),
    }


@pytest.mark.parametrize(
    "change",
    [
        ("P_00001,", "00001,"),
        ("LEFT,CC", "MIDDLE,CC"),
        ("LEFT,CC", "LEFT,XCCL"),
        (",1,mass", ",0,mass"),
        (",1,mass", ",one,mass"),
        (",4,MALIGNANT", ",7,MALIGNANT"),
        ("MALIGNANT", "CANCER"),
        ("MALIGNANT,4", "MALIGNANT,6"),
        (",3,LEFT", ",5,LEFT"),
        ("SPICULATED,4", "SPICULATED"),
        ('"Mass', '"Mass" x"'),
    ],
)
def test_a_row_that_is_not_understood_is_damage_and_names_its_line(
    tmp_path: Path, change: tuple[str, str]
):
    tables = read(tmp_path, f"{HEADING}\n{ROW.replace(*change)}\n")

    assert tables.rows == ()
    assert f"{NAME}, line" in tables.damage
    assert len(tables.problems) == 1


def test_a_heading_without_pathology_is_damage(tmp_path: Path):
    tables = read(tmp_path, f"{HEADING.replace('pathology', 'label')}\n{ROW}\n")

    assert "the heading lacks pathology" in tables.damage


def test_a_second_row_of_an_abnormality_is_told_and_the_first_used(tmp_path: Path):
    tables = read(tmp_path, f"{HEADING}\n{ROW}\n{ROW.replace('MALIGNANT', 'BENIGN')}\n")

    assert [row.pathology for row in tables.rows] == [Pathology.MALIGNANT]
    assert "a second row for Mass-Training_P_00001_LEFT_CC_1" in tables.problems[0].what


@pytest.mark.parametrize(
    "name",
    [
        "",
        "P_00001_LEFT_CC",
        "Mass-Training_P_00001_LEFT",
        "mass-training_p_00001_left_cc",
        "Mass-Training_P_00001_LEFT_CC_",
        "Mass-Training_P_00001_LEFT_CC_1_1",
        "Mass-Validation_P_00001_LEFT_CC",
    ],
)
def test_what_is_no_name_of_the_archive_is_none(name: str):
    assert parse_series(name) is None


@given(
    st.sampled_from(["Mass", "Calc"]),
    st.sampled_from(["Training", "Test"]),
    st.integers(0, 99999),
    st.sampled_from(["LEFT_CC", "RIGHT_MLO"]),
    st.none() | st.integers(1, 99),
)
def test_a_name_is_read_back_as_it_was_written(
    kind: str, part: str, patient: int, view: str, number: int | None
):
    series = Series(kind, part, f"P_{patient:05d}_{view}", number)

    assert parse_series(str(series)) == series


@given(st.binary(max_size=300), st.integers(0, 600))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_bytes_in_a_table_end_in_rows_or_damage(tmp_path: Path, junk: bytes, at: int):
    whole = f"{HEADING}\n{ROW}\n".encode()
    tables = read(tmp_path, whole[:at] + junk + whole[at:])

    assert tables.rows or tables.damage or not (whole[:at] + junk + whole[at:]).strip()


@given(st.integers(0, len(f"{HEADING}\n{ROW}\n")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_a_table_cut_short_never_gives_another_row(tmp_path: Path, length: int):
    whole = read(tmp_path, f"{HEADING}\n{ROW}\n").rows
    cut = read(tmp_path, f"{HEADING}\n{ROW}\n"[:length])

    assert all(row.pathology is whole[0].pathology for row in cut.rows)
    assert cut.rows == () or cut.rows[0].series == whole[0].series


@pytest.mark.real
def test_the_published_tables_hold_what_is_known_of_them(shared_data: Path):
    folder = shared_data / "cbis-ddsm" / "csv"
    tables = read_tables({name: folder / name for name in TABLES})

    # Lee et al. 2017 and the tables themselves: 1,566 patients, 3,568 abnormalities.
    assert (tables.problems, tables.damage) == ((), "")
    assert len(tables.rows) == 3568
    scans = {row.series.scan_id for row in tables.rows}
    assert len(scans) == 3032
    assert len({scan[:7] for scan in scans}) == 1566
    assert len({row.scan for row in tables.rows}) == 3103
    counts = [0, 0, 0, 0]
    for row in tables.rows:
        counts[list(TABLES.values()).index((row.series.kind, row.series.part))] += 1
    assert counts == [1318, 378, 1546, 326]
    # 3,103 series of scans, 3,568 of abnormalities and 104 whose mask or crop has its own.
    assert len({path.parts[2] for row in tables.rows for path in paths(row)}) == 6775


def paths(row):
    return [path for path in (row.scan_file, row.cut_out_file, row.mask_file) if path is not None]


def test_a_table_that_excel_saved_with_semicolons_says_the_same(tmp_path: Path):
    plain = read(tmp_path, f"{HEADING}\n{ROW}\n")

    assert read(tmp_path, f"{HEADING}\n{ROW}\n".replace(",", ";")) == plain
