"""`mammoscope archive`: list, check with its exit codes, show."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import AnnotationError
from mammoscope.core.geometry import Box, Circle, MaskFile
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import (
    Assessment,
    FindingKind,
    Laterality,
    Pathology,
    SpacingSource,
    ViewPosition,
)


def make_finding(name, scan_id, **changes):
    return Finding(finding_id=name, scan_id=scan_id, kind=FindingKind.MASS, **changes)


def make_scans():
    found = (
        make_finding(
            "f1",
            "s1",
            roi=Box(10, 20, 30, 40),
            pathology=Pathology.MALIGNANT,
            assessment=Assessment.HIGH_SUSPICION,
            descriptors=("[red]", "SPIC"),
        ),
        make_finding("f2", "s1", roi=Circle(50, 60, 7)),
    )
    one = Scan(
        scan_id="s1",
        archive="made",
        path=Path("s1.png"),
        patient_id="p1",
        exam_id="e1",
        laterality=Laterality.LEFT,
        view=ViewPosition.CC,
        spacing_mm=(0.3, 0.2),
        spacing_source=SpacingSource.ARCHIVE,
        findings=found,
    )
    two = Scan(
        scan_id="s2",
        archive="made",
        path=Path("s2.png"),
        patient_id="p2",
        exam_id="e2",
        findings=(),
    )
    three = Scan(scan_id="s3", archive="made", path=Path("s3.png"), patient_id="p2", exam_id="e2")
    return one, two, three


@pytest.fixture
def opened(stand_in):
    """Let `open_archive` give a made archive with the given problems."""

    def make(*problems, kind=Archive, **changes):
        given = {"records": make_scans(), "problems": problems, **changes}
        archive = kind(name="made", folder=Path("x"), licence="none", citation="none", **given)
        calls = []

        def open_archive(name, folder):
            calls.append((name, folder))
            return archive

        stand_in(
            "mammoscope.archives.open",
            open_archive=open_archive,
            NAMES={"zeta": "last one", "alpha": "first one"},
        )
        return calls

    return make


def rows_of(text):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]


def test_the_list_names_archives_in_order(run, opened):
    opened()
    rows = rows_of(run("archive", "list").out)
    assert [row for row in rows if row] == [["alpha", "first one"], ["zeta", "last one"]]


def test_a_sound_archive_is_counted_and_ends_with_0(run, opened):
    calls = opened()
    ended = run("archive", "check", "made", "x")
    assert ended.code == 0
    assert calls == [("made", Path("x"))]
    counts = dict(row for row in rows_of(ended.out) if row)
    assert counts == {
        "patients": "2",
        "exams": "2",
        "scans": "3",
        "scans without findings": "1",
        "findings": "2",
        "findings: mass": "2",
        "findings: malignant": "1",
        "findings: pathology unknown": "1",
    }
    assert "No problem was found." in ended.out


def test_problems_are_listed_and_end_with_1(run, opened):
    opened(Problem(where="s1.png", what="it is gone", remedy="fetch it again"))
    ended = run("archive", "check", "made", "x")
    assert ended.code == 1
    assert "1 problem" in ended.out
    assert ["s1.png", "it is gone", "fetch it again"] in rows_of(ended.out)


def test_json_holds_the_counts_and_every_problem(run, opened):
    problems = [Problem(where=f"s{i}.png", what="gone", remedy="fetch") for i in range(300)]
    opened(*problems)
    ended = run("archive", "check", "made", "x", "--json")
    assert ended.code == 1
    report = json.loads(ended.out)
    assert report["schema"] == "mammoscope.archive-check/1"
    assert report["counts"]["scans"] == 3
    assert report["counts"]["findings: pathology unknown"] == 1
    assert len(report["problems"]) == 300
    assert report["problems"][0] == {"where": "s0.png", "what": "gone", "remedy": "fetch"}


def test_a_long_list_of_problems_is_cut_and_says_so(run, opened):
    opened(*(Problem(where="x/s.png", what=f"gone {i}") for i in range(203)))
    out = run("archive", "check", "made", "x").out
    assert "203 problems" in out
    assert "3 more rows are not shown: --json lists all." in out


def test_problems_of_one_kind_share_a_row_and_files_are_named_within_the_folder(run, opened):
    opened(*(Problem(where=f"x/a/s{i}.png", what="gone", remedy="fetch") for i in range(5)))
    rows = rows_of(run("archive", "check", "made", "x").out)
    assert ["a/s0.png", "gone", "fetch"] in rows
    assert ["and 2 more", "", ""] in rows


def test_a_long_path_is_broken_and_not_cut(run, opened):
    long = "/".join(["folder"] * 60) + "/end.png"
    opened(Problem(where=long, what="gone", remedy="fetch"))
    rows = rows_of(run("archive", "check", "made", "x").out)
    broken = [row[0] for row in rows if row and not row[0].startswith(("pat", "exa", "sca", "fin"))]
    assert "".join(broken) == long


def test_json_of_an_archive_too_broken_to_count_says_why(run, opened):
    opened(Problem(where="Info.txt", what="line 3 is damaged"), kind=Broken)
    report = json.loads(run("archive", "check", "made", "x", "--json").out)
    assert report["counts"] is None
    assert report["not_counted_because"] == "Info.txt, line 3: no row."


def test_an_archive_of_tables_counts_rows_and_shows_columns(run, opened):
    opened(tables={"wdbc": pl.DataFrame({"radius_mm": [1.5, None, 2.5]})}, records=())
    assert ["rows of wdbc", "3"] in rows_of(run("archive", "check", "made", "x").out)
    assert ["radius_mm", "Float64", "1", "3"] in rows_of(run("archive", "show", "made", "x").out)


def test_a_mask_is_named_by_its_file(run, opened):
    scan = make_scans()[0]
    found = make_finding("f9", "s1", roi=MaskFile(Path("far/m.dcm")))
    opened(records=(replace(scan, findings=(found,)),))
    rows = rows_of(run("archive", "show", "made", "x", "--patient", "p1").out)
    assert ["f9", "s1", "mass", "unknown", "-", "mask in m.dcm", ""] in rows


class Broken(Archive):
    def scans(self):
        raise AnnotationError("Info.txt, line 3: no row.")


def test_an_archive_too_broken_to_count_still_shows_its_problems(run, opened):
    opened(Problem(where="Info.txt", what="line 3 is damaged"), kind=Broken)
    ended = run("archive", "check", "made", "x")
    assert ended.code == 1
    assert "line 3 is damaged" in ended.out
    assert "not counted" in ended.out


def test_an_archive_that_fails_without_a_problem_is_an_error(run, opened):
    opened(kind=Broken)
    ended = run("archive", "check", "made", "x")
    assert ended.code == 2
    assert ended.err == "mammoscope: Info.txt, line 3: no row.\n"


def test_show_lists_a_row_a_patient(run, opened):
    opened()
    rows = [row for row in rows_of(run("archive", "show", "made", "x").out) if row]
    assert rows == [["p1", "1", "1", "2", "malignant"], ["p2", "1", "2", "0", "-"]]


def test_show_of_a_patient_lists_scans_and_findings(run, opened):
    opened()
    rows = rows_of(run("archive", "show", "made", "x", "--patient", "p1").out)
    assert ["s1", "e1", "L", "CC", "0.3 x 0.2", "archive", "2"] in rows
    place = "row 25, column 40, 30 x 40"
    assert ["f1", "s1", "mass", "malignant", "4C", place, "[red], SPIC"] in rows
    assert ["f2", "s1", "mass", "unknown", "-", "row 50, column 60, 14 x 14", ""] in rows


def test_a_scan_of_which_nothing_is_known_is_shown_so(run, opened):
    opened()
    rows = rows_of(run("archive", "show", "made", "x", "--patient", "p2").out)
    assert ["s2", "e2", "?", "?", "?", "-", "0"] in rows
    assert ["s3", "e2", "?", "?", "?", "-", "not said"] in rows


def test_an_unknown_patient_is_told_with_those_near(run, opened):
    opened()
    ended = run("archive", "show", "made", "x", "--patient", "p3")
    assert ended.code == 2
    assert "no patient called 'p3'" in ended.err
    assert "p1" in ended.err


def test_a_folder_that_is_not_there_is_one_sentence(run, tmp_path):
    ended = run("archive", "check", "mini-mias", tmp_path / "nothing")
    assert ended.code == 2
    assert ended.err.startswith("mammoscope: ")
    assert "nothing" in ended.err
    assert ended.err.count("\n") == 1


def test_an_unknown_archive_is_told_with_those_near(run, tmp_path):
    ended = run("archive", "check", "mini-mia", tmp_path)
    assert ended.code == 2
    assert "mini-mias" in ended.err
