"""Tables of anybody's scores: what is read, what is refused and how that is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import LayoutError, MammoscopeError
from mammoscope.core.vocabulary import Pathology
from mammoscope.evaluation.scores import (
    check_both_classes,
    check_known,
    read_scores,
    scores_text,
)

HEAD = "scan_id,patient_id,score,truth"


@pytest.fixture
def write(tmp_path):
    def put(text, name="scores.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return put


def test_a_table_is_read_row_by_row(write):
    scores = read_scores(write(f"{HEAD}\ns1,p1,0.25,0\ns2,p1,1,true\n"))
    assert (scores.ids, scores.patients) == (("s1", "s2"), ("p1", "p1"))
    assert scores.scores.tolist() == [0.25, 1.0]
    assert scores.truth.tolist() == [False, True]
    assert (scores.unit, scores.scans, scores.breasts) == ("scan", None, None)
    assert len(scores.digest) == 64


def test_tiles_keep_their_scans(write):
    scores = read_scores(write(f"tile_id,{HEAD}\nt1,s1,p1,0.5,0\nt2,s1,p1,0.6,1\n"))
    assert (scores.unit, scores.ids, scores.scans) == ("tile", ("t1", "t2"), ("s1", "s1"))


def test_breasts_come_from_a_side_and_an_exam(write):
    text = f"{HEAD},exam_id,laterality\na,p,0.5,0,e1,L\nb,p,0.5,0,e1,L\nc,p,0.5,0,e2,L\n"
    assert read_scores(write(text)).breasts == ("e1/L", "e1/L", "e2/L")


def test_breasts_without_a_side_are_not_joined(write):
    breasts = read_scores(write(f"{HEAD},laterality\na,p,0.5,0,\nb,p,0.5,0,\n")).breasts
    assert breasts is not None
    assert len(set(breasts)) == 2


def test_other_columns_of_few_values_are_strata_and_of_many_are_named(write):
    rows = "\n".join(f"s{i},p{i},0.5,0,CC,{i}" for i in range(21))
    scores = read_scores(write(f"{HEAD},view,age\n{rows}\n"))
    assert dict(scores.strata) == {"view": ("CC",) * 21}
    assert scores.ignored == ("age",)


def test_probabilities_of_classes_go_with_their_labels(write):
    scores = read_scores(
        write(f"{HEAD},label,p_normal,p_mass\na,p,0.3,0,normal,0.7,0.3\nb,q,0.9,1,mass,0.1,0.9\n")
    )
    assert scores.classes == ("normal", "mass")
    assert scores.labels is not None
    assert scores.labels.tolist() == [0, 1]
    assert scores.probabilities is not None
    assert scores.probabilities.tolist() == [[0.7, 0.3], [0.1, 0.9]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEAD}\ns,p,1.01,1\n", "line 2: the score '1.01' of s"),
        (f"{HEAD}\ns,p,-0.1,1\n", "line 2: the score '-0.1' of s"),
        (f"{HEAD}\ns,p,NaN,1\n", "line 2: the score 'NaN' of s"),
        (f"{HEAD}\ns,p,inf,1\n", "line 2: the score 'inf' of s"),
        (f"{HEAD}\nt,p,1,1\ns,p,,1\n", "line 3: the score '' of s"),
        (f"{HEAD}\ns,p,0.5,maybe\n", "line 2: the truth 'maybe' of s"),
        (
            f"{HEAD}\ns,p,0.5,1\nt,q,0.5,0\ns,p,0.6,1\n",
            "line 4: s is given 2 times, first in line 2",
        ),
        (f"tile_id,{HEAD}\na,s,p,0.5,1\nb,s,q,0.5,0\n", "line 3: s is of the patient q here"),
        (f"{HEAD}\ns,,0.5,1\n", "line 2: the scan or its patient"),
        (f"{HEAD},score\ns,p,0.5,1,0.5\n", "'score' is there twice"),
        (f"{HEAD},p_a,p_b\ns,p,0.5,1,0.5,0.5\n", "in the column label"),
        (f"{HEAD},label,p_a,p_b\ns,p,0.5,1,b,0.5,0.6\n", "add up to 1"),
        (f"{HEAD},label,p_a,p_b\ns,p,0.5,1,c,0.5,0.5\n", "'c' is none of the classes a, b"),
        (f"{HEAD},label,p_a,p_b\ns,p,0.5,1,a,0.5,0.5\n", "do not agree"),
    ],
)
def test_a_bad_row_is_one_sentence_that_names_it(write, text, words):
    path = write(text)
    with pytest.raises(MammoscopeError, match=words) as caught:
        read_scores(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).count(". ") == 0


def test_a_missing_class_is_told(write):
    scores = read_scores(write(f"{HEAD}\ns,p,0.5,1\nt,q,0.5,1\n"))
    with pytest.raises(MammoscopeError, match="all 2 rows have the truth 1; add scans of"):
        check_both_classes(scores)


def test_an_unknown_patient_is_told_by_its_line(write):
    scores = read_scores(write(f"{HEAD}\ns,p,0.5,1\nt,q,0.5,1\nu,r,0.5,1\n"))
    check_known(scores, frozenset("pqr"), "the archive")
    with pytest.raises(
        MammoscopeError, match=r"line 3: the archive does not know the patient q \("
    ):
        check_known(scores, frozenset("p"), "the archive")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_scores_come_back_to_the_last_digit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("t") / "s.csv"
    rows = "".join(f"s{i},p,{value!r},{i % 2}\n" for i, value in enumerate(values))
    path.write_text(f"{HEAD}\n{rows}", encoding="utf-8")
    np.testing.assert_array_equal(read_scores(path).scores, values)


def test_what_a_model_said_can_be_read_as_a_table(write, make_outcome, make_finding):
    outcomes = [
        make_outcome(scan_id="a", patient_id="p", findings=()),
        make_outcome(
            scan_id="b", patient_id="q", findings=(make_finding(pathology=Pathology.MALIGNANT),)
        ),
        make_outcome(scan_id="c", patient_id="r", findings=None),
    ]
    text = scores_text(outcomes)
    assert text is not None
    read = read_scores(write(text))
    assert (read.ids, read.truth.tolist()) == (("a", "b"), [False, True])
    assert read.scores.tolist() == [outcomes[0].score, outcomes[1].score]
    malignant = scores_text(outcomes, malignant=True)
    assert malignant is not None
    assert read_scores(write(malignant, "m.csv")).ids == ("b",)
    assert scores_text(outcomes[2:]) is None


def test_a_decimal_comma_does_not_become_another_score(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(f"{HEAD}\na,p,0,1,0\n", encoding="utf-8")
    with pytest.raises(LayoutError, match="line 2: it has more cells"):
        read_scores(path)


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_another_separator_is_named(tmp_path, mark, name):
    path = tmp_path / "s.csv"
    path.write_text(f"{HEAD}\na,p,0.5,1\n".replace(",", mark), encoding="utf-8")
    with pytest.raises(LayoutError, match=f"parted by {name}"):
        read_scores(path)


def test_an_empty_file_is_called_empty(tmp_path):
    path = tmp_path / "s.csv"
    path.write_bytes(b"")
    with pytest.raises(LayoutError, match="the file is empty"):
        read_scores(path)
