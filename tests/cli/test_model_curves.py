"""`mammoscope model curves`, as the command joins it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from mammoscope.cli.model_curves import curves
from mammoscope.core.errors import MissingFileError


@pytest.fixture
def command():
    app = typer.Typer()
    app.command()(curves)
    runner = CliRunner()

    def run(*arguments):
        return runner.invoke(
            app, [str(one) for one in arguments], catch_exceptions=True, color=False
        )

    return run


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = [{"epoch": 1.0, "accuracy": 0.5, "val_accuracy": 0.75, "val_majority": 0.8}]
    (folder / "history.json").write_text(json.dumps(rows))
    return folder


def test_the_page_is_written_and_named(command, run_folder, tmp_path):
    said = command(run_folder, "--out", tmp_path / "page.html")
    assert said.exit_code == 0, said.output
    assert said.output.split() == [str(tmp_path / "page.html")]
    assert "0.750" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_figures_are_written_on_request(command, run_folder, tmp_path):
    said = command(run_folder, "--out", tmp_path / "page.html", "--figures", tmp_path / "figures")
    assert said.exit_code == 0, said.output
    written = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert written == ["mine-curves.png", "mine-curves.svg"]


def test_what_could_not_be_read_is_told(command, run_folder, tmp_path):
    (run_folder / "tensorboard").mkdir()
    (run_folder / "tensorboard" / "events.out.tfevents.1").touch()
    said = command(run_folder, "--out", tmp_path / "page.html")
    assert said.exit_code == 0
    assert "the file is empty" in said.output


def test_a_place_without_a_run_is_an_error_of_ours(command, tmp_path):
    said = command(tmp_path, "--out", tmp_path / "page.html")
    assert isinstance(said.exception, MissingFileError)
    assert not (tmp_path / "page.html").exists()
