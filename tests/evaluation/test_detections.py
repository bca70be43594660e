"""Tables of anybody's marked places."""

import pytest

from mammoscope.core.errors import MammoscopeError
from mammoscope.evaluation.detections import read_detections
from mammoscope.evaluation.outcomes import Peak

HEAD = "scan_id,row,column,score"


def test_places_are_read_best_first_and_scans_without_any_are_there(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text(f"{HEAD}\na,1,2,0.3\na,3,4.5,0.9\n", encoding="utf-8")
    assert read_detections(path, frozenset("ab")) == {
        "a": (Peak(3, 4.5, 0.9, 0.9), Peak(1, 2, 0.3, 0.3)),
        "b": (),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scan_id,row,score\n", "no column column"),
        ("row,column,score\n", "no column scan_id"),
        (f"{HEAD}\na,x,2,0.3\n", "line 2: row 'x' and column '2' are no place"),
        (f"{HEAD}\na,-1,2,0.3\n", "line 2: row '-1'"),
        (f"{HEAD}\na,1,2,3\n", "line 2: the score '3'"),
        (f"{HEAD}\nz,1,2,0.3\n", "line 2: the scan 'z' is not in the table"),
        (f'{HEAD}\n"a,1', "no table"),
    ],
)
def test_a_bad_row_is_one_sentence(tmp_path, text, words):
    path = tmp_path / "d.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MammoscopeError, match=words):
        read_detections(path, frozenset("ab"))
    with pytest.raises(MammoscopeError, match="no such file"):
        read_detections(tmp_path / "gone", frozenset("ab"))
