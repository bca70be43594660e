"""`mammoscope archive simulate`: what it writes, says and refuses."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from mammoscope.cli.simulate import simulate
from mammoscope.core.errors import BadValueError
from mammoscope.simulate import write
from mammoscope.simulate.plan import Written
from mammoscope.simulate.truth import read_truth

app = typer.Typer()
app.command()(simulate)


def fake_patient(job):
    (job.folder / f"{job.index}.txt").write_text(str(job.plan.spacing_mm))
    return Written(scans=())


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setitem(write.WRITERS, "ddsm", fake_patient)
    monkeypatch.setattr(write, "cpu_count", lambda: 1)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_the_archive_and_its_truth_are_written_and_counted(run, tmp_path):
    result = run("ddsm", tmp_path / "a", "--patients", 2, "--seed", 5, "--spacing-um", 200)
    assert result.exit_code == 0
    assert (tmp_path / "a" / "1.txt").read_text() == "0.2"
    truth = read_truth(tmp_path / "a.truth")
    assert (truth.archive, truth.patients, truth.seed) == ("ddsm", 2, 5)
    assert "patients" in result.stdout
    assert "a.truth" in result.stdout


def test_without_a_spacing_that_of_each_scanner_is_taken(run, tmp_path):
    run("ddsm", tmp_path / "a", "--patients", 1, "--seed", 5)
    assert (tmp_path / "a" / "0.txt").read_text() == "None"


def test_patients_and_seed_must_be_given(run, tmp_path):
    assert run("ddsm", tmp_path / "a").exit_code == 2
    assert not (tmp_path / "a").exists()


def test_a_filled_folder_is_refused(run, tmp_path):
    (tmp_path / "mine").write_text("mine")
    result = run("ddsm", tmp_path, "--patients", 1, "--seed", 5)
    assert isinstance(result.exception, BadValueError)


def test_defects_are_asked_for_with_a_flag(run, tmp_path):
    result = run("ddsm", tmp_path / "a", "--patients", 1, "--seed", 5, "--defects")
    assert "to hold all defects" in str(result.exception)


@pytest.mark.slow
def test_a_real_exam_is_written(tmp_path):
    words = ["dicom", str(tmp_path / "a"), "--patients", "1", "--seed", "2", "--spacing-um", "300"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert len(list((tmp_path / "a").rglob("*.dcm"))) == 4
    assert np.all([scan.spacing_mm == 0.3 for scan in read_truth(tmp_path / "a.truth").scans])
