"""`mammoscope tiles split`: the division that it writes and what it says."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mammoscope.archives import open as opening
from mammoscope.archives.archive import Archive
from mammoscope.archives.splits import divide, read_division
from mammoscope.cli.tiles_split import split
from mammoscope.core.errors import BadValueError, CorruptFileError, UnknownNameError
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import Split

app = typer.Typer()
app.command()(split)


def make_scan(number, archive="ddsm", official=None):
    patient = f"p{number // 2:02d}"
    return Scan(
        scan_id=f"{archive}-{number:02d}",
        archive=archive,
        path=Path("s.png"),
        patient_id=patient,
        exam_id=patient,
        findings=(),
        split=official,
    )


SCANS = {
    "ddsm": tuple(make_scan(number) for number in range(60)),
    # The patients p00 to p09 are of both archives; p00 and p01 are in both official parts.
    "cbis-ddsm": tuple(
        make_scan(number, "cbis-ddsm", Split.TEST if number % 2 and number < 4 else Split.TRAIN)
        for number in range(20)
    ),
}


@pytest.fixture(autouse=True)
def archives(monkeypatch):
    def open_archive(name, folder):
        return Archive(name=name, folder=folder, licence="", citation="", records=SCANS[name])

    monkeypatch.setattr(opening, "open_archive", open_archive)


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def cells_of(said):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines()]


BOTH = ("ddsm", "a", "cbis-ddsm", "b")


def test_the_division_of_all_archives_at_once_is_written(tmp_path):
    result = run(*BOTH, "--out", tmp_path / "new" / "d.json", "--seed", 3)
    assert result.exit_code == 0, result.exception
    division = read_division(tmp_path / "new" / "d.json")
    assert division == divide([*SCANS["ddsm"], *SCANS["cbis-ddsm"]], seed=3)
    assert f"Digest: {division.digest}" in result.stdout


def test_patients_and_scans_of_each_split_are_counted(tmp_path):
    said = run("ddsm", "a", "--out", tmp_path / "d.json", "--fractions", 0.5, 0.3, 0.2).stdout
    cells = cells_of(said)
    # 30 patients of two scans each.
    assert ["train", "15", "30"] in cells
    assert ["validation", "9", "18"] in cells
    assert ["test", "6", "12"] in cells


def test_folds_are_made_and_counted(tmp_path):
    said = run("ddsm", "a", "--out", tmp_path / "d.json", "--folds", 5).stdout
    assert ["of them in fold 4", "6", "12"] in cells_of(said)
    assert read_division(tmp_path / "d.json").made["k"] == 5


def test_training_scans_of_tested_patients_can_be_purged(tmp_path):
    said = run(*BOTH, "--out", tmp_path / "d.json", "--official", "purge").stdout
    # The official training scans of p00 and p01.
    assert ["in no split", "-", "2"] in cells_of(said)
    assert read_division(tmp_path / "d.json").purged == {"cbis-ddsm-00", "cbis-ddsm-02"}


def test_the_same_division_may_be_asked_for_again(tmp_path):
    out = tmp_path / "d.json"
    run("ddsm", "a", "--out", out)
    before = out.stat().st_mtime_ns
    assert run("ddsm", "a", "--out", out).exit_code == 0
    assert out.stat().st_mtime_ns == before


def test_another_division_is_not_written_over(tmp_path):
    out = tmp_path / "d.json"
    run("ddsm", "a", "--out", out)
    before = out.read_bytes()
    result = run("ddsm", "a", "--out", out, "--seed", 1)
    assert isinstance(result.exception, BadValueError)
    assert "d.json: holds another division" in str(result.exception)
    assert out.read_bytes() == before


def test_another_file_is_not_written_over(tmp_path):
    out = tmp_path / "d.json"
    out.write_text(json.dumps({"mine": 1}))
    assert isinstance(run("ddsm", "a", "--out", out).exception, CorruptFileError)
    assert json.loads(out.read_text()) == {"mine": 1}


def test_shares_and_folds_together_are_refused(tmp_path):
    words = ("--fractions", 0.8, 0.1, 0.1, "--folds", 5)
    result = run("ddsm", "a", "--out", tmp_path / "d.json", *words)
    assert "leave --fractions or --folds out" in str(result.exception)
    assert not (tmp_path / "d.json").exists()


def test_an_unknown_rule_for_official_tests_is_refused(tmp_path):
    result = run("ddsm", "a", "--out", tmp_path / "d.json", "--official", "drop")
    assert isinstance(result.exception, UnknownNameError)


def test_an_archive_whose_scans_changed_gives_another_division(tmp_path, monkeypatch):
    run("ddsm", "a", "--out", tmp_path / "d.json")
    fewer = tuple(replace(scan, patient_id=f"q{i}") for i, scan in enumerate(SCANS["ddsm"]))
    monkeypatch.setitem(SCANS, "ddsm", fewer)
    result = run("ddsm", "a", "--out", tmp_path / "d.json")
    assert isinstance(result.exception, BadValueError)


def test_a_seed_below_0_is_refused(tmp_path):
    result = run("ddsm", "a", "--out", tmp_path / "d.json", "--seed", -3)
    assert isinstance(result.exception, BadValueError)
    assert str(result.exception) == "--seed -3: a seed is 0 or more."
