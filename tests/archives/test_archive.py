"""What an archive's record answers about its scans."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from mammoscope.archives.archive import Archive
from mammoscope.archives.cbis_ddsm_800 import _look as looks_at_a_picture
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
    early = Problem(where="a", what="1")
    found = make_archive(problems=(early,), look=looks_at_a_picture).check()
    assert found[0] == early
    assert [problem.where for problem in found[1:]] == ["a.png", "b.png", "c.png", "d.png"]


def test_check_finds_a_picture_that_is_there_twice(tmp_path):
    for name, grey in (("a", 1), ("b", 2), ("c", 1)):
        Image.new("L", (800, 800), grey).save(tmp_path / f"{name}.png")
    records = tuple(
        replace(make_scan(name, "p", "e"), path=tmp_path / f"{name}.png") for name in "abc"
    )
    (problem,) = make_archive(records=records, look=looks_at_a_picture).check()
    assert (problem.where, problem.what) == (str(tmp_path / "c.png"), "the same pixels as a")


def test_a_notebook_shows_the_tables_of_an_archive_of_tables():
    table = pl.DataFrame({"age": [1, 2, 3]})
    page = make_archive(records=(), tables={"made": table})._repr_html_()
    assert "made: 3 rows, 1 columns" in page


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
