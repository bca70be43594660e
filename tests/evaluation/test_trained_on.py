"""Who was trained on, and the refusal to measure the same patients."""

import pytest

from mammoscope.core.errors import BadValueError, MammoscopeError
from mammoscope.evaluation.trained_on import check_apart, read_patients


@pytest.mark.parametrize("text", ["a\nb\n\n", "patient_id\na\nb\n", "x,patient_id\n1,a\n2,b\n"])
def test_patients_are_read_from_lines_and_tables(tmp_path, text):
    path = tmp_path / "p.txt"
    path.write_text(text, encoding="utf-8")
    assert read_patients(path) == {"a", "b"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "names no patient"),
        (b"x,y\n1,2\n", "no column patient_id"),
        (b"\xff\xfe\x00", "no text"),
    ],
)
def test_what_names_nobody_is_told(tmp_path, content, words):
    path = tmp_path / "p.txt"
    path.write_bytes(content)
    with pytest.raises(MammoscopeError, match=words):
        read_patients(path)
    with pytest.raises(MammoscopeError, match="no such file"):
        read_patients(tmp_path / "gone")


def test_patients_in_both_are_refused_by_name():
    with pytest.raises(BadValueError, match=r"2 of the 3 patients .* in t\.txt too \(b, c\)"):
        check_apart(["a", "b", "c", "c"], frozenset("bcd"), "t.txt")


def test_forced_they_are_said_and_apart_nothing_is():
    said = check_apart(["a", "b"], frozenset("b"), "t.txt", force=True)
    assert said is not None
    assert "1 of the 2 patients" in said
    assert "--force" in said
    assert check_apart(["a"], frozenset("b"), "t.txt") is None
