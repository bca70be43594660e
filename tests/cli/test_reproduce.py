"""`reproduce` and `archive explore` as commands: what they write, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from mammoscope.cli.explore import explore
from mammoscope.cli.reproduce import reproduce
from mammoscope.core.errors import MissingFileError, UnknownKeyError

HEADING = "INFORMATION about the MIAS films\n"


@pytest.fixture
def mias(tmp_path: Path) -> Path:
    folder = tmp_path / "mias"
    folder.mkdir()
    rows = []
    for number in range(1, 5):
        name = f"mdb{number:03d}"
        rows.append(f"{name} G CIRC B 500 400 60" if number % 2 else f"{name} D NORM")
        Image.fromarray(np.full((1024, 1024), 90, np.uint8)).save(folder / f"{name}.png")
    (folder / "Info.txt").write_text(HEADING + "\n".join(rows) + "\n")
    return folder


def _app(command):
    app = typer.Typer()
    app.command()(command)
    return app


def test_explore_writes_a_record_and_a_page_that_loads_nothing(mias, tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(_app(explore), ["mini-mias", str(mias), "--out", str(out)])
    assert result.exit_code == 0, result.output
    text = (out / "exploration.html").read_text()
    assert "Radius against severity" in text
    assert "<script" not in text
    assert 'src="' not in text


def test_reproduce_without_any_archive_says_which_it_looks_for(tmp_path):
    result = CliRunner().invoke(
        _app(reproduce), ["--data", str(tmp_path), "--out", str(tmp_path / "o"), "--quick"]
    )
    assert isinstance(result.exception, MissingFileError)
    assert "cbis-ddsm-800" in str(result.exception)


def test_reproduce_refuses_a_setting_that_does_not_exist(tmp_path):
    words = ["--data", str(tmp_path), "--out", str(tmp_path / "o"), "--set", "epoch=1"]
    assert isinstance(CliRunner().invoke(_app(reproduce), words).exception, UnknownKeyError)


def test_reproduce_with_mias_alone_runs_nothing_and_names_what_is_missing(mias, tmp_path):
    out = tmp_path / "out"
    words = ["--data", str(mias.parent), "--out", str(out), "--quick", "--set", "resamples=40"]
    result = CliRunner().invoke(_app(reproduce), words)
    assert result.exit_code == 0, result.output
    assert "stand-in" not in result.output
    assert "cbis-ddsm is not at hand" in result.output + result.stderr
    assert "The paper, run again" in (out / "reproduce.html").read_text()
    assert not list((out / "sets").iterdir())
