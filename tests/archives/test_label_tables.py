"""Tables of archives: rows with their lines, damage that is named, Excel sheets."""

import zipfile
from importlib import import_module

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mammoscope.archives import label_tables
from mammoscope.archives.label_tables import (
    file_problems,
    heading_of,
    plain_name,
    read_csv,
    read_sheet,
    records_of,
    some,
)
from mammoscope.core.errors import (
    AnnotationError,
    LayoutError,
    MammoscopeError,
    MissingDecoderError,
    MissingFileError,
)

COLUMNS = ("id", "side")


@pytest.fixture
def table(tmp_path):
    def make(content):
        path = tmp_path / "labels.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def sheet(path, rows):
    """Write the least that Excel calls a workbook: one sheet, text in the cells, numbers bare."""
    cells = "".join(
        f"<row r='{r}'>"
        + "".join(
            f"<c r='{chr(65 + c)}{r}'><v>{value}</v></c>"
            if isinstance(value, int | float)
            else f"<c r='{chr(65 + c)}{r}' t='inlineStr'><is><t>{value}</t></is></c>"
            for c, value in enumerate(row)
        )
        + "</row>"
        for r, row in enumerate(rows, start=1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f"<Types xmlns='{package}/content-types'>"
        "<Default Extension='rels' "
        "ContentType='application/vnd.openxmlformats-package.relationships+xml'/>"
        "<Override PartName='/xl/workbook.xml' ContentType='application/"
        "vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml'/></Types>",
        "_rels/.rels": f"<Relationships xmlns='{package}/relationships'><Relationship Id='r1' "
        f"Type='{links}/officeDocument' Target='xl/workbook.xml'/></Relationships>",
        "xl/workbook.xml": f"<workbook xmlns='{main}' xmlns:r='{links}'><sheets>"
        "<sheet name='S' sheetId='1' r:id='r1'/></sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships xmlns='{package}/relationships'>"
        f"<Relationship Id='r1' Type='{links}/worksheet' Target='worksheets/sheet1.xml'/>"
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f"<worksheet xmlns='{main}'><sheetData>{cells}</sheetData>"
        "</worksheet>",
    }
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return path


# CSV


def test_rows_know_their_file_and_line(table):
    path = table("id,side,more\n1,L,x\n\n2, R ,y\n")
    rows = read_csv(path, COLUMNS).rows

    assert [row.where for row in rows] == [f"{path}, line 2", f"{path}, line 4"]
    assert [(row["id"], row["side"], row["more"]) for row in rows] == [
        ("1", "L", "x"),
        ("2", "R", "y"),
    ]


@pytest.mark.parametrize("text", ["\ufeffid,side\r\n1,L\r\n", "id;side\n1;L\n", 'id,side\n"1",L'])
def test_marks_line_ends_and_separators_are_taken(table, text):
    (row,) = read_csv(table(text), COLUMNS).rows
    assert dict(row.cells) == {"id": "1", "side": "L"}


def test_a_row_of_other_width_damages_the_table_and_names_its_line(table):
    path = table("id,side\n1,L\n2\n3,R,x\n")
    found = read_csv(path, COLUMNS)

    assert [row["id"] for row in found.rows] == ["1"]
    assert [p.where for p in found.problems] == [f"{path}, line 3", f"{path}, line 4"]
    assert found.damage.startswith(f"{path}, line 3: the row cannot be understood (1 cells")


def test_a_quotation_mark_that_is_closed_far_below_is_named_at_its_line(table):
    found = read_csv(table('id,side\n1,"L\n2,R\n3,L"\n4,R\n'), COLUMNS)

    assert [row["id"] for row in found.rows] == ["4"]
    assert "line 2" in found.damage
    assert "quotation mark is not closed" in found.damage


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('id,side\n1,L\n2,"R\n', r"labels\.csv, line 3: no row of a table"),
        (b"id,side\n1,L\n2,\xff\n", r"labels\.csv, line 3: no text in UTF-8"),
    ],
)
def test_what_is_no_table_of_text_is_refused_with_its_line(table, content, words):
    with pytest.raises(AnnotationError, match=words):
        read_csv(table(content), COLUMNS)


@pytest.mark.parametrize(
    ("text", "words"),
    [("id,lado\n1,L\n", "missing: side"), ("", "missing: id, side"), ("id,side,id\n", "each once")],
)
def test_missing_and_repeated_columns_are_refused(table, text, words):
    with pytest.raises(LayoutError, match=rf"labels\.csv, line 1: expected.*{words}"):
        read_csv(table(text), COLUMNS)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(MissingFileError, match="no such file"):
        read_csv(tmp_path / "no.csv", COLUMNS)
    with pytest.raises(MissingFileError, match="no such file"):
        read_sheet(tmp_path / "no.xlsx", COLUMNS)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_mutated_table_gives_rows_or_one_of_our_errors(table, data):
    content = bytearray(b'id,side,note\n1,L,"a, b"\n2,R,c\n3,L,d\n')
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = table(bytes(content))
    heading_of(path)
    try:
        found = read_csv(path, COLUMNS)
    except MammoscopeError:
        return
    assert bool(found.problems) == bool(found.damage)


def test_the_heading_of_what_is_no_table_is_empty(tmp_path):
    assert heading_of(tmp_path / "no.csv") == ()
    assert heading_of(tmp_path) == ()
    (tmp_path / "empty").write_bytes(b"")
    assert heading_of(tmp_path / "empty") == ()


# Excel


def test_a_sheet_gives_the_rows_of_the_same_table_as_csv(tmp_path, table):
    book = sheet(tmp_path / "a.xlsx", [["id", "side", "age"], [7, "L", 44], ["8", "R", 50.5]])
    plain = read_csv(table("id,side,age\n7,L,44\n8,R,50.5\n"), COLUMNS)

    found = read_sheet(book, COLUMNS)
    assert [dict(row.cells) for row in found.rows] == [dict(row.cells) for row in plain.rows]
    assert found.rows[1].where == f"{book}, line 3"


def test_a_sheet_that_is_damaged_or_none_is_refused(tmp_path):
    book = sheet(tmp_path / "a.xlsx", [["id", "side"], ["1", "L"]])
    data = book.read_bytes()
    for content in (b"", b"id,side\n1,L\n", data[:200], data[: len(data) // 2]):
        book.write_bytes(content)
        with pytest.raises(AnnotationError, match=r"a\.xlsx: no Excel file, or a damaged one"):
            read_sheet(book, COLUMNS)


def test_a_sheet_that_would_fill_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    book = sheet(tmp_path / "a.xlsx", [["id", "side"], ["1", "L" * 5000]])
    monkeypatch.setattr(label_tables, "LARGEST_SHEET", 4000)
    with pytest.raises(AnnotationError, match="far more than a table"):
        read_sheet(book, COLUMNS)


def test_without_the_extra_the_error_names_it_and_the_other_way(tmp_path, monkeypatch):
    book = sheet(tmp_path / "a.xlsx", [["id", "side"]])

    def absent(name):
        if name == "python_calamine":
            raise ImportError(name)
        return import_module(name)

    monkeypatch.setattr(label_tables, "import_module", absent)
    with pytest.raises(MissingDecoderError, match=r"mammoscope\[excel\].*as a CSV file"):
        read_sheet(book, COLUMNS)


# Records and files


def test_rows_that_cannot_be_understood_are_problems_and_damage(table):
    path = table("id,side\n1,L\nx,R\n3,L\n")
    made, problems, damage = records_of(read_csv(path, COLUMNS), lambda row: int(row["id"]))

    assert [number for _, number in made] == [1, 3]
    assert [p.where for p in problems] == [f"{path}, line 3"]
    assert damage.startswith(f"{path}, line 3: the row cannot be understood (invalid literal")


def test_files_without_rows_and_rows_without_files_are_told_once(tmp_path):
    problems = list(file_problems(tmp_path, {"b", "a"}, {"c"}, 5))

    assert [p.what for p in problems] == [
        "2 of the 5 files it names are not here: a, b",
        "1 files are here of which it says nothing: c",
    ]
    assert list(file_problems(tmp_path, [], [], 5)) == []


def test_long_lists_of_names_are_shortened():
    assert some([str(n) for n in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "/etc", ".hidden", "a\0"])
def test_a_name_that_leads_elsewhere_is_refused(name):
    with pytest.raises(ValueError, match="no name of a file"):
        plain_name(name)


def test_a_word_that_is_not_known_is_told_as_such(table):
    sides = {"L": "left"}
    found = read_csv(table("id,side,age\n7,X,44\n"), COLUMNS)
    _, (problem,), damage = records_of(found, lambda row: sides[row["side"]])
    assert problem.what == "the row cannot be understood ('X' is no word known here)"
    assert problem.what in damage
