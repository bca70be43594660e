"""UCI's tables: typed columns, codes, missing values, counts and oddities of the real ones."""

import polars as pl
import pytest

from mammoscope.archives.uci import is_here, read
from mammoscope.archives.uci_columns import TABLES
from mammoscope.core.errors import AnnotationError, LayoutError

MASSES = "mammographic_masses.data"
WISCONSIN = "breast-cancer-wisconsin.data"


@pytest.fixture
def make_table(tmp_path):
    def make(name, *lines):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return tmp_path

    return make


@pytest.fixture(scope="module")
def real(shared_data):
    return read(shared_data / "uci")


def told(archive):
    return " | ".join(f"{p.where} {p.what}" for p in archive.problems)


def test_codes_are_spelled_out_and_question_marks_are_null(make_table):
    table = read(make_table(MASSES, "5,67,3,5,3,1", "4,43,1,1,?,0")).tables["mammographic-mass"]
    assert table.rows() == [
        (5, 67, "lobular", "spiculated", "low", "malignant"),
        (4, 43, "round", "circumscribed", None, "benign"),
    ]


def test_a_value_outside_its_scale_is_null_and_told(make_table):
    archive = read(make_table(MASSES, "55,46,4,3,3,1"))
    assert archive.tables["mammographic-mass"]["assessment"].to_list() == [None]
    assert "line 1 assessment 55 is not a value of the BI-RADS categories 0 to 6" in told(archive)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("5,67,3,5,3", "line 1: expected 6 values, found 5"),
        ("5,67,3,5,3,7", "pathology is one of 0, 1, found '7'"),
        ("5,old,3,5,3,1", "expected a number for age_years, found 'old'"),
        ("5,1e5,3,5,3,1", "expected a number for age_years"),
    ],
)
def test_a_damaged_row_stops_the_reading(make_table, line, sentence):
    with pytest.raises(AnnotationError, match=sentence):
        read(make_table(MASSES, line))


@pytest.mark.parametrize("word", ["nan", "inf", "", "1,8"])
def test_what_is_no_measurement_stops_the_reading(make_table, word):
    line = ",".join(["842302", "M", word, *["1"] * 29])
    with pytest.raises(AnnotationError):
        read(make_table("wdbc.data", line))


def test_ids_on_several_rows_and_of_several_classes_are_told(make_table):
    archive = read(
        make_table(
            WISCONSIN, "7,5,1,1,1,2,1,3,1,1,2", "7,5,1,1,1,2,1,3,1,1,4", "8,5,1,1,1,2,?,3,1,1,4"
        )
    )
    assert "1 ids stand on several rows (2 rows)" in told(archive)
    assert "ids of several pathology values: 7" in told(archive)


def test_absent_tables_and_short_ones_are_told(make_table):
    seen = told(read(make_table(MASSES, "5,67,3,5,3,1")))
    assert "wdbc.data the table is missing" in seen
    assert "1 rows; the whole table has 961" in seen


def test_a_folder_without_tables_is_refused(tmp_path):
    assert not is_here(tmp_path)
    assert not is_here(tmp_path / "absent")
    with pytest.raises(LayoutError, match=r"wdbc\.data"):
        read(tmp_path)


def test_every_column_says_what_it_means_and_has_its_own_name():
    for table in TABLES.values():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert table.target in names
        assert all(column.meaning for column in table.columns)
        assert all(
            column.name.endswith(column.unit) or column.unit in ("month", "year")
            for column in table.columns
        )


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "shape", "target", "counts"),
    [
        ("wisconsin-original", (699, 11), "pathology", {"benign": 458, "malignant": 241}),
        ("wdbc", (569, 32), "pathology", {"benign": 357, "malignant": 212}),
        ("wpbc", (198, 35), "outcome", {"nonrecurrent": 151, "recurrent": 47}),
        ("mammographic-mass", (961, 6), "pathology", {"benign": 516, "malignant": 445}),
    ],
)
def test_the_real_tables_have_their_published_counts(real, name, shape, target, counts):
    table = real.tables[name]
    assert table.shape == shape
    assert dict(table[target].value_counts().rows()) == counts


@pytest.mark.real
def test_the_real_tables_miss_what_their_names_files_say(real):
    def nulls(name):
        counted = real.tables[name].null_count().row(0, named=True)
        return {column: count for column, count in counted.items() if count}

    assert nulls("wisconsin-original") == {"bare_nuclei": 16}
    assert nulls("wdbc") == {}
    assert nulls("wpbc") == {"positive_lymph_nodes": 4}
    # The names file says 2 assessments; the third is the 55.
    assert nulls("mammographic-mass") == {
        "assessment": 3,
        "age_years": 5,
        "shape": 31,
        "margin": 48,
        "density": 76,
    }


@pytest.mark.real
def test_field_3_is_mean_radius_field_13_its_error_and_field_23_the_worst(real):
    first = real.tables["wdbc"].row(0, named=True)
    assert (first["radius_mean"], first["radius_se"], first["radius_worst"]) == (
        17.99,
        1.095,
        25.38,
    )
    last = real.tables["wpbc"].row(0, named=True)
    assert (last["tumour_diameter_cm"], last["positive_lymph_nodes"]) == (5.0, 5)


@pytest.mark.real
def test_the_oddities_of_the_real_tables_are_told(real):
    seen = told(real)
    assert "line 341 assessment 55" in seen
    assert "assessment 0 (5 times), 6 (11 times)" in seen
    assert "46 ids stand on several rows (100 rows)" in seen
    assert "695091, 1171710, 1198641, 1299596" in seen
    assert "272 rows repeat another row" in seen
    assert "139 ids are in wdbc and in wpbc" in seen
    assert real.scans() == ()
    assert isinstance(real.tables["wdbc"], pl.DataFrame)


def test_what_the_targets_codes_mean_is_as_the_names_files_say():
    said = {
        name: next(dict(c.codes) for c in table.columns if c.name == table.target)
        for name, table in TABLES.items()
    }
    assert said == {
        "wisconsin-original": {"2": "benign", "4": "malignant"},
        "wdbc": {"B": "benign", "M": "malignant"},
        "wpbc": {"N": "nonrecurrent", "R": "recurrent"},
        "mammographic-mass": {"0": "benign", "1": "malignant"},
    }
