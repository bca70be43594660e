"""What an archive's record answers about its scans."""

from pathlib import Path

import pytest

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import AnnotationError
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import FindingKind


def make_scan(name, patient, exam, findings=()):
    return Scan(
        scan_id=name,
        archive="made",
        path=Path(f"{name}.png"),
        patient_id=patient,
        exam_id=exam,
        findings=findings,
    )


def make_archive(**changes):
    found = Finding(finding_id="f", scan_id="a", kind=FindingKind.MASS)
    records = (
        make_scan("a", "p2", "e3", (found,)),
        make_scan("b", "p1", "e1"),
        make_scan("c", "p1", "e2", None),
        make_scan("d", "p1", "e1"),
    )
    given = {"licence": "free", "citation": "us", "records": records, **changes}
    return Archive(name="made", folder=Path("x"), **given)


def test_patients_and_exams_are_sorted_and_named_once():
    archive = make_archive()
    assert archive.patients() == ("p1", "p2")
    assert [exam.exam_id for exam in archive.exams()] == ["e1", "e2", "e3"]
    assert [scan.scan_id for scan in archive.exams()[0].scans] == ["b", "d"]


def test_findings_are_those_of_all_scans_even_where_some_say_nothing():
    assert [finding.finding_id for finding in make_archive().findings()] == ["f"]


def test_check_joins_what_opening_and_looking_found():
    early, late = Problem(where="a", what="1"), Problem(where="b", what="2")
    archive = make_archive(problems=(early,), look=lambda scans: [late] * len(scans))
    assert archive.check() == (early, late, late, late, late)


@pytest.mark.parametrize("ask", ["patients", "exams", "scans", "findings"])
def test_damage_is_raised_by_whatever_asks_for_scans(ask):
    with pytest.raises(AnnotationError, match="line 3"):
        getattr(make_archive(damage="line 3 is torn."), ask)()


def test_damage_keeps_neither_the_check_nor_the_notebook_from_answering():
    archive = make_archive(damage="line <3> is torn.", problems=(Problem(where="a", what="1"),))
    assert len(archive.check()) == 1
    assert "line &lt;3&gt; is torn." in archive._repr_html_()


def test_a_notebook_shows_the_counts():
    page = make_archive()._repr_html_()
    assert "2 patients, 4 scans" in page
    assert "1 mass" in page
