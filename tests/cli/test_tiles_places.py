"""`mammoscope tiles places`: what it passes on, says and returns."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from mammoscope.archives import open as opening
from mammoscope.cli.tiles_places import places

app = typer.Typer()
app.command()(places)


@pytest.fixture
def asked(monkeypatch, stand_in):
    """Stand-ins for everything below; what the command asked of them."""
    found = SimpleNamespace(failures={})

    def score_places(model, archives, out, *, assumed_um, progress):
        found.given = (model, [archive.name for archive in archives], out, assumed_um)
        progress(1, 4)
        return found.failures

    stand_in("mammoscope.read.score_places", score_places=score_places)
    monkeypatch.setattr(
        opening,
        "open_archive",
        lambda name, _folder: SimpleNamespace(name=name, scans=lambda: (1, 2)),
    )
    return found


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_archives_model_and_table_are_passed_on(asked, tmp_path):
    out = tmp_path / "new" / "p.csv"
    words = ("--out", out, "--model", "m.safetensors", "--assumed-um", 47.7)
    result = run("ddsm", "a", "cbis-ddsm", "b", *words)
    assert result.exit_code == 0, result.exception
    assert asked.given == ("m.safetensors", ["ddsm", "cbis-ddsm"], Path(out), 47.7)
    assert f"Places of 4 of 4 scans in {out}." in result.stdout


def test_the_shipped_model_is_the_default_and_no_spacing_is_assumed(asked, tmp_path):
    run("ddsm", "a", "--out", tmp_path / "p.csv")
    assert (asked.given[0], asked.given[3]) == ("default", None)


def test_scans_that_could_not_be_scored_are_named_and_the_end_is_1(asked, tmp_path):
    asked.failures = {"ddsm/s1": "no breast was found"}
    result = run("ddsm", "a", "--out", tmp_path / "p.csv")
    assert result.exit_code == 1
    assert "Places of 1 of 2 scans" in result.stdout
    assert "ddsm/s1: no breast was found" in result.stderr
